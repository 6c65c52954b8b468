"""Live values: priors, decay and memory, on a clock that the test owns."""

from __future__ import annotations

import sys
from threading import Event, Thread

import pytest

from llmroute.catalog import Limits
from llmroute.dispatch.live import LiveState
from llmroute.types import Request
from tests.build import provider, target

CLOUD = target("a/cloud")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def live(clock):
    return LiveState(clock, learn=True)


def call(live, **ended):
    live.started(CLOUD)
    live.ended(CLOUD, **{"healthy": True, **ended})


def test_a_newcomer_has_its_priors(live):
    facts = live.of(CLOUD)
    assert (facts.first_token, facts.tokens_per_second, facts.success) == (1.0, 60.0, 0.98)
    assert not facts.measured


def test_a_prior_counts_as_five_observations(live):
    call(live, first_token=7.0)
    # (5 × 1.0 + 7.0) / 6
    assert live.of(CLOUD).first_token == pytest.approx(2.0)
    assert live.of(CLOUD).measured


def test_an_observation_counts_half_after_ten_minutes(live, clock):
    call(live, first_token=7.0)
    clock.now += 600
    # (5 × 1.0 + 0.5 × 7.0) / 5.5
    assert live.of(CLOUD).first_token == pytest.approx(8.5 / 5.5)
    clock.now += 600 * 20
    assert live.of(CLOUD).first_token == pytest.approx(1.0, abs=1e-4)


def test_one_slow_model_load_is_forgiven_within_minutes(live, clock):
    for _ in range(5):
        call(live, first_token=1.0)
    call(live, first_token=25.0)
    # the mean is 1 s, so that 25 s count as 8: (5 × 1 + 5 × 1 + 8) / 11
    assert live.of(CLOUD).first_token == pytest.approx(18 / 11)
    clock.now += 30 * 60
    # six observations, each counting 1/8: (5 + 13/8) / (5 + 6/8)
    assert live.of(CLOUD).first_token == pytest.approx(6.625 / 5.75)


def test_what_stays_slow_is_known_to_be_slow(live):
    for _ in range(6):
        call(live, first_token=25.0)
    # 8, then 8 × 13/6 = 17.33, then all of it: (5 + 8 + 17.333 + 4 × 25) / 11
    assert live.of(CLOUD).first_token == pytest.approx((5 + 8 + 104 / 6 + 100) / 11)


def test_failures_lower_the_success_share(live):
    for _ in range(5):
        call(live, healthy=False)
    # (5 × 0.98 + 0) / 10
    assert live.of(CLOUD).success == pytest.approx(0.49)


def test_what_says_nothing_of_health_changes_nothing(live):
    call(live, healthy=None)
    assert live.of(CLOUD).success == pytest.approx(0.98)
    assert not live.of(CLOUD).measured


def test_headroom_is_the_free_share_of_the_declared_concurrency(live):
    narrow = target("a/narrow", limits={"concurrency": 4})
    live.started(narrow)
    assert (live.of(narrow).in_flight, live.of(narrow).headroom) == (1, 0.75)
    live.ended(narrow, healthy=True)
    assert live.of(narrow).headroom == 1.0


def test_targets_that_share_a_limit_share_its_headroom(live):
    owner = provider("a", limits=Limits(concurrency=4))
    one, two = target("a/1", provider=owner), target("a/2", provider=owner)
    own = target("a/3", provider=owner, limits={"concurrency": 2})
    live.started(one)
    assert [live.of(t).headroom for t in (one, two, own)] == [0.75, 0.75, 1.0]


def test_load_is_the_latency_peak_times_the_calls_in_flight(live, clock):
    call(live, first_token=11.0)
    live.started(CLOUD)
    assert live.load(CLOUD) == pytest.approx(22.0)
    clock.now += 100
    # the peak has faded (11 × e⁻¹⁰); the mean speaks: one observation, prior 1 s
    assert live.load(CLOUD) < 6


def test_a_conversation_stays_known_for_five_minutes(live, clock):
    opening = {"role": "user", "content": "hello"}
    first = Request.of([opening])
    later = Request.of([opening, {"role": "assistant", "content": "hi"}, {**opening}])
    other = Request.of("something else")
    live.served(first, CLOUD)
    assert live.affinity(later) == "a/cloud"
    assert live.affinity(other) is None
    assert live.affinity(Request.of([opening], user="another")) is None
    clock.now += 301
    assert live.affinity(later) is None


