"""Where a search begins, ends and is asked again: caches, draws, laziness, fleets of one size."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from random import Random
from threading import Thread

import pytest

from llmroute.catalog.build import Problem
from llmroute.dispatch.live import LiveState
from llmroute.policy import CompiledPolicy, PolicySource, Surroundings, decide
from llmroute.policy.scoring.live import LiveFacts
from llmroute.policy.source import Rule, Select
from llmroute.types import Request
from tests.build import target
from tests.policy.engine.judge import READINGS, check, scores
from tests.policy.strategies import NOON, Case, Live

AROUND = Surroundings(NOON, Live())
HEAVY = tuple(
    rule
    for number in range(40)
    for rule in (
        Rule(f"+{number}", 1_000_000, "quality"),
        Rule(f"-{number}", -1_000_000, {"cost": {"half": 0.01}}, "target.id != 'a/1'"),
        Rule(f"home{number}", (-1) ** number * 999_999, "affinity"),
        Rule(f"price{number}", 1_000_000, "price"),
    )
)


def ids(decision):
    return [item.target.id for item in decision.ranking]


def fleet(size, **fields):
    return tuple(target(f"a/{number}", **{"price": (1, 1), **fields}) for number in range(size))


@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 70])
@pytest.mark.parametrize("served", [None, "a/0", "a/1", "z/gone"])
def test_the_heaviest_weights_add_up_exactly(size, served):
    """160 rules of weight ±1,000 need lanes of 63 bits."""
    targets = tuple(
        target(f"a/{n}", price=(n % 5, n % 3) if n % 4 else (0, 0), quality={"default": n % 3 / 2})
        for n in range(size)
    )
    targets = (replace(targets[0], price=None), *targets[1:])
    view = Live()
    view.served = served
    source = PolicySource("p", rules=HEAVY)
    turn = (Request.of("hi", input_tokens=5000), Surroundings(NOON, view), {})
    check(CompiledPolicy(source, targets), Case(source, targets, (turn,)), turn, READINGS)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_few_targets_may_be_sliced_counted_and_drawn_from(size):
    source = PolicySource("p", rules=(Rule("r", 1000, "price"),), select=Select(explore=1))
    decision = decide(
        CompiledPolicy(source, fleet(size)), Request.of("hi"), AROUND, random=Random()
    )
    assert len(decision.ranking) == len(decision.targets) == size
    assert bool(decision.ranking) == (size > 0)
    assert list(decision.ranking[5:]) == []
    with pytest.raises(IndexError):
        decision.ranking[size]


def test_a_ranking_is_one_sequence_however_it_is_read():
    rules = (Rule("r", 1000, "quality"),)
    targets = tuple(target(f"a/{n}", quality={"default": n / 100}) for n in range(50))
    compiled = CompiledPolicy(PolicySource("p", rules=rules), targets)
    wanted = [f"a/{n}" for n in reversed(range(50))]

    def ranking():
        return decide(compiled, Request.of("hi"), AROUND).ranking

    assert [item.target.id for item in ranking()] == wanted
    assert ranking()[-1].target.id == wanted[-1]
    assert [item.target.id for item in ranking()[3:9:2]] == wanted[3:9:2]
    assert ranking()[49].target.id == wanted[49]
    partly = ranking()
    first, second = iter(partly), iter(partly)
    taken = [next(first).target.id for _ in range(5)] + [next(second).target.id for _ in range(9)]
    assert taken == wanted[:5] + wanted[:9]
    assert len(partly) == 50
    assert [item.target.id for item in first] == wanted[5:]
    assert [item.target.id for item in second] == wanted[9:]
    assert partly.index(partly[7]) == 7


def test_a_problem_map_that_changes_in_place_is_seen():
    compiled = CompiledPolicy(PolicySource("p"), fleet(3))
    problems = {"a/0": Problem("gone", "wait")}
    early = decide(compiled, Request.of("hi"), AROUND, problems=problems)
    problems["a/1"] = Problem("gone", "wait")
    assert ids(decide(compiled, Request.of("hi"), AROUND, problems=problems)) == ["a/2"]
    problems.clear()
    assert ids(decide(compiled, Request.of("hi"), AROUND, problems=problems)) == [
        "a/0",
        "a/1",
        "a/2",
    ]
    assert ids(early) == ["a/1", "a/2"]
    assert [item.target for item in early.rejections] == ["a/0"]


def test_caches_stay_small_whatever_is_asked():
    tags = [f"t{number}" for number in range(10)]
    rules = [Rule(tag, 1000, "price", f"contains(request.tags, '{tag}')") for tag in tags]
    rules += [Rule("q", 1000, "quality"), Rule("live", 500, "reliability")]
    targets = tuple(
        target(
            f"a/{n}",
            price=(n, n),
            context_window=1 + 12 * n,
            max_output=1 + 7 * n,
            wire={"max_input": 1 + 11 * n},
            quality={"x": 1},
        )
        for n in range(90)
    )
    compiled, rng = CompiledPolicy(PolicySource("p", rules=tuple(rules)), targets), Random(1)
    for number in range(700):
        sizes = {"input_tokens": rng.randrange(1100), "max_tokens": rng.randrange(1, 700)}
        asked = Request.of("hi", task=f"task {number}", tags=rng.sample(tags, 5), **sizes)
        assert ids(decide(compiled, asked, AROUND))[:1] != ["b/0"]
    table = compiled.table
    assert len(compiled.columns.kept) <= 512
    assert all(len(sizes._masks) <= 64 for _, *both in table._windows for sizes in both)
    assert len(table._outputs._masks) <= 64


def test_draws_among_ties_are_even():
    """Each of ten idle equals is as likely as any other: 3,000 draws, 5 standard deviations."""
    targets = fleet(10)
    view = Live({t.id: LiveFacts(1, 50, 1, measured=True) for t in targets})
    compiled, rng = CompiledPolicy(PolicySource("p"), targets), Random(5)
    around = Surroundings(NOON, view)
    won = Counter(
        decide(compiled, Request.of("hi"), around, random=rng).winner.id for _ in range(3000)
    )
    assert set(won) == {t.id for t in targets}
    assert all(abs(count - 300) <= 5 * 16.5 for count in won.values()), won


def test_of_two_drawn_the_less_loaded_goes_first():
    """Of three equals the least loaded is in two pairs of three, the most loaded never wins."""
    targets = fleet(3)
    view = Live({t.id: LiveFacts(1, 50, 1, measured=t.id == "a/2") for t in targets})
    view.loads = {"a/0": 1.0, "a/1": 9.0, "a/2": 5.0}
    compiled, rng = CompiledPolicy(PolicySource("p"), targets), Random(5)
    around = Surroundings(NOON, view)
    won = Counter(
        decide(compiled, Request.of("hi"), around, random=rng).winner.id for _ in range(1200)
    )
    assert set(won) == {"a/0", "a/2"}
    assert abs(won["a/0"] - 800) < 5 * 16.4


@pytest.mark.parametrize("size", [5, 60])
@pytest.mark.parametrize(("spread", "near"), [(0, 1), (2_000_000, 3), (3_500_000, 4)])
def test_a_draw_among_targets_that_must_be_looked_at_reaches_as_far_as_the_spread(
    size, spread, near
):
    """The best is looked at last: the draw is held against its score, not the first one's."""
    data = [{"quality": {"default": (size - n) / 1000}} for n in range(size)]
    targets = tuple(target(f"a/{n}", **fields) for n, fields in enumerate(data))
    rules = (
        Rule("promising", 1000, "quality"),
        *(Rule(f"r{n}", 1000 * n, f"target.id == 'a/{n}' && budget.team") for n in range(1, 5)),
    )
    source = PolicySource("p", rules=rules, select=Select(spread=spread))
    view = Live({t.id: LiveFacts(1, 50, 1, measured=True) for t in targets})
    around, compiled = Surroundings(NOON, view, {"team": 1.0}), CompiledPolicy(source, targets)
    drawn = range(200)
    won = {
        decide(compiled, Request.of("hi"), around, random=Random(seed)).winner.id for seed in drawn
    }
    assert won == {f"a/{n}" for n in range(5 - near, 5)}


