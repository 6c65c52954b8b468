"""Sending a reply at a model's pace, and breaking it where a fault says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from llmroute.sim.exchange import Recorded, Reply, Stream, Whole
from llmroute.sim.line import Line, head
from llmroute.sim.script import Fault, Pace

__all__ = ["Delivery"]


@dataclass(slots=True)
class Delivery:
    """Sends one reply on one connection.

    `error_frame` gives what the dialect sends when a stream breaks, `error_body` the same for
    an answer that is not streamed. `send` returns whether the connection can be used again.
    """

    line: Line
    request: Recorded
    pace: Pace
    fault: Fault | None
    error_frame: Callable[[], bytes]
    error_body: Callable[[], bytes]
    clock: Callable[[], float] = time.time

    async def send(self, reply: Reply) -> bool:
        """Send `reply`, or what the fault makes of it."""
        fault = self.fault
        if fault and fault.kind == "raw":
            return await self._raw(fault)
        if fault and fault.at == "headers" and fault.kind in ("hang", "reset", "truncate"):
            return await self._break(fault, chunked=False)
        if fault and fault.kind == "drip" and fault.at == "headers":
            self.line.drip = (fault.size, fault.every)
        try:
            sent = self._stream(reply) if isinstance(reply, Stream) else self._whole(reply)
            return await sent
        finally:
            self.line.drip = None

    async def _raw(self, fault: Fault) -> bool:
        for piece in fault.pieces:
            await self.line.send(piece)
            await self.line.pause(fault.every)
        return False

    async def _whole(self, reply: Whole) -> bool:
        await self.line.pause(self.pace.first_token + self.pace.spacing(reply.tokens))
        body, fault = reply.body, self.fault
        if fault and fault.kind == "error_event":
            body, fault = self.error_body(), None
        cut = 0 if fault and fault.at == "first_token" else len(body) // 2
        broken = fault is not None and fault.kind in ("endless", "hang", "reset", "truncate")
        clean = fault is not None and fault.kind == "truncate" and fault.ending == "clean"
        length = cut if clean else len(body)
        await self._head(reply, {"content-length": str(length)}, close=_close_framed(fault))
        self._start_drip()
        if self.request.method == "HEAD":
            return True
        await self.line.send(body[:cut] if broken else body)
        if fault and broken and not clean:
            return await self._break(fault, chunked=False)
        return True

    async def _stream(self, reply: Stream) -> bool:
        close = _close_framed(self.fault)
        await self._head(reply, {"transfer-encoding": "chunked"}, close=close)
        self._start_drip()
        sent = 0
        for frame in reply.frames:
            if frame.tokens and not sent:
                await self._before_first()
            if (frame.tokens or frame.closing) and self._breaks(sent, last=frame.closing):
                return await self._broken_stream(reply, chunked=not close)
            if frame.tokens:
                await self.line.pause(self.pace.spacing(frame.tokens))
                sent += 1
            await self._chunk(frame.data, chunked=not close)
        await self.line.send(b"0\r\n\r\n")
        return True

    async def _before_first(self) -> None:
        await self.line.pause(self.pace.first_token)

    def _breaks(self, sent: int, *, last: bool) -> bool:
        fault = self.fault
        if fault is None or fault.kind == "drip":
            return False
        return fault.at == "first_token" or sent >= fault.after or last

    async def _broken_stream(self, reply: Stream, *, chunked: bool) -> bool:
        fault = self.fault
        if fault is None:
            return True
        if fault.kind == "error_event":
            made = reply.error or self.error_frame
            await self._chunk(made(), chunked=chunked)
            await self.line.send(b"0\r\n\r\n")
            return True
        return await self._break(fault, chunked=chunked)

    async def _break(self, fault: Fault, *, chunked: bool) -> bool:
        if fault.kind == "hang":
            await self.line.hang()
        if fault.kind == "endless":
            await self._endless(fault, chunked=chunked)
        if fault.kind == "reset":
            self.line.reset()
        if fault.kind == "truncate" and fault.ending == "clean" and chunked:
            await self.line.send(b"0\r\n\r\n")
            return True
        return False

    async def _endless(self, fault: Fault, *, chunked: bool) -> None:
        while True:
            await self._chunk(fault.pieces[0], chunked=chunked)
            await self.line.pause(max(fault.every, 0.001))

    def _start_drip(self) -> None:
        if self.fault and self.fault.kind == "drip":
            self.line.drip = (self.fault.size, self.fault.every)

    async def _head(self, reply: Reply, framing: dict[str, str], *, close: bool) -> None:
        self.request.status = reply.status
        framing = {"connection": "close"} if close else framing
        await self.line.send(head(reply.status, {**reply.headers, **framing}, self.clock))

    async def _chunk(self, data: bytes, *, chunked: bool) -> None:
        await self.line.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)


def _close_framed(fault: Fault | None) -> bool:
    return fault is not None and fault.kind == "truncate" and fault.ending == "close"
