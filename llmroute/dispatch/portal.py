"""Running the async calls from plain code: one event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from typing import Any, Self, TypeVar

from llmroute.dispatch.stream import AnswerStream
from llmroute.dispatch.underway import closed_meanwhile
from llmroute.errors import UsageError
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Chunk, Response

__all__ = ["Portal", "SyncStream"]

T = TypeVar("T")

#: Seconds that an interrupted caller waits for the cancelled work to clean up.
_SETTLE = 5.0
#: Seconds between two looks for signals: one that comes just before a wait begins does not end it.
_LOOK = 0.2


class Portal:
    """An event loop on a daemon thread; `run` is called from any other thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._posting = threading.Lock()
        self._ends = False
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="llmroute-portal", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return its result.

        An interrupt cancels it and waits until it has cleaned up, so that what it used can be
        closed afterwards.

        Raises:
            UsageError: it is called on the portal's own thread, after its end, or in a fork of the
                process, which has no such thread.

        """
        ended = threading.Event()
        started: list[asyncio.Task[T]] = []
        try:
            self._post(partial(_start, self._loop, work, started, ended))
            while not ended.wait(_LOOK):
                pass
        except UsageError:  # it was not posted
            work.close()
            raise
        except BaseException:  # an interrupt comes at any moment, also before `wait` begins
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_call_off, work, started, ended)
                ended.wait(_SETTLE)
            raise
        try:
            return started[0].result()
        except asyncio.CancelledError as exc:
            raise CancelledError from exc

    def _post(self, start: Callable[[], object]) -> None:
        self._check_thread()
        with self._posting:  # what is posted goes before the end
            if self._ends:
                raise closed_meanwhile()
            self._loop.call_soon_threadsafe(start)

    @property
    def closed(self) -> bool:
        """Whether the loop has ended, or is about to, and with it all that it ran."""
        return self._ends

    @property
    def forked(self) -> bool:
        """Whether this is a fork of the process in which the thread runs."""
        return not self._ends and not self._thread.is_alive()

    def _check_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise UsageError("a plain call inside a callback would wait for itself; use acomplete")
        if self.forked:
            wanted = "load one in each process, after the fork"
            raise UsageError(f"the router was used before this process was forked; {wanted}")

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the portal's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """End the loop and its thread; safe to call twice.

        Raises:
            UsageError: it is called on the portal's own thread.

        """
        self._check_thread()
        with self._posting:
            if self._ends:
                return
            self._ends = True
        self.submit(self._drain()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _drain(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_asyncgens()


class SyncStream:
    """An answer as it arrives, for plain code: an iterator of chunks, closed at `with`'s end."""

    def __init__(self, portal: Portal, stream: AnswerStream) -> None:
        self._portal = portal
        self._stream = stream

    @property
    def response(self) -> Response | None:
        """The whole answer, once the stream has ended."""
        return self._stream.response

    @property
    def decision(self) -> Decision | None:
        """The decision that is carried out; None before the first chunk was asked for."""
        return self._stream.decision

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The calls made so far."""
        return self._stream.attempts

    @property
    def asking(self) -> str | None:
        """The target whose answer is waited for or read now; None between two calls."""
        return self._stream.asking

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        chunk = self._portal.run(_next(self._stream))
        if chunk is None:
            raise StopIteration
        return chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and close the call upstream; the end of the router has done so already."""
        try:
            self._portal.run(self._stream.aclose())
        except UsageError:
            if not self._portal.closed:
                raise


async def _next(stream: AnswerStream) -> Chunk | None:
    return await anext(stream, None)


def _call_off(
    work: Coroutine[Any, Any, T], started: list[asyncio.Task[T]], ended: threading.Event
) -> None:
    """Cancel the work, which has begun by now where it ever will."""
    if started:
        started[0].cancel()
    else:
        work.close()
        ended.set()


def _start(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, T],
    started: list[asyncio.Task[T]],
    ended: threading.Event,
) -> None:
    """Start the work on its loop; `ended` is set once it has ended, whichever way."""

    def end(task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # marks it as seen where the caller was interrupted
        ended.set()

    task = loop.create_task(work)
    started.append(task)
    task.add_done_callback(end)
