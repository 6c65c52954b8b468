"""Rate limits: what a 429 says, what was declared, what headers announce."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmroute.catalog.model import Limits as Declared
from llmroute.dispatch.health.limits import Limits
from tests.build import provider, target

WALL = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
A1, A2 = (target(f"a/{i}", provider=provider("a")) for i in (1, 2))
POOLED = [target(f"p/{i}", provider=provider("p"), limits={"pool": "x"}) for i in (1, 2)]
OTHER = target("p/3", provider=provider("p"), limits={"pool": "y"})


def declared(**limits):
    return target("d/1", provider=provider("d", limits=Declared(**limits)))


@pytest.fixture
def limits():
    return Limits()


def until(limits, made, now=0.0):
    return limits.ready(made.limit_scope, now)[0]


def test_a_told_time_is_kept(limits):
    assert limits.limited(A1, 7.5, 100.0) == 107.5
    assert limits.ready("a", 100.0) == (107.5, "the provider answered 429")
    assert until(limits, A1, 107.5) == 107.5


def test_a_shorter_time_does_not_shorten_a_longer_one(limits):
    limits.limited(A1, 30.0, 100.0)
    assert limits.limited(A1, 1.0, 101.0) == 130.0


def test_a_bare_429_waits_from_one_second_to_a_minute(limits):
    now, waits = 0.0, []
    for _ in range(8):
        then = limits.limited(A1, None, now)
        waits.append(then - now)
        now = then
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert limits.ready("a", now - 1)[1] == "the provider answered 429, with no time"


def test_calls_that_were_under_way_together_wait_no_longer_than_one(limits):
    for _ in range(10):
        assert limits.limited(A1, None, 100.0) == 101.0


def test_an_answer_begins_the_waits_anew(limits):
    limits.limited(A1, None, 0.0)
    limits.limited(A1, None, 1.0)
    limits.served(A1)
    assert limits.limited(A1, None, 10.0) == 11.0


def test_a_wait_of_more_than_a_day_is_a_mistake(limits):
    assert limits.limited(A1, 1e9, 0.0) == 1.0


def test_a_pool_is_shared_by_its_models_and_by_nobody_else(limits):
    limits.limited(POOLED[0], 10.0, 0.0)
    assert [until(limits, made) for made in (*POOLED, OTHER, A1)] == [10, 10, 0, 0]


def test_models_without_a_pool_share_their_providers_limit(limits):
    limits.limited(A1, 10.0, 0.0)
    assert until(limits, A2) == 10.0


def test_declared_requests_refill_steadily(limits):
    made = declared(rpm=60)
    for _ in range(60):
        assert until(limits, made) == 0.0
        limits.take(made, 0, 0.0)
    # the bucket of 60 is empty; one comes back each second
    assert limits.ready("d", 0.0) == (1.0, "60 rpm are used up")
    assert until(limits, made, 0.5) == pytest.approx(1.0)
    assert until(limits, made, 1.0) == 1.0
    limits.take(made, 0, 1.0)
    assert until(limits, made, 1.0) == pytest.approx(2.0)


def test_a_bucket_never_holds_more_than_a_minute(limits):
    made = declared(rpm=2)
    limits.take(made, 0, 0.0)
    for _ in range(2):
        assert until(limits, made, 10_000.0) == 10_000.0
        limits.take(made, 0, 10_000.0)
    assert until(limits, made, 10_000.0) == 10_030.0


def test_declared_tokens_are_corrected_by_what_was_used(limits):
    made = declared(tpm=6000)
    limits.take(made, 9000, 0.0)
    # 3000 too many, at 100 a second; then one more
    assert until(limits, made) == pytest.approx(30.01)
    limits.give_back(made, 2999, 0.0)
    assert until(limits, made) == pytest.approx(0.02)
    limits.give_back(made, 10_000, 0.0)
    assert until(limits, made) == 0.0
    assert limits.headroom(made, 0.0) == 1.0
    limits.give_back(made, -6100, 0.0)  # it needed more than expected
    assert until(limits, made) == pytest.approx(1.01)


def test_a_debt_is_paid_within_a_minute(limits):
    """What was used is out of the provider's own window by then, whatever was reported."""
    made = declared(tpm=6000)
    limits.take(made, 10**30, 0.0)
    assert until(limits, made) == pytest.approx(60.01)
    limits.give_back(made, -(10**30), 0.0)
    assert until(limits, made) == pytest.approx(60.01)


