"""What was measured of each target: first-token latency, throughput, success, calls in flight.

A value starts from its prior, which counts as 5 observations; observations decay with a
half-life of 10 minutes, so that neither a newcomer nor one slow model load is locked out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from llmroute.catalog.model import Target
from llmroute.policy.live import LiveFacts, prior_of
from llmroute.types import Request

__all__ = ["AFFINITY_SECONDS", "HALF_LIFE", "PRIOR_WEIGHT", "LiveState"]

#: Observations that a prior counts for.
PRIOR_WEIGHT = 5.0
#: Seconds after which an observation counts half.
HALF_LIFE = 600.0
#: Seconds that a provider's prompt cache is taken to last (the vendors' shortest: 5 minutes).
AFFINITY_SECONDS = 300.0
#: Conversations remembered for `affinity`; the oldest is forgotten first.
_CONVERSATIONS = 10_000
#: Seconds over which a latency peak fades (the peak-EWMA of Finagle's load balancer).
_PEAK_FADE = 10.0


@dataclass(slots=True)
class _Decayed:
    """A decaying weighted sum of observations."""

    total: float = 0.0
    weight: float = 0.0
    at: float = 0.0

    def add(self, value: float, now: float) -> None:
        self._decay(now)
        self.total += value
        self.weight += 1.0

    def mean(self, prior: float, now: float) -> float:
        self._decay(now)
        return (PRIOR_WEIGHT * prior + self.total) / (PRIOR_WEIGHT + self.weight)

    def _decay(self, now: float) -> None:
        factor = 0.5 ** (max(now - self.at, 0.0) / HALF_LIFE)
        self.total, self.weight, self.at = self.total * factor, self.weight * factor, now


@dataclass(slots=True)
class _Measured:
    first_token: _Decayed = field(default_factory=_Decayed)
    speed: _Decayed = field(default_factory=_Decayed)
    success: _Decayed = field(default_factory=_Decayed)
    in_flight: int = 0
    peak: float = 0.0
    peak_at: float = 0.0


class LiveState:
    """Live values of every target in this process; times come from a monotonic clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._measured: dict[str, _Measured] = {}
        self._in_flight: dict[str, int] = {}
        self._served: dict[str, tuple[str, float]] = {}

    def of(self, target: Target) -> LiveFacts:
        """Return what is known of a target now, measurements over priors."""
        prior, seen, now = prior_of(target), self._measured.get(target.id), self._clock()
        if seen is None:
            return LiveFacts(
                prior.first_token,
                prior.tokens_per_second,
                prior.success,
                headroom=self._headroom(target),
                loaded=target.loaded,
            )
        first = seen.first_token.mean(prior.first_token, now)
        return LiveFacts(
            first_token=first,
            tokens_per_second=seen.speed.mean(prior.tokens_per_second, now),
            success=seen.success.mean(prior.success, now),
            headroom=self._headroom(target),
            in_flight=seen.in_flight,
            loaded=target.loaded,
            measured=seen.success.weight > 0,
            load=max(self._peak(seen, now), first) * (seen.in_flight + 1),
            observations=seen.success.weight,
        )

    def started(self, target: Target) -> None:
        """Count a call in flight."""
        self._of(target).in_flight += 1
        scope = target.limit_scope
        self._in_flight[scope] = self._in_flight.get(scope, 0) + 1

    def ended(
        self,
        target: Target,
        *,
        healthy: bool | None,
        first_token: float | None = None,
        tokens_per_second: float | None = None,
    ) -> None:
        """Count a call's end; `healthy` None says nothing of the target's health."""
        seen, now = self._of(target), self._clock()
        seen.in_flight -= 1
        self._in_flight[target.limit_scope] -= 1
        if healthy is not None:
            seen.success.add(1.0 if healthy else 0.0, now)
        if first_token is not None:
            seen.first_token.add(first_token, now)
            seen.peak = max(self._peak(seen, now), first_token)
            seen.peak_at = now
        if tokens_per_second is not None:
            seen.speed.add(tokens_per_second, now)

    def served(self, request: Request, target: Target) -> None:
        """Remember where a conversation was answered."""
        key = _conversation(request)
        self._served.pop(key, None)
        self._served[key] = (target.id, self._clock())
        while len(self._served) > _CONVERSATIONS:
            self._served.pop(next(iter(self._served)))

    def affinity(self, request: Request) -> str | None:
        """Return where the conversation was last answered, while its cache still counts."""
        if not self._served:
            return None
        target_id, at = self._served.get(_conversation(request), (None, 0.0))
        return target_id if self._clock() - at <= AFFINITY_SECONDS else None

    def _headroom(self, target: Target) -> float:
        """Return the free share of the concurrency that the target shares with others."""
        limit, used = target.limits.concurrency, self._in_flight.get(target.limit_scope, 0)
        return 1.0 if not limit else max(0.0, 1.0 - used / limit)

    def _of(self, target: Target) -> _Measured:
        return self._measured.setdefault(target.id, _Measured())

    def _peak(self, seen: _Measured, now: float) -> float:
        return seen.peak * math.exp(-max(now - seen.peak_at, 0.0) / _PEAK_FADE)


def _conversation(request: Request) -> str:
    """Name a conversation by its opening: everything up to the first user message, and the user."""
    opening = []
    for message in request.messages:
        opening.append(message)
        if message["role"] == "user":
            break
    text = json.dumps([request.user, opening], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
