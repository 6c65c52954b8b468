"""A server on a loopback socket that does wrong what can be done wrong, byte by byte.

A `Say` is what happens on one connection once its request was read: bytes, or a function of the
connection. The last one is said again. Nothing here speaks HTTP beyond what a test writes down.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self

Say = bytes | Callable[["Wire"], None]

EVENTS = "text/event-stream"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = _HEAD + b"transfer-encoding: chunked\r\n\r\n"
#: A head after which the end of the body is the end of the connection.
OPEN_ENDED = _HEAD + b"connection: close\r\n\r\n"
OPEN_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"


class Wire:
    """One connection, its request read; `sent` counts what the peer's kernel took."""

    def __init__(self, connection: socket.socket, request: bytes, server: FaultServer) -> None:
        self.connection = connection
        self.request = request
        self._server = server

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self._server.sent += len(data)

    def sse(self, *events: Any) -> None:
        """Send events; what is no text is written as JSON."""
        self.send(sse(*events))

    def stall(self) -> None:
        """Say nothing more until the peer leaves, and note when it did."""
        with suppress(OSError):
            while self.connection.recv(4096):
                pass

    def drip(self, piece: bytes, every: float) -> None:
        """Repeat a piece until the peer leaves."""
        while not self._server.stopped.wait(every):
            self.send(piece)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def end_writing(self) -> None:
        """Close this side and keep the other open (FIN, half-closed)."""
        self.connection.shutdown(socket.SHUT_WR)


class FaultServer:
    """Listens on 127.0.0.1 or ::1; a context manager. `unread` says before anything is read."""

    def __init__(
        self,
        *say: Say,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        unread: Callable[[Wire], None] | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        self.port: int = self._socket.getsockname()[1]
        self.host = f"[{host}]" if ":" in host else host
        self.scheme = "https" if tls else "http"
        self.requests: list[bytes] = []
        self.connections = 0
        self.sent = 0
        self.left: list[float] = []
        self.stopped = threading.Event()
        self._say, self._tls, self._unread = list(say), tls, unread
        self._gone = threading.Condition()
        self._open = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()

    def all_gone(self, within: float = 1.0) -> bool:
        """Whether every connection is over, at most so many seconds from now."""
        with self._gone:
            return self._gone.wait_for(lambda: self._open == 0, within)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._gone:
                self.connections += 1
                self._open += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with suppress(OSError, ssl.SSLError):
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._talk(connection)
        finally:
            connection.close()
            with self._gone:
                self._open -= 1
                self.left.append(time.monotonic())
                self._gone.notify_all()

    def _talk(self, connection: socket.socket) -> None:
        if self._unread is not None:
            self._unread(Wire(connection, b"", self))
            return
        while request := read_request(connection):
            self.requests.append(request)
            say = self._say.pop(0) if len(self._say) > 1 else self._say[0]
            wire = Wire(connection, request, self)
            if isinstance(say, bytes):
                wire.send(say)
            else:
                say(wire)
            if not isinstance(say, bytes) or b"connection: close" in say:
                return


def read_request(connection: socket.socket) -> bytes:
    """Return one request, empty where the peer left first."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (block := connection.recv(65536)):
            return b""
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    sizes = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
    while len(body) < (sizes[0] if sizes else 0):
        if not (block := connection.recv(65536)):
            return b""
        body += block
    return head + b"\r\n\r\n" + body


def http(
    body: bytes | str | Any = b"",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str | None = "application/json",
    *,
    keep: bool = False,
) -> bytes:
    """Return an HTTP/1.1 answer; a body of other types is written as JSON."""
    raw = body if isinstance(body, bytes) else text(body).encode()
    lines = {"content-length": str(len(raw)), **(headers or {})}
    if content_type is not None:
        lines["content-type"] = content_type
    if not keep:
        lines["connection"] = "close"
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + raw


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def sse(*events: Any) -> bytes:
    return "".join(f"data: {text(event)}\n\n" for event in events).encode()


@contextmanager
def full_backlog(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Yield a port whose queue of connections is full: SYN packets stay without an answer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), backlog=0, family=family) as full:
        address = full.getsockname()
        held = [socket.socket(family) for _ in range(8)]
        for waiting in held:
            waiting.setblocking(False)
            waiting.connect_ex(address)
        try:
            yield address[1]
        finally:
            for waiting in held:
                waiting.close()


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
