"""The engine against the reference evaluator, on random policies, fleets and requests.

The reference interprets every expression for every target; whatever the engine folds, keeps,
bounds or leaves for later must come to the same ranking, scores and rejections.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from llmroute.catalog.build import Problem
from llmroute.policy import CompiledPolicy, PolicySource, Surroundings
from llmroute.policy.expressions.expression import Expression
from llmroute.policy.scoring.live import LiveFacts
from llmroute.policy.source import Require, Rule, Select
from llmroute.types import Request
from tests.build import target
from tests.policy import strategies
from tests.policy.engine.judge import (
    READINGS,
    assert_rejections,
    assert_same,
    check,
    decided,
    expected,
    in_turn,
    scores,
    winner_first,
)
from tests.policy.strategies import NOON, Case, Live

SETTINGS = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
#: For the plainest property alone: shrinking takes a minute, and the others would show no more.
SHRINKING = settings(SETTINGS, phases=(Phase.generate, Phase.shrink))
RANDOMS = st.randoms(use_true_random=False)
SEEDS = st.integers(0, 2**32)
#: The sweep: policies of each seed, and requests decided on each policy.
POLICIES, TURNS = 150, 5


# The engine and the reference


@SHRINKING
@given(strategies.cases())
def test_the_engine_agrees_however_its_decision_is_read(case):
    check(CompiledPolicy(case.source, case.targets), case, case.turns[0], READINGS)


@SETTINGS
@given(strategies.cases(turns=4))
def test_one_compiled_policy_agrees_on_requests_in_turn(case):
    """The views of the turns differ though their versions are often equal."""
    compiled = CompiledPolicy(case.source, case.targets)
    for turn in (*case.turns, case.turns[0]):
        check(compiled, case, turn, [in_turn])


@SETTINGS
@given(RANDOMS)
def test_measurements_between_requests_count_at_once(rng):
    case = strategies.case(rng)
    compiled, view = CompiledPolicy(case.source, case.targets), case.turns[0][1].live
    check(compiled, case, case.turns[0], [winner_first])
    for _ in range(6):
        strategies.disturb(rng, view, case.targets)
        # The same request most of the time: only the measurements tell the decisions apart.
        turn = case.turns[0] if rng.random() < 0.7 else strategies.turn(rng, view)
        check(compiled, case, turn, [rng.choice(READINGS)])


@SETTINGS
@given(RANDOMS)
def test_a_decision_keeps_to_what_was_known_when_it_was_made(rng):
    """Read late: after measurements, loads, the conversation's home and other decisions."""
    case = strategies.case(rng, turns=2)
    compiled, turn = CompiledPolicy(case.source, case.targets), case.turns[0]
    view = turn[1].live
    wanted, early = expected(case, turn), decided(compiled, turn)
    for _ in range(3):
        strategies.disturb(rng, view, case.targets)
        decided(compiled, turn).to_dict()
        decided(compiled, case.turns[1]).to_dict()
    assert_same(early, wanted, case, turn)


@pytest.mark.parametrize("seed", range(4))
def test_a_sweep_of_plain_random_cases(seed):
    rng, seen = Random(seed), Counter()
    for _ in range(POLICIES):
        case = strategies.case(rng, TURNS)
        compiled = CompiledPolicy(case.source, case.targets)
        for turn in case.turns:
            wanted = check(compiled, case, turn, [rng.choice(READINGS)])
            best = [item.score for item in wanted.ranking]
            seen["none eligible"] += not best
            seen["several eligible"] += len(best) > 1
            seen["tie for the first place"] += len(best) > 1 and best[0] == best[1]
            seen["rejected by policy"] += any("q0" in unmet for unmet in wanted.rejected.values())
            seen["best first but rejected"] += bool(best and wanted.rejected)
    for what, times in seen.items():
        assert times >= POLICIES * TURNS * 0.05, f"too few cases: {what}, {times}"


@pytest.mark.parametrize("seed", range(12))
def test_large_fleets_agree_while_measurements_come_in(seed):
    """What is bounded or produced in parts needs more targets than a part holds."""
    rng = Random(seed)
    case = strategies.case(rng, size=rng.choice((30, 90, 150)))
    if seed % 2:
        case = replace(case, source=replace(case.source, require=()))
    compiled, view = CompiledPolicy(case.source, case.targets), case.turns[0][1].live
    for _ in range(4):
        check(compiled, case, strategies.turn(rng, view), [rng.choice(READINGS)])
        strategies.disturb(rng, view, case.targets)


