"""Hedging: who wins, what becomes of the loser, and that nobody waits for a hedge."""

from __future__ import annotations

import asyncio

import pytest

from llmroute.errors import ErrorKind, RouteFailed
from llmroute.types import Chunk, Usage
from tests.dispatch.world import DONE, World, error, fails, says, stalls
from tests.loops import run

HEDGE = {"hedge": {"after": 1, "share": 1}}


def racing(first, second, *, more=None, **fallback):
    scripts = {"a/1": [first], "b/1": [second], **(more or {})}
    return World(scripts, **{**HEDGE, **fallback})


def starts(world):
    return [(name, round(at - 1000.0, 3)) for name, at in world.adapter.calls]


def test_a_call_that_begins_in_time_is_not_hedged():
    async def work():
        world = racing(says("hi", after=0.9), says("ho"))
        assert (await world.complete()).text == "hi"
        assert starts(world) == [("a/1", 0.0)]
        await world.assert_settled()

    run(work())


def test_the_hedge_wins_and_the_loser_is_broken_off_and_recorded():
    async def work():
        world = racing(says("hi", after=9.0), says("ho", after=2.0))
        answer = await world.complete()
        assert (answer.text, answer.target) == ("ho", "b/1")
        assert starts(world) == [("a/1", 0.0), ("b/1", 1.0)]
        assert world.outcomes == [("a/1", "first", "cancelled"), ("b/1", "hedge", "ok")]
        assert world.records[0].message == "b/1 began first"
        await world.assert_settled()
        # both are charged: the loser had taken the prompt, and its headers had come
        lost, _ = world.books.settled
        assert (lost.outcome, lost.estimated) == ("cancelled", True)
        assert lost.cost == lost.tokens_in + lost.tokens_out > 0

    run(work())


def test_the_first_call_wins_though_a_hedge_was_made():
    async def work():
        world = racing(says("hi", after=1.5), says("ho", after=2.0))
        assert (await world.complete()).target == "a/1"
        assert world.outcomes == [("b/1", "hedge", "cancelled"), ("a/1", "first", "ok")]
        await world.assert_settled()

    run(work())


def test_one_that_fails_leaves_the_other_to_answer():
    async def work():
        for first, second in ((fails(after=2.0), says("hi", after=3.0)),):
            world = racing(first, second)
            assert (await world.complete()).target == "b/1"
            assert world.outcomes == [("a/1", "first", "transient"), ("b/1", "hedge", "ok")]
            await world.assert_settled()
        world = racing(says("hi", after=3.0), fails(after=0.5))
        assert (await world.complete()).target == "a/1"
        assert world.outcomes == [("b/1", "hedge", "transient"), ("a/1", "first", "ok")]
        await world.assert_settled()

    run(work())


def test_one_that_fails_as_the_other_begins_has_failed():
    async def work():
        world = racing(says("hi", after=2.0), fails(after=1.0))
        assert (await world.complete()).target == "a/1"
        assert world.outcomes == [("b/1", "hedge", "transient"), ("a/1", "first", "ok")]
        await world.assert_settled()

    run(work())


@pytest.mark.parametrize("second", [1.0, 0.5, 1.5])
def test_where_both_fail_the_next_target_is_asked(second):
    """Together, or one after the other."""

    async def work():
        world = racing(fails(after=2.0), fails(after=second), more={"c/1": [says("hi")]})
        answer = await world.complete()
        assert sorted(world.outcomes[:2]) == [
            ("a/1", "first", "transient"),
            ("b/1", "hedge", "transient"),
        ]
        assert (answer.target, answer.attempts[2].role) == ("c/1", "fallback")
        await world.assert_settled()

    run(work())


def test_both_calls_count_as_attempts():
    async def work():
        world = racing(fails(after=2.0), fails(after=2.0), more={"c/1": [says("hi")]}, attempts=2)
        with pytest.raises(RouteFailed):
            await world.complete()
        assert world.asked == ["a/1", "b/1"]
        await world.assert_settled()

    run(work())


def test_one_attempt_leaves_none_for_a_hedge():
    async def work():
        world = racing(says("hi", after=3.0), says("ho"), attempts=1)
        assert (await world.complete()).target == "a/1"
        assert world.asked == ["a/1"]
        await world.assert_settled()

    run(work())


def test_an_answer_without_content_ends_too():
    """Reasoning alone, cut by the length: it is returned, and flagged."""
    thought = (
        (0.0, Chunk(reasoning="hm")),
        (0.0, Chunk(usage=Usage(input=5, output=5))),
        (0.0, Chunk(finish_reason="length")),
    )

    async def work():
        world = racing(thought, says("ho"))
        answer = await asyncio.wait_for(world.complete(), 60.0)
        assert (answer.target, answer.text, answer.finish_reason) == ("a/1", None, "length")
        await world.assert_settled()

    run(work())


def test_an_empty_answer_goes_on_to_the_next():
    async def work():
        world = racing(((0.0, Chunk(model="m")),), says("ho"))
        assert (await world.complete()).target == "b/1"
        assert world.outcomes[0] == ("a/1", "first", "empty")
        await world.assert_settled()

    run(work())


