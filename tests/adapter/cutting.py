"""An Anthropic server that cuts its streams after so many events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["CuttingServer", "Play"]

_USAGE = {"input_tokens": 1000, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 300}


@dataclass(frozen=True)
class Play:
    """What one request gets: pieces of thought, then blocks of pieces of text.

    After `cut` events the connection is closed; `error` says so first, as an event.
    """

    blocks: tuple[tuple[str, ...], ...]
    thought: tuple[str, ...] = ()
    cut: int | None = None
    error: bool = False
    stop: str = "end_turn"

    def content(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if self.thought:
            thought = "".join(self.thought)
            found.append({"type": "thinking", "thinking": thought, "signature": "SIG"})
        return found + [{"type": "text", "text": "".join(pieces)} for pieces in self.blocks]

    def events(self, message: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        start = {**message, "content": [], "stop_reason": None}
        yield "message_start", {"message": {**start, "usage": {**_USAGE, "output_tokens": 1}}}
        told = [("thinking", self.thought)] if self.thought else []
        for index, (kind, pieces) in enumerate([*told, *(("text", b) for b in self.blocks)]):
            more = {"signature": ""} if kind == "thinking" else {}
            block = {"type": kind, kind: "", **more}
            yield "content_block_start", {"index": index, "content_block": block}
            for piece in pieces:
                delta = {"type": f"{kind}_delta", kind: piece}
                yield "content_block_delta", {"index": index, "delta": delta}
            if more:
                delta = {"type": "signature_delta", "signature": "SIG"}
                yield "content_block_delta", {"index": index, "delta": delta}
            yield "content_block_stop", {"index": index}
        ended = {"stop_reason": self.stop, "stop_sequence": None}
        yield "message_delta", {"delta": ended, "usage": {"output_tokens": 50}}
        yield "message_stop", {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: CuttingServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._json({})

    def do_GET(self) -> None:
        self._json({"data": [], "has_more": False})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
        if self.path.split("?")[0] != "/v1/messages":
            self._json({"input_tokens": 42})
            return
        number, play = self.owner.next_play(body)
        named = {"id": f"msg_{number}", "type": "message", "role": "assistant"}
        ended = {"stop_reason": play.stop, "stop_sequence": None}
        usage = {**_USAGE, "output_tokens": 50}
        content = play.content()
        message = {**named, "model": body["model"], "content": content, **ended, "usage": usage}
        if body.get("stream"):
            self._stream(play, message)
        else:
            self._json(message)

    def _json(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, play: Play, message: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number, (name, data) in enumerate(play.events(message)):
            if number == play.cut:
                if play.error:
                    error = {"type": "overloaded_error", "message": "Overloaded"}
                    self._event("error", {"error": error})
                return
            self._event(name, data)

    def _event(self, name: str, data: dict[str, Any]) -> None:
        text = json.dumps({"type": name, **data})
        self.wfile.write(f"event: {name}\ndata: {text}\n\n".encode())
        self.wfile.flush()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class CuttingServer:
    """Gives each request the next play, and the last one again; `requests` are the bodies."""

    def __init__(self, *plays: Play) -> None:
        self.plays = list(plays)
        self.requests: list[dict[str, Any]] = []
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def next_play(self, body: dict[str, Any]) -> tuple[int, Play]:
        self.requests.append(body)
        number = len(self.requests)
        return number, self.plays[min(number, len(self.plays)) - 1]

    def url(self, scenario: str = "") -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
