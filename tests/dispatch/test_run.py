"""A request on its way: what it waits for, what it skips, and that it gives everything back."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from llmroute.catalog.model import Limits
from llmroute.dispatch.health.health import Admission
from llmroute.errors import ErrorKind, NoEligibleTarget, RouteFailed
from tests.build import provider
from tests.dispatch.world import World, error, fails, says, stalls
from tests.loops import run

OVERLOADED, LIMIT = ErrorKind.OVERLOADED, ErrorKind.RATE_LIMIT


def test_a_request_goes_on_until_somebody_answers():
    async def work():
        world = World({"a/1": [fails()], "b/1": [says("hi")]})
        answer = await world.complete()
        assert (answer.text, answer.target) == ("hi", "b/1")
        assert world.outcomes == [("a/1", "first", "transient"), ("b/1", "fallback", "ok")]
        assert world.books.closed == [("ok", "b/1")]
        await world.assert_settled()

    run(work())


def test_every_way_to_fail_gives_everything_back():
    async def work():
        world = World(
            {"a/1": [fails()], "b/1": [fails(ErrorKind.AUTH)], "c/1": [stalls()]},
            attempts=8,
        )
        with pytest.raises(RouteFailed) as caught:
            await world.complete(timeout=20.0)
        assert world.now <= 1020.0 + 1e-6
        assert "the deadline passed" in str(caught.value) or "waited for" in str(caught.value)
        await world.assert_settled()

    run(work())


def test_nobody_eligible_closes_the_books():
    async def work():
        world = World({"a/1": [says("hi")]})
        with pytest.raises(NoEligibleTarget):
            await world.complete(route={"only": ["z"]})
        assert world.books.closed == [("no_eligible_target", None)]
        await world.assert_settled()

    run(work())


def test_attempts_never_exceed_the_policys():
    async def work():
        for attempts in range(1, 7):
            world = World({"a/1": [fails()], "b/1": [fails()]}, attempts=attempts)
            with pytest.raises(RouteFailed):
                await world.complete()
            assert len(world.asked) == attempts
            await world.assert_settled()

    run(work())


def test_an_error_of_the_adapter_itself_gives_everything_back():
    async def work():
        world = World({"a/1": [((0.01, LookupError("a bug")),)]})
        with pytest.raises(LookupError):
            await world.complete()
        await world.assert_settled()
        assert world.books.closed == [("cancelled", None)]

    run(work())


@pytest.mark.parametrize("script", [says("hi"), fails(ErrorKind.INVALID_REQUEST)])
def test_a_callback_that_raises_gives_every_place_back_once(script):
    async def work():
        world = World({"a/1": [script]})
        decision = world.decide()

        def on_attempt(record):
            world.records.append(record)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await world.dispatcher.complete(decision.request, decision, on_attempt=on_attempt)
        await world.assert_settled()

    run(work())


def test_a_refused_reservation_goes_on_and_counts_no_attempt():
    async def work():
        refuse = frozenset({"a/1", "c/1"})
        scripts = {"a/1": [says("x")], "b/1": [fails()], "c/1": [says("x")], "d/1": [says("ok")]}
        world = World(scripts, refuse=refuse, attempts=2)
        answer = await world.complete()
        assert answer.target == "d/1"
        assert world.outcomes == [("b/1", "first", "transient"), ("d/1", "fallback", "ok")]
        await world.assert_settled()

    run(work())


def test_where_every_reservation_is_refused_the_error_says_so():
    async def work():
        world = World({"a/1": [says("x")]}, refuse=frozenset({"a/1"}))
        with pytest.raises(RouteFailed, match=r"a/1 was not called: .*budget"):
            await world.complete()
        await world.assert_settled()

    run(work())


def times(world):
    return [round(at - 1000.0, 3) for _, at in world.adapter.calls]


def test_a_repeat_waits_longer_each_time_at_the_same_target():
    """Full jitter from 50 ms: up to 0.1, 0.2, 0.4, 0.8 s after each failure."""

    async def work():
        world = World({"a/1": [fails()]}, attempts=5)
        with pytest.raises(RouteFailed):
            await world.complete()
        starts = times(world)
        gaps = [later - before - 0.01 for before, later in pairwise(starts)]
        for gap, most in zip(gaps, (0.1, 0.2, 0.4, 0.8), strict=True):
            assert 0.05 - 0.001 <= gap <= most + 0.001
        await world.assert_settled()

    run(work())


def test_a_wait_counts_from_the_failure_and_not_from_when_it_is_thought_of():
    """a/1 asks for 5 s; b/1 takes 4 s to fail, so that 1 s of them is left."""

    async def work():
        slow = fails(after=4.0)
        first = fails(OVERLOADED, after=0.0, retry_after=5.0)
        world = World({"a/1": [first, says("hi")], "b/1": [slow]}, attempts=3)
        assert (await world.complete()).target == "a/1"
        assert times(world) == [0.0, 0.0, 5.0]

    run(work())


def test_a_wait_beyond_two_minutes_or_the_deadline_is_not_begun():
    async def work():
        for asked, timeout in ((130.0, 600.0), (30.0, 20.0)):
            world = World({"a/1": [fails(OVERLOADED, retry_after=asked)]}, attempts=3)
            with pytest.raises(RouteFailed, match="it would have to be waited for"):
                await world.complete(timeout=timeout)
            assert world.now < 1001.0 + (0 if asked == 130.0 else 1)
            assert world.asked == ["a/1"]
            # what was not repeated was not paid for
            assert world.services.retries.left("a") == 500
            await world.assert_settled()
            asyncio.get_running_loop().now = 1000.0

    run(work())


def test_a_drained_bucket_stops_repeats_there_and_first_calls_nowhere():
    async def work():
        world = World({"a/1": [fails()], "b/1": [fails(), says("hi")]}, attempts=6)
        while world.services.retries.spend("a", error()):
            pass
        answer = await world.complete()
        assert (answer.target, world.asked) == ("b/1", ["a/1", "b/1", "b/1"])
        await world.assert_settled()

    run(work())


def test_a_repeat_of_what_was_never_sent_is_free():
    async def work():
        script = fails(ErrorKind.UNAVAILABLE, code="dns")
        world = World({"a/1": [script]}, attempts=4)
        with pytest.raises(RouteFailed):
            await world.complete()
        assert (len(world.asked), world.services.retries.left("a")) == (4, 500)

    run(work())


def test_a_target_that_is_usually_slower_than_what_is_left_is_not_called():
    async def work():
        world = World({"a/1": [says("x")], "b/1": [says("hi")]})
        for _ in range(20):
            world.live.started(world.targets[0])
            world.live.ended(world.targets[0], healthy=True, first_token=6.0)
        typical = world.live.of(world.targets[0]).first_token
        answer = await world.complete(timeout=typical - 0.1)
        assert world.asked == ["b/1"]
        assert answer.attempts[0].role == "first"
        assert (await world.complete(timeout=typical + 0.1)).target == "a/1"
        await world.assert_settled()

    run(work())


def limited(world, seconds=3.0, number=0):
    made = world.targets[number]
    world.health.failed(made, error(LIMIT, retry_after=seconds), world.health.admit(made))


def test_a_limit_that_came_up_since_the_decision_sends_on_to_others():
    async def work():
        world = World({"a/1": [says("x")], "b/1": [says("hi")]})
        decision = world.decide()
        limited(world)
        answer = await world.dispatcher.complete(decision.request, decision)
        assert (answer.target, times(world)) == ("b/1", [0.0])

    run(work())


def test_a_limited_target_is_called_in_its_time_where_the_others_failed():
    async def work():
        world = World({"a/1": [says("hi")], "b/1": [fails(ErrorKind.QUOTA)]})
        decision = world.decide()
        limited(world)
        answer = await world.dispatcher.complete(decision.request, decision)
        assert (answer.target, times(world)) == ("a/1", [0.0, 3.0])
        assert world.services.retries.left("a") == 500

    run(work())


def test_with_on_limit_wait_the_target_is_waited_for_in_its_place():
    async def work():
        world = World({"a/1": [says("hi")], "b/1": [says("x")]}, on_limit="wait")
        limited(world)
        answer = await world.complete()
        assert (answer.target, times(world)) == ("a/1", [3.0])
        assert answer.attempts[0].waited == pytest.approx(3.0)
        await world.assert_settled()

    run(work())


def test_a_429_with_on_limit_wait_is_waited_for():
    async def work():
        first = fails(LIMIT, after=0.0, retry_after=2.0)
        world = World({"a/1": [first, says("hi")], "b/1": [says("x")]}, on_limit="wait")
        assert (await world.complete()).target == "a/1"
        assert times(world) == [0.0, 2.0]
        await world.assert_settled()

    run(work())


def test_where_everybody_is_limited_the_one_that_ends_first_is_waited_for():
    async def work():
        world = World({"a/1": [says("x")], "b/1": [says("hi")]})
        limited(world, 9.0, 0)
        limited(world, 4.0, 1)
        assert (await world.complete()).target == "b/1"
        assert times(world) == [4.0]

    run(work())


def test_a_declared_limit_holds_however_many_wait_for_it():
    """60 a minute: after a full bucket one a second, for 5 requests that wait at once."""

    async def work():
        owner = provider("a", limits=Limits(rpm=60))
        world = World({"a/1": [says("hi", after=0.0)]}, data={"a/1": {"provider": owner}})
        for _ in range(60):
            world.health.began(world.targets[0], 1)
        await asyncio.gather(*(world.complete() for _ in range(5)))
        assert times(world) == pytest.approx([1, 2, 3, 4, 5], abs=0.01)
        await world.assert_settled()

    run(work())


def test_a_call_that_no_budget_allows_counts_against_no_limit():
    async def work():
        owner = provider("a", limits=Limits(rpm=60, tpm=6000))
        scripts = {"a/1": [says("x")], "b/1": [says("hi")]}
        own = {"a/1": {"provider": owner}}
        world = World(scripts, data=own, refuse=frozenset({"a/1"}))
        assert (await world.complete()).target == "b/1"
        assert world.health.headroom(world.targets[0]) == 1.0
        await world.assert_settled()

    run(work())


def test_a_full_queue_is_waited_for_a_second_where_others_are_left():
    async def work():
        world = World({"a/1": [says("x")], "b/1": [says("hi")]}, places=1)
        await world.services.gates.enter(world.targets[0], 0.0)
        answer = await world.complete()
        assert (answer.target, times(world)) == ("b/1", [1.0])
        assert answer.attempts[0].role == "first"
        world.services.gates.leave(world.targets[0])
        await world.assert_settled()

    run(work())


def test_the_last_one_is_queued_for_until_the_deadline():
    async def work():
        world = World({"a/1": [says("hi")]}, places=1)
        await world.services.gates.enter(world.targets[0], 0.0)
        asyncio.get_running_loop().call_later(50.0, world.services.gates.leave, world.targets[0])
        answer = await world.complete(timeout=60.0)
        assert (times(world), answer.attempts[0].waited) == ([50.0], 50.0)
        await world.assert_settled()

    run(work())


def test_an_open_circuit_is_the_last_resort():
    async def work():
        world = World({"a/1": [says("hi")], "b/1": [fails()], "c/1": [fails()]}, attempts=3)
        refused = error(ErrorKind.UNAVAILABLE, code="connection_refused")
        world.health.failed(world.targets[0], refused, world.health.admit(world.targets[0]))
        world.script("b/1", fails(ErrorKind.QUOTA))
        world.script("c/1", fails(ErrorKind.QUOTA))
        answer = await world.complete()
        assert [(a.target, a.role) for a in answer.attempts] == [
            ("b/1", "first"),
            ("c/1", "fallback"),
            ("a/1", "last_resort"),
        ]
        await world.assert_settled()

    run(work())


def test_a_probe_says_that_it_is_one():
    async def work():
        world = World({"a/1": [says("hi")]})
        refused = error(ErrorKind.UNAVAILABLE, code="connection_refused")
        world.health.failed(world.targets[0], refused, world.health.admit(world.targets[0]))
        asyncio.get_running_loop().now += 10.0
        await world.complete()
        assert [item.role for item in world.records] == ["probe"]
        assert world.health.admit(world.targets[0]) == Admission()
        world.health.admitted.clear()
        await world.assert_settled()

    run(work())


def test_a_deadline_within_an_answer_is_not_its_targets_fault():
    async def work():
        texts = [str(i) for i in range(100)]
        world = World({"a/1": [says(*texts, gap=1.0)]}, attempts=1)
        for _ in range(8):
            with pytest.raises(RouteFailed):
                await world.complete(timeout=10.0)
        assert len(world.asked) == 8
        assert world.outcomes[-1] == ("a/1", "first", "timeout")
        assert not world.health.standing(world.targets).out

    run(work())


def test_a_deadline_shorter_than_usual_is_not_its_targets_fault():
    """Nothing was measured: a cloud target is taken to need a second."""

    async def work():
        world = World({"a/1": [says("hi", after=0.9)]}, attempts=1)
        for _ in range(8):
            with pytest.raises(RouteFailed):
                await world.complete(timeout=0.5)
        assert len(world.asked) == 8
        assert not world.health.standing(world.targets).out

    run(work())


def test_a_target_that_hangs_longer_than_usual_is_to_blame():
    async def work():
        world = World({"a/1": [stalls()]}, attempts=1)
        for _ in range(5):
            with pytest.raises(RouteFailed):
                await world.complete(timeout=10.0)
        assert set(world.health.standing(world.targets).out) == {"a/1"}

    run(work())


SCENES = {
    "answers": ({"a/1": [says("hi", "ho")]}, {}),
    "falls back and repeats": ({"a/1": [fails(), says("hi")], "b/1": [fails()]}, {}),
    "waits for a limit": (
        {"a/1": [fails(LIMIT, retry_after=1.0), says("hi")]},
        {"on_limit": "wait"},
    ),
    "hedges": (
        {"a/1": [says("hi", after=9.0)], "b/1": [says("ho", "ho", after=2.0)]},
        {"hedge": {"after": 1, "share": 1}},
    ),
    "hedges, and the first one fails": (
        {"a/1": [fails(after=2.0)], "b/1": [says("ho", "ho", after=3.0)]},
        {"hedge": {"after": 1, "share": 1}},
    ),
    "hedges, and both fail": (
        {"a/1": [fails(after=2.0)], "b/1": [fails(after=2.0)], "c/1": [says("hi")]},
        {"hedge": {"after": 1, "share": 1}},
    ),
    "continues": (
        {"a/1": [(*says("hi ")[:-2], (0.0, error()))], "b/1": [says(" you")]},
        {"continuation": True},
    ),
}
PREFILL = {"b/1": {"capabilities": {"prefill": True}}}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_cancelled_at_whatever_step_everything_is_given_back(scene, streams):
    scripts, fallback = SCENES[scene]
    made: list[World] = []

    async def request(world):
        if not streams:
            await world.complete()
            return
        async with world.stream() as stream:
            async for _ in stream:
                await asyncio.sleep(0)

    async def work():
        world = World(scripts, data=PREFILL if "b/1" in scripts else None, places=1, **fallback)
        made.append(world)
        try:
            await request(world)
        finally:
            await world.assert_settled()

    cancelled = 0
    for step in range(1, 200):
        try:
            run(work(), cancel_at=step)
        except asyncio.CancelledError:
            cancelled += 1
            continue
        except RouteFailed:
            pass
        break
    else:
        pytest.fail("it never came to its end")
    assert cancelled == step - 1
    assert cancelled > 5
    final = {outcome for world in made for _, _, outcome in world.outcomes}
    assert "cancelled" in final
