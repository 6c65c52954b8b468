"""The ledger as dispatch uses it: holding, ending, recording, and what it says meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from llmroute.ledger.budgets import Budget
from llmroute.ledger.holds import Refusal, Reservation
from llmroute.ledger.ledger import MARGIN, Ledger
from tests.ledger.ledgers import HARD, SOFT, hold, kinds
from tests.ledger.making import DECEMBER, NOON, attempt, request


async def test_money_is_held_then_spent(bench):
    ledger = bench.ledger(HARD)
    held = await hold(ledger, 60, estimate=10)
    assert (held.amount, held.estimate, held.expires) == (60, 10, NOON + 600 + MARGIN)
    assert bench.counter() == (0, 60)
    assert await ledger.settle(held, replace(held.attempt, cost=25))
    assert bench.counter() == (25, 0)


async def test_a_refusal_says_what_is_left_and_until_when(bench):
    ledger = bench.ledger(HARD)
    await hold(ledger, 60)
    refused = await hold(ledger, 50, 1)
    assert refused == Refusal("team", "spent", 100, DECEMBER, 40)
    assert '"team"' in refused.message
    assert "2026-12-01 00:00 UTC" in refused.message
    assert "$0.0000000400 is left" in refused.message


async def test_an_unknown_price_is_refused_by_a_hard_budget_alone(bench):
    ledger = bench.ledger(HARD, SOFT)
    refused = await hold(ledger, None)
    assert (refused.budget, refused.reason) == ("team", "price")
    assert bench.store.transactions == 0
    softly = bench.ledger(SOFT)
    held = await hold(softly, None)
    await softly.settle(held, held.attempt)
    assert [row.cost for row in bench.store._attempts.values()] == [None]


async def test_only_what_is_in_its_scope_counts(bench):
    ledger = bench.ledger(Budget("team", "month", 1, hard=True, tag="research"))
    held = await hold(ledger, 50, tags=("play",))
    assert held.charges == ()
    assert isinstance(await hold(ledger, 50, tags=("research",)), Refusal)


def test_without_a_hard_budget_nothing_is_awaited(bench):
    ledger = bench.ledger(SOFT)
    bench.store.gate.clear()
    for made in (ledger, bench.ledger()):
        step = hold(made, 10)
        with pytest.raises(StopIteration) as ended:
            step.send(None)  # it would yield to the event loop here if it waited
        assert isinstance(ended.value.value, Reservation)


async def test_concurrent_calls_share_transactions(bench):
    ledger = bench.ledger(Budget("team", "month", 10**6, hard=True))
    bench.store.gate.clear()
    waiting = [asyncio.create_task(hold(ledger, 1, n)) for n in range(32)]
    await asyncio.sleep(0.02)
    bench.store.gate.set()
    held = await asyncio.gather(*waiting)
    assert bench.store.transactions <= 3
    assert all([await ledger.settle(item, replace(item.attempt, cost=1)) for item in held])
    assert bench.counter() == (32, 0)


async def test_shares_count_at_once_and_tell_of_others_within_a_second(bench):
    ledger = bench.ledger(HARD, SOFT)
    assert ledger.shares() == {"team": 0.0, "watch": 0.0}
    await hold(ledger, 30)
    assert ledger.shares() == {"team": 0.3, "watch": 0.3}
    assert ledger.allowances()["team"].left == 70
    assert ledger.allowances()["team"].until == DECEMBER
    assert "watch" not in ledger.allowances()
    other = bench.ledger(HARD)
    await hold(other, 20, 1)
    assert ledger.shares()["team"] == 0.3
    bench.clock.seconds = 1.0
    ledger.shares()
    assert await ledger.flush()
    assert ledger.shares()["team"] == 0.5


async def test_shares_begin_anew_with_the_period(bench):
    ledger = bench.ledger(Budget("day", "day", 100, hard=True))
    await hold(ledger, 80)
    assert ledger.shares() == {"day": 0.8}
    bench.clock.seconds = 12 * 3600.0
    assert ledger.shares() == {"day": 0.0}


async def test_what_is_on_its_way_counts_already(bench):
    ledger = bench.ledger(SOFT)
    bench.store.gate.clear()
    held = await hold(ledger, 40)
    assert ledger.shares() == {"watch": 0.4}
    ledger.settle(held, replace(held.attempt, cost=15))
    assert ledger.shares() == {"watch": 0.15}
    bench.store.gate.set()
    assert await ledger.flush()
    assert ledger.shares() == {"watch": 0.15}


@pytest.mark.parametrize(("prompts", "decisions"), [(False, True), (True, False)])
def test_prompts_and_decisions_are_kept_where_they_are_wanted(bench, prompts, decisions):
    ledger = bench.ledger(prompts=prompts, decisions=decisions)
    ledger.record(request(prompt="a secret plan", decision={"winner": None}))
    assert ledger.close()
    (row,) = bench.store._requests.values()
    assert row.prompt == ("a secret plan" if prompts else None)
    assert row.decision == ({"winner": None} if decisions else None)


def test_closing_writes_what_waits(bench):
    ledger = bench.ledger(SOFT)
    ledger.record(request(), attempt())
    assert ledger.close()
    assert bench.outcomes() == ["ok"]
    assert not ledger.record(request(NOON + 1))
    assert kinds(ledger) == [("dropped", 1)]


def test_a_process_that_ends_without_its_store_says_what_is_lost(bench):
    ledger = bench.ledger()
    bench.store.gone = True
    ledger.record(request())
    assert ledger.close()
    (dropped, _) = ledger.alarms
    assert dropped.kind == "dropped"
    assert "the server is gone" in dropped.message


async def test_a_ledger_that_is_off_records_and_holds_nothing():
    ledger = Ledger(None, [HARD])
    held = await hold(ledger, None)
    assert await ledger.settle(held, held.attempt)
    assert await ledger.flush()
    assert (ledger.shares(), ledger.allowances(), ledger.alarms) == ({}, {}, ())


async def test_plain_code_can_wait_too(bench):
    ledger = bench.ledger(HARD)
    held = await hold(ledger, 10)
    bench.store.gate.clear()
    end = ledger.settle(held, replace(held.attempt, cost=1))
    assert not end.wait(0.01)
    bench.store.gate.set()
    assert end.wait(5)
