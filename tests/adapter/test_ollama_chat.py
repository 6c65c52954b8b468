from __future__ import annotations

import json
from typing import Any

import pytest

from llmroute.adapter.protocols import ProviderError, protocol
from llmroute.catalog.model import Capabilities
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, ToolCall, Usage
from tests.adapter.wire import WEATHER, at, decoded, encoded, failure, folded, target

P = "ollama-chat"


def body(prompt: Any = "hi", aim: Any = P, **fields: Any) -> Any:
    return encoded(aim, prompt, **fields).body


def test_a_plain_request_says_stream_and_never_lets_the_prompt_be_cut() -> None:
    assert body() == {
        "model": "upstream-m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
        "truncate": False,
    }
    assert body(stream=True)["stream"] is True


def test_options_are_nested_and_the_window_is_always_the_same() -> None:
    made = encoded(
        target(P, context_window=16384),
        max_tokens=64,
        temperature=0.1,
        top_p=0.9,
        stop="X",
        seed=3,
        user="u",
    )
    assert made.body["options"] == {
        "num_ctx": 16384,
        "num_predict": 64,
        "temperature": 0.1,
        "top_p": 0.9,
        "stop": ["X"],
        "seed": 3,
    }
    assert made.warnings == ("user was dropped: the protocol has no such parameter",)
    aim = at(target(P), body={"keep_alive": "10m", "options": {"num_batch": 8}})
    assert body(aim=aim, seed=3)["options"] == {"seed": 3, "num_batch": 8}


def test_parts_are_flattened() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert body([{"role": "user", "content": [*texts, image]}])["messages"] == [
        {"role": "user", "content": "a\nb", "images": ["QUJD"]}
    ]
    link = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    error = failure(lambda: body([{"role": "user", "content": [link]}]))
    assert error.kind is ErrorKind.CAPABILITY


def test_a_tool_round_trip() -> None:
    function = {"name": "get_weather", "arguments": '{"city":"Graz"}'}
    call = {"id": "call_x1", "type": "function", "function": function}
    sent = body(
        [
            {"role": "developer", "content": "D"},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {
                "role": "tool",
                "tool_call_id": "call_x1",
                "content": [{"type": "text", "text": "12 C"}],
            },
        ],
        tools=(WEATHER,),
    )
    made = {"index": 0, "name": "get_weather", "arguments": {"city": "Graz"}}
    assert sent["messages"] == [
        {"role": "system", "content": "D"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "call_x1", "function": made}]},
        {
            "role": "tool",
            "content": "12 C",
            "tool_name": "get_weather",
            "tool_call_id": "call_x1",
        },
    ]
    assert sent["tools"] == [WEATHER]


def test_tool_choice() -> None:
    assert "tools" not in body(tools=(WEATHER,), tool_choice="none")
    assert body(tools=(WEATHER,), tool_choice="auto")["tools"] == [WEATHER]
    error = failure(lambda: body(tools=(WEATHER,), tool_choice="required"))
    assert error.kind is ErrorKind.CAPABILITY
    assert encoded(P, tools=(WEATHER,), parallel_tool_calls=False).warnings


@pytest.mark.parametrize(
    ("effort", "think"),
    [("none", False), ("minimal", "low"), ("medium", "medium"), ("xhigh", "max"), ("max", "max")],
)
def test_think(effort: str, think: Any) -> None:
    assert body(reasoning_effort=effort)["think"] == think
    plain = target(P, capabilities=Capabilities())
    assert "think" not in body(aim=plain, reasoning_effort=effort)


def test_formats() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert body(response_format=form)["format"] == schema
    assert body(response_format={"type": "json_object"})["format"] == "json"
    assert "format" not in body(response_format={"type": "text"})


def decode(message: Any, **data: Any) -> Any:
    line = {"model": "qwen3:8b", "message": message, "done": True, "done_reason": "stop"}
    counts = {"prompt_eval_count": 26, "eval_count": 18}
    return protocol(P).decode({**line, **counts, **data}, target(P))


def test_a_whole_answer() -> None:
    response = decode({"role": "assistant", "content": "Hello.", "thinking": "hm"})
    assert (response.text, response.reasoning, response.model) == ("Hello.", "hm", "qwen3:8b")
    assert response.usage == Usage(26, 18)
    assert response.finish_reason == "stop"
    assert decode({"content": "x"}, done_reason="length").finish_reason == "length"


def test_calls_end_with_tool_calls_and_get_ids() -> None:
    call = {"function": {"name": "f", "arguments": {}}}
    response = decode({"content": "", "tool_calls": [{"id": "a", **call}, call]})
    assert response.finish_reason == "tool_calls"
    assert response.tool_calls[0] == ToolCall("a", "f", "{}")
    assert response.tool_calls[1].id.startswith("call_")


def test_absent_counts_are_estimated() -> None:
    assert decode({"content": "x"}, eval_count=None).usage.estimated


@pytest.mark.parametrize("reason", ["load", "unload", None, "surprise"])
def test_other_reasons_are_malformed(reason: Any) -> None:
    error = failure(lambda: decode({"content": ""}, done_reason=reason))
    assert error.kind is ErrorKind.MALFORMED


def lines(*data: Any) -> str:
    return "".join(json.dumps({"model": "qwen3:8b", **d}) + "\n" for d in data)


def test_a_stream() -> None:
    stream = lines(
        {"message": {"content": "", "thinking": "hm"}, "done": False},
        {"message": {"content": "Hel"}, "done": False},
        {"message": {"content": "lo."}, "done": False},
        {"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 18},
    )
    assert decoded(P, stream) == [
        Chunk(model="qwen3:8b"),
        Chunk(reasoning="hm"),
        Chunk(text="Hel"),
        Chunk(text="lo."),
        Chunk(usage=Usage(0, 18, estimated=True)),
        Chunk(finish_reason="stop"),
    ]


def test_streamed_calls_stay_apart() -> None:
    def call(call_id: str | None, city: str) -> Any:
        made = {"function": {"index": 0, "name": "f", "arguments": {"city": city}}}
        return {**made, "id": call_id} if call_id else made

    response = folded(
        P,
        lines(
            {"message": {"content": "", "tool_calls": [call("a", "Graz")]}},
            {"message": {"content": "", "tool_calls": [call("a", "Graz")]}},
            {"message": {"content": "", "tool_calls": [call(None, "Wien"), call(None, "Linz")]}},
            {"message": {}, "done": True, "done_reason": "stop", "eval_count": 3},
        ),
    )
    assert [json.loads(c.arguments)["city"] for c in response.tool_calls] == [
        "Graz",
        "Wien",
        "Linz",
    ]
    assert response.finish_reason == "tool_calls"


def test_an_error_line_midway() -> None:
    with pytest.raises(ProviderError):
        decoded(P, lines({"message": {"content": "Hel"}}) + '{"error":"it broke"}\n')
    with pytest.raises(TargetError):
        decoded(P, "not json\n")
