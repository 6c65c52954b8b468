"""Sealed thoughts: back to their own target byte by byte, to nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmroute.adapter.opaque import own_blocks, seal, unseal
from llmroute.adapter.protocols import protocol
from llmroute.errors import TargetError
from llmroute.types import Response
from tests.adapter.wire import (
    WEATHER,
    ByteServer,
    completed,
    encoded,
    endpoint,
    http,
    streamed,
    target,
)

BLOCKS = [
    {"type": "thinking", "thinking": "Überlegung", "signature": "EqQB:ex=="},
    {"type": "text", "text": "Checking."},
    {"type": "redacted_thinking", "data": "xyz"},
    {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Graz"}},
]
ANSWER = {
    "id": "m1",
    "model": "served",
    "content": BLOCKS,
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 1, "output_tokens": 2},
}
RESULT = {"role": "tool", "tool_call_id": "t1", "content": "12 C"}


def conversation(response: Response) -> list[Any]:
    return [{"role": "user", "content": "q"}, response.message, RESULT]


def decoded() -> Response:
    return protocol("anthropic-messages").decode(ANSWER, target("anthropic-messages"))


def sent(aim: Any, response: Response) -> Any:
    return encoded(aim, conversation(response), tools=(WEATHER,)).body["messages"][1]


def test_the_same_target_gets_its_thoughts_back_as_they_were() -> None:
    found = sent("anthropic-messages", decoded())
    assert json.dumps(found["content"]) == json.dumps(BLOCKS)


def test_another_target_of_the_same_protocol_gets_none() -> None:
    other = replace(target("anthropic-messages"), id="p/other")
    assert [block["type"] for block in sent(other, decoded())["content"]] == ["text", "tool_use"]


def test_other_protocols_get_none() -> None:
    message = sent("openai-chat", decoded())
    assert message.keys() == {"role", "content", "tool_calls"}
    assert sent("ollama-chat", decoded()).keys() == {"role", "content", "tool_calls"}


def test_thoughts_survive_json_and_strangers_do_not_break_it() -> None:
    message = json.loads(json.dumps(decoded().message, default=list))
    message["thinking_blocks"] += [None, {"type": "thinking", "signature": "S"}, "x", {"type": []}]
    assert [own.block for own in own_blocks(message, "p/m")] == [BLOCKS[0], BLOCKS[2]]


@given(
    st.text(min_size=1),
    st.text(min_size=1, max_size=20),
    st.integers(0, 50),
    st.sampled_from([("thinking", "signature"), ("reasoning", "encrypted_content")]),
)
def test_sealing_and_opening_changes_nothing(value: str, name: str, place: int, kind: Any) -> None:
    block = {"type": kind[0], kind[1]: value, "more": {"a": [1]}}
    sealed = seal(block, name, place)
    assert sealed is not None
    assert unseal(sealed) == (name, place, block)
    assert unseal(block) is None or value.startswith("llmroute:")


def test_a_thought_without_a_signature_is_not_kept() -> None:
    assert seal({"type": "thinking", "thinking": "hm", "signature": ""}, "p/m", 0) is None
    assert seal({"type": "text", "text": "x"}, "p/m", 0) is None


def test_streams_seal_for_the_target_that_is_called() -> None:
    lines = [
        {"type": "message_start", "message": {"model": "served", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "signature_delta", "signature": "S"},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "x"}},
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]
    body = "".join(f"event: {line['type']}\ndata: {json.dumps(line)}\n\n" for line in lines)

    with ByteServer(http(body, content_type="text/event-stream")) as server:
        chunks = streamed(target(endpoint(server.url, "anthropic-messages")), stream=True)
    (block,) = [chunk.thinking_block for chunk in chunks if chunk.thinking_block]
    assert unseal(block) == ("p/m", 0, {"type": "thinking", "thinking": "hm", "signature": "S"})


def _refused(message: str) -> bytes:
    error = {"type": "invalid_request_error", "message": message}
    return http(json.dumps({"type": "error", "error": error}), 400)


REFUSED = [
    "messages.1.content.0: Invalid `signature` in `thinking` block",
    "The block is bound to a different conversation.",
    "messages.1.content.0: blocks in the latest assistant message cannot be modified.",
]
FORGOTTEN = "thoughts of earlier answers were left out: the target does not take them back"


def _kinds(raw: bytes) -> list[str]:
    body = json.loads(raw.partition(b"\r\n\r\n")[2])
    return [block["type"] for block in body["messages"][1]["content"]]


@pytest.mark.parametrize("message", REFUSED)
def test_a_target_that_refuses_its_thoughts_is_asked_again_without_them(message: str) -> None:
    whole = http(json.dumps({**ANSWER, "content": BLOCKS[1:2], "stop_reason": "end_turn"}))
    for ask in (completed, streamed):
        with ByteServer(_refused(message), whole) as server:
            aim = target(endpoint(server.url, "anthropic-messages"))
            told = ask(aim, conversation(decoded()), tools=(WEATHER,))
        if ask is completed:
            assert (told.text, told.warnings[0]) == ("Checking.", FORGOTTEN)
        else:
            assert "".join(chunk.text for chunk in told) == "Checking."
        first, second = map(_kinds, server.requests)
        assert first == ["thinking", "text", "redacted_thinking", "tool_use"]
        assert second == ["text", "tool_use"]


def test_nobody_is_asked_again_for_other_errors_or_twice_or_without_thoughts() -> None:
    bare = [{"role": "user", "content": "q"}]
    for message, prompt, calls in (
        ("messages: text content blocks must be non-empty", conversation(decoded()), 1),
        (REFUSED[0], conversation(decoded()), 2),
        (REFUSED[0], bare, 1),
    ):
        with ByteServer(_refused(message)) as server:
            aim = target(endpoint(server.url, "anthropic-messages"))
            for ask in (completed, streamed):
                with pytest.raises(TargetError):
                    ask(aim, prompt, tools=(WEATHER,))
        assert len(server.requests) == 2 * calls
