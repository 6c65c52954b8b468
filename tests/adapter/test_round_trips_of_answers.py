"""Answers there and back in the protocols that clients and providers share, whole and streamed.

A canonical answer is written for a client, and read again as if a provider had sent it. What
does not come back is lost in the protocol; each loss is a function here that is named for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from llmroute.adapter import collect
from llmroute.adapter.answering import Asked, client_protocol
from llmroute.adapter.framing import FRAMINGS
from llmroute.adapter.opaque import addressed, seal, unseal
from llmroute.adapter.protocols import protocol
from llmroute.errors import TargetError
from llmroute.types import Chunk, Request, Response, ToolCall, ToolCallDelta, Usage
from tests.adapter.wire import pieces, target

Loss = Callable[[Response], Response]
ASKED = Asked(Request.of("q"), "m", include_usage=True)
WORDS = ("Grüß", " Gott", "\n\n", "🌧", "日本", '"q"', "\\", "data: x", "[DONE]", "{}", " ")
ARGUMENTS = ('{"city":"日本"}', "{}", '{"a":[1,2,{"b":null}],"c":"\\n"}', '{"x":1.5}')
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "S=="}
SECRET = {"type": "redacted_thinking", "data": "D=="}
ITEM = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E=="}
#: Protocol → the opaque blocks that it can hold.
BLOCKS: dict[str, tuple[Any, ...]] = {
    "anthropic-messages": ((), (THOUGHT,), (SECRET,), (THOUGHT, SECRET)),
    "openai-chat": ((),),
    "openai-responses": ((), (ITEM,)),
}
NAMES = sorted(BLOCKS)


def answers(name: str, count: int = 200) -> Iterator[Response]:
    draw = Random(29)
    for number in range(count):
        kind: Any = draw.choice(("stop", "length", "tool_calls", "content_filter"))
        calls = tuple(
            ToolCall(f"call_{number}_{n}", draw.choice(("f", "look-up_2")), draw.choice(ARGUMENTS))
            for n in range(draw.randrange(1, 4) if kind == "tool_calls" else 0)
        )
        refusal = _text(draw) if kind == "content_filter" else None
        said = None if refusal or (calls and draw.random() < 0.5) else _text(draw)
        blocks = draw.choice(BLOCKS[name])
        sealed = (seal(block, "p/m", place) for place, block in enumerate(blocks))
        yield Response(
            text=said,
            finish_reason=kind,
            usage=_usage(draw),
            model=draw.choice(("served", "served:2026")),
            id=f"id_{number}",
            tool_calls=calls,
            reasoning="Hm."
            if THOUGHT in blocks
            else None
            if blocks
            else draw.choice((None, "So.")),
            refusal=refusal,
            thinking_blocks=tuple(block for block in sealed if block),
        )


def _text(draw: Random) -> str:
    return "x" + "".join(draw.choices(WORDS, k=draw.randrange(1, 8)))


def _usage(draw: Random) -> Usage:
    cached, written = draw.choice((0, 1024)), draw.choice((0, 512))
    hour = draw.choice((0, written))
    return Usage(
        cached + written + 7, draw.randrange(1, 99), cached, written, hour, draw.choice((0, 1))
    )


def one_rate_of_written_tokens(response: Response) -> Response:
    """OpenAI's usage as we write it does not say which tokens were written for an hour."""
    return replace(response, usage=replace(response.usage, cache_written_1h=0))


def a_refusal_is_said_too(response: Response) -> Response:
    """Anthropic's clients show text alone, so a refusal stands there beside its explanation."""
    return replace(response, text=response.text or response.refusal)


LOSSES: dict[str, tuple[Loss, ...]] = {
    "anthropic-messages": (a_refusal_is_said_too,),
    "openai-chat": (one_rate_of_written_tokens,),
    "openai-responses": (one_rate_of_written_tokens,),
}


def expected(name: str, response: Response) -> Response:
    for loss in LOSSES[name]:
        response = loss(response)
    return response


def opened(response: Response) -> Response:
    """Whoever reads an answer seals its blocks: those that we wrote were sealed before."""
    blocks = tuple(own.block for block in response.thinking_blocks if (own := unseal(block)))
    usage = replace(response.usage, tier=None, speed=None, region=None)
    return replace(response, thinking_blocks=blocks, warnings=(), usage=usage)


