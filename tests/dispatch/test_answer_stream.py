"""The commit: what is held back, what is passed on, and what can still go elsewhere."""

from __future__ import annotations

import asyncio
import gc

import pytest

from llmroute.errors import ErrorKind, RouteFailed, StreamInterrupted
from llmroute.types import Chunk, ToolCallDelta, Usage
from tests.dispatch.world import DONE, World, error, says
from tests.loops import run

ROLE, PING, START = Chunk(model="m"), Chunk(), Chunk(usage=Usage(input=9), id="x")
HELD = ((0.1, ROLE), (0.1, PING), (0.1, START), (0.1, PING))
THOUGHT = (0.1, Chunk(reasoning="hm"))
BREAK = (0.1, error())


def two(first, **fallback):
    able = {"capabilities": {"reasoning": True}}
    return World({"a/1": [first], "b/1": [says("hi")]}, data={"a/1": able}, **fallback)


async def read(world, seen, **fields):
    try:
        async with world.stream(**fields) as stream:
            async for chunk in stream:
                seen.append(chunk)
            return stream
    finally:
        await world.assert_settled()


@pytest.mark.parametrize("last", [(), (THOUGHT,), ((0.1, Chunk(thinking_block={"a": 1})),)])
def test_what_carries_no_content_commits_nothing(last):
    async def work():
        seen = []
        world = two((*HELD, *last, BREAK))
        await read(world, seen)
        assert {chunk.target for chunk in seen} == {"b/1"}
        assert "".join(chunk.text + chunk.reasoning for chunk in seen) == "hi"

    run(work())


@pytest.mark.parametrize(
    "first",
    [
        Chunk(text=" "),
        Chunk(tool_call=ToolCallDelta(0, "c", "f")),
        Chunk(refusal="no"),
    ],
)
def test_the_first_content_commits_with_all_that_was_held(first):
    async def work():
        seen = []
        world = two((*HELD, (0.1, first), BREAK))
        with pytest.raises(StreamInterrupted):
            await read(world, seen)
        assert len(seen) == len(HELD) + 1
        assert {chunk.target for chunk in seen} == {"a/1"}
        assert world.asked == ["a/1"]

    run(work())


@pytest.mark.parametrize(("effort", "commits"), [(None, False), ("none", False), ("low", True)])
def test_reasoning_commits_only_where_it_is_asked_for(effort, commits):
    async def work():
        seen = []
        world = two((*HELD, THOUGHT, BREAK))
        if commits:
            with pytest.raises(StreamInterrupted):
                await read(world, seen, reasoning_effort=effort)
        else:
            await read(world, seen, reasoning_effort=effort)
        assert ({chunk.target for chunk in seen} == {"a/1"}) is commits

    run(work())


def test_a_refusal_goes_on_to_the_next_where_the_policy_says_so():
    refuses = ((0.0, ROLE), (0.1, Chunk(refusal="no")), *DONE)

    async def work():
        for fallback, target in (({"on_refusal": "next"}, "b/1"), ({}, "a/1")):
            seen = []
            stream = await read(two(refuses, **fallback), seen)
            assert stream.response.target == target
            assert {chunk.target for chunk in seen} == {target}

    run(work())


def test_chunks_arrive_as_they_come():
    async def work():
        world = World({"a/1": [says("a", "b", "c", after=1.0, gap=2.0)]})
        at = []
        async with world.stream() as stream:
            async for chunk in stream:
                if chunk.text:
                    at.append(world.now - 1000.0)
        assert at == pytest.approx([1.0, 3.0, 5.0])

    run(work())


def test_a_reader_may_take_longer_than_the_idle_timer():
    async def work():
        world = World({"a/1": [says("a", "b", "c", gap=1.0)]})
        seen = []
        async with world.stream() as stream:
            async for chunk in stream:
                seen.append(chunk.text)
                await asyncio.sleep(61.0)
        assert "".join(seen) == "abc"
        await world.assert_settled()

    run(work())


def test_leaving_early_closes_the_call_and_settles_what_was_said():
    async def work():
        world = World({"a/1": [says("abcd" * 10, "never", gap=9.0)]})
        async with world.stream() as stream:
            await anext(stream)
            await anext(stream)
        await world.assert_settled()
        (left,) = world.books.settled
        assert (left.outcome, left.estimated) == ("cancelled", True)
        assert left.tokens_out > 0
        assert left.cost == left.tokens_in + left.tokens_out
        assert await anext(stream, None) is None

    run(work())


def test_a_stream_that_nobody_reads_begins_nothing():
    async def work():
        world = World({"a/1": [says("a")]})
        async with world.stream():
            pass
        assert (world.asked, world.books.opened) == ([], 0)
        await world.assert_settled()

    run(work())


def test_where_everybody_fails_before_content_nothing_was_interrupted():
    async def work():
        world = World({"a/1": [(*HELD, BREAK)]}, attempts=1)
        with pytest.raises(RouteFailed) as caught:
            await read(world, [])
        assert not isinstance(caught.value, StreamInterrupted)
        assert world.books.closed == [(ErrorKind.TRANSIENT, None)]

    run(work())


@pytest.mark.parametrize("kind", ["text", "reasoning"])
def test_an_answer_without_end_is_given_up(kind):
    """16 MiB in all, whatever they are made of."""
    piece = Chunk(**{kind: "x" * 2**20})

    async def work():
        world = World({"a/1": [[(0.0, piece)] * 17], "b/1": [says("hi")]}, attempts=1)
        with pytest.raises(RouteFailed, match="larger than 16,777,216 characters"):
            await read(world, [])
        assert world.outcomes == [("a/1", "first", "malformed")]

    run(work())


def test_a_stream_that_is_left_and_dropped_is_closed_without_a_collection_of_cycles():
    async def work():
        world = two(says("hi", "ho"))
        async for chunk in world.stream():
            if chunk.text:
                break
        await asyncio.sleep(0.001)
        await world.assert_settled()
        assert world.outcomes == [("a/1", "first", "cancelled")]

    gc.disable()
    try:
        run(work())
    finally:
        gc.enable()


def test_who_is_asked_is_known_before_anything_is_heard():
    async def work():
        world = World({"a/1": [((1.0, error()),)], "b/1": [((1.0, Chunk(text="hi")), *DONE)]})
        stream = world.stream()
        assert stream.asking is None
        first = asyncio.ensure_future(anext(stream))
        for after, asked in ((0.5, "a/1"), (1.0, "b/1")):
            await asyncio.sleep(after)
            assert stream.asking == asked
        assert (await first).text == "hi"
        assert [chunk async for chunk in stream][-1].finish_reason == "stop"
        assert stream.asking is None
        await world.assert_settled()

    run(work())
