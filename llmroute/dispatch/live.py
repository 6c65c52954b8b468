"""What was measured of each target: first-token latency, throughput, success, calls in flight.

A value starts from its prior, which counts as 5 observations; observations decay with a
half-life of 10 minutes, so that neither a newcomer nor one slow model load is locked out. Time
counts in steps of `TICK` seconds, so that between two steps only targets that were called change,
and readers need not ask about the others.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock

from llmroute.catalog.model import Target
from llmroute.dispatch.lengths import Lengths
from llmroute.policy.scoring.estimate import expected_output
from llmroute.policy.scoring.live import LiveFacts, Prior, prior_of
from llmroute.types import Request

__all__ = ["AFFINITY_SECONDS", "HALF_LIFE", "PRIOR_WEIGHT", "TICK", "LiveState"]

#: Observations that a prior counts for.
PRIOR_WEIGHT = 5.0
#: Seconds after which an observation counts half.
HALF_LIFE = 600.0
#: Seconds between two steps of the decay: 0.6 % of an observation's weight.
TICK = 5.0
#: Seconds that a provider's prompt cache is taken to last (the vendors' shortest: 5 minutes).
AFFINITY_SECONDS = 300.0
#: Conversations remembered for `affinity`; the oldest is forgotten first.
_CONVERSATIONS = 10_000
#: One observation counts for at most so many times what is known of a target's first token: a
#: model that had to be loaded once is not slow, and one that stays slow says so again.
_MOST_TIMES = 8.0
#: Seconds over which a latency peak fades (the peak-EWMA of Finagle's load balancer).
_PEAK_FADE = 10.0
#: Ratios of a prompt's tokens, as counted by a target, to the estimate: as many of the latest are
#: kept of each target, beside so many of 1, and the estimate is corrected by their median.
_RATIOS, _PRIOR_RATIOS = 32, 5
#: Smaller prompts say little, and other ratios are no matter of tokenizers: a truncated prompt, one
#: that the provider added to, counts of what was evaluated alone.
_COUNTED, _BELIEVED = 200, (0.4, 2.5)
#: Corrections go in such steps, within these limits; a step is taken past three quarters of it.
_STEP, _LEAST_FACTOR, _MOST_FACTOR = 1 / 16, 0.5, 2.0
#: Changes remembered for readers; who is further behind reads everything again.
_CHANGES = 4_096


@dataclass(slots=True)
class _Measured:
    """What was measured of one target: decaying sums, all as of the time `at`."""

    at: float = 0.0
    calls: float = 0.0
    successes: float = 0.0
    firsts: float = 0.0
    first_seconds: float = 0.0
    speeds: float = 0.0
    speed_sum: float = 0.0
    in_flight: int = 0
    peak: float = 0.0
    peak_at: float = 0.0
    token_factor: float = 1.0
    ratios: deque[float] = field(default_factory=lambda: deque(maxlen=_RATIOS))
    lengths: Lengths = field(default_factory=Lengths)

    def decay(self, now: float) -> None:
        """Let every sum decay up to a time."""
        factor = _decay(now - self.at)
        self.at = now
        self.calls *= factor
        self.successes *= factor
        self.firsts *= factor
        self.first_seconds *= factor
        self.speeds *= factor
        self.speed_sum *= factor


def _decay(seconds: float) -> float:
    return 1.0 if seconds <= 0.0 else 0.5 ** (seconds / HALF_LIFE)


class LiveState:
    """Live values of every target in this process; times come from a monotonic clock.

    `quota` tells the free share of a target's rate limits, where any are known. It may be read and
    written from several threads.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        learn: bool = False,
        quota: Callable[[Target], float] | None = None,
    ) -> None:
        self._clock = clock
        self._quota = quota
        self._learns = learn
        self._lock = Lock()
        self._measured: dict[str, _Measured] = {}
        self._priors: dict[str, tuple[Target, Prior]] = {}
        self._in_flight: dict[str, int] = {}
        self._sharing: dict[str, set[str]] = {}
        #: Targets by limit, one of which its quota is asked for; and limits that were not free.
        self._pools: dict[str, tuple[Target, set[str]]] = {}
        self._tight: set[str] = set()
        #: By conversation, who served it, the latest last: when, and how many tokens it cached.
        self._served: OrderedDict[str, dict[str, tuple[float, int]]] = OrderedDict()
        self._changes: list[str] = []
        self._dropped = 0
        self._tick = self._step()

    def learn(self, learn: bool) -> None:
        """Learn from what targets count from now on, or no longer."""
        self._learns = learn

    @property
    def version(self) -> int:
        """A number that grows with every change and with every step of the decay."""
        if self._step() != self._tick:
            self._decayed()
        return self._dropped + len(self._changes)

    def changed(self, since: int) -> Collection[str] | None:
        """Return the ids of the targets that changed after a version; None: any may have."""
        with self._lock:
            start = since - self._dropped
            return None if start < 0 else set(self._changes[start:])

    def _decayed(self) -> None:
        """Take the step that is due: everything that was ever measured changes."""
        with self._lock:
            step = self._step()
            if step != self._tick:
                self._tick = step
                self._note((*self._measured, *self._limited()))

    def _limited(self) -> Iterator[str]:
        """Yield the targets whose quota is used in part, or was at the last step.

        Whoever shares a limit is concerned by calls to the others.
        """
        before, self._tight = self._tight, set()
        for scope, (target, ids) in tuple(self._pools.items()):
            if self._quota is not None and self._quota(target) < 1.0:
                self._tight.add(scope)
            if scope in before or scope in self._tight:
                yield from tuple(ids)  # which readers in other threads add to

    def _note(self, ids: Iterable[str]) -> None:
        self._changes.extend(ids)
        excess = len(self._changes) - _CHANGES
        if excess > _CHANGES:
            del self._changes[:excess]
            self._dropped += excess

    def _step(self) -> int:
        return int(self._clock() / TICK)

    def of(self, target: Target) -> LiveFacts:
        """Return what is known of a target, measurements over priors, as of the last step."""
        prior, seen = self._prior(target), self._measured.get(target.id)
        if target.limits.concurrency:
            self._sharing.setdefault(target.limit_scope, set()).add(target.id)
        if self._quota is not None:
            self._pools.setdefault(target.limit_scope, (target, set()))[1].add(target.id)
        if seen is None:
            return LiveFacts(
                prior.first_token,
                prior.tokens_per_second,
                prior.success,
                headroom=self._headroom(target),
                loaded=target.loaded,
            )
        return self._measured_facts(target, seen, prior, self._step() * TICK)

    def _prior(self, target: Target) -> Prior:
        known = self._priors.get(target.id)
        if known is None or known[0] is not target:
            known = self._priors[target.id] = (target, prior_of(target))
        return known[1]

    def _measured_facts(
        self, target: Target, seen: _Measured, prior: Prior, now: float
    ) -> LiveFacts:
        share, counts = _decay(now - seen.at), PRIOR_WEIGHT
        calls = seen.calls * share
        speed = counts * prior.tokens_per_second + seen.speed_sum * share
        return LiveFacts(
            _first_token(prior, seen, share),
            speed / (counts + seen.speeds * share),
            (counts * prior.success + seen.successes * share) / (counts + calls),
            self._headroom(target),
            seen.in_flight,
            target.loaded,
            calls > 0,
            calls,
            seen.token_factor,
            seen.lengths.usual,
        )

    def places(self, target: Target) -> int | None:
        """Return how many more calls its declared concurrency allows; None where none is."""
        limit, used = target.limits.concurrency, self._in_flight.get(target.limit_scope, 0)
        return max(limit - used, 0) if limit else None

    def load(self, target: Target) -> float:
        """Return the peak-EWMA latency now × (calls in flight + 1)."""
        first, seen = self.of(target).first_token, self._measured.get(target.id)
        if seen is None:
            return first
        return max(self._peak(seen, self._clock()), first) * (seen.in_flight + 1)

    def started(self, target: Target) -> None:
        """Count a call in flight."""
        with self._lock:
            self._of(target).in_flight += 1
            scope = target.limit_scope
            self._in_flight[scope] = self._in_flight.get(scope, 0) + 1
            self._note(self._affected(target))

    def ended(
        self,
        target: Target,
        *,
        healthy: bool | None,
        first_token: float | None = None,
        tokens_per_second: float | None = None,
    ) -> None:
        """Count a call's end; `healthy` None says nothing of the target's health."""
        with self._lock:
            seen, now = self._of(target), self._clock()
            seen.in_flight -= 1
            self._in_flight[target.limit_scope] -= 1
            seen.decay(now)
            if healthy is not None:
                seen.calls += 1.0
                seen.successes += healthy
            if first_token is not None:
                most = _MOST_TIMES * _first_token(self._prior(target), seen, 1.0)
                seen.firsts += 1.0
                seen.first_seconds += min(first_token, most)
                seen.peak = max(self._peak(seen, now), first_token)
                seen.peak_at = now
            if tokens_per_second is not None:
                seen.speeds += 1.0
                seen.speed_sum += tokens_per_second
            self._note(self._affected(target))

    def counted(self, target: Target, estimated: int, counted: int) -> None:
        """Learn from a target's own count of a prompt, beside the uncorrected estimate.

        Only where that was asked for (`learn`): proofs hold for estimates that do not change.

        Tokenizers do not change with time, so that this does not decay; only a new count does.
        """
        least, most = _BELIEVED
        if not self._learns or estimated < _COUNTED or not least <= counted / estimated <= most:
            return
        with self._lock:
            seen = self._of(target)
            seen.ratios.append(counted / estimated)
            factor = _factor(seen.ratios, seen.token_factor)
            if factor != seen.token_factor:
                seen.token_factor = factor
                self._note((target.id,))

    def answered(self, target: Target, task: str, tokens: int, *, whole: bool) -> None:
        """Learn from an answer's length how long answers to its task are, where that was asked for.

        One that was cut short, `whole` false, says only that it would have been longer. As with
        counts, nothing of it decays: only newer answers replace older ones.
        """
        if not self._learns or tokens < 1:
            return
        with self._lock:
            lengths, length = self._of(target).lengths, tokens if whole else -tokens
            if lengths.add(task, length, expected_output(target, None), target.max_output):
                self._note((target.id,))

    def _affected(self, target: Target) -> Collection[str]:
        """Return the targets whose values a call at one of them changes."""
        sharing = self._sharing.get(target.limit_scope)
        return (target.id,) if sharing is None else sharing | {target.id}

    def served(self, request: Request, target: Target, cached: int = 0) -> None:
        """Remember where a conversation was answered, and how much of it is in a cache there.

        `cached` are the tokens that the target says to have read from its cache or written to it:
        the next turn begins with the same.
        """
        key, now = _conversation(request), self._clock()
        if key is None:
            return
        with self._lock:
            known = self._served.get(key, {})
            kept = {i: v for i, v in known.items() if i != target.id and self._counts(v[0], now)}
            self._served[key] = {**kept, target.id: (now, cached)}
            self._served.move_to_end(key)  # readers do not lock: it is never out between
            while len(self._served) > _CONVERSATIONS:
                self._served.popitem(last=False)

    def _counts(self, at: float, now: float) -> bool:
        """Whether what was cached at a time is taken to be there still."""
        return now - at <= AFFINITY_SECONDS

    def affinity(self, request: Request) -> str | None:
        """Return where the conversation was last answered, while its cache still counts."""
        known = self._known_of(request)
        if not known:
            return None
        target_id, (at, _) = next(reversed(known.items()))
        return target_id if self._counts(at, self._clock()) else None

    def cached(self, request: Request) -> Mapping[str, int]:
        """Return the tokens of the conversation that targets cached, where estimates learn."""
        if not self._learns:
            return {}
        known, now = self._known_of(request), self._clock()
        return {name: n for name, (at, n) in known.items() if n and self._counts(at, now)}

    def _known_of(self, request: Request) -> dict[str, tuple[float, int]]:
        key = _conversation(request) if self._served else None
        return {} if key is None else self._served.get(key, {})

    def _headroom(self, target: Target) -> float:
        """Return the free share of the concurrency and rate limits that the target shares."""
        limit, used = target.limits.concurrency, self._in_flight.get(target.limit_scope, 0)
        places = 1.0 if not limit else max(0.0, 1.0 - used / limit)
        return places if self._quota is None else min(places, self._quota(target))

    def _of(self, target: Target) -> _Measured:
        return self._measured.setdefault(target.id, _Measured())

    def _peak(self, seen: _Measured, now: float) -> float:
        return seen.peak * math.exp(-max(now - seen.peak_at, 0.0) / _PEAK_FADE)


def _first_token(prior: Prior, seen: _Measured, share: float) -> float:
    """Return the mean over prior and observations, of which each counts a share by now."""
    total = PRIOR_WEIGHT * prior.first_token + seen.first_seconds * share
    return total / (PRIOR_WEIGHT + seen.firsts * share)


def _factor(ratios: Iterable[float], now: float) -> float:
    """Return the correction by some ratios, the present one where they are near it."""
    known = sorted([*ratios, *[1.0] * _PRIOR_RATIOS])
    median = known[len(known) // 2]
    if abs(median - now) <= 0.75 * _STEP:
        return now
    return min(max(round(median / _STEP) * _STEP, _LEAST_FACTOR), _MOST_FACTOR)


def _conversation(request: Request) -> str | None:
    """Name a conversation by its opening: everything up to the first user message, and the user.

    None where messages hold, in fields that no protocol reads, what JSON cannot.
    """
    opening = []
    for message in request.messages:
        opening.append(message)
        if message["role"] == "user":
            break
    try:
        text = json.dumps([request.user, opening], sort_keys=True, default=str)
    except (RecursionError, TypeError, ValueError):
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
