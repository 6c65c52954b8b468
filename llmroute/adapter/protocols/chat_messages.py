"""Canonical messages as Chat Completions takes them, which is nearly as they are.

Messages of tools carry only text there: their images and files are shown by the user right
after the last result, and texts alone are sent as one, since some servers lose what a list
belongs to. Calls of tools stand in one message, and their results right behind it. Reasoning of
earlier answers stays behind, and so do marks of prompt caches (`cache_control`) where the server
is not said to take them: OpenAI answers 400 to fields that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmroute.adapter.protocols.content import incapable, parts_of
from llmroute.catalog.model import Target
from llmroute.types import Message

__all__ = ["chat_messages", "unmarked"]

_PARTS = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
#: Reasoning of an earlier answer is bound to the model that gave it, and no server here takes it.
_OPAQUE = ("reasoning", "reasoning_content", "thinking_blocks")
#: Fields of which an answer must have one.
_SAID = ("content", "tool_calls", "refusal", "audio", "function_call")
_SHOWN_BELOW = "[image attached below]"
_MARK = "cache_control"


def chat_messages(messages: Sequence[Message], target: Target) -> tuple[list[Message], list[str]]:
    """Return messages for the wire, and the warnings.

    Raises:
        TargetError: one holds a part that cannot be sent.

    """
    warnings: list[str] = []
    said = [_without_marks(message, target, warnings) for message in messages if _says(message)]
    return list(_written(_joined(said))), warnings


def _says(message: Message) -> bool:
    """Whether a message may be sent: an answer of thoughts alone says nothing here."""
    return message["role"] != "assistant" or any(message.get(key) is not None for key in _SAID)


def unmarked(data: Mapping[str, Any], target: Target, warnings: list[str]) -> Mapping[str, Any]:
    """Return a message, a part or a tool without its mark, where the target takes none."""
    if _MARK not in data or target.wire.cache_control:
        return data
    warning = f"{_MARK} was dropped: {target.id} is not said to take it"
    if warning not in warnings:
        warnings.append(warning)
    return {key: value for key, value in data.items() if key != _MARK}


def _without_marks(message: Message, target: Target, warnings: list[str]) -> Message:
    message = unmarked(message, target, warnings)
    calls, content = message.get("tool_calls"), message.get("content")
    if calls and any(_MARK in call for call in calls):
        calls = [unmarked(call, target, warnings) for call in calls]
        message = {**message, "tool_calls": calls}
    if isinstance(content, str | None):
        return message
    parts = [unmarked(part, target, warnings) for part in parts_of(message)]
    same = all(part is given for part, given in zip(parts, content, strict=True))
    return message if same else {**message, "content": parts}


def _joined(messages: Sequence[Message]) -> Iterator[Message]:
    """Yield messages so that calls stand in one, and nothing between them and their results.

    Anthropic and OpenAI's Responses take other orders, and so their clients make them.
    """
    calling: Message | None = None
    awaited: set[Any] = set()
    behind: list[Message] = []
    for message in messages:
        role, calls = message["role"], message.get("tool_calls") or ()
        if calling is not None and role == "assistant":
            calling = _both(calling, message)
            awaited |= {call.get("id") for call in calls}
            continue
        if calling is not None:
            yield calling
            calling = None
        if role == "assistant" and calls:
            yield from behind
            calling, behind, awaited = message, [], {call.get("id") for call in calls}
        elif role == "tool" or not awaited:
            yield message
        else:
            behind.append(message)
        if role == "tool":
            awaited.discard(message.get("tool_call_id"))
        if not awaited:
            yield from behind
            behind = []
    if calling is not None:
        yield calling
    yield from behind


def _both(first: Message, second: Message) -> Message:
    calls = [*(first.get("tool_calls") or ()), *(second.get("tool_calls") or ())]
    said = [message["content"] for message in (first, second) if message.get("content")]
    if all(isinstance(content, str) for content in said):
        return {**second, **first, "content": "\n\n".join(said) or None, "tool_calls": calls}
    parts = [*parts_of(first), *parts_of(second)]
    return {**second, **first, "content": parts, "tool_calls": calls}


def _written(messages: Iterator[Message]) -> Iterator[Message]:
    shown: list[Any] = []
    for message in messages:
        if message["role"] == "tool" and not isinstance(message.get("content"), str | None):
            message = _of_tool(message, shown)
        elif message["role"] != "tool" and shown:
            yield {"role": "user", "content": shown}
            shown = []
        yield _message(message)
    if shown:
        yield {"role": "user", "content": shown}


def _of_tool(message: Message, shown: list[Any]) -> Message:
    """Return a tool's message in text alone; add to `shown` what is none."""
    parts = parts_of(message)
    others = [part for part in parts if part.get("type") not in ("text", "refusal")]
    _check(others)
    shown += others
    texts = [part for part in parts if part not in others]
    if all(part.keys() == {"type", "text"} for part in texts):
        told = "\n".join(str(part["text"]) for part in texts)
        return {**message, "content": told or _SHOWN_BELOW * bool(others)}
    return {**message, "content": texts}


def _message(message: Message) -> Message:
    if not isinstance(message.get("content"), str | None):
        _check(parts_of(message))
    if message["role"] != "developer" and not any(key in message for key in _OPAQUE):
        return message
    kept = {key: value for key, value in message.items() if key not in _OPAQUE}
    return {**kept, "role": "system"} if message["role"] == "developer" else kept


def _check(parts: Sequence[Any]) -> None:
    for part in parts:
        kind = part.get("type")
        if not isinstance(kind, str) or kind not in _PARTS:
            raise incapable(f"a content part of type {kind!r} cannot be sent here")
