"""Records: ids that sort by time, and what is kept of a decision."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from llmroute import Router
from llmroute.config.shipped import data_root
from llmroute.ledger.records import RequestIds, decision_data, first_id
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


def test_what_is_kept_of_a_small_decision_is_all_of_it():
    with Router.load(data_root(), environment={"OPENAI_API_KEY": "x"}) as router:
        decision = router.decide("fix this bug", tags=["code"], route={"only": ["openai"]})
    whole = decision.to_dict()
    kept = decision_data(decision)
    assert len(whole["ranking"]) < 20
    assert kept.pop("left_out") == {"ranking": 0, "rejections": len(whole["rejections"]) - 50}
    assert kept["rejections"] == whole["rejections"][:50]
    whole.pop("fallback")
    assert {**kept, "rejections": 0} == {**whole, "rejections": 0}


class Item:
    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen = name, seen

    def to_dict(self):
        self.seen.append(self.name)
        return {"target": self.name}


def test_of_a_large_decision_the_first_are_itemised_and_the_rest_counted():
    seen: list[str] = []

    class Large:
        policy, winner, facts, notes, reason, fingerprint = "p", None, {}, {"odd": 2}, "draw", "f"
        ranking = tuple(Item(f"r{n}", seen) for n in range(1000))
        rejections = tuple(Item(f"x{n}", seen) for n in range(70))

    kept = decision_data(Large())
    assert [row["target"] for row in kept["ranking"]] == [f"r{n}" for n in range(20)]
    assert len(kept["rejections"]) == 50
    assert kept["left_out"] == {"ranking": 980, "rejections": 20}
    assert len(seen) == 70
    assert (kept["reason"], kept["notes"], kept["winner"]) == ("draw", {"odd": 2}, None)


def test_usage_and_cost_are_taken_over():
    usage = Usage(input=10, output=5, cached=4, cache_written=3, reasoning=2, estimated=True)
    row = attempt().with_usage(usage, 99)
    assert (row.tokens_in, row.tokens_out, row.cached, row.cache_written) == (10, 5, 4, 3)
    assert (row.reasoning, row.estimated, row.cost) == (2, True, 99)


def test_long_messages_are_cut():
    assert len(attempt(message="x" * 9000).brief().message) == 501
    assert attempt(message="short").brief().message == "short"
