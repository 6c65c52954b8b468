"""What OpenAI's Responses are made of, streamed or not: items, statuses, usage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmroute.adapter.protocols.base import ProviderError
from llmroute.adapter.protocols.extract import CITED, UsagePaths, malformed, mapping, pick, text
from llmroute.adapter.protocols.toolcalls import new_call_id
from llmroute.types import FinishReason, ToolCall

__all__ = [
    "BETWEEN_THOUGHTS",
    "FINISH",
    "INCOMPLETE",
    "USAGE",
    "Piece",
    "finish_of",
    "left_out",
    "opaque_of",
    "output_items",
    "pieces_of",
    "tool_call",
]

Item = Mapping[str, Any]

#: `input_tokens` counts cached and cache-written tokens; the one-hour write carries the longer
#: one, which OpenAI keeps for twelve hours.
USAGE = UsagePaths(
    input=("usage.input_tokens",),
    output="usage.output_tokens",
    cached="usage.input_tokens_details.cached_tokens",
    cache_written="usage.input_tokens_details.cache_write_tokens",
    cache_written_1h="usage.input_tokens_details.cache_write_tokens_details.ttl_12h_tokens",
    reasoning="usage.output_tokens_details.reasoning_tokens",
    tier="service_tier",
)
#: Status → why the answer ended. `failed` and `cancelled` are errors, all others no end at all.
FINISH: Mapping[str, FinishReason] = {"completed": "stop", "incomplete": "length"}
#: Why an answer is incomplete → why it ended; `steered` is an error.
INCOMPLETE: Mapping[str, FinishReason] = {
    "max_output_tokens": "length",
    "max_messages": "length",
    "content_filter": "content_filter",
}
#: What stands between the parts of a reasoning summary.
BETWEEN_THOUGHTS = "\n\n"
_ITEMS = frozenset({"message", "function_call", "reasoning"})
_FIELD = {"output_text": "text", "refusal": "refusal"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an item: the field of the answer that it belongs to, its number, its text."""

    field: str
    number: int
    text: str


def output_items(response: Mapping[str, Any]) -> list[Item]:
    """Return the items of an answer.

    Raises:
        TargetError: they are not a list of objects.

    """
    items = response.get("output")
    if not isinstance(items, list):
        raise malformed("the answer has no output")
    return [mapping(item, "an output item") for item in items]


def pieces_of(item: Item) -> Iterator[Piece]:
    """Yield what a message says or what a reasoning item lets be seen."""
    if item.get("type") == "message":
        for number, part in enumerate(item.get("content") or ()):
            if (field := _FIELD.get(str(pick(part, "type")))) is not None:
                key = "refusal" if field == "refusal" else "text"
                yield Piece(field, number, text(part.get(key), key))
    elif item.get("type") == "reasoning":
        for name in ("summary", "content"):
            for number, part in enumerate(item.get(name) or ()):
                yield Piece(name, number, text(pick(part, "text"), "reasoning"))


def left_out(items: Sequence[Item]) -> list[str]:
    """Return warnings about items and parts that an answer cannot say."""
    kinds = {str(item.get("type")) for item in items} - _ITEMS
    messages = (item for item in items if item.get("type") == "message")
    parts = [part for message in messages for part in message.get("content") or ()]
    kinds |= {str(pick(part, "type")) for part in parts} - _FIELD.keys()
    cited = [CITED] if any(pick(part, "annotations") for part in parts) else []
    return cited + [f"an item of type {kind} was left out of the answer" for kind in sorted(kinds)]


def opaque_of(items: Sequence[Item]) -> Iterator[tuple[int, Item]]:
    """Yield the reasoning that only its own model can read, with its place among the items."""
    for place, item in enumerate(items):
        if item.get("type") == "reasoning" and isinstance(item.get("encrypted_content"), str):
            yield place, item


def tool_call(item: Item) -> ToolCall:
    """Return the call of a `function_call` item; its id is `call_id`, not `id`.

    Raises:
        TargetError: the call has no name, or its arguments are not text.

    """
    name, arguments = item.get("name"), item.get("arguments")
    if not isinstance(name, str) or not name:
        raise malformed("a tool call came without a name")
    if not isinstance(arguments, str | None):
        raise malformed("the arguments of a tool call are not text")
    call_id = item.get("call_id") or item.get("id") or new_call_id()
    return ToolCall(str(call_id), name, arguments or "{}")


def finish_of(response: Mapping[str, Any], calls: Any, refused: Any) -> FinishReason:
    """Return the canonical reason: what was called or refused counts more than `completed`.

    Raises:
        ProviderError: the answer failed, was cancelled or was steered away from.
        TargetError: the status is missing or unknown.

    """
    status, reason = response.get("status"), pick(response, "incomplete_details.reason")
    if status in ("failed", "cancelled") or reason == "steered":
        raise _failure(response, f"the answer has the status {status} ({reason or 'no reason'})")
    if status == "completed":
        return "content_filter" if refused else "tool_calls" if calls else "stop"
    if status == "incomplete" and reason in INCOMPLETE:
        return INCOMPLETE[reason]
    raise malformed(f"the answer ended with status {status!r} (reason {reason!r})")


def _failure(response: Mapping[str, Any], message: str) -> ProviderError:
    error = response.get("error") or {"code": "server_error", "message": message}
    return ProviderError({"error": error})
