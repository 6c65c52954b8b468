"""Three hundred replicas of one model, each a provider of its own.

The providers are written here, the policies stand in `replicas/policies`. Every request has 1,000
tokens in and 500 expected out, which cost 1,500 × $0.05 / 1M = $0.000075 at each of them: a
blend of $0.05, hence `price` 1. Quality is 0.5; the first token is expected after 0.5 s.

    even   40 × price + 20 × quality                                       = 40 + 10 = 50
    live   even + 20 × latency (half at 0.5 s) + 12 × headroom
           unmeasured: 50 + 20 × 0.5 / (0.5 + 0.5) + 12 × 1 = 50 + 10 + 12 = 72
    near   live, with a spread of 1.6 points
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from llmroute import Router
from llmroute.dispatch.live import LiveState
from llmroute.errors import ErrorKind
from tests.scenarios.workbench import HERE, Clock, chance, costs, decide, order, parts, scores, walk

REPLICA = """\
provider: {name}
locality: local
endpoint: {{transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:{port}/v1"}}
limits: {{concurrency: 8}}
models:
  - model: m
    capabilities: {{streaming: true}}
    quality: {{default: 0.5, source: made up for this scenario, date: "2026-11-01"}}
    cost: {{input: 0.05, output: 0.05}}
"""
ALL = [f"gpu-{number:03}" for number in range(300)]
IDS = [f"{name}/m" for name in ALL]


def farm(folder: Path, names: Iterable[str]) -> Router:
    shutil.copytree(HERE / "replicas", folder, dirs_exist_ok=True)
    (folder / "providers.d").mkdir()
    for port, name in enumerate(names, start=20_000):
        (folder / "providers.d" / f"{name}.yaml").write_text(REPLICA.format(name=name, port=port))
    return Router.load(folder, environment={})


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    return farm(tmp_path_factory.mktemp("replicas"), ALL)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def live(clock):
    return LiveState(clock)


def answered(live, router, name, *first_tokens):
    target = router.catalog.target(name)
    for seconds in first_tokens:
        live.started(target)
        live.ended(target, healthy=True, first_token=seconds)


def busy(live, router, name, calls):
    for _ in range(calls):
        live.started(router.catalog.target(name))


def test_all_tie_and_the_name_decides(router):
    decision = decide(router, policy="live")
    assert scores(decision) == [(name, 72_000_000) for name in IDS]
    assert set(costs(decision).values()) == {(75_000, None)}  # nothing caps the output
    assert parts(decision, "gpu-299/m") == {
        "cheap": 40_000_000,
        "good": 10_000_000,
        "fast": 10_000_000,
        "room": 12_000_000,
    }


def test_before_anything_was_measured_nothing_is_drawn(router, live):
    for seed in range(3):
        decision = decide(router, policy="even", live=live, random=chance(seed))
        assert order(decision) == IDS
        assert decision.reason is None


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_the_fallback_order_grows_at_its_end(tmp_path, size):
    decision = decide(farm(tmp_path / "workspace", ALL[:size]), policy="live")
    assert scores(decision) == [(name, 72_000_000) for name in IDS[:size]]
    # Five attempts: every fresh replica first, then round again.
    assert walk(decision, ErrorKind.TRANSIENT) == (IDS[:size] * 5)[:5]


def test_a_newcomer_takes_its_place_by_name_and_moves_no_score(tmp_path):
    names = ["gpu-000", "gpu-000a", "gpu-001", "gpu-10"]
    decision = decide(farm(tmp_path / "workspace", reversed(names)), policy="live")
    # As text "/" stands before "a" and "0" before "1": 000/m, 000a/m, 001/m, 10/m.
    assert scores(decision) == [(f"{name}/m", 72_000_000) for name in names]


def test_a_dead_host_costs_one_attempt_and_no_neighbour(router):
    decision = decide(router, policy="live")
    for kind in (ErrorKind.UNAVAILABLE, ErrorKind.TRANSIENT, ErrorKind.TIMEOUT):
        assert walk(decision, kind) == IDS[:5]


def test_a_slow_replica_goes_to_the_end_and_is_forgiven(router, live, clock):
    answered(live, router, "gpu-007/m", 3.5)
    others = [(name, 72_000_000) for name in IDS if name != "gpu-007/m"]
    # The prior counts as five: (5 × 0.5 + 3.5) / 6 = 1 s; 0.5 / 1.5 = 0.333333
    # 40 + 10 + 20 × 0.333333 + 12 = 68.666660
    assert scores(decide(router, policy="live", live=live)) == [*others, ("gpu-007/m", 68_666_660)]
    # Ten minutes later it counts half: (2.5 + 1.75) / 5.5 = 0.772727 s
    # 0.5 / 1.272727 = 0.392857 (0.39285714…); 62 + 20 × 0.392857 = 69.857140
    clock.now += 600
    assert scores(decide(router, policy="live", live=live)) == [*others, ("gpu-007/m", 69_857_140)]
    # After 21 half-lives it weighs 2^-21 = 0.0000005: the mean is 0.5000003 s, the value 0.4999999,
    # which is 0.500000 in millionths. The tie is back, and so is its place.
    clock.now += 20 * 600
    assert order(decide(router, policy="live", live=live)) == IDS


def test_calls_in_flight_take_from_the_headroom(router, live):
    busy(live, router, "gpu-000/m", 3)
    busy(live, router, "gpu-001/m", 8)
    # 12 × (1 - 3/8) = 7.5: 60 + 7.5 = 67.5; 12 × (1 - 8/8) = 0: 60
    assert scores(decide(router, policy="live", live=live)) == [
        *((name, 72_000_000) for name in IDS[2:]),
        ("gpu-000/m", 67_500_000),
        ("gpu-001/m", 60_000_000),
    ]


def test_of_two_ties_the_less_loaded_goes_first_whatever_is_drawn(router, live):
    # load = first-token time × (in flight + 1): 0.5 × 3 = 1.5 against 0.5 × 2 = 1
    for name, calls in (("gpu-000/m", 2), ("gpu-001/m", 1)):
        answered(live, router, name, 0.5)
        busy(live, router, name, calls)
    route = {"only": ["gpu-000", "gpu-001"]}
    for seed in range(10):
        decision = decide(router, policy="even", live=live, random=chance(seed), route=route)
        assert scores(decision) == [("gpu-001/m", 50_000_000), ("gpu-000/m", 50_000_000)]
        assert decision.reason == "the less loaded of two among 2 near ties"


def test_two_of_three_hundred_are_drawn(router, live):
    for calls, name in enumerate(IDS):
        answered(live, router, name, 0.5)
        busy(live, router, name, calls)
    random, firsts = chance(20261122), []
    for _ in range(150):
        decision = decide(router, policy="even", live=live, random=random)
        first, *others = order(decision)
        # One is drawn to the front; the others stay as they were.
        assert others == [name for name in IDS if name != first]
        assert decision.reason == "the less loaded of two among 300 near ties"
        firsts.append(IDS.index(first))
    # Whoever is drawn beside the most loaded one is less loaded.
    assert 299 not in firsts
    # The smaller of two out of 1..n is (n + 1) / 3 in the mean: 100.3, counted from 0 99.3, with a
    # standard deviation of n / √18 = 70.7, of the mean of 150 draws 5.8. One alone would give
    # 149.5; always the least loaded 0.
    assert sum(firsts) / 150 == pytest.approx(99.3, abs=4 * 5.8)
    assert len(set(firsts)) > 50


def test_the_spread_is_in_points_and_a_peak_counts_as_load(router, live, clock):
    # gpu-000  two in flight: 12 × 6/8 = 9: 60 + 9 = 69, three points below the best: out
    # gpu-001  one in flight: 12 × 7/8 = 10.5: 70.5, 1.5 below: in; load 0.5 × 2 = 1
    # gpu-002  idle: 72; answered after 1.3, 0.1 and 0.1 s: the mean is (2.5 + 1.5) / 8 = 0.5 s, so
    #          nothing moves the score, but the peak does the load: 1.3 × 1 = 1.3
    for name, calls, times in (
        ("gpu-000/m", 2, [0.5]),
        ("gpu-001/m", 1, [0.5]),
        ("gpu-002/m", 0, [1.3, 0.1, 0.1]),
    ):
        answered(live, router, name, *times)
        busy(live, router, name, calls)
    only = {"route": {"only": ["gpu-000", "gpu-001", "gpu-002"]}}
    by_score = [("gpu-002/m", 72_000_000), ("gpu-001/m", 70_500_000), ("gpu-000/m", 69_000_000)]
    assert scores(decide(router, policy="near", live=live, **only)) == by_score
    for seed in range(10):
        drawn = decide(router, policy="near", live=live, random=chance(seed), **only)
        assert scores(drawn) == [by_score[1], by_score[0], by_score[2]]
        assert drawn.reason == "the less loaded of two among 2 near ties"
    # In ten seconds the peak fades to 1.3 / e = 0.478 s, below the mean: 0.5 × 1 against 0.5 × 2.
    clock.now += 10
    for seed in range(10):
        drawn = decide(router, policy="near", live=live, random=chance(seed), **only)
        assert scores(drawn) == by_score
