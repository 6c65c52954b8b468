"""How many requests may be hedged: a share of all, so that hedging never doubles the load."""

from __future__ import annotations

from threading import Lock

__all__ = ["HedgeCount"]


class HedgeCount:
    """Counts requests and the hedged ones among them, in all threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests = 0
        self._hedged = 0

    def request(self) -> None:
        """Count a request whose policy allows hedging."""
        with self._lock:
            self._requests += 1

    def take(self, share: float) -> bool:
        """Hedge one more request, if no more than a share of them are hedged then."""
        with self._lock:
            if self._hedged + 1 > share * self._requests:
                return False
            self._hedged += 1
            return True
