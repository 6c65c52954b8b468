"""Which target is asked next after each kind of failure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.catalog.cost import Price, Rates
from llmroute.dispatch.plan import Plan
from llmroute.errors import ErrorKind, TargetError
from llmroute.policy import Policy, Surroundings, policy_source
from llmroute.policy.scoring.live import LiveFacts
from llmroute.policy.scoring.standing import Outage, Standing
from tests.build import provider, target
from tests.policy.strategies import NOON, Live

A, B = provider("a"), provider("b")
A1 = target("a/1", provider=A, context_window=8000)
A2 = target("a/2", provider=A, context_window=8000)
B1 = target("b/1", provider=B, context_window=32000)
C1 = target("c/1", context_window=32000)


def costing(made, nano):
    """Return a target whose every estimate is so many nano-dollars; None: unknown."""
    free = Rates(0, 0, 0, 0, 0)
    return replace(made, price=None if nano is None else Price((free,), per_request=nano))


def plan(*targets, costs=None, **fallback):
    costs = costs or [0] * len(targets)
    priced = [costing(t, cost) for t, cost in zip(targets, costs, strict=True)]
    policy = Policy(policy_source("p", {"p": {"policy": "p", "fallback": fallback}}))
    order = [target.id for target in targets]
    return Plan(policy.decide("hi", priced, route={"order": order}))


def walk(made, *kinds):
    """Follow a plan whose calls fail with the given kinds; return the ids that were asked."""
    asked = []
    for kind in (*kinds, None):
        step = made.next()
        if step is None:
            break
        asked.append(step.target.id)
        if kind is None:
            break
        made.failed(step, TargetError(kind, "x"))
    return asked


TRANSIENT = ErrorKind.TRANSIENT


def test_every_fresh_target_comes_before_a_repeat():
    asked = walk(plan(A1, B1, attempts=5), TRANSIENT, TRANSIENT, TRANSIENT, TRANSIENT, TRANSIENT)
    assert asked == ["a/1", "b/1", "a/1", "b/1", "a/1"]


def test_attempts_are_counted_in_all():
    assert walk(plan(A1, A2, B1, attempts=2), TRANSIENT, TRANSIENT, TRANSIENT) == ["a/1", "a/2"]


@pytest.mark.parametrize("kind", [ErrorKind.UNAVAILABLE, ErrorKind.AUTH, ErrorKind.QUOTA])
def test_a_failed_host_or_credential_leaves_out_the_providers_other_targets(kind):
    assert walk(plan(A1, A2, B1, attempts=2), kind) == ["a/1", "b/1"]


@pytest.mark.parametrize("kind", [ErrorKind.TIMEOUT, ErrorKind.OVERLOADED, ErrorKind.EMPTY])
def test_other_failures_leave_the_providers_other_targets_in(kind):
    assert walk(plan(A1, A2, B1), kind) == ["a/1", "a/2"]


def test_an_overflowing_prompt_goes_to_larger_windows_only():
    assert walk(plan(A1, A2, B1), ErrorKind.CONTEXT, ErrorKind.CONTEXT) == ["a/1", "b/1"]


def test_a_window_counts_as_much_of_it_as_a_prompt_may_take():
    """As OpenAI's models: 1,050,000 in all, of which a prompt may have 922,000."""
    first = target("a/1", context_window=1_050_000, wire={"max_input": 922_000})
    fleet = (first, target("b/1", context_window=1_000_000), target("c/1", context_window=900_000))
    assert walk(plan(*fleet), ErrorKind.CONTEXT, ErrorKind.CONTEXT) == ["a/1", "b/1"]


@pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.POLICY])
def test_what_every_target_would_refuse_goes_back_at_once(kind):
    assert walk(plan(A1, B1), kind, kind) == ["a/1"]


@pytest.mark.parametrize("kind", [ErrorKind.AUTH, ErrorKind.QUOTA, ErrorKind.MODEL_MISSING])
def test_what_does_not_pass_is_not_repeated(kind):
    assert walk(plan(A1, attempts=5), kind, kind) == ["a/1"]


def test_a_rate_limit_spills_or_waits():
    limit = ErrorKind.RATE_LIMIT
    assert walk(plan(A1, B1), limit) == ["a/1", "b/1"]
    waiting = plan(A1, B1, on_limit="wait")
    assert walk(waiting, limit) == ["a/1", "a/1"]


def test_a_fallback_may_cost_a_multiple_of_the_first_estimate():
    made = plan(A1, A2, B1, costs=[100, 501, 500], max_price_ratio=5)
    assert made.over_price == ("a/2",)
    assert walk(made, TRANSIENT) == ["a/1", "b/1"]


