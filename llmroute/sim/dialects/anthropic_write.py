"""Writing Anthropic's answers: the message object and the events of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmroute.sim import tokens
from llmroute.sim.answer import Answer
from llmroute.sim.exchange import Frame, json_bytes

__all__ = ["event", "frames", "message", "text_of"]

_STOPS = {
    "content_filter": "refusal",
    "length": "max_tokens",
    "stop": "end_turn",
    "tool_calls": "tool_use",
}
_SIGNATURE = "EqQBsim=="


def text_of(content: Any) -> str:
    """All the text of a string or of a list of blocks."""
    if isinstance(content, str):
        return content
    return "".join(block.get("text") or "" for block in content or ())


def event(value: Mapping[str, Any]) -> bytes:
    """Write one server-sent event, named by its type."""
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), json_bytes(value))


def message(answer: Answer, message_id: str, model: str, *, show_thinking: bool) -> dict[str, Any]:
    """Build the message object of an answer."""
    reason = _STOPS.get(answer.finish, answer.finish)
    built = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": _content(answer, message_id, show_thinking=show_thinking),
        "stop_reason": "stop_sequence" if answer.stopped_at is not None else reason,
        "stop_sequence": answer.stopped_at,
        "usage": _usage(answer),
    }
    return {**built, **_stop_details(answer)}


def _stop_details(answer: Answer) -> dict[str, Any]:
    if answer.finish != "content_filter":
        return {}
    explained = {"type": "refusal", "category": "cyber", "explanation": answer.refusal}
    return {"stop_details": explained}


def _content(answer: Answer, message_id: str, *, show_thinking: bool) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.reasoning:
        shown = answer.reasoning if show_thinking else ""
        blocks.append({"type": "thinking", "thinking": shown, "signature": _SIGNATURE})
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    for index, tool in enumerate(answer.tools):
        call_id = f"toolu_{message_id.removeprefix('msg_')}_{index}"
        named = {"type": "tool_use", "id": call_id, "name": tool.name}
        blocks.append({**named, "input": dict(tool.arguments)})
    return blocks


def _usage(answer: Answer) -> dict[str, Any]:
    """Input tokens leave out what was read from the cache or written to it."""
    plain = (answer.input_tokens or 0) - answer.cached - answer.cache_written
    return {
        "input_tokens": max(0, plain),
        "cache_creation_input_tokens": answer.cache_written,
        "cache_read_input_tokens": answer.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": answer.cache_written,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": answer.generated,
        "output_tokens_details": {"thinking_tokens": answer.thought},
        "service_tier": "standard",
        "inference_geo": "global",
        "speed": "standard",
    }


def frames(built: Mapping[str, Any], answer: Answer) -> Iterator[Frame]:
    """Write a message as the events of a stream; a `ping` follows the first block's start."""
    usage = built["usage"]
    opened = {name: value for name, value in built.items() if name != "stop_details"}
    opened |= {"content": [], "stop_reason": None, "stop_sequence": None}
    opened["usage"] = {**usage, "output_tokens": min(1, usage["output_tokens"])}
    yield Frame(event({"type": "message_start", "message": opened}))
    for index, block in enumerate(built["content"]):
        yield from _block_frames(index, block, answer)
    delta = {name: built[name] for name in ("stop_reason", "stop_sequence")}
    if "stop_details" in built:
        delta["stop_details"] = built["stop_details"]
    totals = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    shown = {name: usage[name] for name in (*totals, "output_tokens", "output_tokens_details")}
    yield Frame(event({"type": "message_delta", "delta": delta, "usage": shown}), closing=True)
    yield Frame(event({"type": "message_stop"}), closing=True)


def _block_frames(index: int, block: Mapping[str, Any], answer: Answer) -> Iterator[Frame]:
    blank = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}
    empty = {**block, **blank.get(block["type"], {"input": {}})}
    started = {"type": "content_block_start", "index": index, "content_block": empty}
    yield Frame(event(started))
    if index == 0:
        yield Frame(event({"type": "ping"}))
    for delta, size in _deltas(block, answer):
        changed = {"type": "content_block_delta", "index": index, "delta": delta}
        yield Frame(event(changed), size)
    yield Frame(event({"type": "content_block_stop", "index": index}))


def _deltas(block: Mapping[str, Any], answer: Answer) -> Iterator[tuple[dict[str, Any], int]]:
    if block["type"] == "text":
        for piece in answer.parts:
            yield {"type": "text_delta", "text": piece}, tokens.count(piece)
    elif block["type"] == "thinking":
        for piece in tokens.pieces(block["thinking"]):
            yield {"type": "thinking_delta", "thinking": piece}, tokens.count(piece)
        yield {"type": "signature_delta", "signature": block["signature"]}, 0
    elif block["input"]:
        text = json.dumps(block["input"], ensure_ascii=False)
        for piece in ("", text[: len(text) // 2], text[len(text) // 2 :]):
            size = tokens.count(piece) if piece else 0
            yield {"type": "input_json_delta", "partial_json": piece}, size
