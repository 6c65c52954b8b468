"""What Anthropic's answers are made of, streamed or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.adapter.jsontext import compact
from llmroute.adapter.protocols.extract import UsagePaths, malformed, pick
from llmroute.types import FinishReason, ToolCall

__all__ = ["FINISH", "USAGE", "finish_of", "refusal_of", "tool_call"]

#: `pause_turn` asks to be continued by sending the answer back; here the answer is cut short.
FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
#: `input_tokens` counts neither cached nor cache-written tokens.
USAGE = UsagePaths(
    input=(
        "usage.input_tokens",
        "usage.cache_read_input_tokens",
        "usage.cache_creation_input_tokens",
    ),
    output="usage.output_tokens",
    cached="usage.cache_read_input_tokens",
    cache_written="usage.cache_creation_input_tokens",
    cache_written_1h="usage.cache_creation.ephemeral_1h_input_tokens",
    reasoning="usage.output_tokens_details.thinking_tokens",
    tier="usage.service_tier",
    speed="usage.speed",
    region="usage.inference_geo",
    parts="usage.iterations",
)
_WORTH_SAYING = {
    "pause_turn": "the provider paused the answer; it is cut short",
    "model_context_window_exceeded": "the answer filled the context window; it is cut short",
}


def finish_of(value: Any, calls: Any, warnings: list[str]) -> FinishReason:
    """Return the canonical reason, adding to `warnings` what is lost in it.

    Raises:
        TargetError: the reason is missing or unknown.

    """
    reason = FINISH.get(value) if isinstance(value, str) else None
    if reason is None:
        raise malformed(f"the answer ended with stop_reason {value!r}")
    if value in _WORTH_SAYING:
        warnings.append(_WORTH_SAYING[value])
    return "tool_calls" if reason == "stop" and calls else reason


def refusal_of(data: Mapping[str, Any]) -> str | None:
    """Return the words of a refusal, if the model refused and said why."""
    if data.get("stop_reason") != "refusal":
        return None
    said = pick(data, "stop_details.explanation") or pick(data, "stop_details.category")
    return said if isinstance(said, str) else None


def tool_call(block: Mapping[str, Any]) -> ToolCall:
    """Return the call of a whole `tool_use` block.

    Raises:
        TargetError: the block lacks its id or name, or its input is not an object.

    """
    call_id, name, arguments = block.get("id"), block.get("name"), block.get("input", {})
    if not isinstance(call_id, str) or not isinstance(name, str):
        raise malformed("a tool call came without its id or name")
    if not isinstance(arguments, Mapping):
        raise malformed("the input of a tool call is not an object")
    return ToolCall(call_id, name, compact(arguments))
