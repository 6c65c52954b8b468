"""Which target is asked next after each kind of failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmroute.catalog.cost import Price, Rates
from llmroute.dispatch.plan import Plan
from llmroute.errors import ErrorKind, TargetError
from llmroute.policy import Policy, policy_source
from tests.build import provider, target

A, B = provider("a"), provider("b")
A1 = target("a/1", provider=A, context_window=8000)
A2 = target("a/2", provider=A, context_window=8000)
B1 = target("b/1", provider=B, context_window=32000)


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


def test_an_unknown_price_is_over_any_ratio():
    assert plan(A1, B1, costs=[100, None], max_price_ratio=5).over_price == ("b/1",)


def test_a_step_knows_whether_another_target_is_left():
    made = plan(A1, B1, attempts=2)
    first, second = made.next(), made.next()
    assert first is not None
    assert second is not None
    assert (first.more, second.more) == (True, False)