def test_a_hedge_does_not_wait_for_a_place_and_keeps_nobody_waiting():
    async def work():
        world = racing(says("hi", after=1.2), says("ho"))
        busy = world.targets[1]
        for _ in range(4):
            await world.services.gates.enter(busy, 0.0)
        assert (await world.complete()).target == "a/1"
        assert world.now == pytest.approx(1001.2, abs=0.01)
        assert world.services.hedges.take(), "a hedge that was not made counts for none"
        for _ in range(4):
            world.services.gates.leave(busy)
        await world.assert_settled()

    run(work())


def test_a_hedge_does_not_wait_for_a_limit():
    async def work():
        world = racing(says("hi", after=1.2), says("ho"), more={"c/1": [says("hu", after=0.1)]})
        decision = world.decide()
        limit = error(ErrorKind.RATE_LIMIT, retry_after=30.0)
        world.health.failed(world.targets[1], limit, world.health.admit(world.targets[1]))
        answer = await world.dispatcher.complete(
            decision.request, decision, on_attempt=world.records.append
        )
        assert (answer.target, starts(world)) == ("c/1", [("a/1", 0.0), ("c/1", 1.0)])
        await world.assert_settled()

    run(work())


def slow_to_pay(world, name, seconds):
    """Let the ledger take its time before it allows a call."""
    reserve = world.books.reserve

    async def slow(attempt, *args, **options):
        if attempt.target == name:
            await asyncio.sleep(seconds)
        return await reserve(attempt, *args, **options)

    world.books.reserve = slow


def test_an_answer_that_begins_does_not_wait_until_its_hedge_is_paid():
    async def work():
        world = racing(says("hi", after=2.0), says("ho"))
        slow_to_pay(world, "b/1", 5.0)
        assert (await world.complete()).target == "a/1"
        assert world.now - 1000.0 < 2.1
        assert world.asked == ["a/1"]
        assert world.services.hedges.take()  # it was not used, and is there for another request
        await world.assert_settled()

    run(work())


def test_a_hedge_that_was_called_off_is_the_next_to_be_asked():
    """The first call fails while the hedge is being paid: no target and no attempt is lost."""

    async def work():
        more = {"c/1": [says("hu")]}
        world = racing(fails(after=2.0), says("ho"), more=more, attempts=2)
        slow_to_pay(world, "b/1", 5.0)
        assert (await world.complete()).target == "b/1"
        assert world.outcomes == [("a/1", "first", "transient"), ("b/1", "fallback", "ok")]
        await world.assert_settled()

    run(work())


def test_only_first_calls_are_hedged():
    async def work():
        world = racing(fails(), says("hi", after=5.0), more={"c/1": [says("x")]})
        assert (await world.complete()).target == "b/1"
        assert world.asked == ["a/1", "b/1"]

    run(work())


def test_no_more_than_a_share_is_hedged():
    """0.1 of 35 requests is 3 whole ones."""

    async def work():
        world = racing(
            says("hi", after=2.0), says("ho", after=9.0), hedge={"after": 1, "share": 0.1}
        )
        for _ in range(35):
            await world.complete()
        assert world.asked.count("b/1") == 3
        await world.assert_settled()

    run(work())


def test_a_caller_who_leaves_midway_leaves_nobody_behind():
    async def work():
        world = racing(stalls("hi", "hi", gap=0.2), says("ho", "ho", after=0.1, gap=5.0))
        world.script("a/1", says("hi", after=30.0))
        async with world.stream() as stream:
            assert (await anext(stream)).target == "b/1"
        await world.assert_settled()
        assert world.outcomes == [("a/1", "first", "cancelled"), ("b/1", "hedge", "cancelled")]
        assert world.books.closed == [("cancelled", None)]

    run(work())


@pytest.mark.parametrize("effort", [None, "low"])
def test_reasoning_begins_an_answer_where_it_is_asked_for(effort):
    """Then it is passed on at once, else a hedge may still overtake it."""
    thinks = ((0.5, Chunk(reasoning="hm")), (5.0, Chunk(text="hi")), *DONE)

    async def work():
        able = {"a/1": {"capabilities": {"reasoning": True}}}
        scripts = {"a/1": [thinks], "b/1": [says("ho", after=1.0)]}
        world = World(scripts, data=able, **HEDGE)
        async with world.stream(reasoning_effort=effort) as stream:
            first = await anext(stream)
            at = world.now
        assert (first.target, round(at - 1000.0, 1)) == (("a/1", 0.5) if effort else ("b/1", 2.0))
        await world.assert_settled()

    run(work())


def test_a_slow_reader_of_a_hedged_answer_gets_all_of_it():
    """More chunks than are read ahead, and a pause longer than the idle timer."""
    texts = [str(number) for number in range(200)]

    async def work():
        world = racing(says(*texts, gap=0.0), says("ho"))
        seen = []
        async with world.stream() as stream:
            async for chunk in stream:
                seen.append(chunk.text)
                if chunk.text in ("0", "100"):
                    await asyncio.sleep(70.0)
            assert stream.response.text == "".join(texts)
        assert "".join(seen) == "".join(texts)
        await world.assert_settled()

    run(work())


def test_an_error_midway_is_the_streams_own():
    async def work():
        broken = (*says("ho", after=0.1)[:-2], (0.1, error()))
        world = racing(says("hi", after=9.0), broken)
        with pytest.raises(RouteFailed, match="broke off"):
            async with world.stream() as stream:
                async for _ in stream:
                    pass
        assert world.outcomes == [("a/1", "first", "cancelled"), ("b/1", "hedge", "transient")]
        await world.assert_settled()

    run(work())