def test_what_a_cache_saves_does_not_make_others_too_dear():
    """Of two equals one has the conversation in its cache: a tenth of the price, while it does."""
    cost = {"input": 1, "output": 0, "cache_read": 0.1}
    fleet = [target("a/1", cost=cost), target("b/1", cost=cost)]
    data = {"policy": "p", "fallback": {"max_price_ratio": 5}}
    data["rules"] = [{"name": "cost", "weight": 1, "prefer": "price"}]
    live = Live()
    live.caches = {"b/1": 1000}
    policy = Policy(policy_source("p", {"p": data}))
    made = Plan(policy.decide("hi", fleet, around=Surroundings(NOON, live), input_tokens=1000))
    assert made.over_price == ()
    assert walk(made, TRANSIENT) == ["b/1", "a/1"]


def test_an_unknown_price_is_over_any_ratio():
    assert plan(A1, B1, costs=[100, None], max_price_ratio=5).over_price == ("b/1",)


def test_a_step_knows_whether_another_target_is_left():
    made = plan(A1, B1, attempts=2)
    first, second = made.next(), made.next()
    assert first is not None
    assert second is not None
    assert (first.more, second.more) == (True, False)


def test_a_target_without_an_attempt_for_it_is_not_left():
    made = plan(A1, B1, C1, attempts=2)
    assert [made.next().more, made.next().more] == [True, False]


# Targets that are out of service


def out(*names, kind="circuit"):
    return {name: Outage("out", "wait", kind, 9.0) for name in names}


def standing_plan(*targets, costs=None, standing=None, live=None, **fallback):
    """Plan over targets that score in their order, some being out of service."""
    costs = costs or [0] * len(targets)
    priced = [costing(t, cost) for t, cost in zip(targets, costs, strict=True)]
    weights = range(len(targets), 0, -1)
    rules = [
        {"name": t.id, "weight": weight, "prefer": f"target.id == '{t.id}'"}
        for t, weight in zip(targets, weights, strict=True)
    ]
    document = {"policy": "p", "rules": rules, "fallback": fallback}
    policy = Policy(policy_source("p", {"p": document}))
    around = Surroundings(NOON, live or Live(), standing=standing or Standing())
    return Plan(policy.decide("hi", priced, around=around))


def steps(made, *kinds):
    asked = []
    for kind in kinds:
        step = made.next()
        if step is None:
            break
        asked.append((step.target.id, step.role))
        made.failed(step, TargetError(kind, "x"))
    return asked


def test_who_is_out_is_the_last_resort_after_repeats_are_no_use():
    made = standing_plan(C1, A1, B1, standing=Standing(out("c/1")), attempts=9)
    assert steps(made, TRANSIENT, ErrorKind.QUOTA, ErrorKind.MODEL_MISSING, TRANSIENT) == [
        ("a/1", "first"),
        ("b/1", "fallback"),
        ("a/1", "repeat"),
        ("c/1", "last_resort"),
    ]


def test_who_is_out_counts_as_somebody_who_is_left():
    made = standing_plan(C1, A1, B1, standing=Standing(out("c/1")), attempts=9)
    seen = []
    while step := made.next():
        seen.append((step.target.id, step.more))
        made.failed(step, TargetError(ErrorKind.CAPABILITY, "x"))
    assert seen == [("a/1", True), ("b/1", True), ("c/1", False)]


def test_a_last_resort_whose_provider_just_failed_is_none():
    made = standing_plan(A2, A1, B1, standing=Standing(out("a/2")), attempts=9)
    assert steps(made, ErrorKind.AUTH, ErrorKind.QUOTA, TRANSIENT) == [
        ("a/1", "first"),
        ("b/1", "fallback"),
    ]


def test_a_last_resort_or_repeat_whose_window_is_too_small_is_none():
    made = standing_plan(A2, A1, B1, standing=Standing(out("a/2")), attempts=9)
    assert steps(made, ErrorKind.CONTEXT, ErrorKind.CONTEXT, TRANSIENT) == [
        ("a/1", "first"),
        ("b/1", "fallback"),
    ]
    again = plan(A1, A2, B1, attempts=9)
    assert walk(again, TRANSIENT, ErrorKind.CONTEXT, TRANSIENT, TRANSIENT) == [
        *("a/1", "a/2", "b/1"),
        *("b/1", "b/1"),
    ]


