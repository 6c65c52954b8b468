"""How many repeats a provider is worth: a bucket of tokens for each.

A repeat after a transient failure costs 14 of 500 tokens, after throttling 5, and each clean
success gives 1 back, so that repeats stop where most calls fail (the standard retry quota of the
AWS SDKs, 2.1). A call that never left the machine is repeated for free, and the first call to a
provider never asks.
"""

from __future__ import annotations

from threading import Lock

from llmroute.errors import ErrorKind, TargetError

__all__ = ["RetryBudget"]

_CAPACITY, _TRANSIENT, _THROTTLED, _EARNED = 500, 14, 5, 1
_THROTTLES = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.OVERLOADED})


class RetryBudget:
    """A bucket for each provider, and so for each credential; used from several threads."""

    def __init__(self) -> None:
        self._spent: dict[str, int] = {}
        self._lock = Lock()

    def spend(self, provider: str, error: TargetError, *, free: bool = False) -> bool:
        """Pay for a repeat after a failure; False where the bucket is drained."""
        if free:
            return True
        cost = _THROTTLED if error.kind in _THROTTLES else _TRANSIENT
        with self._lock:
            spent = self._spent.get(provider, 0)
            if spent + cost > _CAPACITY:
                return False
            self._spent[provider] = spent + cost
            return True

    def earn(self, provider: str) -> None:
        """Give back for a clean success."""
        if not self._spent:
            return
        with self._lock:
            left = self._spent.get(provider, 0) - _EARNED
            if left > 0:
                self._spent[provider] = left
            else:
                self._spent.pop(provider, None)

    def left(self, provider: str) -> int:
        """Return the tokens in a provider's bucket."""
        return _CAPACITY - self._spent.get(provider, 0)
