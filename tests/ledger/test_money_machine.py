"""Any order of reservations, ends, expiries and lost answers, against a plain model of money."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from llmroute.ledger.budgets import Budget
from llmroute.ledger.holds import Refusal, Reservation
from llmroute.ledger.memory import MemoryStore
from llmroute.ledger.records import AttemptRecord
from llmroute.ledger.sqlite import SqliteStore
from tests.ledger.making import NOON

VIENNA = ZoneInfo("Europe/Vienna")
BUDGETS = (
    Budget("all", "day", 100, hard=True),
    Budget("alice", "month", 60, hard=True, caller="alice"),
    Budget("watch", "day", 20, tag="watched"),
)


@dataclass
class Modelled:
    """What a person with a notebook would know of one reservation."""

    keys: tuple
    held: int
    estimate: int
    expires: float
    ended: bool = False
    expired: bool = False
    paid: int = 0


class Money(RuleBasedStateMachine):
    """Every store must have the sums that the notebook has."""

    held = Bundle("held")

    @initialize()
    def begin(self) -> None:
        self.now = NOON
        self.number = self.late = 0
        self.book: dict[str, Modelled] = {}
        self.folder = tempfile.TemporaryDirectory()
        self.stores = [MemoryStore(), SqliteStore(Path(self.folder.name) / "l.db", wait=5)]

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            self.stores[1].close()
            self.folder.cleanup()

    def used(self, key) -> int:
        return self.total(key, "spent") + self.total(key, "held")

    def total(self, key, kind: str) -> int:
        rows = [row for row in self.book.values() if key in row.keys]
        if kind == "spent":
            return sum(row.paid for row in rows)
        return sum(row.held for row in rows if not row.ended and not row.expired)

    def everywhere(self, act):
        said = []
        for store in self.stores:
            with store.transaction():
                said.append(act(store))
        assert said[0] == said[1]
        return said[0]

    @rule(
        target=held,
        amount=st.integers(0, 70),
        share=st.integers(0, 4),
        caller=st.sampled_from(["alice", "bob"]),
        watched=st.booleans(),
        within=st.sampled_from([10, 100_000]),
    )
    def reserve(self, amount, share, caller, watched, within):
        self.number += 1
        tags = ("watched",) if watched else ()
        row = AttemptRecord(f"r{self.number}", 1, self.now, "p", "p/m", tags=tags, caller=caller)
        mine = [b for b in BUDGETS if b.matches("p", "p/m", tags, caller, "")]
        charges = tuple(b.charge(self.now, VIENNA) for b in mine)
        estimate, expires = amount * share // 4, self.now + within
        wanted = Reservation(row, amount, estimate, expires, charges)
        refused = self.everywhere(lambda store: store.reserve(wanted))
        short = [c for c in charges if c.hard and self.used(c.key) + amount > c.limit]
        assert (refused is not None) == bool(short)
        if isinstance(refused, Refusal):
            left = short[0].limit - self.used(short[0].key)
            assert (refused.budget, refused.left) == (short[0].key.budget, left)
            return multiple()
        self.book[wanted.id] = Modelled(wanted.keys, amount, estimate, expires)
        return wanted

    @rule(one=held, share=st.none() | st.integers(0, 4))
    def settle(self, one, share):
        if one.id not in self.book:
            return  # it was released without a record: its process has nothing more to say
        cost = None if share is None else one.amount * share // 4
        self.everywhere(lambda store: store.settle(one, replace(one.attempt, cost=cost)))
        self.end(one, one.estimate if cost is None else cost)

    @rule(one=held)
    def release(self, one):
        row = replace(one.attempt, outcome="unavailable")
        self.everywhere(lambda store: store.release(one, row))
        if one.id in self.book:
            self.end(one, 0)

    @rule(one=held)
    def release_without_a_record(self, one):
        known = self.book.get(one.id)
        self.everywhere(lambda store: store.release(one, None))
        if known and not known.ended:
            del self.book[one.id]

    def end(self, one, paid):
        known = self.book[one.id]
        if not known.ended:
            self.late += max(paid - known.paid, 0) if known.expired else 0
            known.ended, known.paid = True, paid

    @rule(one=held)
    def say_it_again(self, one):
        if one.id in self.book:
            self.everywhere(lambda store: store.reserve(one, forced=True))

    @rule(seconds=st.sampled_from([1, 11, 40_000, 90_000]))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def sweep(self):
        late = [
            row
            for row in self.book.values()
            if not row.ended and not row.expired and row.expires < self.now
        ]
        assert self.everywhere(lambda store: store.sweep(self.now)) == len(late)
        for row in late:
            row.expired, row.paid = True, row.estimate

    @invariant()
    def every_counter_is_right(self):
        keys = {key for row in self.book.values() for key in row.keys}
        for store in self.stores:
            for key, counter in store.counters(keys).items():
                assert counter == (self.total(key, "spent"), self.total(key, "held"))

    @invariant()
    def no_hard_budget_is_passed(self):
        """Except by what a process says after its reservation has expired."""
        limits = {budget.name: budget.amount for budget in BUDGETS if budget.hard}
        keys = {key for row in self.book.values() for key in row.keys if key.budget in limits}
        for key, counter in self.stores[1].counters(keys).items():
            assert sum(counter) <= limits[key.budget] + self.late


@pytest.mark.filterwarnings("default::ResourceWarning")
def test_money_adds_up_in_any_order():
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
