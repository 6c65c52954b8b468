"""What went wrong with the ledger while requests were served, for logs and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal

__all__ = ["Alarm", "AlarmKind", "Alarms"]

#: `unavailable`: the store did not answer or write. `corrupt`: it was set aside. `conflict`: others
#: were faster every time. `slow`: a call waited in vain. `lost`: its history changed, and what is
#: known here was written again. `dropped`: rows that are not written anywhere. `failed`: a record
#: that the store did not take.
AlarmKind = Literal["unavailable", "corrupt", "conflict", "slow", "lost", "dropped", "failed"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One kind of trouble: its latest message, how often, and since when (UTC seconds)."""

    kind: AlarmKind
    message: str
    count: int
    first: float
    last: float


class Alarms:
    """Counts alarms by kind; may be used from any thread."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = Lock()
        self._known: dict[AlarmKind, Alarm] = {}

    def note(self, kind: AlarmKind, message: str, count: int = 1) -> None:
        """Raise an alarm, `count` times."""
        now = self._now()
        with self._lock:
            known = self._known.pop(kind, None) or Alarm(kind, message, 0, now, now)
            self._known[kind] = replace(known, message=message, count=known.count + count, last=now)

    def latest(self) -> tuple[Alarm, ...]:
        """Return one alarm of each kind, the newest first."""
        with self._lock:
            return tuple(reversed(self._known.values()))