@pytest.mark.parametrize(
    "standing",
    [
        Standing(out("c/1")),  # sits out
        Standing(out("c/1", "b/1", "a/1")),  # all circuits are open: they come after nobody
        Standing(out("c/1", kind="limit")),
        Standing(ramping={"c/1": 0.0}),
    ],
)
def test_a_ratio_is_measured_against_who_would_be_first_if_all_were_in_service(standing):
    """c/1 costs 100, so that 5 times as much is 500 whoever is first for now."""
    made = standing_plan(
        C1, A1, B1, costs=[100, 501, 400], standing=standing, max_price_ratio=5, attempts=9
    )
    assert made.over_price == ("a/1",)


def test_a_ratio_counts_from_the_usual_first_though_others_come_before_it():
    """All circuits are open, and c/1 fails most: it is called last, and bounds the others."""
    ill = {"c/1": LiveFacts(1, 50, 0.1, measured=True)}
    made = standing_plan(
        *(C1, A1, B1),
        costs=[100, 501, 400],
        standing=Standing(out("a/1", "b/1", "c/1")),
        live=Live(ill),
        max_price_ratio=5,
    )
    assert [item.id for item in made.decision.targets] == ["a/1", "b/1", "c/1"]
    assert made.over_price == ("a/1",)
    assert steps(made, TRANSIENT, TRANSIENT) == [("b/1", "first"), ("c/1", "fallback")]


def test_a_dear_first_one_that_is_out_leaves_the_others_in():
    made = standing_plan(
        C1, A1, B1, costs=[1000, 1, 400], standing=Standing(out("c/1")), max_price_ratio=5
    )
    assert made.over_price == ()


def test_a_call_that_was_not_made_leaves_the_next_one_first():
    made = plan(A1, B1, attempts=1)
    step = made.next()
    made.taken_back(step)
    step = made.next()
    assert (step.target.id, step.role) == ("b/1", "first")
    made.queued(step, TargetError(ErrorKind.OVERLOADED, "full", code="bulkhead"))
    step = made.next()
    assert (step.target.id, step.role, step.free) == ("b/1", "repeat", True)
    assert made.next() is None


def test_repeats_count_the_failures_at_one_target():
    made, found = plan(A1, B1, attempts=6), []
    while step := made.next():
        found.append((step.target.id, step.repeats))
        made.failed(step, TargetError(TRANSIENT, "x"))
    assert found == [(name, count) for count in (0, 1, 2) for name in ("a/1", "b/1")]


def test_a_refusal_is_final_or_goes_on_as_the_policy_says():
    assert walk(plan(A1, B1), ErrorKind.POLICY) == ["a/1"]
    on = plan(A1, B1, on_refusal="next", attempts=9)
    assert walk(on, ErrorKind.POLICY, ErrorKind.POLICY) == ["a/1", "b/1"]


def test_a_providers_own_word_decides_on_repeats():
    for word, asked in ((False, ["a/1"]), (True, ["a/1", "a/1"])):
        made, found = plan(A1, attempts=2), []
        while step := made.next():
            found.append(step.target.id)
            error = TargetError(TRANSIENT if not word else ErrorKind.CAPABILITY, "x")
            error.repeatable = word
            made.failed(step, error)
        assert found == asked


def test_calls_beside_count_as_attempts_and_must_be_able():
    made = plan(A1, A2, B1, attempts=2)
    made.next()
    assert made.other("hedge", able="vision") is None
    other = plan(A1, A2, B1, attempts=2)
    other.next()
    assert other.other("hedge").target.id == "a/2"
    assert other.other("hedge") is None
    assert other.next() is None


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.randoms(use_true_random=False))
def test_whatever_happens_attempts_are_never_exceeded_and_it_ends(rng):
    attempts = rng.randint(1, 7)
    names = [f"{owner}/{number}" for owner in "abc" for number in (1, 2)]
    fleet = [
        target(n, provider=provider(n[0]), context_window=rng.choice((8000, 16000)))
        for n in rng.sample(names, rng.randint(1, 6))
    ]
    down = [t.id for t in fleet if rng.random() < 0.3]
    made = standing_plan(
        *fleet,
        standing=Standing(out(*down, kind=rng.choice(("circuit", "limit")))),
        attempts=attempts,
        on_limit=rng.choice(("spill", "wait")),
        on_refusal=rng.choice(("return", "next")),
    )
    calls, given_back = 0, 0
    while step := (made.next() if rng.random() < 0.8 else made.other("hedge")):
        calls += 1
        fate = rng.random()
        error = TargetError(rng.choice(list(ErrorKind)), "x")
        if fate < 0.1:
            made.taken_back(step)
        elif fate < 0.2 and given_back < 20:
            made.queued(step, TargetError(ErrorKind.OVERLOADED, "x", code="bulkhead"))
        else:
            made.failed(step, error)
            assert step.repeats == 0 or step.role == "repeat"
            continue
        calls -= 1
        given_back += 1
    assert calls <= attempts
