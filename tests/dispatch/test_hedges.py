"""How many requests may be hedged."""

from __future__ import annotations

import pytest

from llmroute.dispatch.hedges import HedgeCount


@pytest.mark.parametrize(("share", "each"), [(0.05, 20), (0.1, 10), (0.5, 2), (1, 1)])
def test_so_many_requests_pay_for_one_hedge(share, each):
    hedges = HedgeCount()
    for _ in range(3):
        for _ in range(each):
            assert not hedges.take()
            hedges.request(share)
        assert hedges.take()


def test_a_quiet_day_pays_for_ten_hedges_at_most():
    hedges = HedgeCount()
    for _ in range(100_000):
        hedges.request(0.05)
    assert [hedges.take() for _ in range(11)] == [True] * 10 + [False]


def test_a_hedge_that_nobody_could_make_is_given_back():
    hedges = HedgeCount()
    hedges.request(1)
    assert hedges.take()
    hedges.give_back()
    assert hedges.take()
    assert not hedges.take()


def test_nothing_is_hedged_without_a_share():
    hedges = HedgeCount()
    for _ in range(1000):
        hedges.request(0)
    assert not hedges.take()
