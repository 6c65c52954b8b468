from __future__ import annotations

import json
from typing import Any

import pytest

from llmroute.adapter.protocols import ProviderError, protocol
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, ToolCall, ToolCallDelta, Usage
from tests.adapter.wire import decoded, failure, folded, target

P = "anthropic-messages"


USAGE = {
    "input_tokens": 512,
    "cache_creation_input_tokens": 500,
    "cache_read_input_tokens": 1024,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 400},
    "output_tokens": 120,
    "output_tokens_details": {"thinking_tokens": 64},
    "service_tier": "standard",
}


def decode(content: Any, stop: Any = "end_turn", **data: Any) -> Any:
    answer = {"id": "m1", "model": "served", "content": content, "stop_reason": stop}
    return protocol(P).decode({**answer, "usage": USAGE, **data}, target(P))


def test_a_whole_answer() -> None:
    response = decode(
        [
            {"type": "thinking", "thinking": "hm", "signature": "S"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "a"},
            {"type": "text", "text": "b"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"city": "Graz"}},
        ],
        "tool_use",
    )
    assert (response.text, response.reasoning) == ("ab", "hm")
    assert response.tool_calls == (ToolCall("t", "f", '{"city":"Graz"}'),)
    assert response.usage == Usage(2036, 120, 1024, 500, 400, 64, "standard")
    assert (response.model, response.id, response.warnings) == ("served", "m1", ())


@pytest.mark.parametrize(
    ("stop", "finish", "warned"),
    [
        ("end_turn", "stop", False),
        ("stop_sequence", "stop", False),
        ("max_tokens", "length", False),
        ("model_context_window_exceeded", "length", True),
        ("pause_turn", "length", True),
        ("refusal", "content_filter", False),
    ],
)
def test_stop_reasons(stop: str, finish: str, warned: bool) -> None:
    response = decode([{"type": "text", "text": "x"}], stop)
    assert (response.finish_reason, bool(response.warnings)) == (finish, warned)


@pytest.mark.parametrize("stop", [None, "surprise", 5])
def test_other_stop_reasons_are_malformed(stop: Any) -> None:
    assert failure(lambda: decode([], stop)).kind is ErrorKind.MALFORMED


def test_a_refusal_and_a_foreign_block() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "E"}
    refused = decode([], "refusal", stop_details=details)
    assert (refused.refusal, refused.text) == ("E", None)
    foreign = decode([{"type": "server_tool_use"}, {"type": "text", "text": "x"}])
    assert "server_tool_use" in foreign.warnings[0]


def test_an_error_in_a_200() -> None:
    with pytest.raises(ProviderError):
        protocol(P).decode({"type": "error", "error": {"type": "api_error"}}, target(P))


def events(*data: dict[str, Any]) -> str:
    return "".join(f"event: {d['type']}\ndata: {json.dumps(d)}\n\n" for d in data)


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "m1", "model": "served", "usage": usage, "content": [], "stop_reason": None}
    return {"type": "message_start", "message": message}


def block(index: int, **data: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": data}


def delta(index: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **data}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", details: Any = None, **usage: Any) -> dict[str, Any]:
    said = {"stop_reason": reason, "stop_details": details}
    return {"type": "message_delta", "delta": said, "usage": usage}


STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def test_a_stream_with_cumulative_usage() -> None:
    stream = events(
        start(**{**USAGE, "output_tokens": 1}),
        PING,
        block(0, type="text", text=""),
        {"type": "from_the_future", "x": 1},
        delta(0, "text_delta", text="Hel"),
        delta(0, "text_delta", text="lo."),
        delta(0, "citations_delta", citation={}),
        stop(0),
        end(output_tokens=12, input_tokens=None),
        STOP,
        PING,
    )
    first = Usage(2036, 1, 1024, 500, 400, 64, "standard")
    last = Usage(2036, 12, 1024, 500, 400, 64, "standard")
    assert decoded(P, stream) == [
        Chunk(usage=first, model="served", id="m1"),
        Chunk(text="Hel"),
        Chunk(text="lo."),
        Chunk(usage=last),
        Chunk(finish_reason="stop"),
    ]


def test_streamed_thinking_and_calls() -> None:
    response = folded(
        P,
        events(
            start(input_tokens=1),
            block(0, type="thinking", thinking=""),
            delta(0, "thinking_delta", thinking="hm"),
            delta(0, "signature_delta", signature="S"),
            stop(0),
            block(1, type="tool_use", id="a", name="f", input={}),
            block(2, type="tool_use", id="b", name="now", input={}),
            delta(1, "input_json_delta", partial_json=""),
            delta(1, "input_json_delta", partial_json='{"c": '),
            delta(1, "input_json_delta", partial_json="1}"),
            stop(1),
            stop(2),
            end("tool_use", output_tokens=80),
            STOP,
        ),
    )
    assert response.reasoning == "hm"
    assert response.tool_calls == (ToolCall("a", "f", '{"c": 1}'), ToolCall("b", "now", "{}"))


def test_an_index_used_again_starts_another_call() -> None:
    chunks = decoded(
        P,
        events(
            start(),
            block(0, type="tool_use", id="a", name="f", input={}),
            block(0, type="tool_use", id="b", name="g", input={"x": 1}),
            end("tool_use", output_tokens=3),
            STOP,
        ),
    )
    assert [chunk.tool_call for chunk in chunks if chunk.tool_call] == [
        ToolCallDelta(0, "a", "f"),
        ToolCallDelta(0, arguments="{}"),
        ToolCallDelta(1, "b", "g"),
        ToolCallDelta(1, arguments='{"x":1}'),
    ]


def test_a_refusal_midway_keeps_the_text() -> None:
    response = folded(
        P,
        events(
            start(),
            block(0, type="text", text=""),
            delta(0, "text_delta", text="Hel"),
            end("refusal", {"type": "refusal", "category": "bio", "explanation": None}),
            STOP,
        ),
    )
    assert (response.text, response.refusal) == ("Hel", "bio")
    assert response.finish_reason == "content_filter"


def test_errors_and_missing_ends() -> None:
    broken = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(ProviderError):
        decoded(P, events(start(), broken))
    with pytest.raises(TargetError, match="stop_reason"):
        decoded(P, events(start(), STOP))
