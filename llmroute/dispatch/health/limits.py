"""Rate limits by pool: when a provider said to come back, what it said is left, what was declared.

Models that share a limit (`limits.pool`, else a provider) share what is known of it. A 429 keeps
everybody of its pool waiting; headers that announce what is left only lower the headroom; the
declared `rpm` and `tpm` are held here, so that they need not be run into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from llmroute.catalog.model import Target
from llmroute.dispatch.health.breaker import doubled
from llmroute.dispatch.health.quotas import quotas

__all__ = ["Left", "Limits"]

#: Seconds to stay away after a 429 that does not say how long: the first time, and at most.
_BARE, _BARE_MOST = 1.0, 60.0
#: A wait that is longer than a day is no wait but a mistake.
_ABSURD = 86_400.0
_MINUTE = 60.0
#: Limits of different names that are remembered of a pool; providers announce two to four.
_MOST_QUOTAS = 16


@dataclass(slots=True)
class _Bucket:
    """What a minute allows, refilled steadily."""

    size: float
    level: float
    at: float

    def now(self, now: float) -> float:
        self.level = min(self.size, self.level + (now - self.at) * self.size / _MINUTE)
        self.at = now
        return self.level

    def change(self, amount: float, now: float) -> None:
        """Take or give back; providers' windows are a minute, so that no debt is larger."""
        self.level = max(min(self.now(now) + amount, self.size), -self.size)

    def ready(self, amount: float, now: float) -> float:
        """Return when an amount is there; more than a minute allows is there when it is full."""
        missing = min(amount, self.size) - self.now(now)
        return now + missing * _MINUTE / self.size if missing > 0 else now


class Left(NamedTuple):
    """What declared limits allow now, None where none is declared, and announced free shares."""

    requests: int | None
    tokens: int | None
    quotas: Mapping[str, float]


@dataclass(slots=True)
class _Pool:
    """What is known of one limit."""

    until: float = 0.0
    why: str = ""
    limited_in_a_row: int = 0
    quotas: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    requests: _Bucket | None = None
    tokens: _Bucket | None = None


class Limits:
    """Rate limits of all pools; a pool is a target's `limit_scope`, times are of one clock."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}

    def limited(
        self, target: Target, retry_after: float | None, now: float, answer: str = "429"
    ) -> float:
        """Note an answer that asks to stay away, and return when to come back.

        Of several calls that were under way together only the first one lengthens the wait.
        """
        pool = self._pool(target, now)
        if now >= pool.until or not pool.limited_in_a_row:
            pool.limited_in_a_row += 1
        wait, told = retry_after, ""
        if wait is None or wait > _ABSURD:
            wait = doubled(_BARE, pool.limited_in_a_row - 1, _BARE_MOST)
            told = ", with no time"
        if now + wait > pool.until:
            pool.until, pool.why = now + wait, f"the provider answered {answer}{told}"
        return pool.until

    def served(self, target: Target) -> None:
        """Note an answer: the limit is not used up."""
        pool = self._pools.get(target.limit_scope)
        if pool is not None:
            pool.limited_in_a_row = 0

    def announced(
        self, target: Target, headers: Mapping[str, str], now: float, wall: datetime
    ) -> None:
        """Note what an answer's headers say is left; `wall` is the time of day now."""
        for quota in quotas(headers, wall):
            pool = self._pool(target, now)
            if quota.name not in pool.quotas and len(pool.quotas) >= _MOST_QUOTAS:
                continue
            pool.quotas[quota.name] = (quota.free, now, now + quota.reset)

    def take(self, target: Target, tokens: int, now: float) -> None:
        """Count a call, and the tokens that it is expected to need, against declared limits."""
        if target.limits.rpm is None and target.limits.tpm is None:
            return
        pool = self._pool(target, now)
        for bucket, amount in ((pool.requests, 1), (pool.tokens, tokens)):
            if bucket is not None:
                bucket.change(-amount, now)

    def give_back(self, target: Target, tokens: int, now: float, *, requests: int = 0) -> None:
        """Correct `take` by what a call needed less (or, below 0, more) than expected."""
        pool = self._pools.get(target.limit_scope)
        if pool is None or (target.limits.rpm is None and target.limits.tpm is None):
            return
        for bucket, amount in ((pool.requests, requests), (pool.tokens, tokens)):
            if bucket is not None:
                bucket.change(amount, now)

    def ready(self, scope: str, now: float) -> tuple[float, str]:
        """Return when the next call of a pool may be made, and why not earlier."""
        pool = self._pools.get(scope)
        if pool is None:
            return now, ""
        found = [(pool.until, pool.why)]
        if pool.requests is not None:
            found.append((pool.requests.ready(1, now), f"{pool.requests.size:.0f} rpm are used up"))
        if pool.tokens is not None:
            found.append((pool.tokens.ready(1, now), f"{pool.tokens.size:.0f} tpm are used up"))
        return max(found)

    def headroom(self, target: Target, now: float) -> float:
        """Return the free share of the tightest limit, 1 where nothing is known."""
        pool = self._pools.get(target.limit_scope)
        if pool is None:
            return 1.0
        shares = [_free(*quota, now) for quota in pool.quotas.values()]
        buckets = (pool.requests, pool.tokens)
        shares += [max(b.now(now), 0.0) / b.size for b in buckets if b is not None]
        return 0.0 if pool.until > now else min(shares, default=1.0)

    def forget(self, scope: str) -> None:
        """Begin anew with a pool."""
        self._pools.pop(scope, None)

    def left(self, target: Target, now: float) -> Left:
        """Return what is left of a target's limits, without changing anything."""
        pool = self._pools.get(target.limit_scope) or _Pool()
        requests = _sized(pool.requests, target.limits.rpm, now)
        tokens = _sized(pool.tokens, target.limits.tpm, now)
        free = {name: _free(*quota, now) for name, quota in sorted(pool.quotas.items())}
        return Left(_whole(requests, now), _whole(tokens, now), free)

    def _pool(self, target: Target, now: float) -> _Pool:
        pool = self._pools.get(target.limit_scope)
        if pool is None:
            pool = self._pools[target.limit_scope] = _Pool()
        pool.requests = _sized(pool.requests, target.limits.rpm, now)
        pool.tokens = _sized(pool.tokens, target.limits.tpm, now)
        return pool


def _sized(bucket: _Bucket | None, size: int | None, now: float) -> _Bucket | None:
    """Return a bucket of a declared size; what was taken from one of another size stays taken."""
    if not size or (bucket is not None and bucket.size == size):
        return bucket
    taken = 0.0 if bucket is None else bucket.size - bucket.now(now)
    return _Bucket(size, size - taken, now)


def _whole(bucket: _Bucket | None, now: float) -> int | None:
    return None if bucket is None else max(int(bucket.now(now)), 0)


def _free(free: float, since: float, reset: float, now: float) -> float:
    """Return a free share that grows evenly from when it was announced until its reset."""
    if now >= reset:
        return 1.0
    return free + (1.0 - free) * (now - since) / (reset - since)
