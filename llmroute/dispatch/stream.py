"""An answer as it arrives: held back until its first content, then passed on as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Self

from llmroute.adapter.answer import collect
from llmroute.dispatch.answers import commits, refused
from llmroute.dispatch.continuing import Partial
from llmroute.dispatch.racing import heard
from llmroute.dispatch.run import Run
from llmroute.dispatch.trial import Trial
from llmroute.dispatch.underway import Underway, Work
from llmroute.errors import StreamInterrupted, TargetError
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Chunk, Response

__all__ = ["AnswerStream"]


class AnswerStream:
    """An answer as it arrives: an async iterator of chunks.

    `start` makes the decision when the first chunk is asked for; `response` is there once the
    stream has ended.
    Leaving early (`aclose`, or the end of `async with`) closes the call upstream; so does dropping
    the stream, as a `break` does, a turn of the event loop later. Closing the router ends it too,
    and the reader is told so (`UsageError`).
    """

    def __init__(
        self, start: Callable[[], Awaitable[Run]], underway: Underway | None = None
    ) -> None:
        self._seen = _Seen(Work(underway or Underway()))
        self._chunks = _all(start, self._seen)
        self._seen.work.reads(self._chunks)

    @property
    def response(self) -> Response | None:
        """The whole answer, once the stream has ended."""
        return self._seen.response

    @property
    def decision(self) -> Decision | None:
        """The decision that is carried out; None before the first chunk was asked for."""
        run = self._seen.run
        return run.decision if run else None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The calls made so far."""
        run = self._seen.run
        return tuple(run.records) if run else ()

    @property
    def asking(self) -> str | None:
        """The target whose answer is waited for or read now; None between two calls."""
        run = self._seen.run
        return run.current.target.id if run and run.current else None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        with self._seen.work:
            return await anext(self._chunks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop, and close the call upstream."""
        await self._seen.work.aclose()


@dataclass(slots=True)
class _Seen:
    """What is known of a stream so far.

    The generator of the chunks holds this and not the stream, which holds the generator: a stream
    that nobody holds any more is closed at once, not when the next cycles are collected.
    """

    work: Work
    run: Run | None = None
    response: Response | None = None


async def _all(start: Callable[[], Awaitable[Run]], seen: _Seen) -> AsyncGenerator[Chunk, None]:
    with seen.work.whole():
        run = seen.run = await start()
        async with aclosing(_answered(run, seen)) as chunks:
            async for chunk in chunks:
                yield chunk


async def _answered(run: Run, seen: _Seen) -> AsyncGenerator[Chunk, None]:
    try:
        while (trial := await run.next()) is not None:
            answer = _Answer(run, trial)
            try:
                async with aclosing(answer.chunks()) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except TargetError as error:
                run.failed(run.current or trial, error)
                if not answer.committed:
                    continue
                async with aclosing(_rest(run, answer, error, seen)) as rest:
                    async for chunk in rest:
                        yield chunk
                return
            seen.response = run.succeeded(answer.trial, answer.response)
            return
    except BaseException as exc:
        run.abandoned(exc)
        raise
    raise run.exhausted()


async def _rest(
    run: Run, broken: _Answer, error: TargetError, seen: _Seen
) -> AsyncGenerator[Chunk, None]:
    """Let another target finish an answer that broke off, where the policy allows that.

    Raises:
        StreamInterrupted: nobody may or can.

    """
    partial = Partial.of(run.request, broken.seen) if run.decision.fallback.continuation else None
    trial = partial and await run.beside("continuation", partial.request, able="prefill")
    if not partial or not trial:
        raise _interrupted(run, error)
    run.current = trial
    answer = _Answer(run, trial)
    try:
        async with (
            aclosing(answer.chunks()) as chunks,
            aclosing(partial.joined(chunks)) as joined,
        ):
            async for chunk in joined:
                yield chunk
    except TargetError as again:
        run.failed(trial, again)
        raise _interrupted(run, again) from error
    seen.response = partial.whole(run.succeeded(trial, answer.response), broken.trial.target)


class _Answer:
    """One call's answer on its way to the caller."""

    def __init__(self, run: Run, trial: Trial) -> None:
        self._run = run
        self._refusals = run.decision.fallback.on_refusal == "return"
        self._commits = commits(run.request, run.decision.fallback)
        self.trial = trial
        self.seen: list[Chunk] = []
        self.committed = False
        self.response: Response

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Stream the answer; nothing is passed on before its first content."""
        async with aclosing(heard(self._run, self.trial)) as chunks:
            async for chunk in chunks:
                self.seen.append(chunk)
                if self.committed:
                    yield self._named(chunk)
                elif self._commits(chunk):
                    self._commit()
                    for held in list(self.seen):
                        yield self._named(held)
        self.trial = self._run.current or self.trial
        with self.trial.faults():
            self.response = collect(self.seen, self.trial.target)
        if not self.committed:
            self._refuse()
            for held in self.seen:
                yield self._named(held)

    def _commit(self) -> None:
        self.committed = True
        self.trial = self._run.current or self.trial

    def _named(self, chunk: Chunk) -> Chunk:
        return replace(chunk, target=self.trial.target.id)

    def _refuse(self) -> None:
        response = self.response
        if not self._refusals and (response.refusal or response.finish_reason == "content_filter"):
            raise refused(response.refusal)


def _interrupted(run: Run, error: TargetError) -> StreamInterrupted:
    brief, warnings = "the answer broke off", run.warnings
    made = StreamInterrupted(f"{brief}: {error}", run.records, error, warnings, brief=brief)
    made.__cause__ = error
    run.broken(error)
    return made
