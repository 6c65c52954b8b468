"""What answers to clients of OpenAI's Responses are made of, streamed or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.adapter.answering.base import Stamp
from llmroute.adapter.opaque import unseal
from llmroute.types import FinishReason, Response, ToolCall, Usage

__all__ = [
    "answer_items",
    "call_item",
    "ended",
    "message_item",
    "reasoning_item",
    "refusal_part",
    "response_object",
    "text_part",
]

_INCOMPLETE: Mapping[FinishReason, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


def response_object(
    number: str, model: str, stamp: Stamp, echo: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the object around an answer that has just begun."""
    return {
        "id": number,
        "object": "response",
        "created_at": int(stamp.now()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "max_output_tokens": None,
        "previous_response_id": None,
        "store": False,
        "text": {"format": {"type": "text"}},
        "truncation": "disabled",
        "usage": None,
        **{name: value for name, value in echo.items() if value is not None},
    }


def ended(finish: FinishReason | None, refusal: str | None, usage: Usage | None) -> dict[str, Any]:
    """Return the fields that say how an answer ended."""
    reason = None if refusal else _INCOMPLETE.get(finish or "stop")
    return {
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "usage": None if usage is None else _usage(usage),
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_written,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def answer_items(response: Response, stamp: Stamp) -> list[dict[str, Any]]:
    """Return the items of a whole answer, sealed thoughts at their places."""
    blocks = [(own.place, block) for block in response.thinking_blocks if (own := unseal(block))]
    items: list[dict[str, Any]] = []
    if response.reasoning and not blocks:
        items.append(reasoning_item(f"rs_{stamp.token()}", response.reasoning))
    parts = [text_part(response.text)] if response.text else []
    parts += [refusal_part(response.refusal)] if response.refusal else []
    if parts:
        items.append(message_item(f"msg_{stamp.token()}", "completed", parts))
    items += [call_item(f"fc_{stamp.token()}", call, "completed") for call in response.tool_calls]
    for place, block in sorted(blocks, key=lambda pair: pair[0]):
        if block.get("type") == "reasoning":
            items.insert(place, dict(block))
    return items


def reasoning_item(number: str, text: str) -> dict[str, Any]:
    """Return an item of readable thoughts."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"id": number, "type": "reasoning", "summary": summary, "status": "completed"}


def message_item(number: str, status: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an item of text."""
    return {
        "id": number,
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": parts,
    }


def text_part(text: str) -> dict[str, Any]:
    """Return a part of text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(text: str) -> dict[str, Any]:
    """Return a part that refuses."""
    return {"type": "refusal", "refusal": text}


def call_item(number: str, call: ToolCall, status: str) -> dict[str, Any]:
    """Return an item that calls a tool."""
    return {
        "id": number,
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": status,
    }
