"""The circuit breaker of one target.

It opens when fewer than 80 % of the calls of the last 30 seconds succeeded, of at least 5, or when
5 failed in a row (the rule of Finagle's failure accrual), and at once when nobody listens. It
stays open for 5 seconds, then twice as long each time up to 5 minutes, with equal jitter; then one
call is let through to probe. After a good probe the target takes a growing share of requests for a
minute (Envoy's slow start).
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Literal

__all__ = ["Breaker", "Circuit", "doubled"]

#: `half_open`: the next call, or one that is under way, decides whether the circuit closes.
Circuit = Literal["closed", "half_open", "open"]

#: Seconds over which success is counted, calls that it takes, and the share that must succeed.
_WINDOW, _ENOUGH, _LEAST_SUCCESS = 30.0, 5, 0.8
_IN_A_ROW = 5
#: Seconds that a circuit stays open, the first time and at most.
_OPEN, _OPEN_MOST = 5.0, 300.0
#: Seconds until a target that returned takes its whole share, and the share that it begins with.
_RAMP, _FIRST_SHARE = 60.0, 0.1
#: A probe that has not ended after so many seconds is taken for lost.
_PROBE = 120.0


def doubled(seconds: float, times: int, most: float) -> float:
    """Return a pause that was doubled so many times, up to the longest one."""
    return min(seconds * 2.0 ** min(times, 64), most)


class Breaker:
    """Counts outcomes; all times are seconds of one clock."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._counts: deque[list[float]] = deque()
        self._failed_in_a_row = 0
        self._openings = 0
        self._until: float | None = None
        self._probe: float | None = None
        self._returned: float | None = None
        self.why = ""

    def open_until(self, now: float) -> float | None:
        """Return when the next call may be let through; None where one may now."""
        if self._until is None:
            return None
        if self._probe is not None and now < self._probe + _PROBE:
            return self._probe + _PROBE
        return self._until if now < self._until else None

    def state(self, now: float) -> Circuit:
        """Return the state of the circuit."""
        if self._until is None:
            return "closed"
        return "open" if now < self._until else "half_open"

    @property
    def quiet(self) -> bool:
        """Whether the circuit is closed and takes its whole share."""
        return self._until is None and self._returned is None

    def next_change(self, now: float) -> float:
        """Return when time alone will change what the breaker says."""
        until = self.open_until(now)
        if until is not None:
            return until
        return float("inf") if self.quiet else now + 1.0

    def share(self, now: float) -> float:
        """Return the share of its requests that the target may take: 1 unless it just returned."""
        if self._returned is None:
            return 1.0
        share = (now - self._returned) / _RAMP
        if share >= 1.0:
            self._returned, self._openings = None, 0
            return 1.0
        return max(share, _FIRST_SHARE)

    def begin_probe(self, now: float) -> bool:
        """Let a call through; whether it is the probe of a circuit that is half open."""
        if self._until is None or self.open_until(now) is not None:
            return False
        self._probe = now
        return True

    def succeeded(self, now: float, *, probe: bool) -> None:
        """Count a good answer; after a probe's the circuit closes."""
        self._failed_in_a_row = 0
        self._count(now, ok=True)
        if probe and self._until is not None:
            self._until, self._probe, self._returned = None, None, now
            self._counts.clear()

    def failed(self, now: float, why: str, *, probe: bool, nobody_listens: bool = False) -> None:
        """Count a failed call and open the circuit where that is due."""
        self._failed_in_a_row += 1
        self._count(now, ok=False)
        if self._until is not None:
            if probe:
                self._open(now, f"a probe failed: {why}")
            return
        if nobody_listens:
            self._open(now, why)
        elif self._failed_in_a_row >= _IN_A_ROW:
            self._open(now, f"{self._failed_in_a_row} calls in a row failed, the last one: {why}")
        elif (rate := self._failing()) is not None:
            self._open(now, f"{rate}, the last one: {why}")

    def passed(self, *, probe: bool) -> None:
        """Note a call that ended without saying anything of the target's health."""
        if probe:
            self._probe = None

    def _open(self, now: float, why: str) -> None:
        most = doubled(_OPEN, self._openings, _OPEN_MOST)
        self._openings += 1
        self._until = now + most / 2 + self._random.uniform(0.0, most / 2)
        self._probe = self._returned = None
        self.why = why

    def _count(self, now: float, *, ok: bool) -> None:
        """Count by the second, so that memory is bounded however many calls there are."""
        second = float(int(now))
        if not self._counts or self._counts[-1][0] != second:
            self._counts.append([second, 0, 0])
        self._counts[-1][1] += 1
        self._counts[-1][2] += ok
        while self._counts[0][0] < now - _WINDOW:
            self._counts.popleft()

    def _failing(self) -> str | None:
        """Say how many calls failed where too many did."""
        calls = int(sum(count[1] for count in self._counts))
        good = int(sum(count[2] for count in self._counts))
        if calls < _ENOUGH or good >= _LEAST_SUCCESS * calls:
            return None
        return f"{calls - good} of {calls} calls within {_WINDOW:g} s failed"
