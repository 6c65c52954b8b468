"""Who is out of service, for how long, and what changes it."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Limits
from llmroute.dispatch.health.health import Admission, Health
from llmroute.errors import ErrorKind, TargetError
from llmroute.policy.scoring.standing import IN_SERVICE
from tests.build import provider, target

WALL = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
A, B = provider("a"), provider("b")
A1, A2, B1 = target("a/1", provider=A), target("a/2", provider=A), target("b/1", provider=B)
ALL = (A1, A2, B1)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    return Health(clock, lambda: WALL, Random(1))


def error(kind=ErrorKind.TRANSIENT, **fields):
    return TargetError(kind, "x", **fields)


REFUSED = error(ErrorKind.UNAVAILABLE, code="connection_refused")


def trip(health, target):
    """Five calls in a row fail: the circuit of that target alone opens."""
    for _ in range(5):
        assert health.failed(target, error(), Admission()) is False


def test_everybody_is_in_service_at_first(health):
    assert health.standing(ALL) is IN_SERVICE
    assert health.admit(A1) == Admission()


def test_an_open_circuit_is_out_until_its_time(health, clock):
    trip(health, A1)
    (outage,) = health.standing(ALL).out.values()
    assert list(health.standing(ALL).out) == ["a/1"]
    assert outage.kind == "circuit"
    assert 1002.5 <= outage.until <= 1005.0
    assert "its circuit is open until 10:00:0" in outage.reason
    assert health.admit(A1) == outage
    assert health.admit(A1, insist=True) == Admission()
    assert health.admit(A2) == Admission()
    clock.now = 1005.0
    assert health.standing(ALL) is IN_SERVICE


def test_where_nobody_listens_all_of_a_provider_is_out_and_one_call_probes(health, clock):
    assert health.failed(A1, REFUSED, Admission()) is False
    assert set(health.standing(ALL).out) == {"a/1", "a/2"}
    assert isinstance(health.admit(A2), Problem)
    assert health.admit(A2, insist=True) == Admission()
    assert health.admit(B1) == Admission()
    clock.now = 1005.0
    probe = health.admit(A2)
    assert probe == Admission(probe=True)
    assert set(health.standing(ALL).out) == {"a/1", "a/2"}
    health.failed(A2, error(status=500), probe)  # somebody is there again, though unwell
    assert health.standing(ALL).ramping == {"a/1": 0.1, "a/2": 0.1}


def test_one_call_at_a_time_probes_and_a_lost_one_is_given_up(health, clock):
    trip(health, A1)
    clock.now = 1006.0
    assert health.admit(A1) == Admission(probe=True)
    assert isinstance(health.admit(A1), Problem)
    assert set(health.standing(ALL).out) == {"a/1"}
    clock.now = 1126.0
    assert health.standing(ALL) is IN_SERVICE
    assert health.admit(A1) == Admission(probe=True)


def test_a_good_probe_brings_a_target_back_step_by_step(health, clock):
    trip(health, A1)
    clock.now = 1010.0
    health.succeeded(A1, health.admit(A1))
    assert health.standing(ALL).ramping == {"a/1": 0.1}
    clock.now = 1040.0
    assert health.standing(ALL).ramping == {"a/1": 0.5}
    clock.now = 1070.0
    assert health.standing(ALL) is IN_SERVICE
    assert not health._troubled


@pytest.mark.parametrize("how", ["passed", "limited"])
def test_a_probe_that_says_nothing_leaves_the_circuit_half_open(how, health, clock):
    trip(health, A1)
    clock.now = 1010.0
    probe = health.admit(A1)
    if how == "passed":
        health.passed(A1, probe)
    else:
        assert health.failed(A1, error(ErrorKind.RATE_LIMIT, retry_after=1.0), probe) is None
    assert health.admit(A1) == Admission(probe=True)


def test_a_429_never_counts_against_a_circuit(health, clock):
    for _ in range(50):
        assert health.failed(A1, error(ErrorKind.RATE_LIMIT), Admission()) is None
    standing = health.standing(ALL)
    # a/1 and a/2 share their provider's limit
    assert {name: outage.kind for name, outage in standing.out.items()} == {
        "a/1": "limit",
        "a/2": "limit",
    }
    # 50 at once are one bare 429: a second
    assert {outage.until for outage in standing.out.values()} == {1001.0}
    clock.now = 1001.0
    assert health.standing(ALL) is IN_SERVICE
    assert health.admit(A1) == Admission()


def test_an_overloaded_server_is_ill_and_left_alone_as_long_as_it_asks(health):
    answer = error(ErrorKind.OVERLOADED, status=503, retry_after=7.0)
    assert health.failed(A1, answer, Admission()) is False
    until, why = health.ready(A2)
    assert (until, why) == (1007.0, "the provider answered 503")


@pytest.mark.parametrize(
    ("kind", "status", "names", "first"),
    [
        (ErrorKind.AUTH, 401, {"a"}, 60),
        (ErrorKind.QUOTA, 402, {"a"}, 300),
        (ErrorKind.MODEL_MISSING, 404, {"a/1"}, 600),
        (ErrorKind.AUTH, 403, {"a/1"}, 600),
    ],
)
def test_what_cannot_be_used_is_left_alone_twice_as_long_each_time(
    kind, status, names, first, health, clock
):
    wait = first
    for _ in range(8):
        assert health.failed(A1, error(kind, status=status), Admission()) is None
        assert set(health.standing(ALL).problems) == names
        assert isinstance(health.admit(A1), Problem)
        assert health.admit(B1) == Admission()
        clock.now += wait - 0.001
        assert set(health.standing(ALL).problems) == names
        clock.now += 0.001
        assert health.standing(ALL).problems == {}
        wait = min(wait * 2, 3600)
    health.succeeded(A1, Admission())
    health.failed(A1, error(kind, status=status), Admission())
    clock.now += first
    assert health.standing(ALL).problems == {}


def test_calls_that_were_refused_together_count_as_one(health, clock):
    for _ in range(10):
        health.failed(A1, error(ErrorKind.AUTH, status=401), Admission())
    clock.now += 60
    assert health.standing(ALL).problems == {}


def test_the_same_object_is_returned_until_something_changes(health, clock):
    trip(health, A1)
    first = health.standing(ALL)
    assert health.standing(ALL) is first
    health.failed(B1, error(), Admission())  # one failure opens nothing
    assert health.standing(ALL) is first
    trip(health, B1)
    assert set(health.standing(ALL).out) == {"a/1", "b/1"}


def test_declared_limits_are_kept_and_corrected(health, clock):
    made = target("d/1", provider=provider("d", limits=Limits(tpm=6000)))
    health.began(made, 6000)
    assert health.standing((made,)).out["d/1"].kind == "limit"
    assert health.headroom(made) == 0.0
    health.succeeded(made, Admission(), unused_tokens=3000)
    assert health.headroom(made) == 0.5
    assert health.ready(made)[0] == clock.now
    assert health.standing((made,)) is IN_SERVICE


def test_a_call_that_needed_more_than_was_left_keeps_the_next_ones_waiting(health):
    made = target("d/1", provider=provider("d", limits=Limits(tpm=6000)))
    health.began(made, 1000)
    health.succeeded(made, Admission(), unused_tokens=-6000)
    assert set(health.standing((made,)).out) == {"d/1"}


def test_odd_headers_break_nothing(health):
    names = ("limit", "remaining", "reset")
    for date in ("Fri, 27 Nov 2026 10:00:00 -0000", "x"):
        headers = {f"anthropic-ratelimit-tokens-{name}": "2026-11-27T10:00:00Z" for name in names}
        health.announced(A1, {**headers, "date": date})
    assert health.headroom(A1) == 1.0


def test_headroom_is_read_with_nobody_writing_meanwhile(health, monkeypatch):
    """A map of quotas that grows while it is gone through would raise, now and then."""
    held = []
    limits = health._limits
    monkeypatch.setattr(limits, "headroom", lambda *_: held.append(health._lock.locked()) or 0.5)
    assert health.headroom(A1) == 0.5
    assert held == [True]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ErrorKind.UNAVAILABLE, {"code": "connection_refused"}),
        (ErrorKind.RATE_LIMIT, {}),
        (ErrorKind.AUTH, {"status": 401}),
    ],
)
def test_weeks_of_failures_overflow_nothing(health, clock, kind, fields):
    """Pauses are doubled up to a longest one, however often that is."""
    for _ in range(1100):
        health.failed(A1, error(kind, **fields), health.admit(A1))
        clock.now += 4000.0
    assert health.standing(ALL) is IN_SERVICE
    health.failed(A1, error(kind, **fields), health.admit(A1))
    found = health.standing(ALL)
    assert found.out or found.problems


@pytest.mark.parametrize("kind", ErrorKind)
def test_calls_of_before_a_reload_say_nothing_of_who_is_called_since(health, kind):
    """A server moved, or a key was exchanged; calls to the old one are still under way."""
    admissions = [health.admit(A1) for _ in range(8)]
    health.forget({"a", "a/1", "a/2"})
    for admission in admissions:
        assert health.failed(A1, error(kind, code="connection_refused"), admission) is None
    assert health.standing(ALL) is IN_SERVICE
    assert health.failed(A1, REFUSED, health.admit(A1)) is False
    assert set(health.standing(ALL).out) == {"a/1", "a/2"}


def test_an_old_answer_brings_nobody_back_and_an_old_probe_decides_nothing(health, clock):
    old = health.admit(A1)
    health.failed(A1, REFUSED, health.admit(A1))
    clock.now += 5.0
    probe = health.admit(A1)
    health.forget({"a", "a/1"})
    health.failed(A1, error(ErrorKind.AUTH, status=401), health.admit(A1))
    for admission in (old, probe):
        health.succeeded(A1, admission)
        health.passed(A1, admission)
    assert set(health.standing(ALL).problems) == {"a"}


def test_a_rate_limit_of_the_old_endpoint_is_forgotten(health):
    health.failed(A1, error(ErrorKind.RATE_LIMIT, retry_after=60.0), Admission())
    assert set(health.standing(ALL).out) == {"a/1", "a/2"}
    health.forget({"a", "a/1", "a/2"})
    assert health.standing(ALL) is IN_SERVICE
    assert health.headroom(A1) == 1.0
