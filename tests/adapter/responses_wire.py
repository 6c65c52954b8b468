"""Answers and events of OpenAI's Responses, made by hand from its specification."""

from __future__ import annotations

import json
from typing import Any

from llmroute.adapter.protocols import protocol
from llmroute.types import Response, ToolCall
from tests.adapter.wire import target

P = "openai-responses"

USAGE = {
    "input_tokens": 2048,
    "input_tokens_details": {
        "cached_tokens": 1024,
        "cache_write_tokens": 512,
        "cache_write_tokens_details": {"ttl_30m_tokens": 384, "ttl_12h_tokens": 128},
    },
    "output_tokens": 120,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 2168,
}
THOUGHT = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
    "encrypted_content": "gAAAA...",
    "status": "completed",
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_a1",
    "name": "get_weather",
    "arguments": '{"city":"Graz"}',
    "status": "completed",
}
CALLED = ToolCall("call_a1", "get_weather", '{"city":"Graz"}')


def message(text: str = "Hello.", kind: str = "output_text") -> Any:
    part = {"type": kind, ("text" if kind == "output_text" else "refusal"): text}
    return {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}


def answer(*items: Any, **data: Any) -> Any:
    told = {"id": "resp_1", "object": "response", "model": "served", "status": "completed"}
    return {**told, "error": None, "output": list(items), "usage": USAGE, **data}


def decode(data: Any) -> Response:
    return protocol(P).decode(data, target(P))


def incomplete(reason: str, *items: Any) -> Any:
    return answer(*items, status="incomplete", incomplete_details={"reason": reason})


def event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


CREATED = event("response.created", response=answer(status="in_progress", usage=None))


def completed_event(*items: Any, **data: Any) -> str:
    return event("response.completed", response=answer(*items, **data))


def delta(kind: str, text: str, index: int = 0, item: str = "i", **data: Any) -> str:
    return event(f"response.{kind}.delta", item_id=item, output_index=index, delta=text, **data)


def call_events(index: int, call_id: str, *pieces: str, item: str | None = None) -> list[str]:
    """Return the events of one call, each in its own text."""
    made = {**CALL, "id": item or f"fc_{call_id}", "call_id": call_id, "arguments": ""}
    whole = {**made, "arguments": "".join(pieces)}
    return [
        event("response.output_item.added", output_index=index, item=made),
        *(delta("function_call_arguments", piece, index, made["id"]) for piece in pieces),
        event(
            "response.function_call_arguments.done",
            item_id=made["id"],
            output_index=index,
            arguments=whole["arguments"],
        ),
        event("response.output_item.done", output_index=index, item=whole),
    ]
