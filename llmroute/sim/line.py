"""One HTTP/1.1 connection of a simulator: reading requests, sending bytes, breaking off.

Written on asyncio's streams rather than on a ready server, because faults need what such a
server prevents: bodies shorter than announced, resets, silence before the status line, single
bytes, and knowing at once that the client has left.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

from llmroute.sim.exchange import Recorded

__all__ = ["BadRequestError", "Gone", "Line", "head"]

Sleep = Callable[[float], Awaitable[None]]

_MAX_HEAD = 64 * 1024


class Gone(Exception):  # noqa: N818 - an event of the connection, no error of ours
    """The client has closed the connection, or the simulator is stopping."""


class BadRequestError(Exception):
    """What arrived is no request that can be served; `status` is the HTTP answer to it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Line(asyncio.StreamReaderProtocol):
    """A connection; `serve` is run once it is open.

    `gone` is set as soon as the client closes or resets it. A client that closes only its
    sending side counts as gone.
    """

    def __init__(self, serve: Callable[[Line], Awaitable[None]], sleep: Sleep, cap: int) -> None:
        loop = asyncio.get_running_loop()
        self.input = asyncio.StreamReader(limit=_MAX_HEAD, loop=loop)
        super().__init__(self.input, self._opened, loop=loop)
        self.gone = asyncio.Event()
        self.busy = False
        self.drip: tuple[int, float] | None = None
        self._serve = serve
        self._sleep = sleep
        self._cap = cap

    async def _opened(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.output = writer
        await self._serve(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, which is there before the streams are."""
        self._wire = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def eof_received(self) -> bool | None:
        """Note that the client sends no more."""
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is closed."""
        self.gone.set()
        super().connection_lost(exc)

    async def read(self) -> Recorded | None:
        """Read the next request; None where the client has closed.

        Raises:
            BadRequestError: the bytes are no HTTP, or larger than the cap.

        """
        try:
            lines = (await self.input.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _version = lines[0].split(" ")
            headers = _headers(lines[1:])
            raw = await self._body(headers)
        except asyncio.LimitOverrunError as exc:
            raise BadRequestError(431, "the request's headers are too large") from exc
        except ValueError as exc:
            raise BadRequestError(400, f"not HTTP/1.1: {exc}") from exc
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        path, _, query = target.partition("?")
        return Recorded(method, path, query, headers, raw, _parsed(raw))

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("expect", "").lower() == "100-continue":
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._chunked()
        length = int(headers.get("content-length") or 0)
        if length > self._cap:
            raise BadRequestError(413, f"the body has {length} bytes; {self._cap} are allowed")
        return await self.input.readexactly(length)

    async def _chunked(self) -> bytes:
        body = b""
        while True:
            size = int((await self.input.readuntil(b"\r\n")).split(b";")[0], 16)
            body += (await self.input.readexactly(size + 2))[:-2]
            if size == 0:
                return body
            if len(body) > self._cap:
                raise BadRequestError(413, f"the body has over {self._cap} bytes")

    async def send(self, data: bytes) -> None:
        """Send bytes, in the drip's rhythm where one is set.

        Raises:
            Gone: the client has closed.

        """
        size, every = self.drip or (len(data) or 1, 0.0)
        for start in range(0, len(data), size):
            if self.gone.is_set():
                raise Gone
            try:
                self.output.write(data[start : start + size])
                await self.output.drain()
            except ConnectionError as exc:
                raise Gone from exc
            await self.pause(every)

    async def pause(self, seconds: float) -> None:
        """Wait, unless the client leaves first.

        Raises:
            Gone: the client has closed.

        """
        if seconds <= 0:
            return
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        leaving = asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait({sleeping, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            leaving.cancel()
        if self.gone.is_set():
            raise Gone

    async def hang(self) -> None:
        """Do nothing until the client leaves.

        Raises:
            Gone: always, in the end.

        """
        await self.gone.wait()
        raise Gone

    def reset(self) -> None:
        """Close at once with a TCP reset."""
        sock = self._wire.get_extra_info("socket")
        if sock is not None and not self._wire.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._wire.abort()

    def close(self) -> None:
        """Close after what was written has been sent."""
        self._wire.close()


def head(status: int, headers: Mapping[str, str], clock: Callable[[], float] = time.time) -> bytes:
    """Write a status line and headers; a `date` is added, as every real server does."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(clock()))
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in {"date": date, **headers}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = [line.partition(":") for line in lines if line]
    if any(not colon for _name, colon, _value in pairs):
        raise ValueError("a header line without a colon")
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
