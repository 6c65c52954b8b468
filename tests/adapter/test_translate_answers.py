"""Cases of translating answers, whole and streamed; see `test_translate_cases.py`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llmroute.adapter.answering import client_protocol
from llmroute.adapter.opaque import seal, unseal
from llmroute.adapter.protocols import ProviderError
from llmroute.errors import TargetError
from tests.adapter.answering.parts import events
from tests.adapter.translating import (
    ANTHROPIC,
    ASKED,
    CASES,
    CHAT,
    OLLAMA,
    RESPONSES,
    K,
    answered,
    call,
    read,
    result,
    sent,
    texts,
    user,
)
from tests.adapter.wire import (
    ByteServer,
    completed,
    decoded,
    endpoint,
    failure,
    folded,
    http,
    sse,
    streamed,
    target,
)

THOUGHT = {"type": "thinking", "thinking": "", "signature": "S"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def test_t43_thoughts_come_back_to_the_same_model() -> None:
    """They are carried sealed; the blocks that are sent again are byte for byte the model's own."""
    blocks = [THOUGHT, *texts("x"), USE]
    message = answered({"content": blocks, "stop_reason": "tool_use"})["choices"][0]["message"]
    assert (message["content"], message["tool_calls"]) == ("x", call("t")["tool_calls"])
    (sealed,) = message["thinking_blocks"]
    assert unseal(sealed) == ("p/m", 0, THOUGHT)
    assert not message.get("reasoning_content")
    again = sent(ANTHROPIC, user("q"), message, result("1", "t"))["messages"]
    assert again[1] == {"role": "assistant", "content": blocks}


@pytest.mark.parametrize("where", [ANTHROPIC, CHAT, OLLAMA, RESPONSES])
def test_t44_thoughts_go_to_nobody_else(where: str) -> None:
    redacted = {"type": "redacted_thinking", "data": "D"}
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E"}
    sealed = [
        seal(block, "other/model", place) for place, block in enumerate((THOUGHT, redacted, item))
    ]
    message = {**call("t"), "content": "x", "thinking_blocks": sealed, "reasoning_content": "Hm."}
    body = sent(where, user("q"), message, result("1", "t"))
    written = json.dumps(body.get("messages") or body["input"])
    for hidden in ("thinking", "reasoning", "llmroute", "Hm.", '"S"', '"D"', '"E"'):
        assert hidden not in written
    assert '"x"' in written
    assert written.count('"t"') == 2


def test_t46_input_becomes_text() -> None:
    message = answered({"content": [USE], "stop_reason": "tool_use"})["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"
    made = read(user("q"), {"role": "assistant", "content": [USE]})
    assert made[1]["tool_calls"][0]["function"]["arguments"] == "{}"
    begun = {"type": "content_block_start", "index": 0, "content_block": USE}
    ended = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {}}
    stream = wire(
        begun, {"type": "content_block_stop", "index": 0}, ended, {"type": "message_stop"}
    )
    assert folded(ANTHROPIC, stream).tool_calls[0].arguments == "{}"


def wire(*data: Any) -> str:
    return "".join(f"event: {d['type']}\ndata: {json.dumps(d)}\n\n" for d in data)


def test_t47_a_result_that_is_an_error() -> None:
    failed = {"type": "tool_result", "tool_use_id": "t", "content": "boom", "is_error": True}
    made = read(user("q"), {"role": "assistant", "content": [USE]}, user([failed]))
    assert made[2] == result("Error: boom", "t")


def test_t49_system_as_blocks() -> None:
    """Marks of caches keep the blocks apart, so the texts are compared as what they say.

    `system` is understood by every server of this protocol; OpenAI takes it for `developer`.
    """
    marked = [{**texts("A")[0], "cache_control": {"type": "ephemeral"}}, *texts("B")]
    for system in (texts("A", "B"), marked):
        first = read(user("q"), system=system)[0]
        content = first["content"]
        parts = [part["text"] for part in content] if isinstance(content, list) else [content]
        assert (first["role"], "\n\n".join(parts)) == ("system", "A\n\nB")


USAGE = {
    "input_tokens": 512,
    "cache_read_input_tokens": 1024,
    "cache_creation_input_tokens": 512,
    "output_tokens": 120,
    "output_tokens_details": {"thinking_tokens": 64},
}


def test_t50_usage() -> None:
    body = {"content": texts("x"), "stop_reason": "end_turn", "usage": USAGE}
    assert answered(body)["usage"] == {
        "prompt_tokens": 2048,
        "completion_tokens": 120,
        "total_tokens": 2168,
        "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 512},
        "completion_tokens_details": {"reasoning_tokens": 64},
    }


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "length"),
        ("model_context_window_exceeded", "length"),
    ],
)
def test_t52_stop_reasons(native: str, reason: str) -> None:
    blocks = [USE] if native == "tool_use" else texts("x")
    made = answered({"content": blocks, "stop_reason": native})
    assert made["choices"][0]["finish_reason"] == reason
    said = " ".join(made["llmroute"]["warnings"])
    assert ("cut short" in said) == (native in ("pause_turn", "model_context_window_exceeded"))


def test_t52_no_reason_is_an_error() -> None:
    with pytest.raises(TargetError) as caught:
        answered({"content": texts("x"), "stop_reason": None})
    assert caught.value.kind is K.MALFORMED


def test_t53_refusal_without_content() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "E"}
    body = {"content": [], "stop_reason": "refusal", "stop_details": details}
    choice = answered(body)["choices"][0]
    assert (choice["message"]["content"], choice["message"]["refusal"]) == (None, "E")
    assert choice["finish_reason"] == "content_filter"


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return f"data: {json.dumps({'id': 'c', 'model': 'gpt-6-sol', 'choices': choices, **more})}\n\n"


