"""What budgets have spent, as far as it is known here: the store's figures and what is on its way.

Reading never waits. Each look at the store replaces its figures; what this process asked for and
the store has not confirmed is added to them, so that budgets count while the store is away too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from threading import Lock

from llmroute.ledger.budgets import Budget
from llmroute.ledger.holds import Counter, Key
from llmroute.ledger.operations import Operation

__all__ = ["Allowance", "Counts"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a hard budget in nano-dollars, and when its period ends (UTC seconds)."""

    left: int
    until: float


class Counts:
    """The counters of the present periods of all budgets."""

    def __init__(self, budgets: Sequence[Budget], zone: tzinfo, now: Callable[[], float]) -> None:
        self.budgets = tuple(budgets)
        self._zone, self._now = zone, now
        self.forget()

    def forget(self) -> None:
        """Begin without a look at the store, and with nothing on its way."""
        self._lock = Lock()
        self._known: Mapping[Key, Counter] = {}
        self._pending: dict[Key, int] = {}

    def keys(self) -> list[Key]:
        """Return the budgets, each in its present period."""
        now = self._now()
        return [Key(b.name, b.period_at(now, self._zone).key) for b in self.budgets]

    def asked(self, operation: Operation) -> None:
        """Count what is on its way to the store."""
        if operation.delta:
            with self._lock:
                self._shift(operation, operation.delta)

    def landed(self, done: Iterable[Operation], known: Mapping[Key, Counter] | None) -> None:
        """Take over the store's figures, in which those operations count, or are no more."""
        with self._lock:
            for operation in done:
                if operation.delta:
                    self._shift(operation, -operation.delta)
            if known is not None:
                self._known = known

    def _shift(self, operation: Operation, delta: int) -> None:
        for key in operation.keys:
            total = self._pending.get(key, 0) + delta
            if total:
                self._pending[key] = total
            else:
                self._pending.pop(key, None)

    def shares(self) -> dict[str, float]:
        """Return which share of each budget is spent or reserved; 1 is all of it."""
        used = zip(self.budgets, self._used(), strict=True)
        return {b.name: total / b.amount if b.amount else 1.0 for b, total in used}

    def allowances(self) -> dict[str, Allowance]:
        """Return what is left of each hard budget."""
        now = self._now()
        return {
            b.name: Allowance(max(b.amount - total, 0), b.period_at(now, self._zone).end)
            for b, total in zip(self.budgets, self._used(), strict=True)
            if b.hard
        }

    def _used(self) -> list[int]:
        keys = self.keys()
        with self._lock:
            return [sum(self._known.get(k, ())) + self._pending.get(k, 0) for k in keys]
