"""How many requests may be hedged: a share of them, so that hedging never doubles the load."""

from __future__ import annotations

from threading import Lock

__all__ = ["HedgeCount"]

#: A request's worth of the shares that are saved up, and how many hedges they make at most: a
#: quiet day must not pay for hedging every request of a bad hour.
_ONE, _SAVED = 1_000_000, 10


class HedgeCount:
    """Saves up each request's share of a hedge, in all threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._saved = 0

    def request(self, share: float) -> None:
        """Count a request of which a share may be hedged."""
        with self._lock:
            self._saved = min(self._saved + round(share * _ONE), _SAVED * _ONE)

    def take(self) -> bool:
        """Hedge one more request, if enough others have not been."""
        with self._lock:
            if self._saved < _ONE:
                return False
            self._saved -= _ONE
            return True

    def give_back(self) -> None:
        """Take note that nobody was there to hedge with."""
        with self._lock:
            self._saved = min(self._saved + _ONE, _SAVED * _ONE)