def piece(index: int, arguments: str, call_id: str | None = None) -> Any:
    function = {"arguments": arguments, **({"name": "get_weather"} if call_id else {})}
    named = {"id": call_id, "type": "function"} if call_id else {}
    return {"tool_calls": [{"index": index, **named, "function": function}]}


CALLING = "".join(
    (
        chunk({"role": "assistant", "content": None}),
        chunk(piece(0, "", "call_a1")),
        chunk(piece(0, '{"city":')),
        chunk(piece(0, '"Graz"}')),
        chunk(piece(1, "", "call_b2")),
        chunk(piece(1, '{"city":"Wien"}')),
        chunk({}, "tool_calls"),
        chunk(usage={"prompt_tokens": 2048, "completion_tokens": 120}),
        "data: [DONE]\n\n",
    )
)
OVERLOADED = wire(
    {"type": "message_start", "message": {"id": "m", "model": "x", "usage": {}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hel"},
    },
    {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
)
EMPTY = "".join(
    (
        chunk({"role": "assistant"}),
        chunk({}, "stop"),
        chunk(usage={"prompt_tokens": 36000, "completion_tokens": 0, "total_tokens": 36000}),
        "data: [DONE]\n\n",
    )
)


def streams(copied: str, name: str) -> list[str]:
    """Return a stream as it is copied here, and as it is recorded where that is there."""
    path = CASES.parent.parent / name
    return [copied, path.read_text()] if path.exists() else [copied]


def test_t55_chunks_become_events() -> None:
    for stream in streams(CALLING, "openai_chat/stream_parallel_tools_usage.sse"):
        writer = client_protocol(ANTHROPIC).writer(ASKED)
        written = [event for part in decoded(CHAT, stream) for event in writer.feed(part)]
        found = events([*written, *writer.finish()])
        assert [(name, data.get("index")) for name, data in found] == [
            ("message_start", None),
            ("content_block_start", 0),
            ("content_block_delta", 0),
            ("content_block_delta", 0),
            ("content_block_stop", 0),
            ("content_block_start", 1),
            ("content_block_delta", 1),
            ("content_block_stop", 1),
            ("message_delta", None),
            ("message_stop", None),
        ]
        assert found[1][1]["content_block"]["type"] == "tool_use"
        ended = found[-2][1]
        assert ended["delta"]["stop_reason"] == "tool_use"
        assert ended["usage"]["output_tokens"] == 120


def test_t56_an_error_after_the_first_token() -> None:
    for stream in streams(OVERLOADED, "anthropic/stream_error_overloaded.sse"):
        with pytest.raises(ProviderError) as caught:
            decoded(ANTHROPIC, stream)
        assert caught.value.body["error"]["type"] == "overloaded_error"
    error = TargetError(K.OVERLOADED, "Overloaded", native={"type": "overloaded_error"})
    ((_, said),) = events(client_protocol(CHAT).writer(ASKED).fail(error))
    assert said["error"]["native"] == {"type": "overloaded_error"}
    assert said["error"]["type"] == "service_unavailable_error"


def test_t64_calls_end_with_their_own_reason_and_id() -> None:
    said = {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    body = {"message": said, "done": True, "done_reason": "stop"}
    choice = answered(body, OLLAMA)["choices"][0]
    (made,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert made["id"].startswith("call_")
    assert made["function"] == {"name": "f", "arguments": "{}"}


def test_t65_usage_that_is_not_told() -> None:
    body = {"message": {"content": "x"}, "done": True, "done_reason": "stop"}
    usage = answered(body, OLLAMA)["usage"]
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert [usage[name] for name in counts] == [0, 0, 0]
    assert usage["estimated"] is True


def test_t67_empty_success_is_a_prompt_that_does_not_fit() -> None:
    for stream in streams(EMPTY, "lmstudio/stream_empty_success.sse"):
        error = failure(lambda s=stream: folded(CHAT, s, context_window=8192))  # type: ignore[misc]
        assert error.kind is K.CONTEXT


@pytest.mark.parametrize(
    ("status", "why", "called", "reason"),
    [
        ("completed", None, False, "stop"),
        ("completed", None, True, "tool_calls"),
        ("incomplete", "max_output_tokens", False, "length"),
        ("incomplete", "content_filter", False, "content_filter"),
        ("failed", None, False, None),
    ],
)
def test_t73_status(status: str, why: str | None, called: bool, reason: str | None) -> None:
    item = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    said = {"type": "message", "content": [{"type": "output_text", "text": "x"}]}
    body = {"status": status, "output": [item if called else said]}
    body |= {"incomplete_details": {"reason": why}} if why else {}
    if reason is None:
        with pytest.raises(ProviderError):
            answered(body, RESPONSES)
        return
    assert answered(body, RESPONSES)["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("call", [completed, streamed])
def test_t68_another_model_than_the_one_that_was_asked(call: Any) -> None:
    """One that was discovered has the server's own name; of others only a warning is certain."""
    said = {"model": "b", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    whole = http(json.dumps({**said, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}))
    stream = http(
        sse(json.dumps(said).replace("message", "delta"), "[DONE]"),
        content_type="text/event-stream",
    )
    with ByteServer(whole if call is completed else stream) as server:
        aim = replace(target(endpoint(server.url)), upstream="a")
        found = replace(aim, discovered=True)
        assert failure(lambda: call(found)).kind is K.MODEL_MISSING
        if call is completed:
            assert "asked for a, the server answered with b" in completed(aim).warnings
