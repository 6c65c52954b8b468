"""The ledger over a store that is gone, slow, behind or in conflict: rows 76 to 79."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from llmroute.ledger.holds import Key, Refusal, Reservation
from llmroute.ledger.ledger import MARGIN
from llmroute.ledger.store import StoreConflict, StoreCorrupt, StoreUnavailable
from tests.ledger.ledgers import HARD, SOFT, hold, kinds
from tests.ledger.making import NOON, attempt, request


async def test_a_store_that_is_gone_refuses_hard_budgets_and_serves_the_rest(bench):  # row 76
    ledger = bench.ledger(HARD, replace(SOFT, tag="watched"))
    bench.store.gone = True
    refused = await hold(ledger, 10)
    assert (refused.reason, refused.detail) == ("store", "the server is gone")
    assert "the server is gone" in refused.message
    other = bench.ledger(SOFT)
    held = await hold(other, 10)
    assert not await other.settle(held, replace(held.attempt, cost=4))
    assert other.shares() == {"watch": 0.04}
    assert other.record(request())
    assert kinds(ledger) == [("unavailable", 1)]


async def test_what_costs_nothing_is_served_under_a_hard_budget_whose_store_is_gone(bench):
    ledger = bench.ledger(HARD)
    bench.store.gone = True
    held = await hold(ledger, 0)
    assert isinstance(held, Reservation)
    assert not await ledger.settle(held, replace(held.attempt, outcome="ok", cost=0))
    bench.store.gone = False
    bench.clock.seconds = 60.0
    assert await ledger.flush()
    assert bench.outcomes() == ["ok"]


async def test_what_costs_nothing_fits_into_a_budget_that_is_overdrawn(bench):
    ledger = bench.ledger(HARD)
    first = await hold(ledger, 100)
    await ledger.settle(first, replace(first.attempt, cost=130))
    refused = await hold(ledger, 1, 1)
    assert (refused.reason, refused.left) == ("spent", 0)
    free = await hold(ledger, 0, 2)
    assert await ledger.settle(free, replace(free.attempt, cost=0))
    assert bench.counter() == (130, 0)


async def test_what_could_not_be_written_is_written_when_the_store_is_back(bench):
    ledger = bench.ledger(SOFT)
    bench.store.gone = True
    held = [await hold(ledger, 10, n) for n in range(3)]
    for item in held:
        assert not await ledger.settle(item, replace(item.attempt, cost=4))
    ledger.record(request())
    assert ledger.shares() == {"watch": 0.12}
    bench.store.gone = False
    bench.clock.seconds = 60.0
    assert await ledger.flush()
    key = Key("watch", "2026-11")
    assert bench.counter(key) == (12, 0)
    assert ledger.shares() == {"watch": 0.12}
    assert len(bench.store._requests) == 1


async def test_a_store_that_failed_is_left_alone_for_a_moment(bench):
    ledger = bench.ledger(HARD)
    bench.store.gone = True
    await hold(ledger, 10)
    tries = bench.store.transactions
    assert isinstance(await hold(ledger, 10, 1), Refusal)
    assert bench.store.transactions == tries
    bench.store.gone = False
    bench.clock.seconds = 1.0
    assert isinstance(await hold(ledger, 10, 2), Reservation)


async def test_a_slow_store_is_waited_for_so_long_and_holds_nothing_later(bench):  # row 77
    ledger = bench.ledger(HARD, SOFT, wait=0.05)
    bench.store.gate.clear()
    begun = asyncio.get_running_loop().time()
    refused = await hold(ledger, 10)
    assert asyncio.get_running_loop().time() - begun < 1.0
    assert (refused.reason, kinds(ledger)) == ("store", [("slow", 1)])
    bench.store.gate.set()
    assert await ledger.flush()
    assert bench.counter() == (0, 0)
    assert ledger.shares() == {"team": 0.0, "watch": 0.0}


async def test_a_slow_store_takes_no_more_time_than_the_request_has(bench):
    ledger = bench.ledger(HARD)  # which waits for 5 s by itself
    bench.store.gate.clear()
    begun = asyncio.get_running_loop().time()
    refused = await ledger.reserve(attempt(), 10, within=0.05)
    assert asyncio.get_running_loop().time() - begun < 1.0
    assert refused.detail == "the ledger did not answer within 0.05 s"
    bench.store.gate.set()
    assert await ledger.flush()
    assert bench.counter() == (0, 0)


async def test_a_caller_who_leaves_while_waiting_holds_nothing(bench):
    ledger = bench.ledger(HARD)
    bench.store.gate.clear()
    task = asyncio.create_task(hold(ledger, 10))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.store.gate.set()
    assert await ledger.flush()
    assert bench.counter() == (0, 0)


async def test_an_answer_that_got_lost_holds_nothing(bench):
    ledger = bench.ledger(HARD)
    bench.store.late.append(StoreUnavailable("the connection broke"))
    assert isinstance(await hold(ledger, 10), Refusal)
    assert bench.counter() == (0, 10)
    bench.clock.seconds = 60.0
    assert await ledger.flush()
    assert bench.counter() == (0, 0)


async def test_a_failover_that_lost_writes_is_made_good_once(bench):  # row 78
    ledger = bench.ledger(HARD)
    first = await hold(ledger, 10)
    await ledger.settle(first, replace(first.attempt, cost=7))
    replica = bench.store.remember()
    second, third = [await hold(ledger, 20, n) for n in (1, 2)]
    await ledger.settle(second, replace(second.attempt, cost=11))
    ledger.record(request())
    assert await ledger.flush()
    bench.store.fail_over(replica)
    assert bench.counter() == (7, 0)
    fourth = await hold(ledger, 5, 3)
    assert await ledger.settle(fourth, replace(fourth.attempt, cost=1))
    assert await ledger.flush()
    assert bench.counter() == (7 + 11 + 1, 20)
    assert len(bench.store._requests) == 1
    assert ("lost", 1) in kinds(ledger)
    assert await ledger.settle(third, replace(third.attempt, cost=20))
    assert bench.counter() == (39, 0)


async def test_what_was_refused_is_not_made_good_by_a_failover(bench):
    ledger = bench.ledger(HARD)
    held = await hold(ledger, 90)
    replica = bench.store.remember()
    assert isinstance(await hold(ledger, 50, 1), Refusal)
    bench.store.fail_over(replica)
    await ledger.settle(held, replace(held.attempt, cost=3))
    assert await ledger.flush()
    assert bench.counter() == (3, 0)


async def test_a_serialization_failure_is_tried_again_after_a_random_pause(bench):  # row 79
    ledger = bench.ledger(HARD)
    bench.store.faults += [StoreConflict("could not serialize access")] * 3
    assert isinstance(await hold(ledger, 10), Reservation)
    assert bench.counter() == (0, 10)
    limits = (0.005, 0.01, 0.02)
    assert all(0 <= pause <= most for pause, most in zip(bench.slept, limits, strict=True))
    assert ledger.alarms == ()


async def test_conflicts_without_an_end_refuse(bench):
    ledger = bench.ledger(HARD)
    bench.store.faults += [StoreConflict("could not serialize access")] * 6
    refused = await hold(ledger, 10)
    assert (refused.reason, refused.detail) == ("store", "could not serialize access")
    assert len(bench.slept) == 6
    assert kinds(ledger) == [("conflict", 1)]
    assert isinstance(await hold(ledger, 10, 1), Reservation)  # at once


async def test_a_corrupt_store_that_mended_itself_goes_on(bench):
    ledger = bench.ledger(HARD)
    bench.store.faults.append(StoreCorrupt("set aside as x"))
    assert isinstance(await hold(ledger, 10), Reservation)
    assert [(a.kind, a.message) for a in ledger.alarms] == [("corrupt", "set aside as x")]


async def test_a_record_that_no_store_takes_stops_no_other(bench):
    ledger = bench.ledger()
    bench.store.gate.clear()
    ledger.record(request())
    ledger.record(attempt(at=NOON + 2, message="poison"))
    ledger.record(attempt(at=NOON + 1))
    bench.store.gate.set()
    assert await ledger.flush()
    assert (len(bench.store._requests), bench.outcomes()) == (1, ["ok"])
    assert kinds(ledger) == [("failed", 1)]


async def test_nor_does_it_where_records_are_written_again(bench):
    ledger = bench.ledger()
    bench.store.gone = True
    for number in range(4):
        ledger.record(attempt(at=NOON + number, message="poison" if number == 2 else "fine"))
    assert not await ledger.flush()
    bench.store.gone = False
    bench.clock.seconds = 60.0
    assert await ledger.flush()
    assert bench.outcomes() == ["ok"] * 3
    assert dict(kinds(ledger))["failed"] == 1


async def test_a_second_attempt_of_the_same_name_is_refused_not_given_away(bench):
    ledger = bench.ledger(HARD)
    held = await hold(ledger, 10)
    await ledger.settle(held, replace(held.attempt, cost=1))
    refused = await hold(ledger, 10)
    assert refused.reason == "store"
    assert "is recorded already" in refused.message


async def test_rows_beyond_the_queue_are_dropped_and_counted(bench):
    ledger = bench.ledger(SOFT, queue=4)
    bench.store.gate.clear()
    held = await hold(ledger, 10)
    kept = [ledger.record(attempt(at=NOON + n)) for n in range(1, 12)]
    dropped = kept.count(False)
    assert 6 <= dropped <= 8
    assert kinds(ledger) == [("dropped", dropped)]
    end = ledger.settle(held, replace(held.attempt, cost=3))  # money is never dropped
    bench.store.gate.set()
    assert await end
    assert len(bench.store._attempts) == 12 - dropped


async def test_what_expired_is_settled_and_what_is_old_forgotten(bench):
    ledger = bench.ledger(HARD, keep=86_400.0)
    await hold(ledger, 30, estimate=12)
    ledger.record(request(NOON - 100_000), attempt(at=NOON - 100_000))
    assert await ledger.flush()
    bench.clock.seconds = 600 + MARGIN + 31
    ledger.record(request(NOON + 700))
    assert await ledger.flush()
    assert bench.counter() == (12, 0)
    assert bench.outcomes() == ["lost"]
    assert [row.at for row in bench.store._requests.values()] == [NOON + 700]