def test_a_policy_without_targets_decides_for_nobody():
    case = replace(strategies.case(Random(1)), targets=())
    view, gone = Live(), {"p0": Problem("gone", "bring it back")}
    turn = (Request.of("hi", max_tokens=5), Surroundings(NOON, view), gone)
    wanted = check(CompiledPolicy(case.source, ()), case, turn, READINGS)
    assert wanted == ((), {"p0": ("usable",)})
    assert decided(CompiledPolicy(case.source, ()), turn, Random(1)).winner is None


def hair(rng: Random) -> float:
    """Draw a value near one half, in steps of a millionth."""
    return 0.5 + rng.randint(-3, 3) / 1_000_000


HAIRS = (
    Rule("known at load", 1000, "quality"),
    Rule("folded", 1500, "target.quality.other"),
    Rule("measured", 1000, "reliability"),
    Rule("mixed", 501, "[target.quality.other, live.headroom] | min(@)"),
    Rule("against", -999, "headroom"),
    Rule("by request", 2500, "request.metadata.share"),
    Rule("where", 1, "`1`", "live.success > target.quality.default"),
)


@pytest.mark.parametrize("seed", range(12))
def test_targets_a_micro_point_apart_are_told_apart(seed):
    rng = Random(seed)
    fleet = tuple(
        target(f"p{i % 5}/m{i}", price=(1, 1), quality={"default": hair(rng), "other": hair(rng)})
        for i in range(rng.choice((3, 12, 40, 120)))
    )
    view = Live({t.id: LiveFacts(1, 50, hair(rng), hair(rng), measured=True) for t in fleet})
    rules = tuple(rng.sample(HAIRS, rng.randint(2, len(HAIRS))))
    case = Case(PolicySource("p", rules=rules), fleet, ())
    compiled = CompiledPolicy(case.source, fleet)
    for _ in range(6):
        request = Request.of("hi", metadata={"share": hair(rng)})
        check(compiled, case, (request, Surroundings(NOON, view), {}), [rng.choice(READINGS)])
        for moved in rng.sample(fleet, 2):
            view.measure(moved.id, LiveFacts(1, 50, hair(rng), hair(rng), measured=True))


@pytest.mark.parametrize("seed", range(12))
def test_costs_of_a_few_nano_dollars_are_bounded_with_their_rounding(seed):
    """One token at $0.0505 per million is 50.5 nano-dollars, and an estimate of 50."""
    rng = Random(seed)
    kinds = ({"cost": {"half": 1e-7}}, "price", {"cost": {"half": 1e-9}})
    rules = [Rule(f"r{i}", 1_000_000, kind) for i, kind in enumerate(rng.sample(kinds, 2))]
    rules.append(Rule("hair", rng.choice((1, 1000, 10_000)), "quality"))
    low = rng.choice((0, 0.001, 0.05))
    fleet = []
    for i in range(60):
        price = [round(low + rng.randint(0, 60) * 0.0001, 6) for _ in range(2)]
        fleet.append(target(f"p/m{i}", price=price, quality={"default": rng.random()}))
    case = Case(PolicySource("p", rules=tuple(rules)), tuple(fleet), ())
    compiled = CompiledPolicy(case.source, fleet)
    for tokens, most in ((0, 1), (1, 1), (1, 2), (3, 1), (5, None), (100, 7)):
        request = Request.of("hi", input_tokens=tokens, max_tokens=most)
        check(compiled, case, (request, Surroundings(NOON, Live()), {}), [winner_first, in_turn])


@SETTINGS
@given(strategies.cases(turns=2))
def test_a_decision_tells_what_its_rules_would_give(case):
    source, compiled = case.source, CompiledPolicy(case.source, case.targets)
    always = replace(source, rules=tuple(replace(rule, when=None) for rule in source.rules))
    of_request = {"request", "facts", "budget", "now", *source.let}
    whole = [
        rule.name
        for rule in source.rules
        if rule.when and (roots := Expression(rule.when).roots) and roots <= of_request
    ]
    for turn in case.turns:
        decision, wanted = decided(compiled, turn), expected(replace(case, source=always), turn)
        for item in wanted.ranking:
            given_ = {name: decision.potential(name, item.target.id) for name in item.points}
            assert {name: part.points for name, part in given_.items()} == item.points
        held = {part.rule for item in decision.ranking for part in item.contributions}
        if wanted.ranking:
            assert list(decision.skipped) == [name for name in whole if name not in held]


# Laws that need no reference


