"""The timers of one streamed call: first token, idle and total, each counted from a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from llmroute.catalog.model import Timeouts
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk

__all__ = ["Timers", "timed"]


class Timers:
    """When one call runs out of time.

    `remaining` is what is left of the whole request, in seconds. While another target is left,
    the first-token timer never takes more than half of it.
    """

    def __init__(
        self, timeouts: Timeouts, remaining: float, more: bool, clock: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._idle = timeouts.idle
        self.started = clock()
        share = remaining / 2 if more else remaining
        self.first_token = min(timeouts.first_token, share)
        self.total = min(timeouts.total, remaining)
        self.whole = min(timeouts.total, share)
        cut = self.first_token < timeouts.first_token or self.total < timeouts.total
        self._help = "allow the request more time" if cut else "raise timeouts in the provider file"
        self._progress_by = self.started + self.first_token
        self._waiting_for = f"the first token ({self.first_token:.3g} s)"

    def whole_error(self) -> TargetError:
        """Return the error of an answer in one piece that did not come in time."""
        return _timeout(f"the whole answer ({self.whole:.3g} s)", self._help)

    def progressed(self) -> None:
        """Restart the idle timer: something of the answer arrived."""
        self._progress_by = self._clock() + self._idle
        self._waiting_for = f"progress ({self._idle:.3g} s)"

    def left(self) -> float:
        """Seconds until the next timer fires."""
        return max(min(self._progress_by, self.started + self.total) - self._clock(), 0.0)

    def error(self) -> TargetError:
        """Return the error of the timer that fired."""
        over = self._clock() >= self.started + self.total
        waited = f"the whole answer ({self.total:.3g} s)" if over else self._waiting_for
        return _timeout(waited, self._help)


def _timeout(waited: str, help_text: str) -> TargetError:
    return TargetError(ErrorKind.TIMEOUT, f"waited for {waited}", help=help_text)


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
            yield chunk
    finally:
        await chunks.aclose()
