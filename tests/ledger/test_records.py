"""Records: ids that sort by time, and what is kept of a decision."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from llmroute.ledger.memory import MemoryStore
from llmroute.ledger.operations import note
from llmroute.ledger.records import RequestIds, RequestRecord, first_id
from llmroute.types import Usage
from tests.ledger.making import NOON, attempt


def test_an_id_is_a_ulid():
    # The example of the ULID specification: 1469918176385 ms is 01ARYZ6S41.
    ids = RequestIds(lambda: 1469918176.385, lambda count: bytes(count))
    made = ids.next()
    assert made[:10] == "01aryz6s41"
    assert len(made) == 26


def test_ids_sort_by_time_and_then_by_order():
    now = [NOON]
    ids = RequestIds(lambda: now[0])
    made = []
    for _ in range(500):
        made.append(ids.next())
        now[0] += 0.0003
    assert made == sorted(set(made))
    assert first_id(NOON) <= made[0]
    assert made[-1] < first_id(now[0] + 0.001)


def test_a_clock_that_goes_back_does_not_disorder_ids():
    times = iter([NOON, NOON - 5, NOON - 5, NOON + 1])
    ids = RequestIds(lambda: next(times))
    made = [ids.next() for _ in range(4)]
    assert made == sorted(set(made))


def test_threads_and_processes_make_different_ids():
    ids = RequestIds(lambda: NOON)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ids.next(), range(4000)))
    code = (
        "from llmroute.ledger.records import RequestIds\n"
        f"ids = RequestIds(lambda: {NOON})\n"
        "print(*(ids.next() for _ in range(2000)))"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=-1, text=True) for _ in range(2)]
    for run in runs:
        made += run.communicate(timeout=30)[0].split()
    assert len(set(made)) == len(made) == 8000


def test_a_decision_is_made_into_data_once_and_only_where_it_is_written():
    made: list[str] = []

    def brief():
        made.append("now")
        return {"policy": "p"}

    operation = note([RequestRecord("r1", NOON, "p", brief=brief)])
    assert made == []
    for store in (MemoryStore(), MemoryStore()):
        operation.do(store)
        kept = store.request("r1")
        assert kept is not None
        assert kept.decision == {"policy": "p"}
    assert made == ["now"]


def test_usage_and_cost_are_taken_over():
    usage = Usage(input=10, output=5, cached=4, cache_written=3, reasoning=2, estimated=True)
    row = attempt().with_usage(usage, 99)
    assert (row.tokens_in, row.tokens_out, row.cached, row.cache_written) == (10, 5, 4, 3)
    assert (row.reasoning, row.estimated, row.cost) == (2, True, 99)


def test_long_messages_are_cut():
    assert len(attempt(message="x" * 9000).brief().message) == 501
    assert attempt(message="short").brief().message == "short"
