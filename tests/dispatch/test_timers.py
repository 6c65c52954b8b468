"""The timers of a call: how long each is, what restarts it, and who is to blame."""

from __future__ import annotations

import asyncio

import pytest

from llmroute.catalog import Endpoint
from llmroute.catalog.model import Timeouts
from llmroute.dispatch.timers import Timers, first_token_timer, timed
from llmroute.errors import TargetError
from llmroute.types import Chunk, Request, ToolCallDelta
from tests.build import provider, target
from tests.loops import run

HI = Request.of("hi")


def made(**data):
    timeouts = Timeouts(**data.pop("timeouts", {}))
    endpoint = Endpoint("http", "openai-chat", "http://127.0.0.1:9", timeouts=timeouts)
    return target("a/1", provider=provider("a", endpoint=endpoint), **data)


@pytest.mark.parametrize(
    ("data", "fields", "seconds"),
    [
        ({}, {}, 30),
        ({"loaded": False}, {}, 180),
        ({"loaded": True}, {}, 30),
        ({"capabilities": {"reasoning": True}}, {}, 120),
        ({"capabilities": {"reasoning": True}}, {"reasoning_effort": "none"}, 30),
        ({"capabilities": {"reasoning": True}, "wire": {"default_effort": "none"}}, {}, 30),
        ({"capabilities": {"reasoning": True}, "loaded": False}, {}, 270),
        ({"timeouts": {"first_token": 7.0}, "loaded": False}, {}, 7),
    ],
)
def test_the_first_token_may_take(data, fields, seconds):
    assert first_token_timer(made(**data), Request.of("hi", **fields)) == seconds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def timers(clock=None, remaining=600.0, more=False, typical=0.0, request=HI, **data):
    return Timers(made(**data), request, remaining, more, clock or Clock(), typical)


def test_it_takes_no_more_than_half_of_what_is_left_while_others_are():
    assert timers(remaining=40.0, more=True).first_token == 20.0
    assert timers(remaining=40.0).first_token == 30.0
    assert timers(remaining=10.0).first_token == 10.0
    assert timers(more=True).first_token == 30.0


def test_an_answer_in_one_piece_has_the_whole_time_for_its_first_token():
    whole = {"capabilities": {"streaming": False}}
    assert timers(**whole).first_token == 600.0
    assert timers(remaining=50.0, more=True, **whole).first_token == 25.0


def test_progress_restarts_the_idle_timer_within_the_whole():
    clock = Clock()
    running = timers(clock, remaining=100.0)
    assert running.left() == 30.0
    clock.now = 20.0
    running.progressed()
    assert running.left() == 60.0
    clock.now = 70.0
    running.progressed()
    assert running.left() == 30.0
    clock.now = 200.0
    assert running.left() == 0.0


def fired(running, clock, after):
    clock.now = after
    error = running.error()
    return error.code, error.message, error.help


DECLARED, ALLOWED = "raise timeouts in the provider file", "allow the request more time"


def test_the_error_names_the_timer_and_what_to_do():
    clock = Clock()
    running = timers(clock)
    assert fired(running, clock, 30.0) == ("timeout", "waited for the first token (30 s)", DECLARED)
    running.progressed()
    assert fired(running, clock, 90.0) == ("timeout", "waited for progress (60 s)", DECLARED)
    told = ("timeout", "waited for the whole answer (600 s)", DECLARED)
    assert fired(running, clock, 600.0) == told


@pytest.mark.parametrize(
    ("remaining", "typical", "code"),
    [
        (5.0, 4.0, "timeout"),  # it was given more than it usually takes
        (5.0, 6.0, "cut_short"),
        (600.0, 40.0, "timeout"),  # its own timer fired
    ],
)
def test_who_was_given_less_than_usual_is_not_to_blame(remaining, typical, code):
    clock = Clock()
    running = timers(clock, remaining=remaining, typical=typical)
    assert fired(running, clock, min(remaining, 30.0))[0] == code


def test_who_still_answers_when_the_request_is_over_is_not_to_blame():
    clock = Clock()
    running = timers(clock, remaining=50.0)
    clock.now = 10.0
    running.progressed()
    told = ("cut_short", "waited for the whole answer (50 s)", ALLOWED)
    assert fired(running, clock, 50.0) == told
    stalled = timers(Clock(), remaining=100.0)
    stalled.progressed()
    assert fired(stalled, stalled._clock, 60.0)[0] == "timeout"


async def played(script, running, pause=0.0):
    """Return how many chunks came, and the time at which it ended with which error."""
    loop, seen = asyncio.get_running_loop(), 0

    async def source():
        for wait, chunk in script:
            await asyncio.sleep(wait)
            yield chunk

    try:
        async for _ in timed(source(), running):
            seen += 1
            await asyncio.sleep(pause)
    except TargetError as exc:
        return seen, loop.time() - 1000.0, exc.message
    return seen, loop.time() - 1000.0, None


TEXT, PING = Chunk(text="x"), Chunk()


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([(10.0, PING)] * 9, (2, 30.0, "waited for the first token (30 s)")),
        ([(29.0, TEXT), (59.0, TEXT)], (2, 88.0, None)),
        ([(1.0, TEXT), (70.0, TEXT)], (1, 61.0, "waited for progress (60 s)")),
        ([(1.0, TEXT)] + [(20.0, PING)] * 9, (3, 61.0, "waited for progress (60 s)")),
        ([(50.0, TEXT)], (0, 30.0, "waited for the first token (30 s)")),
        ([(20.0, TEXT)] * 99, (29, 600.0, "waited for the whole answer (600 s)")),
        ([(20.0, Chunk(reasoning="hm"))] * 3, (3, 60.0, None)),
        ([(20.0, Chunk(tool_call=ToolCallDelta(0)))] * 3, (3, 60.0, None)),
    ],
)
def test_pings_keep_nobody_alive_and_content_does(script, outcome):
    async def work():
        running = timers(asyncio.get_running_loop().time)
        assert await played(script, running) == outcome

    run(work())


def test_the_readers_own_time_counts_against_the_whole_alone():
    async def work():
        running = timers(asyncio.get_running_loop().time)
        script = [(1.0, TEXT)] * 20
        seen, ended, message = await played(script, running, pause=100.0)
        # each chunk takes 1 s and its reader 100: the sixth pause ends after 600 s
        assert (seen, ended) == (6, 606.0)
        assert message == "waited for the whole answer (600 s)"

    run(work())