def test_what_each_target_cached_of_a_conversation_is_known_for_five_minutes(live, clock):
    opening = {"role": "user", "content": "hello"}
    first = Request.of([opening])
    later = Request.of([opening, {"role": "assistant", "content": "hi"}, {**opening}])
    other = target("b/other")
    live.served(first, CLOUD, 1_200)
    clock.now += 200
    live.served(later, other, 1_500)
    assert live.cached(later) == {"a/cloud": 1_200, "b/other": 1_500}
    assert live.cached(Request.of([opening], user="another")) == {}
    assert live.affinity(later) == "b/other"
    clock.now += 101
    assert live.cached(later) == {"b/other": 1_500}
    live.served(later, CLOUD)
    assert live.cached(later) == {"b/other": 1_500}, "it cached nothing"
    assert live.affinity(later) == "a/cloud"


def test_a_conversation_is_never_out_of_sight_while_it_is_written(live):
    request, stop = Request.of("hello"), Event()
    live.served(request, CLOUD, 500)

    def write():
        while not stop.is_set():
            live.served(request, CLOUD, 500)

    before, writer = sys.getswitchinterval(), Thread(target=write)
    sys.setswitchinterval(1e-5)
    writer.start()
    try:
        seen = {(live.affinity(request), *live.cached(request)) for _ in range(2_000)}
    finally:
        stop.set()
        writer.join()
        sys.setswitchinterval(before)
    assert seen == {("a/cloud", "a/cloud")}


def test_no_cache_is_counted_on_unasked(clock):
    live = LiveState(clock)
    live.served(Request.of("hello"), CLOUD, 1_200)
    assert live.cached(Request.of("hello")) == {}
    assert live.affinity(Request.of("hello")) == "a/cloud"


# Corrections of token counts


def factor(live):
    return live.of(CLOUD).token_factor


def test_a_correction_follows_the_median_of_what_was_counted(live):
    for _ in range(4):
        live.counted(CLOUD, 1000, 1300)
        assert factor(live) == 1.0, "five ratios of 1 stand against it"
    live.counted(CLOUD, 1000, 1300)
    assert factor(live) == 1.3125  # 1.3 in sixteenths


def test_nothing_is_learned_unasked(clock):
    live = LiveState(clock)
    for _ in range(40):
        live.counted(CLOUD, 1000, 1300)
    assert factor(live) == 1.0


def test_a_few_outliers_do_nothing(live):
    for ratio in (2.4, 1.02, 2.0, 0.98, 0.5, 1.01):
        live.counted(CLOUD, 1000, round(1000 * ratio))
    assert factor(live) == 1.0


@pytest.mark.parametrize(("estimated", "counted"), [(199, 398), (1000, 2600), (1000, 390), (0, 9)])
def test_small_prompts_and_wild_counts_say_nothing(live, estimated, counted):
    for _ in range(40):
        live.counted(CLOUD, estimated, counted)
    assert factor(live) == 1.0


@pytest.mark.parametrize(("ratio", "most"), [(2.5, 2.0), (0.4, 0.5)])
def test_a_correction_stays_within_its_limits(live, ratio, most):
    for _ in range(40):
        live.counted(CLOUD, 1000, round(1000 * ratio))
    assert factor(live) == most


def test_small_changes_of_the_median_change_nothing(live):
    for _ in range(32):
        live.counted(CLOUD, 1000, 1125)
    version = live.version
    for ratio in (1.09, 1.16, 1.1, 1.15) * 10:
        live.counted(CLOUD, 10_000, round(10_000 * ratio))
    assert (factor(live), live.version) == (1.125, version)


def test_a_new_correction_is_a_change_and_outlasts_the_decay(live, clock):
    for _ in range(6):
        version = live.version
        live.counted(CLOUD, 1000, 800)
    assert live.changed(version) == {"a/cloud"}
    clock.now += 600 * 100
    assert factor(live) == 0.8125


def test_a_used_up_limit_shows_at_everybody_who_shares_it(clock):
    """At the next step of the clock: nobody was called there, and yet its headroom is another."""
    owner, free = provider("a"), {"share": 1.0}
    first, second = target("a/1", provider=owner), target("a/2", provider=owner)
    live = LiveState(clock, quota=lambda _made: free["share"])
    other = LiveState(clock)
    for made in (first, second):
        assert live.of(made).headroom == 1.0
        other.of(made)
    for share in (0.25, 1.0):
        seen, free["share"] = live.version, share
        clock.now += 5.0
        assert live.version > seen
        assert {"a/1", "a/2"} <= set(live.changed(seen))
        assert live.of(second).headroom == share
    seen = live.version
    clock.now += 5.0
    assert live.version == seen, "what is free and was free is no change"
    assert other.version == 0


def test_a_target_that_is_first_read_while_a_step_is_taken_breaks_nothing():
    """As when a server has just listed new models, and several threads decide at once."""
    owner = provider("a")
    live = LiveState(lambda: 0.0, quota=lambda _target: 0.5)
    for number in range(2):
        live.of(target(f"a/{number}", provider=owner))
    step = live._limited()
    seen = [next(step)]
    live.of(target("a/new", provider=owner))
    assert {*seen, *step} == {"a/0", "a/1"}
