"""An answer as it arrives: held back until its first content, then passed on as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Self

from llmroute.adapter.answer import collect
from llmroute.dispatch.plan import Step
from llmroute.dispatch.run import Run
from llmroute.errors import StreamInterrupted, TargetError
from llmroute.policy.decision import Decision
from llmroute.types import Attempt, Chunk, Response

__all__ = ["AnswerStream"]


class AnswerStream:
    """An answer as it arrives: an async iterator of chunks.

    `attempts` and `decision` are there at any time, `response` once the stream has ended.
    Leaving early (`aclose`, or the end of `async with`) closes the call upstream.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._chunks = self._all()
        self.response: Response | None = None

    @property
    def decision(self) -> Decision:
        """The decision that is carried out."""
        return self._run.decision

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The calls made so far."""
        return tuple(self._run.attempts.records)

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
        run = self._run
        async for step in run.steps():
            committed = False
            try:
                async with aclosing(self._one(step)) as chunks:
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
            return
        raise run.exhausted()

    async def _one(self, step: Step) -> AsyncGenerator[Chunk, None]:
        """Stream one target's answer; nothing is passed on before its first content."""
        target = step.target
        seen: list[Chunk] = []
        committed = False
        async with aclosing(self._run.chunks(step)) as chunks:
            async for chunk in chunks:
                seen.append(chunk)
                if committed:
                    yield replace(chunk, target=target.id)
                elif chunk.has_content:
                    committed = True
                    for held in seen:
                        yield replace(held, target=target.id)
        self.response = self._run.succeeded(step, collect(seen, target))
