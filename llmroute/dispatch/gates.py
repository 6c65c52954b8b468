"""Bulkheads: how many calls may be under way at one provider, and within one declared limit.

A call waits for its turn in order. One router serves several event loops, so that a turn is
handed over from whichever loop ends a call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from threading import Lock

from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind, TargetError

__all__ = ["PER_PROVIDER", "QUEUE", "Gates"]

#: Calls that may be under way at one provider.
PER_PROVIDER = 32
#: Seconds that a call waits for its turn while another target is left.
QUEUE = 1.0


class _Gate:
    """Lets so many through at a time."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = Lock()
        self._queue: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()

    async def enter(self, timeout: float) -> bool:  # noqa: ASYNC109 - it is told, not raised
        """Wait for a turn; False where none came in time."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return True
            self._queue.append((loop, turn))
        try:
            async with asyncio.timeout(timeout):
                await turn
        except BaseException as exc:
            self._give_up(loop, turn)
            if isinstance(exc, TimeoutError):
                return False
            raise
        return True

    def _give_up(self, loop: asyncio.AbstractEventLoop, turn: asyncio.Future[None]) -> None:
        with self._lock:
            waiting = (loop, turn) in self._queue
            if waiting:
                self._queue.remove((loop, turn))
        if not waiting:  # the turn came just now
            self.leave()

    def leave(self) -> None:
        """Hand the place to who has waited longest, on whichever loop; else it is free."""
        while True:
            with self._lock:
                if not self._queue:
                    self._free += 1
                    return
                loop, turn = self._queue.popleft()
            with suppress(RuntimeError):  # its loop was closed, and nobody waits there any more
                loop.call_soon_threadsafe(_hand_over, turn)
                return


def _hand_over(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


class Gates:
    """A gate for each limit of `concurrency`, and for each provider that declares none."""

    def __init__(self, per_provider: int = PER_PROVIDER) -> None:
        self._per_provider = per_provider
        self._gates: dict[tuple[str, int], _Gate] = {}
        self._lock = Lock()

    async def enter(self, target: Target, timeout: float) -> None:  # noqa: ASYNC109 - a queue's
        """Wait for a turn at a target, at most `timeout` seconds.

        Raises:
            TargetError: of kind `overloaded` and code `bulkhead`: none came in time.

        """
        if not await self._of(target).enter(timeout):
            raise _full(target, self._size(target), timeout)

    def leave(self, target: Target) -> None:
        """Give the turn to the next."""
        self._of(target).leave()

    def _size(self, target: Target) -> int:
        return target.limits.concurrency or self._per_provider

    def _of(self, target: Target) -> _Gate:
        declared = target.limits.concurrency
        key = (target.limit_scope if declared else target.provider.name, self._size(target))
        gate = self._gates.get(key)
        if gate is None:
            with self._lock:
                gate = self._gates.setdefault(key, _Gate(key[1]))
        return gate


def _full(target: Target, size: int, waited: float) -> TargetError:
    scope = target.limit_scope if target.limits.concurrency else target.provider.name
    return TargetError(
        ErrorKind.OVERLOADED,
        f"{size} calls are under way at {scope}; no place became free within {waited:.3g} s",
        code="bulkhead",
        help="raise limits.concurrency if the provider allows more",
    )