@pytest.mark.parametrize("name", NAMES)
def test_whole(name: str) -> None:
    for response in answers(name):
        body = json.loads(json.dumps(client_protocol(name).answer(response, ASKED)))
        found = protocol(name).decode(body, target(name))
        assert opened(found) == expected(name, response)


def chunks(response: Response, draw: Random) -> Iterator[Chunk]:
    """Yield an answer in pieces of any size, calls side by side or one after the other."""
    yield Chunk(model=response.model, id=response.id)
    for piece in _cut(response.reasoning or "", draw):
        yield Chunk(reasoning=piece)
    for block in response.thinking_blocks:
        yield Chunk(thinking_block=block)
    for piece in _cut(response.text or "", draw):
        yield Chunk(text=piece)
    for piece in _cut(response.refusal or "", draw):
        yield Chunk(refusal=piece)
    yield from _calls(response, draw)
    last = [Chunk(usage=response.usage), Chunk(finish_reason=response.finish_reason)]
    yield from draw.sample(last, 2)


def _calls(response: Response, draw: Random) -> Iterator[Chunk]:
    waiting = []
    for index, call in enumerate(response.tool_calls):
        begun = ToolCallDelta(index, call.id, call.name)
        rest = [ToolCallDelta(index, arguments=p) for p in _cut(call.arguments, draw)]
        waiting.append([begun, *rest])
    beside = draw.random() < 0.5
    while waiting:
        queue = draw.choice(waiting) if beside else waiting[0]
        yield Chunk(tool_call=queue.pop(0))
        waiting = [queue for queue in waiting if queue]


def _cut(text: str, draw: Random) -> Iterator[str]:
    while text:
        size = draw.randrange(1, len(text) + 1)
        yield text[:size]
        text = text[size:]


def read(name: str, stream: list[bytes]) -> Response:
    framer, decoder = FRAMINGS[protocol(name).framing](), protocol(name).decoder()
    events = [event for data in stream for event in framer.feed(data)]
    found = [chunk for event in [*events, *framer.close()] for chunk in decoder.feed(event)]
    assert decoder.done
    return collect(map(_addressed, found), target(name))


def _addressed(chunk: Chunk) -> Chunk:
    block = chunk.thinking_block
    return chunk if block is None else replace(chunk, thinking_block=addressed(block, "p/m"))


@pytest.mark.parametrize("name", NAMES)
def test_streamed(name: str) -> None:
    draw = Random(31)
    for response in answers(name):
        writer = client_protocol(name).writer(ASKED)
        written = [event for chunk in chunks(response, draw) for event in writer.feed(chunk)]
        stream = b"".join([*written, *writer.finish()])
        cuts = [draw.randrange(len(stream)) for _ in range(draw.randrange(9))]
        found = read(name, pieces(stream, cuts))
        assert by_id(opened(found)) == by_id(expected(name, response))


def by_id(response: Response) -> Response:
    """Of calls side by side only the order of their beginnings is kept."""
    return replace(response, tool_calls=tuple(sorted(response.tool_calls, key=lambda c: c.id)))


@pytest.mark.parametrize("name", NAMES)
def test_streamed_byte_by_byte(name: str) -> None:
    draw = Random(37)
    for response in answers(name, 20):
        writer = client_protocol(name).writer(ASKED)
        written = [event for chunk in chunks(response, draw) for event in writer.feed(chunk)]
        stream = b"".join([*written, *writer.finish()])
        found = read(name, [bytes([byte]) for byte in stream])
        assert by_id(opened(found)) == by_id(expected(name, response))


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_stream_is_never_whole(name: str) -> None:
    """Cut anywhere before its end, no answer is taken for whole."""
    draw = Random(41)
    for response in answers(name, 40):
        writer = client_protocol(name).writer(ASKED)
        written = [event for chunk in chunks(response, draw) for event in writer.feed(chunk)]
        ending = writer.finish()
        kept = b"".join([*written, *ending[:-1]])[: -draw.randrange(2, 40)]
        framer, decoder = FRAMINGS[protocol(name).framing](), protocol(name).decoder()
        with suppress(TargetError):  # the last event may have been cut in two
            for event in [*framer.feed(kept), *framer.close()]:
                decoder.feed(event)
        assert not decoder.done
