"""What the headers of OpenAI and Anthropic say of their limits, as WIRE.md's examples have them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.dispatch.health.quotas import quotas

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)


def openai(limit="100", remaining="25", reset="1s", what="requests"):
    names = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{name}-{what}": value for name, value in names.items() if value}


def anthropic(limit="100", remaining="25", reset="2026-11-27T10:00:30Z", **more):
    names = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"anthropic-ratelimit-input-tokens-{k}": v for k, v in names.items() if v} | more


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("8.64s", 8.64),
        ("120ms", 0.12),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("0s", 0),
        ("7", 7),
        ("1µs", 1e-6),
        ("48h", 86_400),  # further off says nothing of the next requests
    ],
)
def test_openais_resets_are_go_durations(reset, seconds):
    (quota,) = quotas(openai(reset=reset), NOW)
    assert (quota.name, quota.free) == ("requests", 0.25)
    assert quota.reset == pytest.approx(seconds)


@pytest.mark.parametrize("reset", ["", "soon", "-1s", "1s2", "s", "nan", "inf", "1d"])
def test_a_reset_that_is_no_duration_says_nothing(reset):
    assert quotas(openai(reset=reset), NOW) == ()


@pytest.mark.parametrize(
    ("limit", "remaining"),
    [("-1", "-1"), ("0", "0"), ("100", "-1"), ("x", "1"), ("100", ""), ("nan", "1")],
)
def test_a_limit_of_minus_one_is_unknown(limit, remaining):
    assert quotas(openai(limit, remaining), NOW) == ()


def test_more_left_than_the_limit_is_all_of_it():
    assert quotas(openai("100", "150"), NOW)[0].free == 1.0


def test_anthropics_resets_count_from_the_answers_own_date():
    """Our clock is an hour off: the server's says that 20 seconds are left."""
    headers = anthropic(date="Fri, 27 Nov 2026 10:00:10 GMT")
    (quota,) = quotas(headers, datetime(2026, 11, 27, 11, 0, tzinfo=UTC))
    assert (quota.free, quota.reset) == (0.25, 20.0)


def test_without_a_date_ours_stands_in():
    assert quotas(anthropic(), NOW)[0].reset == 30.0


def test_a_reset_in_the_past_is_now():
    assert quotas(anthropic(reset="2026-11-27T09:00:00Z"), NOW)[0].reset == 0.0


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 27 Nov 2026 10:00:00 -0000",  # read as a time without a zone
        "Fri, 27 Nov 2026 10:00:00 +99999999999999",
        "Fri, 27 Nov 99999999999 10:00:00 GMT",
        "yesterday",
        "",
    ],
)
def test_an_odd_date_says_nothing_and_breaks_nothing(date):
    assert quotas(anthropic(date=date), NOW) == ()


@pytest.mark.parametrize("reset", ["2026-11-27T10:00:30", "30", "soon", ""])
def test_a_time_without_a_zone_says_nothing(reset):
    assert quotas(anthropic(reset=reset), NOW) == ()


def test_several_limits_are_told_apart():
    headers = {**openai(), **openai("1000", "100", what="tokens"), **anthropic()}
    found = {quota.name: quota.free for quota in quotas(headers, NOW)}
    assert found == {
        "requests": 0.25,
        "tokens": 0.1,
        "anthropic-ratelimit-input-tokens": 0.25,
    }


TEXTS = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"\A-?[0-9]{0,400}\.?[0-9]*(h|m|s|ms)?\Z"),
    st.from_regex(r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9]{2}:00:00([+-][0-9]{2}:[0-9]{2}|Z)\Z"),
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_whatever_a_server_writes_is_a_quota_or_nothing(limit, remaining, reset, date):
    headers = {**openai(limit, remaining, reset), **anthropic(limit, remaining, reset, date=date)}
    for quota in quotas(headers, NOW):
        assert 0.0 <= quota.free <= 1.0
        assert 0.0 <= quota.reset <= 86_400.0
