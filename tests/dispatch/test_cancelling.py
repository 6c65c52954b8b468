"""Requests that are cancelled at every step of their way give back all that they borrowed."""

from __future__ import annotations

import asyncio

import pytest

from llmroute.errors import ErrorKind, RouteFailed, UsageError
from tests.dispatch.world import World, error, fails, says
from tests.loops import run

LIMIT = ErrorKind.RATE_LIMIT


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


async def request(world, streams):
    if not streams:
        await world.complete()
        return
    async with world.stream() as stream:
        async for _ in stream:
            await asyncio.sleep(0)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_cancelled_at_whatever_step_everything_is_given_back(scene, streams):
    scripts, fallback = SCENES[scene]
    made: list[World] = []

    async def work():
        world = World(scripts, data=PREFILL if "b/1" in scripts else None, places=1, **fallback)
        made.append(world)
        try:
            await request(world, streams)
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


async def closed_at(step, scene, streams):
    """Close what serves a request at a turn of the loop; return what became of both."""
    scripts, fallback = SCENES[scene]
    world = World(scripts, data=PREFILL if "b/1" in scripts else None, places=1, **fallback)
    loop, underway = asyncio.get_running_loop(), world.services.underway
    start, closing = loop.steps, []

    def on_step(number):
        if number - start == step:
            loop.call_soon(lambda: closing.append(asyncio.ensure_future(underway.aclose())))

    loop.on_step = on_step
    asking = asyncio.ensure_future(request(world, streams))
    (ended,) = await asyncio.gather(asking, return_exceptions=True)
    for task in closing:
        await task
    assert ended is None or (closing and isinstance(ended, UsageError | RouteFailed))
    await world.assert_settled()
    assert underway._works == set()
    return bool(closing), {outcome for _, _, outcome in world.outcomes}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_closed_at_whatever_step_everything_is_given_back(scene, streams):
    closed, seen = 0, set()
    for step in range(1, 200):
        was_closed, outcomes = run(closed_at(step, scene, streams))
        seen |= outcomes
        closed += was_closed
        if not was_closed:
            break
    else:
        pytest.fail("it never came to its end")
    assert closed > 5
    assert "cancelled" in seen
