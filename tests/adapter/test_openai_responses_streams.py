"""What streamed answers of OpenAI's Responses become."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from llmroute.adapter import collect
from llmroute.adapter.classify import classify
from llmroute.adapter.framing import FRAMINGS, StreamEvent
from llmroute.adapter.opaque import unseal
from llmroute.adapter.protocols import ProviderError, protocol
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, Request, Usage
from tests.adapter.responses_wire import (
    CALL,
    CALLED,
    CREATED,
    THOUGHT,
    P,
    answer,
    call_events,
    completed_event,
    delta,
    event,
    incomplete,
    message,
)
from tests.adapter.wire import (
    ByteServer,
    completed,
    decoded,
    encoded,
    endpoint,
    failure,
    folded,
    http,
    streamed,
    target,
)


def test_a_stream() -> None:
    stream = (
        CREATED
        + delta("reasoning_summary_text", "One.", summary_index=0)
        + delta("reasoning_summary_text", "Two.", summary_index=1)
        + event("response.output_item.done", output_index=0, item=THOUGHT)
        + delta("output_text", "Hel", 1, content_index=0)
        + delta("output_text", "lo.", 1, content_index=0)
        + event("response.output_text.done", output_index=1, content_index=0, text="Hello.")
        + event("response.output_item.done", output_index=1, item=message())
        + completed_event(THOUGHT, message(), service_tier="default")
    )
    chunks = decoded(P, stream)
    blocks = [chunk.thinking_block for chunk in chunks if chunk.thinking_block]
    assert [own.place for own in map(unseal, blocks) if own] == [0]
    assert [chunk for chunk in chunks if not chunk.thinking_block] == [
        Chunk(model="served", id="resp_1"),
        Chunk(reasoning="One."),
        Chunk(reasoning="\n\nTwo."),
        Chunk(text="Hel"),
        Chunk(text="lo."),
        Chunk(usage=Usage(2048, 120, 1024, 512, 128, 64, "default")),
        Chunk(finish_reason="stop"),
    ]


def test_parallel_calls_interleaved() -> None:
    one, two = call_events(0, "a", '{"x"', ":1}"), call_events(1, "b", "{}")
    mixed = [one[0], two[0], one[1], two[1], one[2], *two[2:], *one[3:]]
    response = folded(P, CREATED + "".join(mixed) + completed_event())
    assert [(c.id, c.arguments) for c in response.tool_calls] == [("a", '{"x":1}'), ("b", "{}")]
    assert response.finish_reason == "tool_calls"


def test_a_call_without_arguments() -> None:
    response = folded(P, "".join(call_events(0, "a")) + completed_event())
    assert response.tool_calls[0].arguments == "{}"


def test_whole_calls_that_only_the_last_events_hold() -> None:
    done = event("response.output_item.done", output_index=0, item=CALL)
    assert folded(P, done + completed_event(CALL)).tool_calls == (CALLED,)
    assert folded(P, CREATED + completed_event(CALL)).tool_calls == (CALLED,)


def test_text_that_only_the_last_events_hold() -> None:
    done = event("response.output_text.done", output_index=0, content_index=0, text="Hello.")
    item = event("response.output_item.done", output_index=0, item=message())
    for said in (done, item, done + item, ""):
        assert folded(P, CREATED + said + completed_event(message())).text == "Hello."
    half = delta("output_text", "Hel", content_index=0)
    assert folded(P, half + done + item + completed_event(message())).text == "Hello."


def test_servers_without_indices_and_with_changing_ids() -> None:
    # llama.cpp sends no output_index; a proxy has been seen to rewrite ids in every event.
    made = {**CALL, "arguments": ""}
    bare = (
        event("response.output_item.added", item=made)
        + event("response.function_call_arguments.delta", item_id="fc_1", delta=CALL["arguments"])
        + event("response.output_item.done", item=CALL)
        + completed_event(CALL)
    )
    assert folded(P, bare).tool_calls == (CALLED,)
    changing = (
        event("response.output_item.added", output_index=0, item={**made, "id": "x1"})
        + delta("function_call_arguments", str(CALL["arguments"]), 0, "x2")
        + event("response.output_item.done", output_index=0, item={**CALL, "id": "x3"})
        + delta("output_text", "Hel", 1, "y1")
        + event("response.output_item.done", output_index=1, item=message("Hello."))
        + completed_event({**CALL, "id": "x4"}, message("Hello."))
    )
    response = folded(P, changing)
    assert (response.text, response.tool_calls) == ("Hello.", (CALLED,))


def test_a_streamed_refusal() -> None:
    stream = delta("refusal", "I ca") + delta("refusal", "n't.") + completed_event()
    response = folded(P, stream)
    assert (response.refusal, response.finish_reason) == ("I can't.", "content_filter")


def test_open_models_show_their_reasoning() -> None:
    stream = delta("reasoning_text", "Hm", content_index=0) + delta("output_text", "a", 1)
    assert folded(P, stream + completed_event()).reasoning == "Hm"


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")]
)
def test_a_stream_that_is_cut_short(reason: str, finish: str) -> None:
    end = event("response.incomplete", response=incomplete(reason, message("Hel")))
    response = folded(P, delta("output_text", "Hel") + end)
    assert (response.text, response.finish_reason, response.usage.output) == ("Hel", finish, 120)


@pytest.mark.parametrize(
    "data",
    [
        {"type": "error", "code": "server_error", "message": "m", "param": None},
        {"type": "error", "error": {"code": "server_error", "message": "m"}},
        {"error": {"code": "server_error", "message": "m"}},
    ],
)
def test_an_error_event(data: Any) -> None:
    with pytest.raises(ProviderError) as caught:
        decoded(P, f"event: error\ndata: {json.dumps(data)}\n\n")
    found = classify(caught.value.body, endpoint=endpoint(), model="m")
    assert (found.kind, found.message) == (ErrorKind.TRANSIENT, "m")


def test_unknown_events_and_noise_are_ignored() -> None:
    stream = (
        ": keep-alive\n\n"
        + event("response.web_search_call.searching", item_id="ws_1")
        + delta("output_text", "Hello.", obfuscation="x7")
        + event("response.output_text.annotation.added", annotation={})
        + completed_event(message())
        + "data: [DONE]\n\n"
    )
    assert folded(P, stream).text == "Hello."


@pytest.mark.parametrize("ending", ["", "data: [DONE]\n\n"])
def test_a_stream_without_its_end(ending: str) -> None:
    stream = CREATED + delta("output_text", "Hel") + ending
    with ByteServer(http(stream, content_type="text/event-stream")) as server:
        aim = target(endpoint(server.url, P))
        error = failure(lambda: streamed(aim))
    assert (error.kind, error.code) == (ErrorKind.MALFORMED, "no_terminator")


@pytest.mark.parametrize(
    "events",
    [
        "data: {\n\n",
        "data: []\n\n",
        event("response.completed"),
        event("response.completed", response=answer(message(), status="odd")),
        event("response.output_item.added", item=5),
        event("response.output_item.added", item={"type": "function_call", "call_id": "a"}),
        delta("output_text", 5),  # type: ignore[arg-type]
    ],
)
def test_streams_of_another_shape_are_malformed(events: str) -> None:
    with ByteServer(http(events, content_type="text/event-stream")) as server:
        aim = target(endpoint(server.url, P))
        assert failure(lambda: streamed(aim)).kind is ErrorKind.MALFORMED


def test_any_cut_of_the_bytes_gives_the_same_answer() -> None:
    stream = CREATED + delta("output_text", "Grüß") + completed_event(message("Grüß"))
    raw = stream.encode()
    for size in (1, 2, 3, 7, 64):
        framer, decoder = FRAMINGS["sse"](), protocol(P).decoder()
        events: list[StreamEvent] = []
        for start in range(0, len(raw), size):
            events += framer.feed(raw[start : start + size])
        chunks = [c for e in [*events, *framer.close()] for c in decoder.feed(e)]
        assert collect(chunks, target(P)).text == "Grüß"


def test_reasoning_travels_with_the_conversation() -> None:
    whole = json.dumps(answer(THOUGHT, CALL))
    stream = CREATED + "".join(call_events(1, "call_a1", '{"city":"Graz"}'))
    stream += completed_event(THOUGHT, CALL)
    sse = http(stream, content_type="text/event-stream")
    done = {"role": "tool", "tool_call_id": "call_a1", "content": "12 C"}
    with ByteServer(http(whole), sse) as server:
        aim = target(endpoint(server.url, P))
        for response in (completed(aim), collect(streamed(aim), aim)):
            assert response.tool_calls == (CALLED,)
            again = Request.of([{"role": "user", "content": "hi"}, response.message, done])
            assert encoded(aim, again).body["input"][1] == THOUGHT


def test_no_stream_breaks_the_reader() -> None:
    """Events that are dropped, doubled, swapped or bent give an answer or a known error."""
    draw = Random(7)
    good = [
        CREATED,
        *call_events(0, "a", '{"x"', ":1}"),
        delta("output_text", "Hel", 1, content_index=0),
        event("response.output_item.done", output_index=1, item=message()),
        event("response.output_item.done", output_index=2, item=THOUGHT),
        completed_event(CALL, message(), THOUGHT),
    ]
    allowed = (TargetError, ProviderError, AttributeError, LookupError, TypeError, ValueError)
    for _ in range(3000):
        events = draw.choices(good, k=draw.randrange(1, 9))
        decoder, framer = protocol(P).decoder(), FRAMINGS["sse"]()
        for one in framer.feed("".join(_bent(text, draw) for text in events).encode()):
            try:
                decoder.feed(one)
            except allowed:
                break


def _bent(text: str, draw: Random) -> str:
    words = ("null", "[]", "{}", "5", '"x"', "true", "-1e9")
    place, end = sorted(draw.choices(range(len(text)), k=2))
    return draw.choice((text, text, text[:place] + draw.choice(words) + text[end:]))
