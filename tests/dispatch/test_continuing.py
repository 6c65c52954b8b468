"""Continuing a broken answer: what may be, and the seam between two models' words."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.dispatch.continuing import Partial
from llmroute.errors import StreamInterrupted
from llmroute.types import Chunk, Request, Response, ToolCallDelta, Usage
from tests.build import target
from tests.dispatch.world import World, error, fails, says
from tests.loops import run

ASKED = Request.of("Tell me")
B = target("b/1")


def partial(text):
    return Partial.of(ASKED, [Chunk(text=text)])


def joined(text, *rest):
    """Return what is streamed after a text, and the text of the whole answer."""

    async def chunks():
        for piece in rest:
            yield Chunk(text=piece)

    async def work():
        return "".join([chunk.text async for chunk in partial(text).joined(chunks())])

    answer = Response("".join(rest), "stop", Usage(), "m", target="c/1")
    return asyncio.run(work()), partial(text).whole(answer, B).text


@pytest.mark.parametrize(
    ("text", "rest", "whole"),
    [
        ("Hello", [" world"], "Hello world"),
        ("Hello ", [" world"], "Hello world"),
        ("Hello ", ["world"], "Hello world"),
        ("Hello \n", [" \n", "world"], "Hello \nworld"),
        ("Hello \n", [" ", "\nworld"], "Hello \nworld"),
        ("Hello \n", ["", " ", "", "\n", "world"], "Hello \nworld"),
        ("Hello \n", [" world"], "Hello \nworld"),
        ("Hello ", ["\n\nworld"], "Hello \n\nworld"),
        ("Hello\n\n", ["\n\n\nworld"], "Hello\n\n\nworld"),
        ("Hello ", ["world ", " world"], "Hello world  world"),
        ("Hello ", [], "Hello "),
    ],
)
def test_white_space_at_the_seam_is_there_once(text, rest, whole):
    streamed, folded = joined(text, *rest)
    assert text + streamed == whole == folded


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.text("a \n", min_size=1).filter(str.strip),
    st.lists(st.text("b \n", max_size=3), max_size=4),
)
def test_the_stream_and_the_whole_answer_agree(text, rest):
    streamed, folded = joined(text, *rest)
    assert text + streamed == folded
    said, lead = "".join(rest), text[len(text.rstrip()) :]
    assert said.endswith(streamed)
    assert lead.startswith(said.removesuffix(streamed) if streamed else said[: len(lead)])


@pytest.mark.parametrize(
    "chunk",
    [
        Chunk(tool_call=ToolCallDelta(0, "x", "f")),
        Chunk(reasoning="hm"),
        Chunk(refusal="no"),
        Chunk(thinking_block={"type": "thinking"}),
    ],
)
def test_only_plain_text_is_continued(chunk):
    assert Partial.of(ASKED, [Chunk(text="Hello"), chunk]) is None


def test_nothing_said_constrained_output_and_prefills_are_not_continued():
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    prefilled = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "Well"}]
    said = [Chunk(text="Hello")]
    assert Partial.of(ASKED, [Chunk(text=" \n")]) is None
    assert Partial.of(Request.of("q", response_format=form), said) is None
    assert Partial.of(Request.of(prefilled), said) is None


def test_what_was_said_becomes_the_beginning_of_the_others_answer():
    made = partial("Hello \n")
    assert made.request.messages[-1] == {"role": "assistant", "content": "Hello"}
    assert made.request.messages[:-1] == ASKED.messages


BREAKS = (*says("Hello", " ")[:-2], (0.1, error()))
ABLE = {"capabilities": {"prefill": True}}


def scene(*, others=None, **fallback):
    scripts = {"a/1": [BREAKS], "b/1": [says("x")], "c/1": [says(" wor", "ld")], **(others or {})}
    return World(scripts, data={"c/1": ABLE}, **{"continuation": True, **fallback})


async def read(world, **fields):
    stream, seen = world.stream(**fields), []
    try:
        async with stream:
            async for chunk in stream:
                seen.append(chunk.text)
    finally:
        await world.assert_settled()
    return "".join(seen), stream.response


def test_a_target_that_can_go_on_finishes_the_answer():
    async def work():
        world = scene()
        seen, response = await read(world)
        assert seen == response.text == "Hello world"
        assert response.target == "c/1"
        assert response.warnings[-1] == "the answer of a/1 broke off and was continued by c/1"
        assert world.outcomes == [("a/1", "first", "transient"), ("c/1", "continuation", "ok")]
        assert world.adapter.requests[1].messages[-1] == {"role": "assistant", "content": "Hello"}
        assert world.books.closed == [("ok", "c/1")]

    run(work())


@pytest.mark.parametrize("second", [fails(), (*says(" wor")[:-2], (0.1, error()))])
def test_a_second_break_ends_the_stream(second):
    async def work():
        world = scene(others={"c/1": [second], "d/1": [says("x")]}, attempts=5)
        with pytest.raises(StreamInterrupted) as caught:
            await read(world)
        assert [a.target for a in caught.value.attempts] == ["a/1", "c/1"]
        assert world.books.closed == [("transient", "c/1")]

    run(work())


@pytest.mark.parametrize("fallback", [{"continuation": False}, {"attempts": 1}])
def test_without_leave_or_attempts_the_stream_ends(fallback):
    async def work():
        world = scene(**fallback)
        with pytest.raises(StreamInterrupted):
            await read(world)
        assert world.asked == ["a/1"]

    run(work())


def test_nobody_who_can_go_on_ends_the_stream():
    async def work():
        world = World({"a/1": [BREAKS], "b/1": [says("x")]}, continuation=True)
        with pytest.raises(StreamInterrupted):
            await read(world)
        assert world.asked == ["a/1"]

    run(work())
