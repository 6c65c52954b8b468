"""What is under way when a router is closed, and how it is ended on whichever event loop it runs.

A request that a task waits for is cancelled, as by a timeout, and the task is told that the router
was closed. A stream that nobody reads just then is closed. Either way the call upstream ends, its
connection is closed and what it used is settled, before the router gives back what they need.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import contextmanager, suppress
from threading import Lock
from types import TracebackType
from typing import Any
from weakref import ref

from llmroute.errors import UsageError

__all__ = ["Underway", "Work", "closed_meanwhile"]

_Stream = AsyncGenerator[Any, None]

#: Seconds that closing waits for what it ends; transports are not all well-behaved.
_PATIENCE = 5.0


def closed_meanwhile() -> UsageError:
    """Return what a request is told whose router is closed."""
    return UsageError("the router was closed meanwhile; read answers and streams before it is")


class Work:
    """One request: `whole` frames all of it, `with` what one task waits for."""

    def __init__(self, underway: Underway) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._underway = underway
        self._stream: Callable[[], _Stream | None] = _no_stream
        self._task: asyncio.Task[Any] | None = None
        self._cancels = 0
        self._cancelled = self._called_off = self._over = self._closing = False
        self._closer: asyncio.Task[None] | None = None
        self._ended: Future[None] | None = None

    def reads(self, stream: _Stream) -> None:
        """Name what yields the answer, where no task waits between its chunks; not kept alive."""
        self._stream = ref(stream)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Count a request from its beginning until everything that it borrowed is back.

        Raises:
            UsageError: the router is closed.

        """
        self.loop = asyncio.get_running_loop()
        self._underway.add(self)
        try:
            yield
        finally:
            self._over = True
            self._underway.remove(self)
            if self._ended is not None:
                with suppress(InvalidStateError):  # whoever waited for it has gone
                    self._ended.set_result(None)

    def __enter__(self) -> None:
        if self._called_off:
            raise closed_meanwhile()
        if self._task is None:
            self._task = asyncio.current_task()
            self._cancels = self._task.cancelling() if self._task else 0

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None
    ) -> None:
        if asyncio.current_task() is not self._task:
            return  # another task is the one that waits; a stream has refused this one
        task, self._task = self._task, None
        if not self._called_off:
            return
        if self._cancelled and task is not None:
            self._cancelled = False
            others = task.uncancel() > self._cancels
            if kind is asyncio.CancelledError and not others:
                raise closed_meanwhile() from exc
        self._end()  # what was just read came first

    def call_off(self) -> Future[None] | None:
        """End the request, from any thread; return what tells when, None where nobody can."""
        self._called_off, self._ended = True, self._ended or Future()
        if self._over or self.loop is None or not self.loop.is_running():
            return None
        with suppress(RuntimeError):  # the loop was closed just now
            self.loop.call_soon_threadsafe(self._end)
            return self._ended
        return None

    def _end(self) -> None:
        """Cancel who waits, or close the stream; on the request's own loop."""
        if self._over or self._closing:
            return
        if self._task is not None:
            self._cancelled = True
            self._task.cancel()
        elif (stream := self._stream()) is not None:
            self._closing = True
            self._closer = asyncio.ensure_future(_ended_by(stream, closed_meanwhile()))

    async def aclose(self) -> None:
        """Close the stream, or wait until that is done."""
        if self._closer is not None:
            await asyncio.wait([self._closer])
        elif (stream := self._stream()) is not None:
            self._closing = True
            try:
                await stream.aclose()
            finally:
                self._closing = False


def _no_stream() -> None:
    """Nothing is to be closed: a task waits for the whole answer."""


async def _ended_by(stream: _Stream, error: UsageError) -> None:
    with suppress(UsageError, StopAsyncIteration):
        await stream.athrow(error)


class Underway:
    """All requests of one router that have begun and not ended; used from several threads."""

    def __init__(self) -> None:
        self.closed = False
        self._lock = Lock()
        self._works: set[Work] = set()
        self._then: list[Callable[[], object]] = []

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request that the current task waits for.

        Raises:
            UsageError: the router is closed, or was while the task waited.

        """
        work = Work(self)
        with work.whole(), work:
            yield

    def add(self, work: Work) -> None:
        """Count a request.

        Raises:
            UsageError: the router is closed.

        """
        with self._lock:
            if self.closed:
                raise closed_meanwhile()
            self._works.add(work)

    def remove(self, work: Work) -> None:
        """Count a request no longer."""
        with self._lock:
            self._works.discard(work)
            then = [] if self._works else self._then
            self._then = [] if then else self._then
        for act in then:
            act()

    def afterwards(self, act: Callable[[], object]) -> bool:
        """Whether nothing is under way; else do something once that is so."""
        with self._lock:
            if self._works:
                self._then.append(act)
            return not self._works

    async def aclose(self) -> None:
        """Take no more requests, end those under way and wait until they have."""
        ends = [asyncio.wrap_future(end) for _, end in self._called_off()]
        if ends:
            await asyncio.wait(ends, timeout=_PATIENCE)

    def close(self) -> None:
        """Do the same from plain code; those that this very thread runs end after it."""
        here = None
        with suppress(RuntimeError):  # no loop runs here
            here = asyncio.get_running_loop()
        wait([end for work, end in self._called_off() if work.loop is not here], _PATIENCE)

    def _called_off(self) -> list[tuple[Work, Future[None]]]:
        """Call everything off; what nobody can end, since its loop stands still, is given up."""
        with self._lock:
            self.closed = True
            works = list(self._works)
        ends = []
        for work in works:
            end = work.call_off()
            if end is None:
                self.remove(work)
            else:
                ends.append((work, end))
        return ends