def test_a_spread_wider_than_what_is_left_to_look_at_is_drawn_from_in_full():
    """Places a point apart, of which at most half a point is not known at once."""
    targets = tuple(target(f"a/{n}", quality={"default": (50 - n) / 1000}) for n in range(50))
    rules = (
        Rule("place", 1_000_000, "quality"),
        *(Rule(f"r{n}", 100, f"target.id == 'a/{n}' && budget.team") for n in range(5)),
    )
    source = PolicySource("p", rules=rules, select=Select(spread=3_000_000))
    view = Live({t.id: LiveFacts(1, 50, 1, measured=True) for t in targets})
    around, compiled = Surroundings(NOON, view, {"team": 1.0}), CompiledPolicy(source, targets)
    drawn = range(200)
    won = {
        decide(compiled, Request.of("hi"), around, random=Random(seed)).winner.id for seed in drawn
    }
    assert won == {"a/0", "a/1", "a/2", "a/3"}


def test_a_bound_on_price_counts_the_tokens_as_each_tokenizer_does():
    """Thai is four times as long for `claude` as for `o200k`: $1 a million there costs less."""
    prices = {
        "a/0": (0.5, "claude"),
        "a/1": (1, "o200k"),
        **{f"b/{n}": (n, "claude") for n in (7, 8, 9)},
    }
    targets = tuple(
        replace(target(name, price=(price, 0)), tokenizer=tokenizer)
        for name, (price, tokenizer) in prices.items()
    )
    for prefer in ({"cost": {"half": 0.001}}, "price"):
        source = PolicySource("p", rules=(Rule("r", 1000, prefer),))
        turn = (Request.of("\u0e01" * 1000), AROUND, {})
        check(CompiledPolicy(source, targets), Case(source, targets, (turn,)), turn, READINGS)
    cheap = PolicySource("p", rules=(Rule("r", 1000, {"cost": {"half": 0.001}}),))
    assert ids(decide(CompiledPolicy(cheap, targets), turn[0], AROUND))[0] == "a/1"


