"""Time and chance as dispatch uses them, so that tests can own both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

__all__ = ["Pace"]


@dataclass(frozen=True, slots=True)
class Pace:
    """A monotonic clock in seconds, a sleep, and a random source for jitter.

    `wall` is the time of day, in seconds since 1970.
    """

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Random = field(default_factory=Random)

    def backoff(self, attempt: int) -> float:
        """Return seconds to wait before a repeat: full jitter, 50 ms doubling up to 20 s.

        `attempt` counts the calls already made to the same target, from 1. See "Exponential Backoff
        And Jitter", AWS Architecture Blog, 2015.
        """
        from tenacity import RetryCallState, wait_exponential

        state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
        state.attempt_number = max(attempt, 1)
        return self.random.uniform(0.05, wait_exponential(multiplier=0.1, max=20)(state))
