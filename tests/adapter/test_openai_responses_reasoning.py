"""What becomes of a conversation's reasoning and calls on the wire of OpenAI's Responses."""

from __future__ import annotations

import json
from typing import Any

from llmroute.adapter.opaque import seal
from llmroute.errors import ErrorKind
from tests.adapter.wire import encoded, failure, target
from tests.conversations import conversations

P = "openai-responses"
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def items(*messages: Any) -> Any:
    return encoded(P, list(messages)).body["input"]


def user(text: str) -> Any:
    return {"role": "user", "content": text}


# Reasoning goes back to where it came from.

THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA..."}


def sealed(target_id: str, place: int = 0) -> Any:
    return seal(THOUGHT, target_id, place)


def test_reasoning_returns_byte_by_byte_and_at_its_place() -> None:
    asked = {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]}
    blocks = [sealed("p/m", 0), sealed("p/m", 2)]
    result = {"role": "tool", "tool_call_id": "c1", "content": "1"}
    sent = items(user("q"), {**asked, "thinking_blocks": blocks}, result)
    said = {"type": "message", "role": "assistant", "content": "Let me look."}
    assert sent[1:-1] == [THOUGHT, said, THOUGHT, CALLED]


def test_a_call_without_a_result_is_refused_with_its_id() -> None:
    asked = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    for rest in ((), (user("r"),)):
        error = failure(lambda r=rest: items(user("q"), asked, *r))  # type: ignore[misc]
        assert error.kind is ErrorKind.INVALID_REQUEST
        assert "'c1' has none" in error.message


def test_reasoning_of_another_target_is_left_out() -> None:
    asked = {"role": "assistant", "content": "a", "reasoning_content": "r", "reasoning": "r"}
    foreign = [sealed("openai/gpt-6-sol"), {"type": "thinking", "thinking": "", "signature": "S"}]
    sent = encoded(P, [user("q"), {**asked, "thinking_blocks": foreign}, user("r")])
    assert len(sent.body["input"]) == 3
    assert "gAAAA" not in json.dumps(sent.body)
    assert sent.warnings == ()


def test_reasoning_without_anything_that_followed_is_left_out() -> None:
    silent = {"role": "assistant", "content": None, "thinking_blocks": [sealed("p/m")]}
    assert items(user("q"), silent, user("r")) == [user("q"), user("r")]
    between = {**silent, "content": "ab", "thinking_blocks": [sealed("p/m", 0), sealed("p/m", 2)]}
    said = {"type": "message", "role": "assistant", "content": "ab"}
    assert items(user("q"), between, user("r"))[1:-1] == [THOUGHT, said]


# Generated conversations: nothing that was said gets lost, and calls keep their results.


def test_generated_conversations_keep_what_was_said() -> None:
    for request in conversations(300):
        sent = encoded(target(P), request)
        wire = sent.body["input"]
        answers = {i["call_id"] for i in wire if i.get("type") == "function_call_output"}
        calls = [item for item in wire if item.get("type") == "function_call"]
        assert answers <= {call["call_id"] for call in calls}
        back = [sent.tool_ids.get(call["call_id"], call["call_id"]) for call in calls]
        made = [c for m in request.messages for c in m.get("tool_calls", ())]
        assert back == [call["id"] for call in made]
        assert [c["arguments"] for c in calls] == [c["function"]["arguments"] for c in made]
        said = [sent.body.get("instructions", "")] + [_said(item) for item in wire]
        assert "".join(said).replace("\n\n", "") == "".join(
            _text(m.get("content")) for m in request.messages
        )


def _text(content: Any) -> str:
    if isinstance(content, str | None):
        return content or ""
    return "".join(part.get("text", "[image]") for part in content)


def _said(item: Any) -> str:
    return _text(item.get("content", item.get("output")))