@pytest.mark.parametrize("prefer", [{"cost": {"half": 0.001}}, "price"])
def test_a_bound_on_price_keeps_to_a_cap_below_the_longest_answer(prefer):
    """600 tokens are allowed; where 5,000 are usual, $1 a million costs less than $3 for 500."""
    usual = {"a/0": (3, None), "a/1": (1, 5000), **{f"b/{n}": (n, None) for n in (7, 8, 9)}}
    targets = tuple(
        target(name, price=(0, price), typical_output=tokens)
        for name, (price, tokens) in usual.items()
    )
    compiled = CompiledPolicy(PolicySource("p", rules=(Rule("r", 1000, prefer),)), targets)
    for asked in (600, 1023):
        request = Request.of("hi", max_tokens=asked)
        assert ids(decide(compiled, request, AROUND))[0] == "a/1"


def test_exploring_takes_its_share():
    targets = fleet(4)
    view = Live({"a/0": LiveFacts(1, 50, 1, measured=True, observations=9.0)})
    rules = (Rule("r", 1000, "target.id == 'a/0'"),)
    source = PolicySource("p", rules=rules, select=Select(explore=0.2))
    compiled, rng = CompiledPolicy(source, targets), Random(5)
    around = Surroundings(NOON, view)
    made = [decide(compiled, Request.of("hi"), around, random=rng) for _ in range(2000)]
    assert {d.winner.id for d in made} == {"a/0", "a/1"}
    explored = sum(d.reason == "exploring a stale target" for d in made)
    assert abs(explored - 400) < 5 * 17.9
    assert all((d.winner.id == "a/1") == (d.reason is not None) for d in made)


def test_threads_may_decide_on_one_policy_while_measurements_come_in():
    """Afterwards, and for every request in between that no measurement touches, all is exact."""
    targets = tuple(target(f"a/{n}", quality={"default": n / 100}, price=(n, 1)) for n in range(40))
    rules = (
        Rule("q", 1000, "quality"),
        Rule("rel", 5000, "reliability", "contains(request.tags, 'live')"),
        Rule("c", 2000, {"cost": {"half": 0.01}}, "contains(request.tags, 'cost')"),
    )
    compiled, view = CompiledPolicy(PolicySource("p", rules=rules), targets), LiveState(lambda: 0.0)
    around, wrong = Surroundings(NOON, view), []
    asked = [Request.of("hi", tags=tags) for tags in ((), ("cost",), ("live",), ("live", "cost"))]
    wanted = [scores(decide(compiled, request, AROUND).ranking) for request in asked[:2]]

    def work(seed):
        rng = Random(seed)
        try:
            for _ in range(150):
                number = rng.randrange(4)
                found = scores(decide(compiled, asked[number], around).ranking)
                if number < 2 and found != wanted[number]:
                    wrong.append(found)
                called = rng.choice(targets)
                view.started(called)
                view.ended(called, healthy=rng.random() < 0.5)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test must tell
            wrong.append(exc)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [Thread(target=work, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    fresh = CompiledPolicy(PolicySource("p", rules=rules), targets)
    for request in asked:
        found = decide(compiled, request, around).ranking
        assert scores(found) == scores(decide(fresh, request, around).ranking)
