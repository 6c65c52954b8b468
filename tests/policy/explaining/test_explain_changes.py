"""Counterfactuals are exact: applied, the runner-up goes first; one step less, it does not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmroute.catalog.cost import Price, Rates
from llmroute.policy.explaining.changes import ConditionChange, FigureChange, WeightChange
from llmroute.policy.explaining.counterfactual import all_changes
from llmroute.policy.explaining.explanation import Explanation
from llmroute.policy.explaining.pair import Pair
from llmroute.policy.scoring.live import LiveFacts
from tests.build import target
from tests.policy.explaining.told import Told, decided, source

CONDITIONS = [
    None,
    "contains(request.tags, 'code')",
    "contains(request.tags, 'none')",
    "target.locality == 'local'",
    "facts.tokens > `500`",
]
PREFERS = [
    "price",
    "quality",
    "reliability",
    "headroom",
    {"cost": {"half": 0.002}},
    {"latency": {"half": "2s"}},
    {"throughput": {"half": 50}},
    "target.locality == 'local'",
    "`0.333333`",
    "contains(target.specializations, 'code')",
]
WEIGHTS = st.one_of(
    st.sampled_from([0, 1, 10, -10, 40]), st.integers(-100_000, 100_000).map(lambda n: n / 1000)
)
RULES = st.lists(
    st.tuples(WEIGHTS, st.sampled_from(PREFERS), st.sampled_from(CONDITIONS)), max_size=6
)
KEYS = ["cost", "quality", "latency"]
TIES = st.permutations(KEYS).flatmap(lambda keys: st.integers(0, 3).map(lambda n: keys[:n]))


@st.composite
def sides(draw, name):
    locality = draw(st.sampled_from(["local", "cloud"]))
    extra = {}
    if draw(st.booleans()):
        quality = {
            "default": draw(st.integers(0, 1000)) / 1000,
            "source": "s",
            "date": "2026-01-01",
        }
        if draw(st.booleans()):
            quality["code"] = draw(st.integers(0, 1000)) / 1000
        extra["quality"] = quality
    if draw(st.integers(0, 4)):
        usd = st.sampled_from([0, 0.1, 0.5, 1, 3, 15, 60])
        extra["price"] = (draw(usd), draw(usd))
    if draw(st.booleans()):
        extra["specializations"] = ["code"]
    return target(name, locality, **extra)


@st.composite
def lives(draw):
    return LiveFacts(
        first_token=draw(st.integers(1, 5000)) / 1000,
        tokens_per_second=draw(st.integers(1, 2000)) / 10,
        success=draw(st.integers(0, 1000)) / 1000,
        headroom=draw(st.integers(0, 1000)) / 1000,
    )


@st.composite
def worlds(draw):
    rules = [
        {"name": f"r{i}", "weight": w, "prefer": p, **({"when": c} if c else {})}
        for i, (w, p, c) in enumerate(draw(RULES))
    ]
    policy = source(rules=rules, select={"tie_break": list(draw(TIES))})
    pair = [draw(sides("a/m")), draw(sides("b/m"))]
    live = Told({t.id: draw(lives()) for t in pair})
    return policy, pair, live


FIELDS = {"tags": ["code"], "task": "code"}


def first(policy, targets, live):
    return decided(policy, targets, live, **FIELDS).ranking[0].target.id


def with_weight(policy, name, weight):
    rules = tuple(replace(r, weight=weight) if r.name == name else r for r in policy.rules)
    return replace(policy, rules=rules)


def with_figure(world, change, step):
    """Return the targets and the live view in which one target has another figure."""
    _, pair, live = world
    chosen = next(t for t in pair if t.id == change.target)
    facts = live.facts[chosen.id]
    if change.figure in ("price", "cost"):
        flat = Price(tiers=(Rates(0, 0, 0, 0, 0),), per_request=step)
        changed = replace(chosen, price=flat)
    elif change.figure == "quality":
        quality, value = chosen.quality, step / 1000
        if "code" in quality.tasks:
            changed = replace(chosen, quality=replace(quality, tasks={"code": value}))
        else:
            changed = replace(chosen, quality=replace(quality, default=value))
    else:
        name, scale = {
            "time to first token": ("first_token", 1000),
            "throughput": ("tokens_per_second", 10),
            "success share": ("success", 1000),
            "free capacity": ("headroom", 1000),
        }[change.figure]
        facts, changed = facts._replace(**{name: step / scale}), chosen
    return (
        [changed if t is chosen else t for t in pair],
        Told({**live.facts, chosen.id: facts}),
    )


def with_condition(policy, change, ids):
    def toggled(rule):
        if rule.name not in change.rules:
            return rule
        if change.target is None:
            return replace(rule, when="`true`" if change.then else "`false`")
        this = f"target.id == '{change.target}'"
        if change.then:
            return replace(rule, when=f"({rule.when}) || {this}")
        return replace(rule, when=f"({rule.when}) && !({this})")

    return replace(policy, rules=tuple(toggled(rule) for rule in policy.rules))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_every_change_flips_the_pair_and_one_step_less_does_not(world):
    policy, targets, live = world
    decision = decided(policy, targets, live, **FIELDS)
    winner, runner_up = (item.target.id for item in decision.ranking)
    for change in all_changes(Pair(decision)):
        if isinstance(change, WeightChange):
            back = 1 if change.then < change.now else -1
            assert first(with_weight(policy, change.rule, change.then), targets, live) == runner_up
            before = with_weight(policy, change.rule, change.then + back)
            assert first(before, targets, live) == winner
        elif isinstance(change, FigureChange):
            pair, told = with_figure(world, change, change.step)
            assert first(policy, pair, told) == runner_up
            before = change.step + (-1 if change.rising else 1)
            if _beyond_now(change, before):
                pair, told = with_figure(world, change, before)
                assert first(policy, pair, told) == winner
        else:
            assert isinstance(change, ConditionChange)
            changed = with_condition(policy, change, (winner, runner_up))
            assert first(changed, targets, live) == runner_up


def _beyond_now(change, step):
    """Whether a step lies between the present figure and the one that suffices."""
    limits = {"quality": 1000, "success share": 1000, "free capacity": 1000}
    return 0 <= step <= limits.get(change.figure, 10**12)


@settings(max_examples=300, deadline=None)
@given(worlds(), st.integers(-1_000_000, 1_000_000))
def test_a_weight_that_is_not_reached_does_not_flip(world, weight):
    """Between the present weight and the one that is told, or up to the limit, the winner stays."""
    policy, targets, live = world
    decision = decided(policy, targets, live, **FIELDS)
    winner = decision.ranking[0].target.id
    found = [c for c in all_changes(Pair(decision)) if isinstance(c, WeightChange)]
    for rule in policy.rules:
        told = [c.then for c in found if c.rule == rule.name]
        below = max((t for t in told if t < rule.weight), default=-1_000_001)
        above = min((t for t in told if t > rule.weight), default=1_000_001)
        if below < weight < above:
            assert first(with_weight(policy, rule.name, weight), targets, live) == winner


#: For each figure: how to draw a step of it.
STEPS = {
    "cost": st.one_of(st.integers(0, 10**8), st.integers(0, 10**12)),
    "time to first token": st.integers(0, 10_000),
    "throughput": st.integers(0, 5000),
    "quality": st.integers(0, 1000),
    "success share": st.integers(0, 1000),
    "free capacity": st.integers(0, 1000),
}
MOVES = st.sampled_from(sorted(STEPS)).flatmap(
    lambda name: STEPS[name].map(lambda step: (name, step))
)


@settings(max_examples=300, deadline=None)
@given(worlds(), MOVES, st.sampled_from(["a/m", "b/m"]))
def test_a_figure_flips_only_from_the_one_that_is_told(world, move, target_id):
    """Where preferences pull a figure one way; otherwise nothing is told of it."""
    policy, targets, live = world
    name, step = move
    decision = decided(policy, targets, live, **FIELDS)
    runner_up = decision.ranking[1].target.id
    item = next(item for item in decision.ranking if item.target.id == target_id)
    held = {made.rule for made in item.contributions}
    moved = [r.weight for r in policy.rules if r.name in held and _figure(r.prefer) == name]
    signs = {weight > 0 for weight in moved if weight}
    probe = FigureChange(0, None, name, "", target_id, step, True, None, 0, "", "")
    flipped = first(policy, *with_figure(world, probe, step)) == runner_up
    found = [
        c
        for c in all_changes(Pair(decision))
        if isinstance(c, FigureChange)
        and (c.target, c.figure.replace("price", "cost")) == (target_id, name)
    ]
    if len(signs) == 2:
        assert found == []
    elif found:
        (change,) = found
        reached = step >= change.step if change.rising else step <= change.step
        assert change.tie or flipped == reached
    else:
        assert not flipped or False in signs or Pair(decision).margin == 0


def _figure(prefer):
    name = prefer if isinstance(prefer, str) else next(iter(prefer))
    return {
        "price": "cost",
        "cost": "cost",
        "latency": "time to first token",
        "throughput": "throughput",
        "quality": "quality",
        "reliability": "success share",
        "headroom": "free capacity",
    }.get(name)


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_the_figure_that_is_shown_suffices_as_well(world):
    policy, targets, live = world
    decision = decided(policy, targets, live, **FIELDS)
    for change in all_changes(Pair(decision)):
        if isinstance(change, FigureChange):
            number = Decimal(change.shown_then.strip("$%").split()[0])
            scale = {"price": 1_500_000, "cost": 10**9}.get(change.figure, 1000)
            scale = 10 if change.figure in TENTHS else scale
            pair, told = with_figure(world, change, round(number * scale))
            assert first(policy, pair, told) == decision.ranking[1].target.id


#: Throughput is in tenths of a token, and a thousandth of a share is a tenth of a percent.
TENTHS = ("throughput", "success share", "free capacity")


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_what_decided_is_what_it_would_not_have_won_without(world):
    policy, targets, live = world
    decision = decided(policy, targets, live, **FIELDS)
    winner, runner_up = (item.target.id for item in decision.ranking)
    deciding = Explanation(decision).deciding
    if deciding.by == "tie_break":
        assert decision.ranking[0].score == decision.ranking[1].score
        return
    names = [name for name, _ in deciding.rules]
    without = replace(policy, rules=tuple(r for r in policy.rules if r.name not in names))
    assert first(without, targets, live) == (runner_up if deciding.enough else winner)
    favouring = [r for r in policy.rules if Pair(decision).difference(r.name) > 0]
    for fewer in combinations([r.name for r in favouring], len(names) - 1):
        rules = tuple(r for r in policy.rules if r.name not in fewer)
        assert first(replace(policy, rules=rules), targets, live) == winner
