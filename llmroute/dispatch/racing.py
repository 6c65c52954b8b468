"""Hedging: a second call beside one that is slow to begin; the first with content answers.

Each call is read by a task of its own into a short queue. The loser is broken off, upstream too,
and recorded with what it is likely to have cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

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
    run.services.hedges.request()
    race = _Race(run, hedge)
    try:
        async for chunk in race.chunks(trial):
            yield chunk
    finally:
        await race.close()


class _Pump:
    """One call, read by a task; `held` is what came before its first content."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.held: list[Chunk] = []
        self._queue: asyncio.Queue[Chunk | BaseException | None] = asyncio.Queue(_AHEAD)
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        try:
            async with aclosing(self.trial.chunks()) as chunks:
                async for chunk in chunks:
                    await self._queue.put(chunk)
        except TargetError as exc:
            await self._queue.put(exc)
            return
        except Exception as exc:  # noqa: BLE001 - raised again where the chunks are read
            await self._queue.put(exc)
            return
        await self._queue.put(None)

    async def next(self) -> Chunk | None:
        """Return the next chunk, None at the end; raises what the call raised."""
        item = await self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    async def begun(self) -> bool:
        """Read up to the first content; False where the call ended without any."""
        while (chunk := await self.next()) is not None:
            self.held.append(chunk)
            if chunk.has_content:
                return True
        return False

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class _Race:
    """The first call and the hedge beside it."""

    def __init__(self, run: Run, hedge: Hedge) -> None:
        self._run = run
        self._hedge = hedge
        self._pumps: dict[asyncio.Task[bool], _Pump] = {}
        self._winner: _Pump | None = None

    async def chunks(self, first: Trial) -> AsyncGenerator[Chunk, None]:
        winner = self._winner = await self._won(first)
        for held in winner.held:
            yield held
        while (chunk := await winner.next()) is not None:
            yield chunk

    async def _won(self, first: Trial) -> _Pump:
        """Return the call that is first to begin, with the other one broken off."""
        self._start(first)
        timer = asyncio.ensure_future(self._run.services.pace.sleep(self._hedge.after))
        try:
            done, _ = await asyncio.wait({timer, *self._pumps}, return_when="FIRST_COMPLETED")
        finally:
            timer.cancel()
        if timer in done and not any(task in done for task in self._pumps):
            await self._second()
        while True:
            await asyncio.wait(self._pumps, return_when="FIRST_COMPLETED")
            for task in [task for task in self._pumps if task.done()]:
                winner = await self._judged(task)
                if winner is not None:
                    return winner

    async def _second(self) -> None:
        if self._run.services.hedges.take(self._hedge.share):
            trial = await self._run.beside("hedge")
            if trial is not None:
                self._start(trial)

    def _start(self, trial: Trial) -> None:
        pump = _Pump(trial)
        self._pumps[asyncio.ensure_future(pump.begun())] = pump

    async def _judged(self, task: asyncio.Task[bool]) -> _Pump | None:
        """Return the winner, None where this call failed and another one still runs."""
        pump = self._pumps.pop(task)
        self._run.current = pump.trial
        try:
            task.result()
        except TargetError as error:
            await pump.stop()
            if not self._pumps:
                raise
            self._run.failed(pump.trial, error)
            self._run.current = next(iter(self._pumps.values())).trial
            return None
        await self._others(f"{pump.trial.target.id} began first")
        return pump

    async def _others(self, why: str) -> None:
        for task, pump in list(self._pumps.items()):
            task.cancel()
            await pump.stop()
            pump.trial.abandoned(why)
        self._pumps.clear()

    async def close(self) -> None:
        """Break off what still runs, but for the current call, which its owner ends."""
        for task, pump in list(self._pumps.items()):
            task.cancel()
            await pump.stop()
            if pump.trial is not self._run.current:
                pump.trial.abandoned()
        self._pumps.clear()
        if self._winner is not None:
            await self._winner.stop()
