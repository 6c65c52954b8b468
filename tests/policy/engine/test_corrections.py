"""Estimates corrected per target, by hand and, for fleets, against the reference."""

from __future__ import annotations

from random import Random

import pytest

from llmroute.policy import CompiledPolicy, LiveFacts, PolicySource, Surroundings
from llmroute.policy.facts.facts import Facts
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.live import Output
from llmroute.policy.source import Require, Rule
from llmroute.types import Request
from tests.build import target
from tests.policy.engine.judge import check, decided, in_turn, rejections_first, winner_first
from tests.policy.strategies import NOON, Case, Live
from tests.policy.taught import FACTORS

PROMPT = "Some words to count. " * 100
TOKENS = Facts(Request.of(PROMPT)).tokens_for("generic")
PRICE = PolicySource("p", rules=(Rule("cheap", 1000, "price"),))


def view(**factors: float) -> Live:
    return Live({f"a/{name}": LiveFacts(1, 50, 1, token_factor=f) for name, f in factors.items()})


def turn(live: Live, **fields):
    return Request.of(PROMPT, **fields), Surroundings(NOON, live), {}


def test_a_target_that_counts_more_loses_to_an_equal_one():
    fleet = [target(f"a/{name}", price=(1, 0)) for name in ("m", "n")]
    compiled = CompiledPolicy(PRICE, fleet)
    # blended price counts the same tokens on both sides: cost decides
    source = PolicySource("p", rules=(Rule("cheap", 1000, {"cost": {"half": 0.001}}),))
    compiled = CompiledPolicy(source, fleet)
    assert decided(compiled, turn(view())).winner.id == "a/m"
    decision = decided(compiled, turn(view(m=1.25)))
    assert decision.winner.id == "a/n"
    first, second = decision.ranking
    assert (first.estimate.tokens_in, second.estimate.tokens_in) == (TOKENS, round(TOKENS * 1.25))
    assert second.estimate.cost == round(TOKENS * 1.25) * 1000  # $1 a million is 1,000 nano-dollars
    assert (first.token_factor, second.token_factor) == (1.0, 1.25)


def test_a_callers_own_count_is_not_corrected():
    compiled = CompiledPolicy(PRICE, [target("a/m", price=(1, 0))])
    found = decided(compiled, turn(view(m=2.0), input_tokens=70)).ranking[0]
    assert (found.estimate.tokens_in, found.token_factor) == (70, 1.0)


@pytest.mark.parametrize(
    ("window", "factor", "fits"),
    [
        (TOKENS + 1, 1.0, True),
        (TOKENS + 1, 1.0625, False),
        (TOKENS * 2 + 1, 2.0, True),
        (TOKENS * 2, 2.0, False),
        # a target that counted less before may count as estimated this time
        (TOKENS, 0.5, False),
    ],
)
def test_a_prompt_must_fit_as_estimated_and_as_corrected(window, factor, fits):
    compiled = CompiledPolicy(PRICE, [target("a/m", price=(1, 0), context_window=window)])
    decision = decided(compiled, turn(view(m=factor)))
    assert [item.target.id for item in decision.ranking] == (["a/m"] if fits else [])
    assert [r.requirement for r in decision.rejections] == ([] if fits else ["context_window"])


@pytest.mark.parametrize(
    ("most", "fields", "fits"),
    [
        (TOKENS, {}, True),
        (TOKENS - 1, {}, False),
        # what is left of the window does not matter
        (TOKENS, {"max_tokens": 50_000}, True),
        (70, {"input_tokens": 70}, True),
        (70, {"input_tokens": 71}, False),
    ],
)
def test_a_prompt_is_no_longer_than_is_taken(most, fields, fits):
    only = target("a/m", price=(1, 0), context_window=100_000, wire={"max_input": most})
    decision = decided(CompiledPolicy(PRICE, [only]), turn(view(), **fields))
    assert [item.target.id for item in decision.ranking] == (["a/m"] if fits else [])
    assert [r.requirement for r in decision.rejections] == ([] if fits else ["context_window"])


def test_what_is_taken_is_held_against_the_corrected_prompt_too():
    only = target("a/m", price=(1, 0), wire={"max_input": TOKENS})
    decision = decided(CompiledPolicy(PRICE, [only]), turn(view(m=1.0625)))
    (rejection,) = decision.rejections
    assert rejection.reason.endswith(f"tokens are more than a prompt may have: {TOKENS}")


OUTPUT_COSTS = PolicySource("p", rules=(Rule("cheap", 1000, {"cost": {"half": 0.001}}),))


def told(**outputs: dict[str, Output]) -> Live:
    return Live(
        {f"a/{name}": LiveFacts(1, 50, 1, outputs=known) for name, known in outputs.items()}
    )


