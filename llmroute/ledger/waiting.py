"""Waiting for what the writer's thread does, in async and in plain code."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any

from llmroute.ledger.store import StoreError

__all__ = ["Written", "finished"]


class Written:
    """The end of a change: `await` it or `wait` for it, or leave it alone.

    It is True where the change is durable, False where it could not be written yet.
    """

    def __init__(self, outcome: Future[Any] | None = None, *, done: bool = True) -> None:
        self._outcome = outcome
        self._done = done

    def __await__(self) -> Generator[Any, None, bool]:
        if self._outcome is not None:
            yield from finished(self._outcome).__await__()
        return self._result()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in plain code, for at most `timeout` seconds; False where that was too short."""
        if self._outcome is not None and wait([self._outcome], timeout).not_done:
            return False
        return self._result()

    async def within(self, timeout: float) -> bool:  # noqa: ASYNC109 - as `wait`
        """Wait in async code, for at most `timeout` seconds; False where that was too short."""
        if self._outcome is not None and not await finished(self._outcome, timeout):
            return False
        return self._result()

    def _result(self) -> bool:
        if self._outcome is None:
            return self._done
        failed = self._outcome.cancelled() or self._outcome.exception() is not None
        return not failed and not isinstance(self._outcome.result(), StoreError)


async def finished(outcome: Future[Any], timeout: float | None = None) -> bool:  # noqa: ASYNC109
    """Wait until a future is done, however it ends; False after `timeout` seconds."""
    import asyncio

    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake(_done: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, waiter)

    outcome.add_done_callback(wake)
    try:
        async with asyncio.timeout(timeout):
            await waiter
    except TimeoutError:
        return outcome.done()
    return True


def _resolve(waiter: Any) -> None:
    if not waiter.done():
        waiter.set_result(None)
