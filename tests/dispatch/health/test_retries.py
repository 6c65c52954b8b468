"""The retry budget: what repeats cost, and what a clean success earns."""

from __future__ import annotations

import pytest

from llmroute.dispatch.health.retries import RetryBudget
from llmroute.errors import ErrorKind, TargetError


def error(kind=ErrorKind.TRANSIENT):
    return TargetError(kind, "x")


@pytest.mark.parametrize(
    ("kind", "repeats"),
    [
        (ErrorKind.TRANSIENT, 35),  # 35 × 14 = 490
        (ErrorKind.TIMEOUT, 35),
        (ErrorKind.UNAVAILABLE, 35),
        (ErrorKind.RATE_LIMIT, 100),  # 100 × 5 = 500
        (ErrorKind.OVERLOADED, 100),
    ],
)
def test_a_bucket_of_500_pays_so_many_repeats(kind, repeats):
    budget = RetryBudget()
    made = [budget.spend("a", error(kind)) for _ in range(repeats + 2)]
    assert made == [True] * repeats + [False] * 2


def test_a_call_that_never_left_is_repeated_for_free():
    budget = RetryBudget()
    assert all(budget.spend("a", error(), free=True) for _ in range(1000))
    assert budget.left("a") == 500


def test_a_drained_bucket_is_drained_there_only():
    budget = RetryBudget()
    while budget.spend("a", error()):
        pass
    assert budget.left("a") == 500 - 35 * 14
    assert budget.spend("b", error())


def test_each_clean_success_gives_one_back():
    budget = RetryBudget()
    while budget.spend("a", error()):
        pass
    for _ in range(3):
        budget.earn("a")
    assert not budget.spend("a", error())  # 10 + 3
    budget.earn("a")
    assert budget.spend("a", error())
    assert budget.left("a") == 0


def test_it_never_holds_more_than_500():
    budget = RetryBudget()
    budget.spend("a", error(ErrorKind.RATE_LIMIT))
    for _ in range(50):
        budget.earn("a")
        budget.earn("b")
    assert (budget.left("a"), budget.left("b")) == (500, 500)
    assert not budget._spent
