"""Exceptions that no transport and no protocol should raise: the next target is asked."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from llmroute import NoEligibleTarget, Router
from llmroute.adapter.adapter import Adapter
from llmroute.catalog.model import Auth, Endpoint
from llmroute.config.secrets import Secret
from llmroute.dispatch.dispatcher import Dispatcher
from llmroute.errors import ErrorKind, RouteFailed, StreamInterrupted
from llmroute.policy import Surroundings
from llmroute.types import Chunk, Usage
from tests.build import provider
from tests.dispatch.world import NOON, World, says
from tests.loops import run
from tests.test_router import POLICY, PROVIDER

CANARY = "sk-canary-0123456789abcdef"
PROMPT = "the secret plans of the moon base"


def bursts(exc, *texts):
    """Say texts, then raise what only a bug would."""
    return (*says(*texts)[:-2], (0.1, exc))


async def asked(world, prompt):
    around = Surroundings(NOON, world.live)
    decision = world.policy.decide(prompt, world.targets, around=around)
    told = world.records.append
    return await world.dispatcher.complete(decision.request, decision, on_attempt=told)


async def answered(world, streams, **fields):
    if not streams:
        return (await world.complete(**fields)).text
    async with world.stream(**fields) as stream:
        return "".join([chunk.text async for chunk in stream])


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    "wrong", [KeyError("choices"), RecursionError("too deep"), OSError(9, "x")]
)
def test_the_next_target_answers_and_the_attempt_says_what_it_was(wrong, streams):
    async def work():
        world = World({"a/1": [bursts(wrong)], "b/1": [says("hi")]})
        assert await answered(world, streams) == "hi"
        assert world.outcomes == [("a/1", "first", "internal"), ("b/1", "fallback", "ok")]
        told = world.records[0].message
        assert told.startswith(f"an unexpected {type(wrong).__name__} at world.py, line ")
        assert told.endswith(", in stream")
        await world.assert_settled()

    run(work())


@pytest.mark.parametrize("streams", [False, True])
def test_where_nobody_answers_the_cause_is_kept(streams):
    async def work():
        wrong = KeyError("choices")
        world = World({"a/1": [bursts(wrong)]}, attempts=1)
        with pytest.raises(RouteFailed, match="an unexpected KeyError at world") as caught:
            await answered(world, streams)
        assert caught.value.last.kind is ErrorKind.INTERNAL
        assert caught.value.last.__cause__ is wrong
        printed = "".join(traceback.format_exception(caught.value))
        assert "KeyError: 'choices'" in printed
        assert "world.py" in printed
        assert world.books.closed == [("internal", None)]
        await world.assert_settled()

    run(work())


def test_after_the_first_content_the_stream_breaks_off_with_the_cause():
    async def work():
        wrong = KeyError("choices")
        world = World({"a/1": [bursts(wrong, "half")], "b/1": [says("hi")]})
        with pytest.raises(StreamInterrupted) as caught:
            await answered(world, streams=True)
        assert caught.value.last.__cause__ is wrong
        assert world.outcomes == [("a/1", "first", "internal")]
        await world.assert_settled()

    run(work())


def test_the_one_that_raises_is_not_asked_again_and_again():
    """It is no passing trouble, and a target of which it keeps coming sits out like a sick one."""

    async def work():
        world = World({"a/1": [bursts(KeyError("x"))], "b/1": [says("hi")]}, attempts=4)
        for _ in range(5):
            await world.complete()
        assert world.asked == ["a/1", "b/1"] * 5
        assert set(world.health.standing(world.targets).out) == {"a/1"}

    run(work())


@pytest.mark.parametrize("said", [(), ("a few words",)])
def test_the_whole_estimate_counts_as_spent(said):
    """Nobody knows what was generated: a nano-dollar a token, each way, at what was expected."""

    async def work():
        world = World({"a/1": [bursts(KeyError("x"), *said)]}, attempts=1)
        estimate = world.decide(max_tokens=77).estimate(world.targets[0])
        with pytest.raises(RouteFailed):
            await answered(world, streams=True, max_tokens=77)
        (record,) = world.books.settled
        assert (record.tokens_in, record.tokens_out) == (estimate.tokens_in, 77)
        assert record.cost == record.tokens_in + 77
        assert record.estimated

    run(work())


def test_more_than_was_expected_counts_where_it_was_reported():
    async def work():
        usage = (0.0, Chunk(usage=Usage(input=10, output=900)))
        script = (*says("hi")[:-2], usage, (0.1, KeyError("x")))
        world = World({"a/1": [script]}, attempts=1)
        with pytest.raises(RouteFailed):
            await answered(world, streams=False, max_tokens=77)
        assert [record.cost for record in world.books.settled] == [910]

    run(work())


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("wrong", [MemoryError(), KeyboardInterrupt(), SystemExit(3)])
def test_what_ends_programs_stays_what_it_is(wrong, streams):
    async def work():
        world = World({"a/1": [says("x")], "b/1": [says("hi")]})
        world.adapter.scripts["a/1"] = [bursts(wrong)]
        with pytest.raises(type(wrong)):
            try:
                await answered(world, streams)
            finally:
                await world.assert_settled()
        assert world.asked == ["a/1"]

    run(work())


def test_a_hedge_takes_over_from_a_call_that_bursts():
    async def work():
        scripts = {"a/1": [((2.0, KeyError("x")),)], "b/1": [says("hi", after=3.0)]}
        world = World(scripts, hedge={"after": 1, "share": 1})
        assert await answered(world, streams=False) == "hi"
        assert sorted(world.outcomes) == [("a/1", "first", "internal"), ("b/1", "hedge", "ok")]
        await world.assert_settled()

    run(work())


class Bursting(Exception):  # noqa: N818
    """What a transport's client raises: it quotes what it was given."""


