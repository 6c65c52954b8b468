"""Decisions: scores, ties, requirements, the caller's route, and what is said of each."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmroute.catalog import Problem
from llmroute.policy import CompiledPolicy, PolicySource, Surroundings, decide
from llmroute.policy.scoring.live import LiveFacts, Priors
from llmroute.policy.scoring.rules import points
from llmroute.policy.source import policy_source
from llmroute.types import Request
from tests.build import target

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def source(**data) -> PolicySource:
    return policy_source("p", {"p": {"policy": "p", **data}})


def run(policy, targets, prompt="hi", live=None, random=None, problems=None, **fields):
    request = Request.of(prompt, **{"input_tokens": 1000, **fields})
    compiled = CompiledPolicy(policy, targets)
    around = Surroundings(NOW, live or Priors())
    return decide(compiled, request, around, random=random, problems=problems)


CHEAP = target("a/cheap", price=(0.5, 0.5), specializations=["code"], max_output=4096)
DEAR = target("b/dear", price=(5, 5), max_output=4096)
LOCAL = target("c/home", "local", price=(0, 0), context_window=4000, max_output=2000)
ALL = (CHEAP, DEAR, LOCAL)


def test_scores_are_the_exact_sum_of_weight_times_value():
    policy = source(
        rules=[
            {"name": "cheap", "weight": 40, "prefer": "price"},
            {"name": "code", "weight": 2.5, "prefer": "contains(target.specializations, 'code')"},
            {"name": "not local", "weight": -10, "prefer": "target.locality == 'local'"},
        ]
    )
    decision = run(policy, ALL)
    # cheap: 40 × 0.666667 + 2.5 × 1 − 10 × 0 = 29.16668
    # home:  40 × 1        + 2.5 × 0 − 10 × 1 = 30
    # dear:  40 × 0.333333 + 2.5 × 0 − 10 × 0 = 13.33332
    assert [(r.target.id, r.score) for r in decision.ranking] == [
        ("c/home", 30_000_000),
        ("a/cheap", 29_166_680),
        ("b/dear", 13_333_320),
    ]
    for item in decision.ranking:
        assert sum(c.points for c in item.contributions) == item.score


def test_an_unknown_value_is_the_worst_for_the_sign_of_the_weight():
    unknown = target("d/unknown")
    liked = run(source(rules=[{"name": "r", "weight": 10, "prefer": "quality"}]), [unknown])
    feared = run(source(rules=[{"name": "r", "weight": -10, "prefer": "quality"}]), [unknown])
    assert liked.ranking[0].score == 0
    assert feared.ranking[0].score == -10_000_000


@pytest.mark.parametrize(
    ("weight", "value", "expected"),
    [
        (40_000, 666_667, 26_666_680),  # 40 × 0.666667
        (1, 500, 0),  # 0.0000005 points: half, to even 0
        (1, 1_500, 2),  # 1.5 micro-points: to even 2
        (3, 333_333, 1_000),  # 0.999999 × 10⁻³ points = 999.999 → 1,000 micro-points
        (-40_000, 666_667, -26_666_680),
    ],
)
def test_points_round_half_even_to_micro_points(weight, value, expected):
    assert points(weight, value) == expected


def test_a_rule_applies_only_where_its_condition_holds():
    policy = source(
        let={"coding": "contains(request.tags, 'code')"},
        rules=[
            {"name": "when asked", "when": "coding", "weight": 1, "prefer": "`1`"},
            {"name": "at home", "when": "target.locality == 'local'", "weight": 1, "prefer": "`1`"},
            {"name": "dear", "when": "estimate.cost > `0.001`", "weight": 1, "prefer": "`1`"},
        ],
    )
    plain = {r.target.id: [c.rule for c in r.contributions] for r in run(policy, ALL).ranking}
    assert plain == {"a/cheap": [], "b/dear": ["dear"], "c/home": ["at home"]}
    tagged = run(policy, [CHEAP], tags=["code"])
    assert [c.rule for c in tagged.ranking[0].contributions] == ["when asked"]


def test_ties_break_by_cost_then_by_name():
    policy = source(rules=[{"name": "r", "weight": 1, "prefer": "`1`"}])
    same = [target("z/a", price=(1, 1)), target("b/a", price=(1, 1)), target("a/a", price=(2, 2))]
    assert [t.id for t in run(policy, same).targets] == ["b/a", "z/a", "a/a"]
    by_name = source(rules=[], select={"tie_break": ["target"]})
    assert [t.id for t in run(by_name, same).targets] == ["a/a", "b/a", "z/a"]


def test_an_unknown_price_loses_a_tie_on_cost():
    policy = source(rules=[])
    assert run(policy, [target("a/a"), DEAR]).winner is DEAR


def test_requirements_reject_with_the_values_that_failed():
    policy = source(
        require=[
            {
                "name": "private stays local",
                "when": "request.metadata.privacy == 'private'",
                "target": "target.locality == 'local'",
            }
        ]
    )
    assert len(run(policy, ALL).ranking) == 3
    decision = run(policy, ALL, metadata={"privacy": "private"})
    assert decision.targets == (LOCAL,)
    (rejection,) = decision.rejected("a/cheap")
    assert rejection.requirement == "private stays local"
    assert rejection.origin == "policy"
    assert (
        rejection.reason == "target.locality == 'local' does not hold: target.locality is 'cloud'"
    )


def test_requirements_fail_closed_when_they_cannot_be_evaluated():
    broken_target = source(require=[{"name": "r", "target": "abs(target.id) == `1`"}])
    decision = run(broken_target, ALL)
    assert not decision.ranking
    assert sum(decision.notes.values()) == 3
    broken_when = source(
        require=[{"name": "r", "when": "abs(request.task) > `1`", "target": "`false`"}]
    )
    assert not run(broken_when, ALL, task="x").ranking


def test_a_rule_that_cannot_be_evaluated_is_false_and_noted():
    policy = source(
        rules=[{"name": "r", "when": "abs(request.task) > `1`", "weight": 5, "prefer": "`1`"}]
    )
    decision = run(policy, [CHEAP], task="x")
    assert decision.ranking[0].score == 0
    assert sum(decision.notes.values()) == 1


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
IMAGE = [
    {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}],
    }
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("fields", "need"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"prompt": IMAGE}, "vision"),
        ({"response_format": SCHEMA}, "json_schema"),
        ({"stream": True}, "streaming"),
        ({"input_tokens": 4000}, "context_window"),
        ({"input_tokens": 3000, "max_tokens": 1001}, "context_window"),
        ({"max_tokens": 2001}, "max_output"),
    ],
)
def test_what_a_request_needs_is_a_requirement(fields, need):
    bare = {"tools": False, "json_schema": False, "streaming": False}
    weak = target("w/weak", "local", capabilities=bare, context_window=4000, max_output=2000)
    decision = run(source(), [weak], **fields)
    assert not decision.ranking
    assert need in [r.requirement for r in decision.rejections]
    assert all(r.origin == "request" for r in decision.rejections)


def test_a_request_that_just_fits_is_eligible():
    decision = run(source(), [LOCAL], input_tokens=3000, max_tokens=1000)
    assert decision.winner is LOCAL


def test_forcing_a_tool_needs_a_target_that_obeys():
    obeys = {"tools": True, "forced_tool_choice": True}
    strict, lax = target("a/strict", capabilities=obeys), target("a/lax")
    for choice in ("required", {"type": "function", "function": {"name": "f"}}):
        assert run(source(), [strict, lax], tools=[TOOL], tool_choice=choice).targets == (strict,)
    assert len(run(source(), [strict, lax], tools=[TOOL], tool_choice="auto").targets) == 2


@pytest.mark.parametrize(
    ("route", "eligible"),
    [
        ({"only": ["a"]}, ["a/cheap"]),
        ({"only": ["b/dear", "c"]}, ["c/home", "b/dear"]),
        ({"ignore": ["c", "a/cheap"]}, ["b/dear"]),
        ({"locality": "local"}, ["c/home"]),
        ({"require": ["vision"]}, []),
        # cost_max: cheap (1000 + 4096) × 0.5e-6 = $0.002548, dear ten times that, home nothing
        ({"max_cost": 0.0026}, ["c/home", "a/cheap"]),
        ({"order": ["b", "a/cheap"]}, ["b/dear", "a/cheap", "c/home"]),
    ],
)
def test_the_callers_route_narrows_the_choice(route, eligible):
    decision = run(source(), ALL, route=route)
    assert [t.id for t in decision.targets] == eligible
    assert all(r.origin == "caller" for r in decision.rejections)


def test_a_cost_limit_refuses_an_unknown_price():
    decision = run(source(), [target("a/unknown")], route={"max_cost": 100})
    assert not decision.ranking
    assert "unknown" in decision.rejections[0].reason


def test_problems_reject_with_what_to_do():
    problems = {"a": Problem("no credential", "set A_KEY"), "b/dear": Problem("gone", "pull it")}
    decision = run(source(), ALL, problems=problems)
    assert decision.targets == (LOCAL,)
    assert decision.rejected("a/cheap")[0].help == "set A_KEY"
    assert decision.rejected("b/dear")[0].origin == "availability"


class Busy(Priors):
    """Everything measured; each target's load is given."""

    def __init__(self, loads):
        self.loads = loads

    def of(self, target):
        load = self.loads[target.id]
        return LiveFacts(1, 60, 1, measured=True, observations=load)

    def load(self, target):
        return self.loads[target.id]


