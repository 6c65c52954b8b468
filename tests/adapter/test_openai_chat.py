from __future__ import annotations

import json
from typing import Any

import pytest

from llmroute.adapter.protocols import ProviderError, protocol
from llmroute.catalog.model import Capabilities, WireRules
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, ToolCall, Usage
from tests.adapter.wire import (
    WEATHER,
    at,
    decoded,
    encoded,
    failure,
    folded,
    sse,
    target,
)

P = "openai-chat"


def body(aim: Any = P, prompt: Any = "hi", **fields: Any) -> Any:
    return encoded(aim, prompt, **fields).body


def test_a_plain_request() -> None:
    assert body() == {
        "model": "upstream-m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
    }


def test_every_parameter() -> None:
    sent = body(
        stream=True,
        max_tokens=64,
        temperature=0.2,
        top_p=0.9,
        stop=("END",),
        seed=7,
        user="u",
        reasoning_effort="low",
        tools=(WEATHER,),
        tool_choice="required",
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
    )
    assert sent == {
        "model": "upstream-m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 64,
        "temperature": 0.2,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 7,
        "user": "u",
        "reasoning_effort": "low",
        "tools": [WEATHER],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
    }


def test_a_models_rules() -> None:
    rules = WireRules(
        reject=("temperature", "stop"),
        rename={"max_tokens": "max_completion_tokens"},
        efforts=("low", "medium", "high"),
        with_tools={"reasoning_effort": "none"},
    )
    aim = target(P, wire=rules)
    sent = encoded(aim, max_tokens=9, temperature=1.5, stop="x", reasoning_effort="max")
    assert sent.body["max_completion_tokens"] == 9
    assert sent.body["reasoning_effort"] == "high"
    assert not {"max_tokens", "temperature", "stop"} & set(sent.body)
    assert [w.split(" ")[0] for w in sent.warnings] == ["temperature", "stop", "reasoning_effort"]
    with_tools = encoded(aim, tools=(WEATHER,), reasoning_effort="low")
    assert with_tools.body["reasoning_effort"] == "none"
    assert "reasoning_effort became 'none'" in with_tools.warnings[0]


def test_efforts_go_down_then_up() -> None:
    aim = target(P, wire=WireRules(efforts=("low", "high")))
    sent = {e: body(aim, reasoning_effort=e)["reasoning_effort"] for e in ("none", "medium", "max")}
    assert sent == {"none": "low", "medium": "low", "max": "high"}
    dropped = encoded(target(P, wire=WireRules(efforts=())), reasoning_effort="low")
    assert "reasoning_effort" not in dropped.body
    assert dropped.warnings
    plain = target(P, capabilities=Capabilities())
    assert "reasoning_effort" not in body(plain, reasoning_effort="low")


def test_the_endpoints_static_body_is_laid_over() -> None:
    aim = at(target(P), body={"top_k": 5, "stream_options": {"include_obfuscation": False}})
    sent = body(aim, stream=True)
    assert sent["top_k"] == 5
    assert sent["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_messages_pass_as_they_are_and_opaque_reasoning_does_not() -> None:
    messages = [
        {"role": "developer", "content": "D"},
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "assistant", "content": "b", "reasoning_content": "r", "thinking_blocks": [1]},
    ]
    sent = body(prompt=messages)["messages"]
    assert sent[0] == {"role": "system", "content": "D"}
    assert sent[1] is messages[1]
    assert sent[2] == {"role": "assistant", "content": "b"}


@pytest.mark.parametrize("content", [[{"type": "video", "video": "x"}], [{"text": "no type"}]])
def test_unknown_content_is_refused(content: Any) -> None:
    error = failure(lambda: body(prompt=[{"role": "user", "content": content}]))
    assert error.kind is ErrorKind.CAPABILITY
    assert error.target == "p/m"


def test_a_forced_call_needs_a_target_that_obeys() -> None:
    weak = target(P, capabilities=Capabilities(tools=True))
    for choice in ("required", {"type": "function", "function": {"name": "f"}}):
        error = failure(lambda c=choice: body(weak, tools=(WEATHER,), tool_choice=c))  # type: ignore[misc]
        assert error.kind is ErrorKind.CAPABILITY
    assert body(weak, tools=(WEATHER,), tool_choice="auto")["tool_choice"] == "auto"


USAGE = {
    "prompt_tokens": 2048,
    "completion_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 512},
    "completion_tokens_details": {"reasoning_tokens": 64},
}


def answer(message: Any, finish: Any = "stop", **data: Any) -> Any:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c1", "model": "served", "choices": [choice], "usage": USAGE, **data}


def decode(data: Any) -> Any:
    return protocol(P).decode(data, target(P))


def test_a_whole_answer() -> None:
    response = decode(answer({"content": "Hello."}, service_tier="default"))
    assert (response.text, response.finish_reason) == ("Hello.", "stop")
    assert (response.model, response.id) == ("served", "c1")
    assert response.usage == Usage(2048, 120, 1024, 512, 0, 64, "default")