class Reply:
    status = 200

    def __init__(self, lines, closing=None, slow=0.0):
        self.headers = {"content-type": "text/event-stream"}
        self.lines, self.closing, self.slow = lines, closing, slow

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for line in self.lines:
            yield line

    async def finish(self):
        """Nothing is left."""

    async def aclose(self):
        await asyncio.sleep(self.slow)
        if self.closing:
            raise self.closing


class Carrier:
    def __init__(self, answer):
        self.answer = answer

    async def open(self, call):
        key = call.endpoint.auth.secret.reveal()
        return self.answer(key, json.dumps(call.body))

    async def aclose(self):
        """Nothing is kept."""


def carried(answer):
    """A world whose only target is called over a transport of somebody's own."""
    auth = Auth("authorization", "Bearer ", "env:KEY", Secret(CANARY))
    endpoint = Endpoint("http", "openai-chat", "http://127.0.0.1:9", auth=auth)
    owner = provider("a", endpoint=endpoint)
    world = World({"a/1": [says("x")]}, data={"a/1": {"provider": owner}}, attempts=1)
    adapter = Adapter({"http": Carrier(answer)})
    world.dispatcher = Dispatcher(replace(world.services, adapter=adapter))
    return world


def test_neither_secret_nor_prompt_stays_in_the_cause_its_lines_or_the_records():
    def answer(key, body):
        inner = ValueError(f"header {key}")
        burst = Bursting(f"cannot send {key}: {body}", {"authorization": key})
        burst.request, burst.header = {"authorization": key}, f"Bearer {key}"
        burst.add_note(f"sent with {key}")
        raise burst from inner

    async def work():
        world = carried(answer)
        with pytest.raises(RouteFailed) as caught:
            await asked(world, PROMPT)
        cause = caught.value.last.__cause__
        assert type(cause) is Bursting
        assert str(cause).startswith("('cannot send ***: ")
        shown = traceback.TracebackException.from_exception(caught.value.last, capture_locals=True)
        text = "".join(shown.format()) + repr(world.records) + str(caught.value)
        assert "in answer" in text
        assert CANARY not in text + repr(vars(cause))
        assert cause.header == "Bearer ***"
        assert PROMPT not in repr(world.records) + repr(cause) + str(caught.value)
        assert world.books.held == []

    run(work())


CONTENT = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
WHOLE = (
    f"data: {json.dumps({'id': 'c', 'model': 'm', 'choices': [CONTENT]})}\n\n".encode(),
    b"data: [DONE]\n\n",
)


@pytest.mark.parametrize("streams", [False, True])
def test_a_connection_that_cannot_be_closed_takes_no_answer_away(streams):
    async def work():
        told = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context["message"]))
        world = carried(lambda _key, _body: Reply(WHOLE, closing=OSError(9, "bad descriptor")))
        assert await answered(world, streams) == "hi"
        assert told == ["a transport failed to close an answer: OSError"]

    run(work())


@pytest.mark.parametrize("streams", [False, True])
def test_a_connection_that_never_closes_keeps_nobody_waiting_for_ever(streams):
    async def work():
        told = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context["message"]))
        world = carried(lambda _key, _body: Reply(WHOLE, slow=1e9))
        began = world.now
        assert await answered(world, streams) == "hi"
        assert world.now - began < 6.0
        assert told == ["a transport failed to close an answer: TimeoutError"]

    run(work())


def test_a_connection_that_cannot_be_closed_hides_no_error():
    async def work():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        world = carried(lambda _key, _body: Reply((b"data: {\n\n",), closing=OSError(9, "x")))
        with pytest.raises(RouteFailed, match="a stream event is not JSON"):
            await world.complete()
        assert [record.outcome for record in world.records] == ["malformed"]

    run(work())


def test_a_listing_that_bursts_fails_no_request(tmp_path):
    class Listing:
        async def open(self, call):
            if call.method == "GET":
                raise ZeroDivisionError
            return Reply(WHOLE)

        async def aclose(self):
            """Nothing is kept."""

    for name in ("policies", "providers.d"):
        (tmp_path / name).mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    file = PROVIDER.format(name="first", url="http://127.0.0.1:9", price=1)
    (tmp_path / "providers.d" / "first.yaml").write_text(f"{file}discover: {{dialect: openai}}\n")
    adapter = Adapter({"http": Listing()})
    state = {"XDG_STATE_HOME": str(tmp_path)}
    with Router.load(tmp_path, environment=state, adapter=adapter) as router:
        with pytest.raises(NoEligibleTarget, match="an unexpected ZeroDivisionError"):
            router.complete("Hello")
