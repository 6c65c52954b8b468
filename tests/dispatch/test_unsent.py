"""Calls that never left the machine: what they took of declared limits comes back at once."""

from __future__ import annotations

import pytest

from llmroute.adapter.transports.base import NEVER_SENT
from llmroute.errors import ErrorKind, RouteFailed
from tests.dispatch.world import World, fails, says
from tests.loops import run

SENT = ("connection_reset", "cut_off", "network", "timeout", None)


def limited(script, **limits):
    return World({"a/1": [script]}, data={"a/1": {"limits": limits}}, attempts=1)


def down(code):
    return fails(ErrorKind.UNAVAILABLE, after=0.0, code=code)


def left(world):
    """The share of the tightest limit that is left at this very moment."""
    return world.health.headroom(world.targets[0])


@pytest.mark.parametrize("code", sorted(NEVER_SENT))
def test_a_call_that_was_not_sent_counts_against_no_limit(code):
    async def work():
        world = limited(down(code), rpm=2, tpm=10_000)
        with pytest.raises(RouteFailed):
            await world.complete(max_tokens=5000)
        assert left(world) == 1.0
        await world.assert_settled()

    run(work())


@pytest.mark.parametrize("code", SENT)
def test_a_call_that_may_have_been_sent_counts(code):
    async def work():
        world = limited(down(code), rpm=2)
        with pytest.raises(RouteFailed):
            await world.complete()
        assert left(world) == 0.5
        await world.assert_settled()

    run(work())


def test_a_limit_that_was_given_back_leaves_nobody_out():
    """The only request of a minute was not sent: the next one need not wait for the minute."""

    async def work():
        world = limited(down("dns"), rpm=1)
        with pytest.raises(RouteFailed):
            await world.complete()
        assert world.health.standing(world.targets).out == {}
        world.script("a/1", says("hi"))
        began = world.now
        assert (await world.complete(timeout=5.0)).text == "hi"
        assert world.now - began < 1.0

    run(work())


def test_a_standing_that_was_read_meanwhile_is_read_anew():
    async def work():
        world = limited(says("hi"), rpm=1)
        target = world.targets[0]
        world.health.began(target, 10)
        assert set(world.health.standing(world.targets).out) == {"a/1"}
        world.health.unsent(target, 10)
        assert world.health.standing(world.targets).out == {}

    run(work())
