"""Connections: given up, kept, replaced, encrypted, mocked."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from llmroute.adapter import Adapter
from llmroute.adapter.transports.http import HttpTransport
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Request
from tests.adapter.http_ways import (
    ANSWER,
    BOTH,
    HEAD,
    STREAM,
    Make,
    ask,
    asked,
    over_httpx,
)
from tests.adapter.wire import (
    ByteServer,
    call,
    endpoint,
    http,
    run,
    sse,
    target,
)

K = ErrorKind


@pytest.fixture(params=list(BOTH.values()), ids=list(BOTH))
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def _drip(connection: socket.socket) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    connection.sendall(head + sse(HEAD).encode())
    while connection.recv(1):
        pass


def _silent(connection: socket.socket) -> None:
    while connection.recv(1):
        pass


@pytest.mark.parametrize("say", [_drip, _silent], ids=["midway", "before the headers"])
def test_going_away_closes_the_wire_at_once(make: Make, say: Any) -> None:
    async def work(url: str) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await asked(make(), url, stream=True)

    with ByteServer(say) as server:
        run(work(server.url))
        assert server.gone.wait(1.0)


def test_closing_the_generator_closes_the_wire(make: Make) -> None:
    async def work(url: str, gone: threading.Event) -> bool:
        stream = Adapter({"http": make()}).stream(target(endpoint(url)), Request.of("hi"))
        async for chunk in stream:
            if chunk.text:
                break
        await stream.aclose()
        return await asyncio.to_thread(gone.wait, 1.0)

    with ByteServer(_drip) as server:
        assert run(work(server.url, server.gone))


def _links() -> list[str]:
    """Return what this process holds open."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(entry.readlink()))
    return found


def test_breaking_off_leaves_no_descriptor_open(tmp_path: Path) -> None:
    """Files and pipes are no sockets; looking at them must not keep them open."""

    async def work(url: str) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asked(HttpTransport(), url, stream=True)

    ends = os.pipe()
    with ByteServer(_silent) as server, (tmp_path / "file").open("w"):
        run(work(server.url))
        assert server.gone.wait(1.0)
        links = _links()
        assert links.count(str(tmp_path / "file")) == 1
        pipe = str(Path(f"/proc/self/fd/{ends[0]}").readlink())
        assert links.count(pipe) == 2
    for end in ends:
        os.close(end)


def test_an_error_that_is_kept_holds_no_connection_open(make: Make) -> None:
    kept = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{"
    with ByteServer(kept) as server:
        with pytest.raises(TargetError) as caught:
            ask(make, server.url)
        assert server.gone.wait(1.0)
    assert caught.value.kind is K.MALFORMED


def test_json_for_discovery(make: Make) -> None:
    async def work(url: str) -> Any:
        return await Adapter({"http": make()}).get_json(endpoint(url), "/models")

    with ByteServer(http('{"data": []}')) as server:
        assert run(work(server.url)) == {"data": []}
    assert server.requests[0].startswith(b"GET /models ")
    with ByteServer(http('{"error":"no"}', 401)) as server, pytest.raises(TargetError) as caught:
        run(work(server.url))
    assert caught.value.kind is K.AUTH


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["127.0.0.1", "other.example"])
def tls(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[tuple[str, str]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(request.param).configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(65536)
                    wrapped.sendall(http(ANSWER))
            except ssl.SSLError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield request.param, f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def test_certificates_are_checked(tls: tuple[str, str], authority: trustme.CA) -> None:
    name, url = tls
    roots = authority.cert_pem.bytes()
    with pytest.raises(TargetError) as caught:
        ask(HttpTransport, url)
    assert caught.value.code == "tls"
    if name == "127.0.0.1":
        assert ask(lambda: HttpTransport(roots), url).text == "Hi"
    else:
        with pytest.raises(TargetError) as caught:
            ask(lambda: HttpTransport(roots), url)
        assert caught.value.code == "tls"


def test_what_called_a_server_without_tls_checks_certificates_all_the_same(
    tls: tuple[str, str],
) -> None:
    """Clients that never see a certificate are made without any to trust, and kept apart."""

    async def work(plain: str) -> str | None:
        adapter = Adapter({"http": HttpTransport()})
        try:
            for _ in range(2):
                await adapter.complete(target(endpoint(plain)), Request.of("hi"))
            await adapter.complete(target(endpoint(tls[1])), Request.of("hi"))
        except TargetError as exc:
            return exc.code
        finally:
            await adapter.aclose()
        return None

    with ByteServer(http(ANSWER)) as server:
        assert run(work(server.url)) == "tls"


def _answer_at_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(http(ANSWER))


def test_plain_text_where_tls_is_expected(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_at_once, args=(listener,))
        thread.start()
        with pytest.raises(TargetError) as caught:
            ask(make, f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert (caught.value.kind, caught.value.code) == (K.UNAVAILABLE, "tls")


KEPT = http(ANSWER).replace(b"connection: close\r\n", b"")
KEPT_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    + f"{len(STREAM):x}\r\n{STREAM}\r\n0\r\n\r\n".encode()
)


def test_connections_are_kept_after_answers_and_streams() -> None:
    async def work(url: str) -> None:
        adapter = Adapter()
        aim = target(endpoint(url))
        for _ in range(3):
            await adapter.complete(aim, Request.of("hi"))
            assert [chunk async for chunk in adapter.stream(aim, Request.of("hi"))]
        await adapter.aclose()

    with ByteServer(*[KEPT, KEPT_STREAM] * 3) as server:
        run(work(server.url))
    assert server.connections == 1


def test_one_adapter_serves_several_event_loops() -> None:
    adapter = Adapter()

    def in_a_loop(url: str) -> str | None:
        return asyncio.run(adapter.complete(target(endpoint(url)), Request.of("hi"))).text

    with ByteServer(KEPT) as server:
        assert [in_a_loop(server.url) for _ in range(3)] == ["Hi"] * 3
        found: list[str | None] = []
        threads = [
            threading.Thread(target=lambda: found.append(in_a_loop(server.url))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == ["Hi"] * 8
    asyncio.run(adapter.aclose())


def _once_then_drop(connection: socket.socket) -> None:
    connection.sendall(KEPT)
    connection.recv(65536)  # the next request on the kept connection is never answered


def test_a_dead_kept_connection_is_replaced_once() -> None:
    async def work(url: str) -> list[str | None]:
        adapter, aim = Adapter(), target(endpoint(url))
        return [(await adapter.complete(aim, Request.of("hi"))).text for _ in range(2)]

    with ByteServer(_once_then_drop, KEPT) as server:
        assert run(work(server.url)) == ["Hi", "Hi"]
    assert server.connections == 2


def test_a_first_connection_that_breaks_is_not_repeated() -> None:
    with ByteServer(lambda _: None) as server, pytest.raises(TargetError):
        ask(HttpTransport, server.url)
    assert server.connections == 1


def test_a_mock_needs_no_socket() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content)["model"] == "upstream-m"
        return httpx.Response(200, text=ANSWER, headers={"content-type": "application/json"})

    transport = over_httpx(transport=httpx.MockTransport(handle))
    assert ask(lambda: transport, "http://mock.invalid").text == "Hi"


def test_doubled_versions_are_joined_once() -> None:
    async def work(url: str) -> None:
        await HttpTransport().open(call(endpoint(url), path="/v1/messages", body={}))

    with ByteServer(http("{}")) as server:
        run(work(f"{server.url}/v1"))
    assert server.requests[0].startswith(b"POST /v1/messages ")
