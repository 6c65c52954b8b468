"""A ledger over a scripted store, at a time that only moves when it is told to."""

from __future__ import annotations

from typing import Any

from llmroute.ledger.budgets import Budget
from llmroute.ledger.holds import Key
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.memory import MemoryStore
from tests.ledger.making import NOON, attempt
from tests.ledger.scripted import ScriptedStore

TEAM = Key("team", "2026-11")
HARD = Budget("team", "month", 100, hard=True)
SOFT = Budget("watch", "month", 100)


class Clock:
    """Time that only moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> float:
        return NOON + self.seconds


class Bench:
    """A ledger over a scripted store."""

    def __init__(self) -> None:
        self.store = ScriptedStore()
        self.clock = Clock()
        self.made: list[Ledger] = []
        self.slept: list[float] = []

    def ledger(self, *budgets: Budget, **options: Any) -> Ledger:
        given = {"now": self.clock.now, "clock": self.clock, "sleep": self.slept.append, **options}
        ledger = Ledger(lambda: self.store, budgets, **given)
        self.made.append(ledger)
        return ledger

    def counter(self, key: Key = TEAM) -> tuple[int, int]:
        return tuple(MemoryStore.counters(self.store, [key])[key])

    def outcomes(self) -> list[str]:
        return [row.outcome for row in self.store._attempts.values()]


def kinds(ledger: Ledger) -> list[tuple[str, int]]:
    return [(alarm.kind, alarm.count) for alarm in ledger.alarms]


async def hold(ledger: Ledger, amount: int | None, number: int = 0, **more: Any):
    estimate = more.pop("estimate", None)
    row = attempt(at=NOON + number, **more)
    return await ledger.reserve(row, amount, estimate, within=600)
