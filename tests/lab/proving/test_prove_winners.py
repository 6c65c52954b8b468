"""What is proved about winners with prices, costs and measurements, claim by claim."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from llmroute.catalog.model import Target
from llmroute.lab.analysis.rules import Fleet, inert_rules
from llmroute.lab.analysis.targets import never_chosen
from llmroute.lab.proving.prove import Proof, prove_equivalent, prove_reachable
from llmroute.lab.proving.sizes import ratio
from llmroute.lab.proving.winners import contest
from llmroute.policy.engine.reference import reference
from llmroute.policy.facts.facts import Facts
from llmroute.policy.facts.tokens import FAMILIES
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.source import PolicySource, Require, Rule, Select
from llmroute.types import Request
from tests.build import target
from tests.lab.proving.worlds import world
from tests.policy.strategies import NOON, Live

#: The first gets more by quality unless the request is about code.
BETTER = {"quality": {"default": 0.9, "code": 0.1, "source": "x", "date": "2026-01-01"}}
EVEN = {"quality": {"default": 0.5, "code": 0.5, "source": "x", "date": "2026-01-01"}}


@pytest.mark.parametrize(
    "when", ["request.task != 'x'", "request.task", "request.task != 'chat'", "request.task != 'y'"]
)
def test_a_caller_s_task_is_one_of_those_that_facts_tell(when: str):
    targets = (target("p0/m0", **BETTER), target("p1/m0", **EVEN))
    other = Rule("other", 20_000, "target.id == 'p1/m0'", when)
    source = PolicySource("p", rules=(Rule("good", 10_000, "quality"), other))
    verdict = contest(source, targets[0], world(targets))
    assert verdict.found is not None


COUNTS = Rule("long", 10_000, "`1`", "estimate.tokens_in > `1000`")
SECOND = Rule("second", 1_000, "target.id == 'p1/m0'")


def test_targets_that_count_tokens_otherwise_are_not_told_apart_by_cases():
    targets = (target("p0/m0", tokenizer="claude"), target("p1/m0"))
    source = PolicySource("p", rules=(COUNTS, SECOND))
    lines = Request.of("\n" * 1500)
    around = Surroundings(NOON, Live())
    assert reference(source, targets, lines, around).ranking[0].target.id == "p0/m0"
    assert prove_reachable(source, "p0/m0", world(targets)).outcome != "refuted"
    same = prove_equivalent(source, PolicySource("q", rules=(SECOND,)), world(targets))
    assert same.outcome != "proved"
    fleet_ = Fleet(targets, {}, NOON)
    assert inert_rules(source, fleet_) == []
    assert never_chosen([source], fleet_) == ()


def test_an_order_of_equals_by_cost_is_no_order_by_id():
    once = {"cost": {"input": 0, "output": 0, "per_request": 0.0005}}
    targets = (target("p0/m0", price=(1, 0)), target("p1/m0", **once))
    by_cost = PolicySource("p", select=Select(tie_break=("cost",)))
    first = Rule("first", 1_000, "target.id == 'p0/m0'")
    for other in (
        PolicySource("q", select=Select(tie_break=("target",))),
        PolicySource("q", rules=(first,), select=Select(tie_break=("cost",))),
    ):
        assert prove_equivalent(by_cost, other, world(targets)).outcome == "refuted"


CHEAP = PolicySource("p", rules=(Rule("cheap", 30_000, "price"),))


def of(rules: PolicySource, wanted: str, *targets: Target) -> Proof:
    return prove_reachable(rules, wanted, world(targets))


def test_a_price_that_is_higher_for_every_size_cannot_win():
    low, high = target("p0/m0", price=(1, 3)), target("p1/m0", price=(2, 3))
    assert of(CHEAP, "p1/m0", low, high).outcome == "refuted"
    assert of(CHEAP, "p0/m0", low, high).outcome == "proved"


def test_what_is_cheaper_for_few_sizes_only_is_found():
    # 500 tokens out: 1 x + 3 x 500 against 1.5 x + 0.5 x 500 are equal at 2,500 tokens in.
    first, second = target("p0/m0", price=(1, 3)), target("p1/m0", price=(1.5, 0.5))
    short = replace(CHEAP, require=(Require("long", "facts.tokens > `2400`"),))
    proof = of(short, "p1/m0", first, second)
    assert proof.outcome == "proved"
    assert proof.example is not None
    assert 2_400 < (proof.example.situation.request.input_tokens or 0) <= 2_501
    none = replace(CHEAP, require=(Require("long", "facts.tokens > `2600`"),))
    # A cap on the answer makes it smaller, which helps the first: the second never catches up.
    assert of(none, "p1/m0", first, second).outcome == "refuted"


def test_a_tie_goes_by_the_tie_break_and_in_operation_by_a_draw():
    same = [target(name, price=(1, 1)) for name in ("p0/m0", "p1/m0")]
    assert of(CHEAP, "p0/m0", *same).outcome == "proved"
    second = of(CHEAP, "p1/m0", *same)
    assert second.outcome == "undecided"
    assert "draw" in second.why[0]
    nothing = of(PolicySource("p"), "p1/m0", target("p0/m0"), target("p1/m0"))
    assert nothing.outcome == "undecided"


def test_a_rival_that_does_not_fit_does_not_keep_it_from_winning():
    small = target("p0/m0", price=(1, 1), context_window=1_000)
    large = target("p1/m0", price=(2, 2), context_window=9_000)
    proof = of(CHEAP, "p1/m0", small, large)
    assert proof.outcome == "proved"
    assert proof.example is not None
    request = proof.example.situation.request
    assert (request.input_tokens or 0) + (request.max_tokens or 1) > 1_000


def test_measurements_are_worth_at_most_the_weight():
    first, second = (target(f"p{n}/m0", price=(1, 1)) for n in range(2))
    best = Rule("first", 20_000, "target.id == 'p0/m0'")
    for weight, outcome in ((19_999, "refuted"), (20_001, "proved")):
        rules = (best, Rule("fast", weight, {"latency": {"half": 1}}))
        assert of(PolicySource("p", rules=rules), "p1/m0", first, second).outcome == outcome


@pytest.mark.parametrize(
    ("select", "outcome"),
    [
        (Select(spread=9_000_000), "refuted"),
        (Select(spread=10_000_000), "undecided"),
        (Select(explore=0.1), "undecided"),
    ],
)
def test_what_a_draw_may_choose_is_not_called_unreachable(select: Select, outcome: str):
    rules = (Rule("first", 10_000, "target.id == 'p0/m0'"),)
    both = [target(f"p{n}/m0", price=(1, 1)) for n in range(2)]
    source = PolicySource("p", rules=rules, select=select)
    assert of(source, "p1/m0", *both).outcome == outcome


def test_tokens_that_are_counted_differently_do_not_hide_a_higher_price():
    low = target("p0/m0", price=(1, 3), tokenizer="o200k")
    high = target("p1/m0", price=(50, 150), tokenizer="claude")
    assert of(CHEAP, "p1/m0", low, high).outcome == "refuted"


def equal(mine: PolicySource, theirs: PolicySource, *targets: Target) -> str:
    return prove_equivalent(mine, replace(theirs, name="q"), world(targets)).outcome


def test_policies_that_differ_in_weights_of_prices():
    first, second = target("p0/m0", price=(1, 3)), target("p1/m0", price=(2, 6))
    better = Rule("second", 5_000, "target.id == 'p1/m0'")
    # Twice the price is 30 x log(2) / log(1000) = 3.01 points, less than 5 either way.
    mine = replace(CHEAP, rules=(*CHEAP.rules, better))
    for weight, same in ((31_000, "proved"), (60_000, "refuted")):
        theirs = replace(mine, rules=(Rule("cheap", weight, "price"), better))
        assert equal(mine, theirs, first, second) == same
    doubled = replace(mine, rules=tuple(replace(r, weight=2 * r.weight) for r in mine.rules))
    assert equal(mine, doubled, first, second) == "proved"


@pytest.mark.parametrize("family", FAMILIES)
def test_no_text_has_more_tokens_than_the_worst_pair_of_characters(family: str):
    rng = Random(1)
    signs = "aZ9 \n\t.,$éßдשกあ“漢字龍가😀\ue000\x00"
    for _ in range(300):
        some = rng.sample(signs, rng.randint(1, 4))
        facts = Facts(Request.of("".join(rng.choices(some, k=rng.choice((1, 9, 200, 40_000))))))
        for other in FAMILIES:
            more = ratio(family, other)
            assert facts.tokens_for(family) <= facts.tokens_for(other) * more + (more + 1) / 2


def test_nothing_that_depends_on_sizes_is_certain_where_estimates_learn():
    """The dear one is always behind, as long as both count alike."""
    cheap, dear = (
        target(f"a/{name}", cost={"input": price, "output": price}, context_window=8_000)
        for name, price in (("cheap", 1), ("dear", 2))
    )
    source = PolicySource("p", rules=(Rule("money", 10_000, "price"),))
    still = world((cheap, dear))
    assert prove_reachable(source, "a/dear", still).outcome == "refuted"
    learning = replace(still, settings={"estimates": {"learn": True}})
    proof = prove_reachable(source, "a/dear", learning)
    assert proof.outcome == "undecided"
    assert any("estimates.learn" in why for why in proof.why)


def test_a_rival_that_cannot_read_a_pdf_leaves_such_requests_to_others():
    able = {"streaming": True, "tools": True, "json_schema": True}
    cheap = target("p0/m0", price=(1, 3), capabilities=able)
    reader = target("p1/m0", price=(2, 3), capabilities={**able, "pdf": True})
    proof = of(CHEAP, "p1/m0", cheap, reader)
    assert proof.outcome == "proved"
    assert proof.example is not None
    (part,) = [
        p for p in proof.example.situation.request.messages[-1]["content"] if p["type"] == "file"
    ]
    assert part["file"]["file_data"].startswith("data:application/pdf;")


def test_a_rival_that_takes_few_tools_is_beaten_by_many():
    few = target("p0/m0", price=(1, 3), wire={"tool_names": 64, "max_tools": 2})
    free = target("p1/m0", price=(2, 3), wire={"tool_names": 64})
    proof = of(CHEAP, "p1/m0", few, free)
    assert proof.outcome == "proved"
    assert proof.example is not None
    names = [tool["function"]["name"] for tool in proof.example.situation.request.tools]
    assert len(set(names)) == 3
    limited = target("p1/m0", price=(2, 3), wire={"tool_names": 64, "max_tools": 2})
    assert of(CHEAP, "p1/m0", few, limited).outcome == "refuted"


def test_a_rival_that_takes_short_prompts_is_beaten_by_long_ones():
    short = target("p0/m0", price=(1, 3), context_window=9_000, wire={"max_input": 5_000})
    free = target("p1/m0", price=(2, 3), context_window=9_000)
    proof = of(CHEAP, "p1/m0", short, free)
    assert proof.outcome == "proved"
    assert proof.example is not None
    assert 5_000 < Facts(proof.example.situation.request).tokens < 9_000
    limited = target("p1/m0", price=(2, 3), context_window=9_000, wire={"max_input": 5_000})
    assert of(CHEAP, "p1/m0", short, limited).outcome == "refuted"
    small = target("p1/m0", price=(2, 3), context_window=5_000)
    assert of(CHEAP, "p1/m0", short, small).outcome == "refuted"


def test_a_better_target_that_takes_short_prompts_leaves_the_long_ones():
    source = PolicySource("p", rules=(Rule("good", 1_000, "quality"),))
    good = target("p0/m0", quality={"default": 0.9}, wire={"max_input": 5_000})
    poor = target("p1/m0", quality={"default": 0.5})
    assert never_chosen([source], Fleet((good, poor), {}, NOON)) == ()
    for fields in ({"wire": {"max_input": 5_000}}, {"context_window": 5_000}):
        less = target("p1/m0", quality={"default": 0.5}, **fields)
        assert len(never_chosen([source], Fleet((good, less), {}, NOON))) == 1


def test_a_rival_that_takes_short_names_of_tools_alone_is_beaten_by_long_ones():
    short = target("p0/m0", price=(1, 3), wire={"tool_names": 64})
    free = target("p1/m0", price=(2, 3))
    assert of(CHEAP, "p1/m0", short, free).outcome == "proved"
    limited = target("p1/m0", price=(2, 3), wire={"tool_names": 64})
    assert of(CHEAP, "p1/m0", short, limited).outcome == "refuted"
