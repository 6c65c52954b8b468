"""The timers of one call: first token, idle and total, each counted from a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, Request

__all__ = ["Timers", "first_token_timer", "timed"]

#: Seconds to the first token where the provider file sets none: of most models, of those that
#: reason first, and what a model that is not loaded yet takes longer.
_FIRST, _REASONING, _LOADING = 30.0, 120.0, 150.0


def first_token_timer(target: Target, request: Request) -> float:
    """Return how long a target may take to its first token, in seconds."""
    declared = target.provider.endpoint.timeouts.first_token
    if declared is not None:
        return declared
    effort = request.reasoning_effort or target.wire.default_effort
    reasons = target.capabilities.reasoning and effort != "none"
    return (_REASONING if reasons else _FIRST) + (_LOADING if target.loaded is False else 0.0)


class Timers:
    """When one call runs out of time.

    `remaining` is what is left of the whole request, in seconds. While another target is left
    (`more`), the first-token timer never takes more than half of it. Of an answer in one piece
    the first token is the last one too. `typical` is how long this target usually takes to its
    first token: one that was given less is not to blame, nor is one that was still answering when
    the request's own time was over.
    """

    def __init__(
        self,
        target: Target,
        request: Request,
        remaining: float,
        more: bool,
        clock: Callable[[], float],
        typical: float = 0.0,
    ) -> None:
        timeouts = target.provider.endpoint.timeouts
        streams = target.capabilities.streaming
        first = first_token_timer(target, request) if streams else timeouts.total
        share = remaining / 2 if more else remaining
        self._clock = clock
        self._idle = timeouts.idle
        self._typical = typical
        self.started = clock()
        self.first_token = min(first, share)
        self.total = min(timeouts.total, remaining)
        self._cut_short = self.total < timeouts.total
        cut = self.first_token < first or self._cut_short
        self._help = "allow the request more time" if cut else "raise timeouts in the provider file"
        self._hurried = self.first_token < min(first, typical)
        self._progressing = False
        self._progress_by = self.started + self.first_token
        what = "the first token" if streams else "the whole answer"
        self._waiting_for = f"{what} ({self.first_token:.3g} s)"

    def progressed(self) -> None:
        """Restart the idle timer: something of the answer arrived."""
        self._progress_by = self._clock() + self._idle
        self._waiting_for = f"progress ({self._idle:.3g} s)"
        self._hurried, self._progressing = False, True

    def paused(self, seconds: float) -> None:
        """Leave out the time that the answer's reader took; only the whole answer's goes on."""
        self._progress_by += seconds

    @property
    def now(self) -> float:
        """The time of the clock that the timers go by."""
        return self._clock()

    def left(self) -> float:
        """Seconds until the next timer fires."""
        return max(min(self._progress_by, self.started + self.total) - self._clock(), 0.0)

    def error(self) -> TargetError:
        """Return the error of the timer that fired."""
        over = self._clock() >= self.started + self.total
        hurried = self._hurried or (over and self._cut_short and self._progressing)
        waited = f"the whole answer ({self.total:.3g} s)" if over else self._waiting_for
        return TargetError(
            ErrorKind.TIMEOUT,
            f"waited for {waited}",
            code="cut_short" if hurried else "timeout",
            help=self._help,
        )


async def timed(chunks: AsyncGenerator[Chunk, None], timers: Timers) -> AsyncGenerator[Chunk, None]:
    """Pass chunks on; raise the timer's `TargetError` when one fires. Closes the source."""
    try:
        while True:
            try:
                async with asyncio.timeout(timers.left()):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError as exc:
                raise timers.error() from exc
            if chunk.has_content or chunk.reasoning:
                timers.progressed()
            given = timers.now
            yield chunk
            timers.paused(timers.now - given)
    finally:
        await chunks.aclose()
