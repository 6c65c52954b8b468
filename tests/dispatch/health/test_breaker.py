"""The circuit breaker: when it opens, for how long, and how a target comes back."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from llmroute.dispatch.health.breaker import Breaker


class Chance(Random):
    """Gives the lower or the upper end of what may be drawn."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def uniform(self, a: float, b: float) -> float:
        return a + self.share * (b - a)


def breaker(share: float = 1.0) -> Breaker:
    return Breaker(Chance(share))


def fail(made: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        made.failed(now, "x", probe=False)


def good(made: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        made.succeeded(now, probe=False)


def opened(share: float = 1.0) -> Breaker:
    made = breaker(share)
    made.failed(0.0, "nobody listens", probe=False, nobody_listens=True)
    return made


def test_five_failures_in_a_row_open_the_circuit():
    made = breaker()
    good(made, 100)
    fail(made, 4)
    assert made.open_until(0.0) is None
    fail(made, 1)
    assert made.open_until(0.0) == 5.0
    assert made.why == "5 calls in a row failed, the last one: x"


def test_a_success_between_failures_ends_their_row():
    made = breaker()
    good(made, 100)
    for _ in range(5):
        fail(made, 4)
        good(made, 1)
    # 20 of 125 calls failed: 84 % succeeded
    assert made.open_until(0.0) is None


@pytest.mark.parametrize(
    ("succeeded", "failed", "opens"),
    [
        (4, 1, False),  # 80 % of 5
        (3, 2, True),  # 60 % of 5
        (3, 1, False),  # 75 %, of only 4
        (8, 2, False),  # 80 % of 10
        (7, 2, True),  # 77.8 % of 9
        (0, 4, False),  # 0 %, of only 4
    ],
)
def test_fewer_than_80_percent_of_at_least_five_open_it(succeeded, failed, opens):
    made = breaker()
    good(made, succeeded)
    fail(made, failed)
    assert (made.open_until(0.0) is not None) is opens


def test_what_is_older_than_30_seconds_does_not_count():
    made = breaker()
    good(made, 3, now=0.0)
    fail(made, 1, now=31.0)
    fail(made, 1, now=31.0)
    # 2 calls within 30 s; with the older ones it would have been 3 of 5
    assert made.open_until(31.0) is None
    again = breaker()
    good(again, 3, now=1.0)
    fail(again, 2, now=31.0)
    assert again.open_until(31.0) is not None


def test_a_refused_connection_opens_it_at_once():
    assert opened().open_until(0.0) == 5.0


@pytest.mark.parametrize(("share", "part"), [(0.0, 0.5), (1.0, 1.0)])
def test_it_stays_open_twice_as_long_each_time_within_equal_jitter(share, part):
    made, now = opened(share), 0.0
    for most in (5, 10, 20, 40, 80, 160, 300, 300):
        until = made.open_until(now)
        assert until == now + most * part
        now = until
        assert made.begin_probe(now)
        made.failed(now, "x", probe=True)


def test_one_probe_at_a_time_is_let_through():
    made = opened()
    assert not made.begin_probe(4.9)
    assert made.open_until(5.0) is None
    assert made.begin_probe(5.0)
    assert not made.begin_probe(5.0)
    assert made.open_until(6.0) == 125.0


def test_a_lost_probe_is_given_up_after_two_minutes():
    made = opened()
    assert made.begin_probe(5.0)
    assert made.open_until(124.9) == 125.0
    assert made.open_until(125.0) is None
    assert made.begin_probe(125.0)


def test_a_probe_that_says_nothing_makes_way_for_another():
    made = opened()
    assert made.begin_probe(5.0)
    made.passed(probe=True)
    assert made.open_until(6.0) is None


def test_only_a_probe_closes_an_open_circuit():
    made = opened()
    good(made, 50, now=1.0)
    assert made.open_until(1.0) == 5.0
    fail(made, 50, now=2.0)
    assert made.open_until(2.0) == 5.0


def test_after_a_good_probe_the_share_grows_for_a_minute():
    made = opened()
    assert made.begin_probe(10.0)
    made.succeeded(10.0, probe=True)
    # a tenth at least; then a 60th for each second
    shares = [made.share(10.0 + after) for after in (0, 3, 6, 30, 45, 60)]
    assert shares == pytest.approx([0.1, 0.1, 0.1, 0.5, 0.75, 1.0])
    assert made.quiet


def test_failures_from_before_do_not_count_after_a_good_probe():
    made = breaker()
    fail(made, 5)
    assert made.begin_probe(5.0)
    made.succeeded(5.0, probe=True)
    fail(made, 4, now=6.0)
    assert made.open_until(6.0) is None


def test_a_target_that_falls_ill_again_while_it_returns_stays_out_longer():
    made = opened()
    assert made.begin_probe(5.0)
    made.succeeded(5.0, probe=True)
    made.failed(10.0, "x", probe=False, nobody_listens=True)
    assert made.open_until(10.0) == 20.0
    assert made.share(10.0) == 1.0


def test_after_a_whole_minute_it_begins_with_five_seconds_again():
    made = opened()
    assert made.begin_probe(5.0)
    made.succeeded(5.0, probe=True)
    assert made.share(65.0) == 1.0
    made.failed(66.0, "x", probe=False, nobody_listens=True)
    assert made.open_until(66.0) == 71.0


def test_it_says_when_time_alone_changes_it():
    made = opened()
    assert made.next_change(1.0) == 5.0
    assert made.begin_probe(5.0)
    made.succeeded(5.0, probe=True)
    assert made.next_change(7.0) == 8.0
    assert breaker().next_change(0.0) == float("inf")


def test_memory_is_bounded_however_many_calls_there_are():
    made = breaker()
    for now in range(1000):
        good(made, 20, now=float(now))
    assert len(made._counts) <= 31


class AgainstAModel(RuleBasedStateMachine):
    """The breaker against lists of what happened, in whole seconds."""

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed):
        self.breaker, self.now = Breaker(Random(seed)), 1000.0
        self.calls, self.log, self.row, self.openings = [], [], 0, 0
        self.until = self.probe_at = self.returned = None

    def is_open(self):
        probing = self.probe_at is not None and self.now < self.probe_at + 120
        return self.until is not None and (self.now < self.until or probing)

    def open(self):
        most = min(5 * 2**self.openings, 300)
        self.until = self.breaker._until
        assert self.now + most / 2 <= self.until <= self.now + most
        self.openings += 1
        self.probe_at = self.returned = None

    @rule(seconds=st.sampled_from((0, 1, 4, 30, 31, 59, 120, 400)))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def call(self):
        if self.is_open():
            assert not self.breaker.begin_probe(self.now)
            self.calls.append(False)  # somebody insists
            return
        probe = self.breaker.begin_probe(self.now)
        assert probe is (self.until is not None)
        self.probe_at = self.now if probe else self.probe_at
        self.calls.append(probe)

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 99))
    def succeed(self, which):
        probe = self.calls.pop(which % len(self.calls))
        self.breaker.succeeded(self.now, probe=probe)
        self.row = 0
        self.log.append((self.now, True))
        if probe and self.until is not None:
            self.until, self.probe_at, self.returned, self.log = None, None, self.now, []

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 99), refused=st.booleans())
    def fail(self, which, refused):
        probe = self.calls.pop(which % len(self.calls))
        self.breaker.failed(self.now, "x", probe=probe, nobody_listens=refused)
        self.row += 1
        self.log.append((self.now, False))
        recent = [ok for at, ok in self.log if at >= self.now - 30]
        ill = self.row >= 5 or (len(recent) >= 5 and sum(recent) / len(recent) < 0.8)
        if (self.until is None and (refused or ill)) or (self.until is not None and probe):
            self.open()

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 99))
    def leave(self, which):
        probe = self.calls.pop(which % len(self.calls))
        self.breaker.passed(probe=probe)
        if probe:
            self.probe_at = None

    @invariant()
    def agrees(self):
        share = 1.0
        if self.returned is not None:
            share = max((self.now - self.returned) / 60, 0.1)
            if share >= 1:
                self.returned, self.openings, share = None, 0, 1.0
        assert self.breaker.share(self.now) == pytest.approx(share)
        assert (self.breaker.open_until(self.now) is not None) is self.is_open()
        assert self.breaker.quiet is (self.until is None and self.returned is None)
        assert self.breaker.next_change(self.now) > self.now


AgainstAModel.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestAgainstAModel = AgainstAModel.TestCase