@SETTINGS
@given(RANDOMS)
def test_other_targets_change_neither_scores_nor_rejections(rng):
    case = strategies.case(rng)
    whole = decided(CompiledPolicy(case.source, case.targets), case.turns[0])
    before = {item.target.id: item for item in whole.ranking}
    kept = tuple(t for t in case.targets if rng.random() < 0.5)
    part = decided(CompiledPolicy(case.source, kept), case.turns[0])
    names = {t.id for t in kept}
    for item in part.ranking:
        assert item.score == before[item.target.id].score
        assert item.contributions == before[item.target.id].contributions
    assert [t.id for t in part.targets] == [t.id for t in whole.targets if t.id in names]
    for name in names:
        assert part.rejected(name) == whole.rejected(name)


@SETTINGS
@given(RANDOMS)
def test_the_order_of_rules_targets_and_requirements_changes_no_ranking(rng):
    case = strategies.case(rng)
    source, targets = case.source, list(case.targets)
    before = decided(CompiledPolicy(source, targets), case.turns[0])
    rules, require = list(source.rules), list(source.require)
    for items in (rules, require, targets):
        rng.shuffle(items)
    lets = dict(reversed(source.let.items()))
    permuted = replace(source, rules=tuple(rules), require=tuple(require), let=lets)
    after = decided(CompiledPolicy(permuted, targets), case.turns[0])
    assert scores(after.ranking) == scores(before.ranking)
    rejected = [{(r.target, r.requirement) for r in d.rejections} for d in (before, after)]
    assert rejected[0] == rejected[1]


# Choosing among near ties


def spreading(rng: Random, explore: float) -> tuple[Case, CompiledPolicy]:
    case = strategies.case(rng)
    spread = rng.choice((0, 1, 5_000_000, 20_000_000, 10**9))
    select = replace(case.source.select, spread=spread, explore=explore)
    case = replace(case, source=replace(case.source, select=select))
    return case, CompiledPolicy(case.source, case.targets)


@SETTINGS
@given(RANDOMS, SEEDS)
def test_a_draw_stays_within_the_spread_and_repeats_for_its_seed(rng, seed):
    case, compiled = spreading(rng, explore=0)
    turn, wanted = case.turns[0], expected(case, case.turns[0])
    view, order = turn[1].live, scores(wanted.ranking)
    decision = decided(compiled, turn, Random(seed))
    assert_rejections(decision, wanted)
    assert sorted(scores(decision.ranking)) == sorted(order)
    again = CompiledPolicy(case.source, case.targets)
    assert decided(again, turn, Random(seed)).to_dict() == decision.to_dict()
    first = scores(decision.ranking[:1])
    assert scores(decision.ranking)[1:] == [item for item in order if item not in first]
    near = [i.target for i in wanted.ranking if order[0][1] - i.score <= case.source.select.spread]
    if turn[0].route.order or not any(view.of(t).measured for t in near) or len(near) < 2:
        assert scores(decision.ranking) == order
        return
    assert decision.winner in near
    loads = sorted(view.load(t) for t in near)
    if loads[-1] > loads[-2]:
        assert view.load(decision.winner) < loads[-1], "the most loaded loses against any other"


@SETTINGS
@given(RANDOMS, SEEDS)
def test_exploring_goes_to_the_target_with_the_fewest_observations(rng, seed):
    case, compiled = spreading(rng, explore=1)
    turn, wanted = case.turns[0], expected(case, case.turns[0])
    decision, order = decided(compiled, turn, Random(seed)), scores(wanted.ranking)
    if turn[0].route.order or len(order) < 2:
        assert scores(decision.ranking) == order
        return
    seen = [turn[1].live.of(item.target).observations for item in wanted.ranking]
    assert turn[1].live.of(decision.winner).observations == min(seen)
    first = scores(decision.ranking[:1])
    assert scores(decision.ranking)[1:] == [item for item in order if item not in first]


def test_every_near_tie_is_drawn_and_none_beyond():
    """Weights of 0.3 a place: of five targets, 0.6 points reach as far as the third."""
    fleet = [target(f"a/{i}", price=(1, 1)) for i in range(5)]
    rules = tuple(Rule(f"r{i}", 300 * (5 - i), f"target.id == 'a/{i}'") for i in range(5))
    source = PolicySource("p", rules=rules, select=Select(spread=600_000))
    view = Live({t.id: LiveFacts(1, 50, 1, measured=True) for t in fleet})
    compiled = CompiledPolicy(source, fleet)
    turn = (Request.of("hi"), Surroundings(NOON, view), {})
    winners = {decided(compiled, turn, Random(seed)).winner.id for seed in range(60)}
    assert winners == {"a/0", "a/1", "a/2"}


