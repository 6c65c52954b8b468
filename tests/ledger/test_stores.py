"""What every store does with money and records: the same in memory and in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from llmroute.ledger.holds import Counter, Key, Reservation
from llmroute.ledger.memory import MemoryStore
from llmroute.ledger.records import LOST
from llmroute.ledger.sqlite import SqliteStore
from llmroute.ledger.store import Store
from tests.ledger.making import DECEMBER, NOON, attempt, charge, request, reservation

TEAM = Key("team", "2026-11")
FOREVER = (0.0, 4e9)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "ledger.db")
    yield made
    made.close()


def do(store: Store, what: Callable[[], Any]) -> Any:
    with store.transaction():
        return what()


def counter(store: Store, key: Key = TEAM) -> Counter:
    return store.counters([key])[key]


def reserve(store: Store, held: Reservation, *, forced: bool = False):
    return do(store, lambda: store.reserve(held, forced=forced))


def test_a_hard_budget_is_never_passed(store):
    limit = charge(100)
    assert reserve(store, reservation(60, limit, at=NOON)) is None
    refused = reserve(store, reservation(41, limit, at=NOON + 1))
    assert (refused.budget, refused.reason, refused.left) == ("team", "spent", 40)
    assert (refused.limit, refused.until) == (100, DECEMBER)
    assert reserve(store, reservation(40, limit, at=NOON + 2)) is None
    assert counter(store) == (0, 100)


def test_a_refusal_by_one_budget_holds_nothing_in_the_others(store):
    wide, narrow = charge(100), charge(10, name="alice")
    assert reserve(store, reservation(11, wide, narrow)).budget == "alice"
    assert counter(store) == (0, 0)
    assert counter(store, Key("alice", "2026-11")) == (0, 0)


def test_a_soft_budget_counts_and_does_not_refuse(store):
    soft = charge(10, hard=False)
    held = reservation(25, soft)
    assert reserve(store, held) is None
    do(store, lambda: store.settle(held, replace(held.attempt, cost=25)))
    assert counter(store) == (25, 0)


def test_settling_moves_the_money_and_counts_once(store):
    held = reservation(60, charge(100))
    reserve(store, held)
    for _ in range(2):
        do(store, lambda: store.settle(held, replace(held.attempt, cost=23, tokens_in=5)))
    do(store, lambda: store.release(held, None))
    assert counter(store) == (23, 0)
    assert [(row.cost, row.tokens_in) for row in store.attempts(held.attempt.request)] == [(23, 5)]


def test_without_a_cost_the_estimate_is_spent(store):
    held = reservation(60, charge(100), estimate=12)
    reserve(store, held)
    do(store, lambda: store.settle(held, replace(held.attempt, outcome="timeout")))
    assert counter(store) == (12, 0)
    (row,) = store.attempts(held.attempt.request)
    assert (row.outcome, row.cost, row.estimated) == ("timeout", 12, True)


def test_releasing_gives_back_once(store):
    first, second = (reservation(50, charge(100), at=NOON + n) for n in range(2))
    reserve(store, first)
    reserve(store, second)
    for _ in range(2):
        do(store, lambda: store.release(first, replace(first.attempt, outcome="unavailable")))
    assert counter(store) == (0, 50)
    (row,) = store.attempts(first.attempt.request)
    assert (row.outcome, row.cost) == ("unavailable", 0)


def test_releasing_without_an_attempt_leaves_no_row(store):
    held = reservation(50, charge(100))
    reserve(store, held)
    do(store, lambda: store.release(held, None))
    assert counter(store) == (0, 0)
    assert store.attempts(held.attempt.request) == []


def test_reserving_twice_holds_once(store):
    held = reservation(50, charge(60))
    assert reserve(store, held) is None
    assert reserve(store, held) is None
    assert counter(store) == (0, 50)


def test_a_name_cannot_be_used_for_a_second_attempt(store):
    held = reservation(50, charge(60))
    reserve(store, held)
    do(store, lambda: store.settle(held, replace(held.attempt, cost=1)))
    with pytest.raises(ValueError, match=r"is recorded already; number them from 1"):
        reserve(store, held)
    assert counter(store) == (1, 0)


def test_what_expired_is_spent_at_the_estimate(store):
    held = reservation(50, charge(100), estimate=20, expires=NOON + 10)
    later = reservation(30, charge(100), at=NOON + 1, expires=NOON + 20)
    reserve(store, held)
    reserve(store, later)
    assert do(store, lambda: store.sweep(NOON + 15)) == 1
    assert do(store, lambda: store.sweep(NOON + 15)) == 0
    assert counter(store) == (20, 30)
    (row,) = store.attempts(held.attempt.request)
    assert (row.outcome, row.cost, row.estimated) == (LOST, 20, True)


@pytest.mark.parametrize(("end", "spent"), [("settle", 33), ("release", 0)])
def test_who_speaks_after_the_expiry_is_believed_once(store, end, spent):
    held = reservation(50, charge(100), estimate=20, expires=NOON + 10)
    reserve(store, held)
    do(store, lambda: store.sweep(NOON + 15))
    for _ in range(2):
        do(store, lambda: getattr(store, end)(held, replace(held.attempt, cost=33)))
    assert counter(store) == (spent, 0)
    (row,) = store.attempts(held.attempt.request)
    assert (row.outcome, row.cost) == ("ok", spent)


def test_a_settlement_whose_reservation_was_lost_counts_once(store):
    held = reservation(50, charge(100))
    for _ in range(2):
        do(store, lambda: store.settle(held, replace(held.attempt, cost=33)))
    assert reserve(store, held, forced=True) is None
    assert counter(store) == (33, 0)


def test_a_reservation_that_was_granted_before_is_not_refused_again(store):
    reserve(store, reservation(90, charge(100)))
    assert reserve(store, reservation(20, charge(100), at=NOON + 1), forced=True) is None
    assert counter(store) == (0, 110)


def test_spending_beyond_the_reservation_is_told_as_it_is(store):
    held = reservation(10, charge(100))
    reserve(store, held)
    do(store, lambda: store.settle(held, replace(held.attempt, cost=130)))
    assert counter(store) == (130, 0)
    refused = reserve(store, reservation(1, charge(100), at=NOON + 1))
    assert refused.left == 0


def fill(store: Store) -> None:
    """Three requests: two tagged, one failed and without a known cost."""
    rows = [
        request(NOON, target="acme/large", tags=("a", "b"), decision={"x": [1]}, prompt="hi"),
        attempt(at=NOON, tags=("a", "b"), cost=100, tokens_in=10, tokens_out=5, caller="alice"),
        request(NOON + 1, outcome="timeout", task="code"),
        attempt(at=NOON + 1, outcome="timeout", cost=None),
        attempt(2, at=NOON + 1, provider="other", target="other/x", model="x-1", outcome="auth"),
        request(NOON + 86_400, target="acme/large"),
        attempt(at=NOON + 86_400, tags=("b",), cost=7, estimated=True),
    ]
    do(store, lambda: store.record(rows))
    do(store, lambda: store.record(rows))


def spend(store: Store, by, zone=UTC, span=FOREVER):
    return [
        (r.key, r.requests, r.attempts, r.cost, r.unknown) for r in store.spend(by, *span, zone)
    ]


def test_spending_is_summed_by_anything(store):
    fill(store)
    assert spend(store, "provider") == [("acme", 3, 3, 107, 1), ("other", 1, 1, 0, 1)]
    assert spend(store, "tag") == [("b", 2, 2, 107, 0), ("a", 1, 1, 100, 0), (None, 1, 2, 0, 2)]
    assert spend(store, "model") == [(None, 3, 3, 107, 1), ("x-1", 1, 1, 0, 1)]
    assert spend(store, "caller") == [("alice", 1, 1, 100, 0), (None, 2, 3, 7, 2)]
    assert spend(store, "all") == [(None, 3, 4, 107, 2)]
    assert spend(store, "policy") == [("balanced", 3, 4, 107, 2)]
    assert spend(store, "target", span=(NOON + 1, NOON + 2)) == [
        ("acme/large", 1, 1, 0, 1),
        ("other/x", 1, 1, 0, 1),
    ]
    (row, _) = store.spend("provider", *FOREVER, UTC)
    assert (row.failed, row.tokens_in, row.tokens_out, row.estimated) == (1, 10, 5, 1)


def test_days_are_those_of_the_zone(store):
    fill(store)
    assert [row[0] for row in spend(store, "day")] == ["2026-11-29", "2026-11-30"]
    far = ZoneInfo("Pacific/Kiritimati")  # UTC+14: noon is two in the morning of the next day
    assert [row[0] for row in spend(store, "day", far)] == ["2026-11-30", "2026-12-01"]


def test_what_is_pending_is_not_spent(store):
    reserve(store, reservation(50, charge(100)))
    assert spend(store, "provider") == []
    assert spend(store, "all") == []


def test_requests_are_listed_newest_first(store):
    fill(store)
    names = [row.id for row in store.requests(10)]
    assert names == [request(NOON + n).id for n in (86_400, 1, 0)]
    assert [row.at for row in store.requests(1)] == [NOON + 86_400]
    assert [row.at for row in store.requests(9, failed=True)] == [NOON + 1]
    assert [row.at for row in store.requests(9, target="other/x")] == [NOON + 1]
    assert [row.at for row in store.requests(9, prefix=names[2])] == [NOON]
    assert store.requests(1)[0].decision is None


def test_a_request_is_kept_in_full(store):
    fill(store)
    kept = store.request(request(NOON).id)
    assert kept == request(
        NOON, target="acme/large", tags=("a", "b"), decision={"x": [1]}, prompt="hi"
    )
    assert store.request("nobody") is None
    assert [row.number for row in store.attempts(request(NOON + 1).id)] == [1, 2]


def test_what_is_old_is_forgotten_and_what_is_pending_is_not(store):
    fill(store)
    reserve(store, reservation(5, charge(100), at=NOON + 2))
    assert do(store, lambda: store.prune(NOON + 86_000)) == 3
    assert [row.at for row in store.requests(9)] == [NOON + 86_400, NOON + 2]
    assert counter(store) == (0, 5)


def test_a_request_whose_process_was_killed_is_listed_by_what_it_held(store):
    fill(store)
    held = reservation(50, charge(100), at=NOON + 2, tags=("a",), caller="alice", expires=NOON + 9)
    reserve(store, held)
    name = held.attempt.request
    assert [row.at for row in store.requests(1)] == [NOON + 86_400]
    rows = store.requests(9)
    assert [row.at for row in rows] == [NOON + n for n in (86_400, 2, 1, 0)]
    unended = rows[1]
    assert (unended.id, unended.outcome, unended.target) == (name, "pending", None)
    assert (unended.policy, unended.tags, unended.caller) == ("balanced", ("a",), "alice")
    assert store.request(name) == unended
    assert store.holds(name) == {1: (50, NOON + 9)}
    do(store, lambda: store.sweep(NOON + 10))
    assert store.request(name).outcome == LOST
    assert store.requests(9, failed=True)[0].outcome == LOST
    assert store.holds(name) == {1: (50, NOON + 9)}
    assert [row.at for row in store.requests(2)] == [NOON + 86_400, NOON + 2]
    assert [row.id for row in store.requests(9, prefix=name)] == [name]
    assert name in [row.id for row in store.requests(9, target="acme/large")]
    assert name not in [row.id for row in store.requests(9, target="other/x")]


def test_a_request_that_was_recorded_after_all_is_listed_once(store):
    held = reservation(50, charge(100), at=NOON)
    reserve(store, held)
    do(store, lambda: store.record([request(NOON)]))
    assert [row.outcome for row in store.requests(9)] == ["ok"]


def test_what_was_never_reserved_is_no_request_of_unknown_end(store):
    """Attempts outlive their requests while old rows are forgotten bit by bit."""
    do(store, lambda: store.record([attempt(at=NOON)]))
    assert store.requests(9) == []
    assert store.holds(attempt(at=NOON).request) == {}


def test_texts_and_figures_that_no_database_takes_are_stored(store):
    odd = attempt(message="half \ud800 and \x00", cost=2**70, caller="ä" * 3)
    do(store, lambda: store.record([odd]))
    (row,) = store.attempts(odd.request)
    assert row.caller == "äää"
    assert row.cost >= 2**53