def test_near_ties_go_to_the_less_loaded_of_two():
    policy = source(select={"spread": 0})
    pair = [target("a/1", price=(1, 1)), target("a/2", price=(1, 1))]
    live = Busy({"a/1": 5.0, "a/2": 1.0})
    for seed in range(20):
        assert run(policy, pair, live=live, random=Random(seed)).winner.id == "a/2"
    without_measurements = run(policy, pair, random=Random(1))
    assert without_measurements.winner.id == "a/1"
    assert without_measurements.reason is None


def test_spread_reaches_as_far_as_it_says():
    rules = [{"name": "r", "weight": 10, "prefer": "target.id == 'a/1'"}]
    pair = [target("a/1"), target("a/2")]
    live = Busy({"a/1": 5.0, "a/2": 1.0})
    near = run(source(rules=rules, select={"spread": 10}), pair, live=live, random=Random(1))
    far = run(source(rules=rules, select={"spread": 9.999}), pair, live=live, random=Random(1))
    assert (near.winner.id, far.winner.id) == ("a/2", "a/1")


def test_exploring_sends_its_share_to_the_stalest_target():
    rules = [{"name": "r", "weight": 10, "prefer": "target.id == 'a/1'"}]
    policy = source(rules=rules, select={"explore": 0.25})
    pair = [target("a/1"), target("a/2")]
    live, random = Busy({"a/1": 5.0, "a/2": 1.0}), Random(7)
    winners = [run(policy, pair, live=live, random=random).winner.id for _ in range(2000)]
    # 2,000 draws at 0.25: 500 expected, standard deviation 19.4
    assert 400 <= winners.count("a/2") <= 600


