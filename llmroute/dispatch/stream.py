"""An answer as it arrives: held back until its first content, then passed on as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Self

from llmroute.adapter.answer import collect
from llmroute.dispatch.plan import Step
from llmroute.dispatch.run import Run
from llmroute.errors import StreamInterrupted, TargetError
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Chunk, Response

__all__ = ["AnswerStream"]


class AnswerStream:
    """An answer as it arrives: an async iterator of chunks.

    `start` makes the decision when the first chunk is asked for; `response` is there once the
    stream has ended.
    Leaving early (`aclose`, or the end of `async with`) closes the call upstream.
    """

    def __init__(self, start: Callable[[], Awaitable[Run]]) -> None:
        self._start = start
        self._run: Run | None = None
        self._chunks = self._all()
        self.response: Response | None = None

    @property
    def decision(self) -> Decision | None:
        """The decision that is carried out; None before the first chunk was asked for."""
        return self._run.decision if self._run else None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The calls made so far."""
        return tuple(self._run.attempts.records) if self._run else ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        return await anext(self._chunks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop, and close the call upstream."""
        await self._chunks.aclose()

    async def _all(self) -> AsyncGenerator[Chunk, None]:
        run = self._run = await self._start()
        async for step in run.steps():
            committed = False
            try:
                async with aclosing(self._one(run, step)) as chunks:
                    async for chunk in chunks:
                        committed = True
                        yield chunk
            except TargetError as error:
                run.failed(step, error)
                if committed:
                    raise StreamInterrupted(
                        f"the answer broke off: {error}", run.attempts.records, error
                    ) from error
                continue
            except BaseException:
                run.abandoned()
                raise
            return
        raise run.exhausted()

    async def _one(self, run: Run, step: Step) -> AsyncGenerator[Chunk, None]:
        """Stream one target's answer; nothing is passed on before its first content."""
        target = step.target
        seen: list[Chunk] = []
        committed = False
        async with aclosing(run.chunks(step)) as chunks:
            async for chunk in chunks:
                seen.append(chunk)
                if committed:
                    yield replace(chunk, target=target.id)
                elif chunk.has_content:
                    committed = True
                    for held in seen:
                        yield replace(held, target=target.id)
        response = collect(seen, target)
        if not committed:
            for held in seen:
                yield replace(held, target=target.id)
        self.response = run.succeeded(step, response)
