"""Budgets: what counts against one, and where its days and months begin and end."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from llmroute.ledger.budgets import Budget, budgets_of

VIENNA = ZoneInfo("Europe/Vienna")
HAVANA = ZoneInfo("America/Havana")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_amounts_are_nano_dollars_exactly():
    team, tiny = budgets_of(
        [
            {"name": "team", "period": "month", "amount": 200, "hard": True},
            {"name": "tiny", "period": "day", "amount": 0.1},
        ]
    )
    assert (team.amount, team.hard) == (200_000_000_000, True)
    assert (tiny.amount, tiny.hard) == (100_000_000, False)


@pytest.mark.parametrize(
    ("scope", "matches"),
    [
        ({}, True),
        ({"tag": "b"}, True),
        ({"tag": "c"}, False),
        ({"provider": "acme"}, True),
        ({"provider": "acme/m"}, False),
        ({"target": "acme/m"}, True),
        ({"caller": "alice"}, True),
        ({"caller": "bob"}, False),
        ({"policy": "cheapest"}, True),
        ({"tag": "a", "provider": "acme", "caller": "alice"}, True),
        ({"tag": "a", "provider": "other"}, False),
    ],
)
def test_all_keys_of_a_scope_must_hold(scope, matches):
    budget = Budget.of({"name": "x", "period": "day", "amount": 1, "scope": scope})
    assert budget.matches("acme", "acme/m", ("a", "b"), "alice", "cheapest") is matches


def test_a_caller_s_budget_is_not_that_of_nobody():
    budget = Budget.of({"name": "x", "period": "day", "amount": 1, "scope": {"caller": "alice"}})
    assert not budget.matches("acme", "acme/m", (), None, "balanced")


@pytest.mark.parametrize(
    ("kind", "zone", "moment", "key", "end"),
    [
        ("day", UTC, "2026-11-29T23:59:59+00:00", "2026-11-29", "2026-11-30T00:00:00+00:00"),
        ("month", UTC, "2026-12-31T23:59:59+00:00", "2026-12", "2027-01-01T00:00:00+00:00"),
        ("month", UTC, "2028-02-29T12:00:00+00:00", "2028-02", "2028-03-01T00:00:00+00:00"),
        # Vienna is an hour ahead in winter: its day begins an hour before that of UTC.
        ("day", VIENNA, "2026-11-29T23:30:00+00:00", "2026-11-30", "2026-12-01T00:00:00+01:00"),
        ("month", VIENNA, "2026-11-30T23:30:00+00:00", "2026-12", "2027-01-01T00:00:00+01:00"),
        # Clocks go forward on 2026-03-29 and back on 2026-10-25.
        ("day", VIENNA, "2026-03-29T12:00:00+02:00", "2026-03-29", "2026-03-30T00:00:00+02:00"),
        ("day", VIENNA, "2026-10-25T12:00:00+01:00", "2026-10-25", "2026-10-26T00:00:00+01:00"),
    ],
)
def test_a_period_is_one_of_the_zone_s_calendar(kind, zone, moment, key, end):
    period = Budget("x", kind, 1).period_at(at(moment), zone)
    assert (period.key, period.end) == (key, at(end))


@pytest.mark.parametrize(
    ("moment", "hours"),
    [("2026-03-29T12:00:00+02:00", 23), ("2026-10-25T12:00:00+01:00", 25)],
)
def test_days_on_which_clocks_change_are_shorter_or_longer(moment, hours):
    period = Budget("x", "day", 1).period_at(at(moment), VIENNA)
    assert period.end - period.start == hours * 3600


def test_a_day_whose_midnight_does_not_exist_begins_with_the_change():
    # Cuba's clocks went from 0:00 to 1:00 on 2026-03-08.
    budget = Budget("x", "day", 1)
    before = budget.period_at(at("2026-03-07T12:00:00-05:00"), HAVANA)
    after = budget.period_at(at("2026-03-08T12:00:00-04:00"), HAVANA)
    assert before.end == after.start == at("2026-03-08T05:00:00+00:00")
    assert after.end - after.start == 23 * 3600


def test_a_period_ends_where_the_next_begins():
    budget = Budget("x", "day", 1)
    moment = at("2026-01-01T12:00:00+01:00")
    for _ in range(366):
        period = budget.period_at(moment, VIENNA)
        following = budget.period_at(period.end, VIENNA)
        assert following.start == period.end
        assert period.key < following.key
        moment = period.end


def test_zones_do_not_mix():
    budget = Budget("x", "day", 1)
    moment = at("2026-11-29T23:30:00+00:00")
    assert budget.period_at(moment, UTC).key == "2026-11-29"
    assert budget.period_at(moment, VIENNA).key == "2026-11-30"
    assert budget.charge(moment, UTC).key == ("x", "2026-11-29")