def test_extends_merges_rules_by_name_and_only_adds_requirements():
    policies = {
        "base": {
            "policy": "base",
            "let": {"a": "request.stream"},
            "require": [{"name": "local", "target": "target.locality == 'local'"}],
            "rules": [
                {"name": "one", "weight": 1, "prefer": "price"},
                {"name": "two", "weight": 2, "prefer": "quality"},
            ],
            "fallback": {"attempts": 7},
        },
        "own": {
            "policy": "own",
            "extends": "base",
            "let": {"b": "request.task"},
            "require": [{"name": "code", "target": "contains(target.specializations, 'code')"}],
            "rules": [
                {"name": "three", "weight": 3, "prefer": "price"},
                {"name": "one", "weight": 9, "prefer": "price"},
            ],
        },
    }
    own = policy_source("own", policies, [{"name": "always", "target": "`true`"}])
    assert [(r.name, r.weight) for r in own.rules] == [
        ("one", 9000),
        ("two", 2000),
        ("three", 3000),
    ]
    assert [(r.name, r.origin) for r in own.require] == [
        ("always", "workspace"),
        ("local", "policy"),
        ("code", "policy"),
    ]
    assert set(own.let) == {"a", "b"}
    assert own.fallback.attempts == 7


WEIGHTS = st.integers(-100_000, 100_000).map(lambda n: n / 1000)
PREFERS = st.sampled_from(
    [
        "price",
        "quality",
        "reliability",
        "affinity",
        "target.locality == 'local'",
        "contains(target.specializations, 'code')",
        "estimate.cost",
        "`0.3`",
        "facts.tokens",
    ]
)
RULES = st.lists(st.tuples(WEIGHTS, PREFERS), max_size=6)
PRICES = st.one_of(st.none(), st.tuples(st.floats(0, 60), st.floats(0, 60)))
FLEETS = st.lists(st.tuples(PRICES, st.sampled_from(["local", "cloud"])), min_size=1, max_size=6)


def fleet(data):
    made = []
    for index, (price, locality) in enumerate(data):
        extra = {"price": tuple(round(p, 4) for p in price)} if price else {}
        made.append(target(f"p{index}/m", locality, **extra))
    return made


def rules_of(pairs):
    return [{"name": f"r{i}", "weight": w, "prefer": p} for i, (w, p) in enumerate(pairs)]


@given(RULES, FLEETS)
def test_contributions_add_up_and_other_targets_change_no_score(pairs, data):
    targets = fleet(data)
    policy = source(rules=rules_of(pairs))
    whole = {r.target.id: r for r in run(policy, targets).ranking}
    for item in whole.values():
        assert sum(c.points for c in item.contributions) == item.score
        assert all(0 <= c.value <= 1_000_000 for c in item.contributions)
    for single in targets:
        assert run(policy, [single]).ranking[0].score == whole[single.id].score


@given(RULES, FLEETS, st.randoms(use_true_random=False))
def test_the_order_of_rules_and_targets_changes_nothing(pairs, data, random):
    targets, rules = fleet(data), rules_of(pairs)
    before = [(r.target.id, r.score) for r in run(source(rules=rules), targets).ranking]
    random.shuffle(targets)
    random.shuffle(rules)
    after = [(r.target.id, r.score) for r in run(source(rules=rules), targets).ranking]
    assert before == after