def test_loads_are_read_for_every_draw():
    """A load changes with each call that starts, without a new version of the view."""
    pair = [target("a/0", price=(1, 1)), target("a/1", price=(1, 1))]
    view = Live({t.id: LiveFacts(1, 50, 1, measured=True) for t in pair})
    compiled = CompiledPolicy(PolicySource("p"), pair)
    turn = (Request.of("hi"), Surroundings(NOON, view), {})
    for busy, idle in (("a/0", "a/1"), ("a/1", "a/0")) * 3:
        view.loads = {busy: 2.0, idle: 1.0}
        assert decided(compiled, turn, Random(1)).winner.id == idle


# Conditions that cannot be evaluated


FAILING = {"broken": "abs(request.task)"}
TURN = (Request.of("hi", task="x"), Surroundings(NOON, Live()), {})


@pytest.mark.parametrize(
    ("when", "prefer", "points"),
    [
        ("broken", "`1`", {}),
        ("!broken", "`1`", {}),
        ("broken || `true`", "`1`", {}),
        ("[broken, `1`] | [1]", "`1`", {}),
        ("target.id && !broken", "`1`", {}),
        (None, "broken || `1`", {"r": 0}),
        (None, "!broken", {"r": 0}),
        (None, "abs(target.id)", {"r": 0}),
        (None, "target.specializations[?broken] | length(@)", {"r": 0}),
        (None, "!(target.max_output)", {"r": 1_000_000}),
    ],
)
def test_a_rule_that_reads_a_failing_let_is_false(when, prefer, points):
    source = PolicySource("p", let=FAILING, rules=(Rule("r", 1000, prefer, when),))
    case = Case(source, (target("a/0"), target("b/0", "local")), (TURN,))
    wanted = check(CompiledPolicy(source, case.targets), case, TURN, READINGS)
    assert [item.points for item in wanted.ranking] == [points, points]


@pytest.mark.parametrize(
    ("when", "condition", "rejected"),
    [
        (None, "broken || `true`", True),
        (None, "!broken", True),
        ("broken", "`false`", True),
        ("broken && `false`", "`false`", True),
        ("broken", "`true`", False),
        ("abs(target.id)", "`false`", True),
        ("abs(target.id)", "`true`", False),
        (None, "abs(target.id)", True),
        (None, "abs(live.success)", False),
    ],
)
def test_a_requirement_that_cannot_be_evaluated_fails_closed(when, condition, rejected):
    source = PolicySource("p", let=FAILING, require=(Require("q", condition, when),))
    case = Case(source, (target("a/0"), target("b/0", "local")), (TURN,))
    wanted = check(CompiledPolicy(source, case.targets), case, TURN, READINGS)
    assert len(wanted.rejected) == (2 if rejected else 0)


WHOLE = (
    *("length(keys(@))", "@.live.success", "@.facts.characters > `50`", "@.request.stream"),
    *("map(&target.locality == 'cloud', [@])[0]", "[@][0].estimate.cost", "@.now.hour == `12`"),
    *("@.facts", "values(facts) | length(@)", "facts.* | length(@) == `8`", "@ && target.id"),
)


@pytest.mark.parametrize("seed", range(5))
def test_expressions_may_read_the_whole_scope(seed):
    case = strategies.case(Random(seed), turns=3)
    rules = [Rule(f"v{i}", 7_003 + 100 * i, text) for i, text in enumerate(WHOLE)]
    rules += [Rule(f"w{i}", 1_003 + 100 * i, "`1`", text) for i, text in enumerate(WHOLE)]
    case = replace(case, source=PolicySource("p", rules=tuple(rules)))
    compiled = CompiledPolicy(case.source, case.targets)
    for turn in case.turns:
        check(compiled, case, turn, READINGS)


@pytest.mark.parametrize(("when", "condition"), [("@.broken", "`false`"), (None, "!(@.broken)")])
def test_a_requirement_fails_closed_where_it_reads_a_failing_let_through_the_whole_scope(
    when, condition
):
    source = PolicySource("p", let=FAILING, require=(Require("q", condition, when),))
    case = Case(source, (target("a/0"),), (TURN,))
    assert len(check(CompiledPolicy(source, case.targets), case, TURN, READINGS).rejected) == 1
