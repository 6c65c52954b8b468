"""Hard budgets in decisions: whom they concern, and what they leave."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from llmroute.catalog.cost import Price, Rates
from llmroute.policy import CompiledPolicy, PolicySource, Surroundings
from llmroute.policy.scoring.standing import Allowance
from llmroute.types import Request
from tests.build import target
from tests.policy import strategies
from tests.policy.engine.judge import READINGS, check, decided
from tests.policy.strategies import NOON, Live

SETTINGS = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)


def drawn(rng: Random, number: int) -> Allowance:
    """Draw a budget of any scope; amounts are often met exactly, or near what calls cost."""
    keys = {
        "tag": ("code", "eu"),
        "caller": ("ann", "bob"),
        "policy": ("p", "q"),
        "provider": ("p0", "p1"),
        "target": ("p0/m0", "p1/m1"),
    }
    scope = {name: rng.choice(some) for name, some in keys.items() if rng.random() < 0.2}
    left = rng.choice((-5, 0, 1, 100_000, 1_000_000, 10**7, 10**9))
    return Allowance(f"b{number}", left, NOON, **scope)


@SETTINGS
@given(st.randoms(use_true_random=False))
def test_the_engine_agrees_with_the_reference(rng):
    case = strategies.case(rng, turns=2)
    compiled = CompiledPolicy(case.source, case.targets)
    for request, around, problems in case.turns:
        request = replace(request, user=rng.choice((None, "ann", "bob")))
        budgets = tuple(drawn(rng, number) for number in range(rng.randint(1, 4)))
        turn = (request, replace(around, allowances=budgets), problems)
        check(compiled, case, turn, [rng.choice(READINGS)])


def priced(name, nano):
    """Return a target whose every call costs so many nano-dollars; None: unknown."""
    made = target(name, max_output=100)
    price = None if nano is None else Price((Rates(0, 0, 0, 0, 0),), per_request=nano)
    return replace(made, price=price)


FLEET = (priced("a/free", 0), priced("a/ten", 10), priced("b/more", 11), priced("b/what", None))
EVERY = [made.id for made in FLEET]


def served(*budgets, request=None, policy="p"):
    around = Surroundings(NOON, Live(), allowances=budgets)
    compiled = CompiledPolicy(PolicySource(policy), FLEET)
    return decided(compiled, (request or Request.of("hi"), around, {}))


def ranked(*budgets, **options):
    return sorted(made.id for made in served(*budgets, **options).targets)


@pytest.mark.parametrize(
    ("left", "names"),
    [
        (11, ["a/free", "a/ten", "b/more"]),
        (10, ["a/free", "a/ten"]),
        (9, ["a/free"]),
        (0, ["a/free"]),
        (-1, ["a/free"]),  # a call cost more than it was thought to
    ],
)
def test_a_call_may_cost_what_is_left_and_an_unknown_price_fails(left, names):
    assert ranked(Allowance("team", left, NOON)) == names


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ({"tag": "x"}, ["a/free"]),
        ({"tag": "y"}, EVERY),
        ({"caller": "ann"}, ["a/free"]),
        ({"caller": "bob"}, EVERY),
        ({"policy": "p"}, ["a/free"]),
        ({"policy": "q"}, EVERY),
        ({"provider": "a"}, ["a/free", "b/more", "b/what"]),
        ({"target": "b/more"}, ["a/free", "a/ten", "b/what"]),
        ({"tag": "x", "caller": "bob"}, EVERY),
        ({"tag": "x", "provider": "b"}, ["a/free", "a/ten"]),
    ],
)
def test_a_budget_concerns_its_scope_alone(scope, names):
    request = Request.of("hi", tags=["x"], user="ann")
    assert ranked(Allowance("team", 0, NOON, **scope), request=request) == sorted(names)


def test_the_reason_says_what_it_may_cost_and_what_is_left_until_when():
    decision = served(Allowance("team", 5_000_000, NOON), Allowance("own", -3, NOON))
    reasons = {item.requirement: item for item in decision.rejected("b/what")}
    assert set(reasons) == {"budget team", "budget own"}
    assert reasons["budget team"].reason == (
        "what it may cost is unknown; "
        '$0.005 of the budget "team" is left until 2026-11-22 12:00 UTC'
    )
    (reason,) = decision.rejected("a/ten")
    assert reason.reason == (
        'it may cost $0.00000001; $0 of the budget "own" is left until 2026-11-22 12:00 UTC'
    )
    assert reason.help == "raise its amount in llmroute.yaml, or ask with a smaller max_tokens"
    assert reasons["budget team"].help == "declare its cost, which a hard budget must know"


def test_where_only_the_length_of_the_answer_has_no_limit_the_help_says_so():
    endless = replace(target("a/endless"), price=Price((Rates(1000, 1000, 0, 0, 0),)))
    compiled = CompiledPolicy(PolicySource("p"), (endless,))
    around = Surroundings(NOON, Live(), allowances=(Allowance("team", 10**9, NOON),))
    (reason,) = decided(compiled, (Request.of("hi"), around, {})).rejected("a/endless")
    assert reason.help == "ask with max_tokens, or declare the model's max_output"
    asked = Request.of("hi", max_tokens=5)
    assert decided(compiled, (asked, around, {})).winner is endless
