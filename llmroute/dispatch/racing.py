"""Hedging: a second call beside one that is slow to begin; the first with content answers.

Each call is read by a task of its own into a short queue. The loser is broken off, upstream too,
and recorded with what it is likely to have cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from llmroute.dispatch.answers import commits
from llmroute.dispatch.run import Run
from llmroute.dispatch.trial import Trial
from llmroute.errors import TargetError
from llmroute.policy.source import Hedge
from llmroute.types import Chunk

__all__ = ["heard"]

#: Chunks that are read ahead of a slow reader.
_AHEAD = 64


async def heard(run: Run, trial: Trial) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks of a call; where the policy hedges, of the one that begins first.

    `run.current` is the call whose chunks these are, and whose failure is raised.
    """
    hedge = run.decision.fallback.hedge
    if hedge is None or trial.role != "first":
        async with aclosing(trial.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
        return
    run.services.hedges.request(hedge.share)
    race = _Race(run, hedge)
    try:
        winner = await race.won(trial)
        for chunk in winner.held:
            yield chunk
        while (more := await winner.next()) is not None:
            yield more
    finally:
        await race.close()


class _Pump:
    """One call, read by a task; `held` is what came up to its first content."""

    def __init__(self, trial: Trial, begins: Callable[[Chunk], bool]) -> None:
        self.trial = trial
        self.held: list[Chunk] = []
        self._begins = begins
        self._over = False
        self._queue: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue(_AHEAD)
        self._reader = asyncio.ensure_future(self._read())
        self.begun = asyncio.ensure_future(self._begin())

    @property
    def tasks(self) -> tuple[asyncio.Task[None], asyncio.Task[None]]:
        return self._reader, self.begun

    async def _read(self) -> None:
        end = None
        try:
            async with aclosing(self.trial.chunks()) as chunks:
                async for chunk in chunks:
                    await self._queue.put(chunk)
        except Exception as exc:  # noqa: BLE001 - raised again where the chunks are read
            end = exc
        await self._queue.put(end)

    async def next(self) -> Chunk | None:
        """Return the next chunk, None at the end; raises what the call raised."""
        if self._over:
            return None
        item = await self._queue.get()
        if isinstance(item, Chunk):
            return item
        self._over = True
        if item is not None:
            raise item
        return None

    async def _begin(self) -> None:
        """Read up to the first content, or to the end of an answer that has none."""
        while (chunk := await self.next()) is not None:
            self.held.append(chunk)
            if self._begins(chunk):
                return

    def cancel(self) -> BaseException | None:
        """Break the call off; return what it failed with before it was."""
        for task in self.tasks:
            task.cancel()
        begun = self.begun
        return begun.exception() if begun.done() and not begun.cancelled() else None


class _Race:
    """The first call and the hedge beside it."""

    def __init__(self, run: Run, hedge: Hedge) -> None:
        self._run = run
        self._hedge = hedge
        self._begins = commits(run.request, run.decision.fallback)
        self._running: list[_Pump] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def won(self, first: Trial) -> _Pump:
        """Return the call that is first to begin, with the other one broken off.

        Raises:
            TargetError: both calls failed, or the only one.

        """
        self._start(first)
        if not await self._begun(self._hedge.after):
            await self._hedged()
        while True:
            for pump in await self._begun(None):
                if self._wins(pump):
                    self._stop(f"{pump.trial.target.id} began first")
                    self._running.append(pump)
                    return pump

    async def _begun(self, timeout: float | None) -> list[_Pump]:  # noqa: ASYNC109 - it is told
        """Wait until a call has begun or failed, and return those that have."""
        waiting = [pump.begun for pump in self._running]
        await asyncio.wait(waiting, timeout=timeout, return_when="FIRST_COMPLETED")
        return [pump for pump in self._running if pump.begun.done()]

    async def _hedged(self) -> None:
        """Begin the second call, unless the first one begins while that needs leave."""
        second = asyncio.ensure_future(self._second())
        try:
            waiting = (second, self._running[0].begun)
            await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
        finally:
            second.cancel()
            await asyncio.wait([second])
        if not second.cancelled():
            second.result()

    async def _second(self) -> None:
        hedges, trial = self._run.services.hedges, None
        if not hedges.take():
            return
        try:
            trial = await self._run.beside("hedge")
        finally:
            if trial is None:
                hedges.give_back()
        if trial is not None:
            self._start(trial)

    def _start(self, trial: Trial) -> None:
        pump = _Pump(trial, self._begins)
        self._running.append(pump)
        self._tasks += pump.tasks

    def _wins(self, pump: _Pump) -> bool:
        """Whether a call began; one that failed is recorded while another still runs."""
        self._run.current = pump.trial
        self._running.remove(pump)
        try:
            pump.begun.result()
        except TargetError as error:
            if not self._running:
                raise
            self._run.failed(pump.trial, error)
            self._run.current = self._running[0].trial
            return False
        return True

    def _stop(self, why: str) -> None:
        """Break off every call but the current one, which its owner ends."""
        while self._running:
            pump = self._running.pop()
            error = pump.cancel()
            if pump.trial is self._run.current:
                continue
            if isinstance(error, TargetError):
                pump.trial.failed(error)
            else:
                pump.trial.abandoned(why)

    async def close(self) -> None:
        """Break off what still runs, and wait until its connections are closed."""
        self._stop("the caller went away")
        await asyncio.wait(self._tasks)
