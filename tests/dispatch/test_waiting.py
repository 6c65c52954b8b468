"""What a request waits for: repeats, limits, places; and what it does not wait for."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from llmroute.catalog.model import Limits
from llmroute.dispatch.stream import AnswerStream
from llmroute.errors import ErrorKind, RouteFailed
from llmroute.types import Wait
from tests.build import provider
from tests.dispatch.world import World, error, fails, says
from tests.loops import run

OVERLOADED, LIMIT = ErrorKind.OVERLOADED, ErrorKind.RATE_LIMIT


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


def test_a_clean_success_earns_a_repeat_back():
    async def work():
        world = World({"a/1": [fails(), says("hi")]})
        await world.complete()
        # a repeat costs 14, the success gives 1 back
        assert world.services.retries.left("a") == 500 - 14 + 1

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


@pytest.mark.parametrize(("told", "asked"), [(40.0, "a/1"), (1.0, "b/1")])
def test_who_is_out_of_service_is_asked_before_a_limit_is_waited_for_long(told, asked):
    async def work():
        answers = {"a/1": [says("I am back")], "b/1": [fails(LIMIT, retry_after=told), says("hi")]}
        world = World(answers, attempts=5)
        a, began = world.targets[0], world.now
        for _ in range(5):
            world.health.failed(a, error(), world.health.admit(a))
        answer = await world.complete(timeout=100.0)
        assert answer.target == asked
        assert world.asked == ["b/1", asked]
        assert world.now - began < (2.0 if asked == "b/1" else 0.5)
        await world.assert_settled()

    run(work())


def told(world):
    """Collect what is told of waits: the target, the seconds and the reason."""
    waits = []
    decision = world.decide()
    options = {"on_attempt": world.records.append, "on_wait": waits.append}
    return world.dispatcher.complete(decision.request, decision, **options), waits


def test_each_wait_is_told_as_it_begins():
    """The provider asks for 5 s and then for none, after which the backoff is 50 ms to 0.1 s."""

    async def work():
        limited = fails(LIMIT, after=0.0, status=429, retry_after=5.0)
        world = World({"a/1": [limited, fails(), says("hi")]}, attempts=3)
        answer, waits = told(world)
        assert (await answer).text == "hi"
        first, second = waits
        assert first == Wait("a/1", 5.0, "the provider answered 429")
        assert (second.target, second.reason) == ("a/1", f"its last call failed: {error().kind}")
        assert 0.05 <= second.seconds <= 0.2
        await world.assert_settled()

    run(work())


def test_of_a_call_that_need_not_wait_nothing_is_told():
    async def work():
        world = World({"a/1": [fails()], "b/1": [says("hi")]})
        answer, waits = told(world)
        assert ((await answer).target, waits) == ("b/1", [])

    run(work())


def test_a_stream_tells_of_its_waits_too():
    async def work():
        world = World({"a/1": [fails(LIMIT, after=0.0, retry_after=2.0), says("hi")]})
        waits = []

        async def start():
            decision = world.decide(stream=True)
            both = (world.records.append, waits.append)
            return world.dispatcher.run(decision.request, decision, None, *both)

        assert "".join([chunk.text async for chunk in AnswerStream(start) if chunk.text]) == "hi"
        assert [item.seconds for item in waits] == [2.0]

    run(work())
