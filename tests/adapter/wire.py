"""Helpers: targets at an address, a server that says exact bytes, and streams from text."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from llmroute.adapter import Adapter, Call, collect
from llmroute.adapter.framing import FRAMINGS
from llmroute.adapter.protocols import protocol
from llmroute.catalog.model import Auth, Capabilities, Endpoint, Provider, Target, Timeouts
from llmroute.config.secrets import Secret
from llmroute.errors import TargetError
from llmroute.types import Chunk, Request, Response

#: Recorded traffic, where the checkout lies beside it; the tests here stand without it.
SHARED = Path(__file__).parents[3] / "shared"

ALL = Capabilities(
    tools=True,
    streaming=True,
    vision=True,
    json_schema=True,
    reasoning=True,
    forced_tool_choice=True,
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather by city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CANARY = "sk-canary-0123456789"


def endpoint(
    url: str = "http://127.0.0.1:9", dialect: str = "openai-chat", **data: Any
) -> Endpoint:
    data.setdefault("timeouts", Timeouts(connect=2.0))
    return Endpoint(data.pop("transport", "http"), dialect, base_url=url, **data)


def target(where: Endpoint | str = "openai-chat", **data: Any) -> Target:
    """Return a target of an endpoint, or of a protocol whose address does not matter."""
    where = endpoint(dialect=where) if isinstance(where, str) else where
    provider = Provider("p", "local", where)
    data.setdefault("capabilities", ALL)
    return Target("p/m", provider, "m", "upstream-m", "local", **data)


def bearer(value: str = CANARY) -> Auth:
    return Auth("Authorization", "Bearer ", "env:SOME_KEY", Secret(value))


def encoded(where: str | Target, prompt: Any = "hi", **fields: Any) -> Any:
    """Return the body that a request becomes."""
    aim = target(where) if isinstance(where, str) else where
    stream = fields.pop("stream", False)
    return Adapter().encode(aim, Request.of(prompt, **fields), stream=stream)


def decoded(dialect: str, text: str | bytes) -> list[Chunk]:
    """Return the chunks of a whole recorded stream; `done` must have been reached."""
    raw = text.encode() if isinstance(text, str) else text
    framer, decoder = FRAMINGS[protocol(dialect).framing](), protocol(dialect).decoder()
    events = [*framer.feed(raw), *framer.close()]
    chunks = [chunk for event in events for chunk in decoder.feed(event)]
    assert decoder.done
    return chunks


def folded(dialect: str, text: str | bytes, **data: Any) -> Response:
    return collect(decoded(dialect, text), target(dialect, **data))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def completed(aim: Target, prompt: Any = "hi", **fields: Any) -> Response:
    async def work() -> Response:
        adapter = Adapter()
        try:
            return await adapter.complete(aim, Request.of(prompt, **fields))
        finally:
            await adapter.aclose()

    response: Response = run(work())
    return response


def streamed(aim: Target, prompt: Any = "hi", **fields: Any) -> list[Chunk]:
    async def work() -> list[Chunk]:
        adapter = Adapter()
        try:
            return [chunk async for chunk in adapter.stream(aim, Request.of(prompt, **fields))]
        finally:
            await adapter.aclose()

    chunks: list[Chunk] = run(work())
    return chunks


def failure(work: Callable[[], Any]) -> TargetError:
    try:
        work()
    except TargetError as exc:
        return exc
    raise AssertionError("the call did not fail")


def call(where: Endpoint, **data: Any) -> Call:
    return Call(where, data.pop("path", "/x"), timeouts=where.timeouts, **data)


def http(
    body: bytes | str = b"",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> bytes:
    """Return an HTTP/1.1 answer that closes its connection."""
    raw = body.encode() if isinstance(body, str) else body
    lines = {"content-type": content_type, "content-length": str(len(raw)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}connection: close\r\n\r\n".encode() + raw


class ByteServer:
    """Answers each connection's request with the next scripted bytes, then the last ones again.

    `say` may be bytes or a function that is given the connection after the request was read.
    """

    def __init__(self, *say: bytes | Callable[[socket.socket], None]) -> None:
        self.say = list(say)
        self.requests: list[bytes] = []
        self.connections = 0
        self.gone = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := read_request(connection):
                    self.requests.append(request)
                    say = self.say.pop(0) if len(self.say) > 1 else self.say[0]
                    if callable(say):
                        say(connection)
                    else:
                        connection.sendall(say)
                    if not isinstance(say, bytes) or b"connection: close" in say:
                        return
            except OSError:
                pass
            finally:
                self.gone.set()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        if not block:
            return b""
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    sizes = [
        line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    ]
    while len(body) < int(sizes[0] if sizes else 0):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def sse(*events: str) -> str:
    return "".join(f"data: {event}\n\n" for event in events)


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


def at(aim: Target, **data: Any) -> Target:
    """Return a target with other fields of its endpoint."""
    where = replace(aim.provider.endpoint, **data)
    return replace(aim, provider=replace(aim.provider, endpoint=where))