def test_large_limits_are_told_in_full(limits):
    made = declared(tpm=2_000_000)
    limits.take(made, 3_000_000, 0.0)
    assert limits.ready("d", 0.0)[1] == "2000000 tpm are used up"


def test_looking_at_what_is_left_changes_nothing(limits):
    """Two targets of one pool declare other sizes: what was taken counts in both."""
    small, large = declared(rpm=2), declared(rpm=60)
    limits.take(small, 0, 0.0)
    assert [limits.left(made, 0.0).requests for made in (small, large, small)] == [1, 59, 1]
    limits.take(small, 0, 0.0)
    assert limits.left(large, 0.0).requests == 58
    assert limits.ready("d", 0.0) == (30.0, "2 rpm are used up")


def announce(limits, made, remaining, reset="60s", what="requests", now=0.0):
    names = {"limit": "100", "remaining": remaining, "reset": reset}
    headers = {f"x-ratelimit-{name}-{what}": value for name, value in names.items()}
    limits.announced(made, headers, now, WALL)


def test_announced_quotas_lower_the_headroom_and_never_block(limits):
    announce(limits, A1, "0")
    assert until(limits, A1) == 0.0
    # it grows evenly until its reset
    assert [limits.headroom(A2, now) for now in (0, 15, 30, 60, 99)] == [0, 0.25, 0.5, 1, 1]


def test_the_tightest_quota_counts(limits):
    announce(limits, A1, "80")
    announce(limits, A1, "30", what="tokens")
    assert limits.headroom(A1, 0.0) == pytest.approx(0.3)
    announce(limits, A1, "90", what="tokens")
    assert limits.headroom(A1, 0.0) == pytest.approx(0.8)


def test_a_limited_pool_has_no_headroom_until_its_time(limits):
    limits.limited(A1, 5.0, 0.0)
    assert [limits.headroom(A1, now) for now in (0.0, 4.9, 5.0)] == [0, 0, 1]


def test_nothing_known_is_free(limits):
    assert until(limits, A1, 3.0) == 3.0
    assert limits.headroom(A1, 0.0) == 1.0
    limits.served(A1)
    limits.give_back(A1, 5, 0.0)
    assert limits.headroom(A1, 0.0) == 1.0


def test_a_call_that_was_not_made_is_given_back_whole(limits):
    made = declared(rpm=1, tpm=100)
    limits.take(made, 100, 0.0)
    assert until(limits, made) == 60.0
    limits.give_back(made, 100, 0.0, requests=1)
    assert (until(limits, made), limits.headroom(made, 0.0)) == (0.0, 1.0)


def test_another_declared_size_does_not_forget_what_was_taken(limits):
    """Models of one pool that declare two sizes, or a file that was changed."""
    small, large = declared(rpm=10), declared(rpm=20)
    for number in range(10):
        limits.take((small, large)[number % 2], 0, 0.0)
    assert limits.headroom(large, 0.0) == 0.5
    limits.take(small, 0, 0.0)
    # 11 of 10 were taken: the bucket is one short, and refills one in 6 s
    assert until(limits, small) == pytest.approx(12.0)


def test_a_target_that_declares_nothing_gives_nothing_back(limits):
    made = declared(tpm=100)
    limits.take(made, 80, 0.0)
    limits.give_back(target("d/2", provider=provider("d")), 80, 0.0)
    assert limits.headroom(made, 0.0) == pytest.approx(0.2)


def test_what_a_server_announces_is_bounded(limits):
    for number in range(100):
        name = "".join(chr(ord("a") + int(digit)) for digit in f"{number:03}")
        told = {"limit": "10", "remaining": "5", "reset": "60s"}
        headers = {f"x-ratelimit-{key}-{name}": value for key, value in told.items()}
        limits.announced(A1, headers, 0.0, WALL)
    assert len(limits._pools["a"].quotas) == 16
    assert limits.headroom(A1, 0.0) == 0.5