def test_calls_refusals_and_reasoning() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    bare = {"function": {"name": "g", "arguments": ""}}
    response = decode(answer({"content": None, "tool_calls": [call, bare]}, "stop"))
    assert response.finish_reason == "tool_calls"
    assert response.text is None
    assert response.tool_calls[0] == ToolCall("a", "f", '{"x":1}')
    assert response.tool_calls[1].arguments == "{}"
    assert response.tool_calls[1].id.startswith("call_")
    refused = decode(answer({"content": None, "refusal": "I can't"}))
    assert (refused.refusal, refused.finish_reason) == ("I can't", "content_filter")
    assert decode(answer({"content": "x", "reasoning": "r"})).reasoning == "r"
    legacy = {"content": None, "function_call": {"name": "f", "arguments": "{}"}}
    assert decode(answer(legacy, "function_call")).tool_calls[0].name == "f"


@pytest.mark.parametrize(
    "data",
    [
        [],
        "x",
        {},
        {"choices": []},
        {"choices": [{"message": None}]},
        answer({"content": "x"}, None),
        answer({"content": "x"}, "surprise"),
        answer({"content": 5}),
        answer({"content": "x", "tool_calls": [5]}),
        answer({"content": "x", "tool_calls": [{"function": {"arguments": "{}"}}]}),
        answer({"content": "x", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}),
    ],
)
def test_other_shapes_are_malformed(data: Any) -> None:
    assert failure(lambda: decode(data)).kind is ErrorKind.MALFORMED


def test_an_error_in_a_200() -> None:
    with pytest.raises(ProviderError) as caught:
        decode({"error": {"message": "m", "code": "model_not_found"}})
    assert caught.value.body["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": -1, "completion_tokens": 3}, {"prompt_tokens": True}]
)
def test_missing_or_impossible_usage_is_flagged(usage: Any) -> None:
    assert decode({**answer({"content": "x"}), "usage": usage}).usage.estimated


def delta(_finish: str | None = None, **data: Any) -> str:
    choice = {"index": 0, "delta": data, "finish_reason": _finish}
    return json.dumps({"id": "c1", "model": "served", "choices": [choice], "usage": None})


LAST = json.dumps({"model": "served", "choices": [], "usage": USAGE})


def test_a_stream() -> None:
    stream = sse(
        delta(role="assistant", content=""),
        delta(reasoning_content="hm"),
        delta(content="Hel"),
        delta(content="lo."),
        delta("stop"),
        LAST,
        "[DONE]",
    )
    usage = Usage(2048, 120, 1024, 512, 0, 64)
    assert decoded(P, stream) == [
        Chunk(model="served", id="c1"),
        Chunk(reasoning="hm"),
        Chunk(text="Hel"),
        Chunk(text="lo."),
        Chunk(usage=usage),
        Chunk(finish_reason="stop"),
    ]


def call_delta(index: Any, call_id: str | None, name: str | None, arguments: str) -> str:
    call: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        call["index"] = index
    if call_id:
        call["id"] = call_id
    return delta(tool_calls=[call])


def test_streamed_calls() -> None:
    response = folded(
        P,
        sse(
            call_delta(0, "a", "f", ""),
            call_delta(0, None, None, '{"c":'),
            call_delta(0, None, "", "1}"),
            call_delta(0, "b", "now", ""),
            delta("tool_calls"),
            "[DONE]",
        ),
    )
    assert response.tool_calls == (ToolCall("a", "f", '{"c":1}'), ToolCall("b", "now", "{}"))
    assert response.finish_reason == "tool_calls"
    assert response.usage.estimated


def test_a_streamed_refusal_ends_with_content_filter() -> None:
    response = folded(P, sse(delta(refusal="No"), delta(refusal="."), delta("stop"), "[DONE]"))
    assert (response.refusal, response.finish_reason, response.text) == (
        "No.",
        "content_filter",
        None,
    )


def test_data_after_the_terminator_is_ignored_and_repeated_usage_replaces() -> None:
    decoder = protocol(P).decoder()
    from llmroute.adapter.framing import StreamEvent

    events = [delta(content="x"), LAST, LAST, delta("stop"), "[DONE]", delta(content="y"), "junk"]
    chunks = [chunk for data in events for chunk in decoder.feed(StreamEvent("", data))]
    assert "".join(chunk.text for chunk in chunks) == "x"
    assert len({chunk.usage for chunk in chunks if chunk.usage}) == 1


@pytest.mark.parametrize("data", ["{", "[1]", '{"choices":[5]}', '{"choices":[{"delta":5}]}'])
def test_broken_events_are_malformed(data: str) -> None:
    assert failure(lambda: decoded(P, sse(data, "[DONE]"))).kind is ErrorKind.MALFORMED


def test_errors_midway() -> None:
    for event in ('data: {"error":{"message":"m"}}\n\n', 'event: error\ndata: {"message":"m"}\n\n'):
        with pytest.raises(ProviderError):
            decoded(P, sse(delta(content="x")) + event)


def test_an_unknown_finish_reason_is_malformed() -> None:
    with pytest.raises(TargetError, match="surprise"):
        decoded(P, sse(delta("surprise", content="x"), "[DONE]"))