def test_a_target_that_says_more_loses_to_an_equal_one_at_that_task():
    fleet = [target(f"a/{name}", price=(0, 2)) for name in ("m", "n")]
    compiled, live = CompiledPolicy(OUTPUT_COSTS, fleet), told(m={"essay": Output(2048, 9)})
    assert decided(compiled, turn(live)).winner.id == "a/m"
    decision = decided(compiled, turn(live, task="essay"))
    assert decision.winner.id == "a/n"
    first, second = decision.ranking
    assert (first.estimate.tokens_out, second.estimate.tokens_out) == (500, 2048)
    assert second.estimate.cost == 2048 * 2000  # $2 a million is 2,000 nano-dollars
    assert (first.learned_output, second.learned_output) == (None, Output(2048, 9))
    assert second.to_dict()["learned_output"] == {"tokens": 2048, "answers": 9}
    assert "learned_output" not in first.to_dict()


@pytest.mark.parametrize(
    ("fields", "reject", "wanted"),
    [
        ({}, [], 2048),
        ({"max_tokens": 100}, [], 100),
        ({"max_tokens": 3000}, [], 2048),
        ({"max_tokens": 100}, ["max_tokens"], 2048),
        # a count of the prompt says nothing of the answer
        ({"input_tokens": 7}, [], 2048),
    ],
)
def test_an_answer_is_expected_as_long_as_learned_and_allowed(fields, reject, wanted):
    fleet = [target("a/m", price=(0, 2), wire={"reject": reject}, typical_output=50)]
    compiled = CompiledPolicy(OUTPUT_COSTS, fleet)
    live = told(m={"chat": Output(2048, 9)})
    case = Case(OUTPUT_COSTS, tuple(fleet), ())
    check(compiled, case, turn(live, **fields), [winner_first])
    assert decided(compiled, turn(live, **fields)).ranking[0].estimate.tokens_out == wanted


def test_an_estimate_that_nobody_made_ready_counts_what_was_learned():
    live, fleet = told(m={"chat": Output(2048, 9)}), [target("a/m", price=(0, 2))]
    live.facts["a/m"] = live.facts["a/m"]._replace(token_factor=1.25)
    found = Context(*turn(live)[:2]).estimate(fleet[0])
    assert found == decided(CompiledPolicy(PRICE, fleet), turn(live)).ranking[0].estimate
    assert found[:3] == (round(TOKENS * 1.25), 2048, 2048 * 2000)


def test_cost_max_counts_what_is_allowed_whatever_was_learned():
    compiled = CompiledPolicy(OUTPUT_COSTS, [target("a/m", price=(0, 2), max_output=4000)])
    found = decided(compiled, turn(told(m={"chat": Output(16, 9)}))).ranking[0].estimate
    assert (found.cost, found.cost_max) == (16 * 2000, 4000 * 2000)


RULES = (
    Rule("cheap", 1_000, "price"),
    Rule("cost", 3_000, {"cost": {"half": 0.002}}),
    Rule("short", 700, "estimate.tokens_in < `600`"),
    Rule("both", 900, "target.locality == 'cloud' && estimate.tokens_in < `550`"),
    Rule("brief", 800, "estimate.tokens_out < `300`"),
    Rule("hair", 10, "quality"),
)
LENGTHS = (16, 91, 500, 724, 2048)
REQUIRE = (Require("small", "estimate.tokens_in < `900`"),)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("prices", [1, 3, 40])
def test_fleets_of_few_and_of_many_prices_agree_with_the_reference(seed, prices):
    """Few classes are evaluated at once, many are bounded and visited; factors tell both apart."""
    rng = Random(seed)
    inputs = [rng.choice((0.1, 1, 5)) + n / 100 for n in range(prices)]
    drawn = [{"input": n, "output": rng.choice((0, 2)), "cache_read": n / 10} for n in inputs]
    fleet = tuple(
        target(
            f"a/{n}",
            cost=rng.choice(drawn),
            quality={"default": rng.random()},
            context_window=rng.choice((None, TOKENS + 1, round(TOKENS * 1.25) + 1)),
            tokenizer=rng.choice(("generic", "o200k")),
        )
        for n in range(60)
    )
    rules = tuple(rng.sample(RULES, rng.randint(1, len(RULES))))
    require = REQUIRE if rng.random() < 0.5 else ()
    case = Case(PolicySource("p", rules=rules, require=require), fleet, ())
    compiled, live = CompiledPolicy(case.source, fleet), Live()
    for number in range(6):
        for item in rng.sample(fleet, rng.choice((1, 40))):
            known = rng.sample(("chat", "essay"), rng.randint(0, 2))
            outputs = {task: Output(rng.choice(LENGTHS), 9) for task in known}
            facts = LiveFacts(1, 50, 1, token_factor=rng.choice(FACTORS), outputs=outputs)
            live.measure(item.id, facts)
        kept = rng.sample(fleet, rng.choice((0, 1, 4)))
        live.caches = {item.id: rng.choice((40, TOKENS, 9_000)) for item in kept}
        fields = {"max_tokens": rng.choice((None, 40, 600, 1500))}
        fields |= {"input_tokens": (None, TOKENS)[number == 4]}
        fields |= {"task": rng.choice((None, "essay", "other"))}
        check(compiled, case, turn(live, **fields), [winner_first, in_turn, rejections_first])
