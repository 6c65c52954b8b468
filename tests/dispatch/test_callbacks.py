"""A caller's callback that raises: nobody loses an answer, and the caller is told."""

from __future__ import annotations

import asyncio

import pytest

from llmroute import Router
from llmroute.errors import ErrorKind, RouteFailed, StreamInterrupted
from llmroute.sim import Sim
from tests.dispatch.world import World, error, fails, says
from tests.loops import run
from tests.test_router import POLICY, PROVIDER

HEDGE = {"hedge": {"after": 1, "share": 1}}
RAISED = "on_attempt raised ZeroDivisionError after the call to {}: my own mistake"


def mistaken(records, wrong=ZeroDivisionError):
    def on_attempt(record):
        records.append(record)
        raise wrong("my own mistake")

    return on_attempt


async def ask(world, streams, on_attempt):
    decision = world.decide(stream=streams)
    if not streams:
        return await world.dispatcher.complete(decision.request, decision, on_attempt=on_attempt)
    async with world.stream(on_attempt=on_attempt) as stream:
        text = "".join([chunk.text async for chunk in stream])
        assert text == stream.response.text
        return stream.response


@pytest.mark.parametrize("streams", [False, True])
def test_a_paid_answer_is_handed_over_with_a_warning(streams):
    async def work():
        world = World({"a/1": [fails()], "b/1": [says("hi")]})
        answer = await ask(world, streams, mistaken(world.records))
        assert (answer.text, answer.target) == ("hi", "b/1")
        assert answer.warnings == (RAISED.format("a/1"), RAISED.format("b/1"))
        assert [item.outcome for item in answer.attempts] == ["transient", "ok"]
        assert world.books.closed == [("ok", "b/1")]
        await world.assert_settled()

    run(work())


@pytest.mark.parametrize("streams", [False, True])
def test_a_hedge_that_lost_is_told_of_too(streams):
    async def work():
        scripts = {"a/1": [says("slow", after=9.0)], "b/1": [says("quick", after=1.0)]}
        world = World(scripts, **HEDGE)
        answer = await ask(world, streams, mistaken(world.records))
        assert answer.text == "quick"
        assert answer.warnings == (RAISED.format("a/1"), RAISED.format("b/1"))
        await world.assert_settled()

    run(work())


@pytest.mark.parametrize("streams", [False, True])
def test_where_nobody_answers_the_error_says_it_beside_its_own_reason(streams):
    async def work():
        world = World({"a/1": [fails(ErrorKind.INVALID_REQUEST)]})
        with pytest.raises(RouteFailed, match="a/1: scripted") as caught:
            await ask(world, streams, mistaken(world.records))
        assert caught.value.warnings == (RAISED.format("a/1"),)
        assert RAISED.format("a/1") in str(caught.value)
        assert caught.value.last.kind is ErrorKind.INVALID_REQUEST
        await world.assert_settled()

    run(work())


def test_a_stream_that_breaks_off_says_it_too():
    async def work():
        world = World({"a/1": [(*says("hi")[:-2], (0.1, error()))]})
        with pytest.raises(StreamInterrupted) as caught:
            await ask(world, True, mistaken(world.records))
        assert caught.value.warnings == (RAISED.format("a/1"),)
        await world.assert_settled()

    run(work())


@pytest.mark.parametrize("streams", [False, True])
def test_a_wait_goes_on_whatever_its_callback_raises(streams):
    async def work():
        world, waits = World({"a/1": [fails(), says("hi")]}), []
        decision, told = world.decide(stream=streams), mistaken(waits)
        if streams:
            async with world.stream(on_wait=told) as stream:
                _ = [chunk async for chunk in stream]
            answer = stream.response
        else:
            options = {"on_attempt": world.records.append, "on_wait": told}
            answer = await world.dispatcher.complete(decision.request, decision, **options)
        assert [wait.target for wait in waits] == ["a/1"]
        raised = "on_wait raised ZeroDivisionError before the wait for a/1: my own mistake"
        assert answer.warnings == (raised,)
        await world.assert_settled()

    run(work())


def test_the_traceback_goes_where_asyncio_tells_of_callbacks():
    async def work():
        told = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: told.append(context)
        )
        world = World({"a/1": [says("hi")]})
        await ask(world, False, mistaken(world.records))
        (context,) = told
        assert isinstance(context["exception"], ZeroDivisionError)
        assert "on_attempt raised ZeroDivisionError" in context["message"]

    run(work())


def test_a_coroutine_function_is_no_callback():
    async def work():
        async def on_attempt(record):
            raise AssertionError("nobody awaits this")

        world = World({"a/1": [says("hi")]})
        answer = await ask(world, False, on_attempt)
        (warning,) = answer.warnings
        assert warning.endswith("it is a coroutine function, which nobody awaits; give a plain one")

    run(work())


@pytest.mark.parametrize("wrong", [KeyboardInterrupt, MemoryError, asyncio.CancelledError])
def test_what_ends_programs_is_not_held_back(wrong):
    async def work():
        world = World({"a/1": [says("hi")]})
        with pytest.raises(wrong):
            try:
                await ask(world, False, mistaken(world.records, wrong))
            finally:
                await world.assert_settled()

    run(work())


@pytest.mark.parametrize("streams", [False, True])
def test_from_plain_code(streams, tmp_path, caplog):
    for name in ("policies", "providers.d"):
        (tmp_path / name).mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    with Sim("lm_studio") as sim:
        file = PROVIDER.format(name="first", url=sim.url, price=1)
        (tmp_path / "providers.d" / "first.yaml").write_text(file)
        with Router.load(tmp_path, environment={"XDG_STATE_HOME": str(tmp_path)}) as router:
            if streams:
                with router.stream("Hello", on_attempt=mistaken([])) as stream:
                    assert "".join(chunk.text for chunk in stream)
                answer = stream.response
            else:
                answer = router.complete("Hello", on_attempt=mistaken([]))
    assert answer.text
    assert RAISED.format(answer.target) in answer.warnings
    assert "my own mistake" in caplog.text
