"""Canonical messages as Chat Completions takes them, which is nearly as they are.

Messages of tools carry only text there: their images and files are shown by the user right
after the last result. Reasoning of earlier answers stays behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llmroute.adapter.protocols.content import incapable, parts_of
from llmroute.types import Message

__all__ = ["chat_messages"]

_PARTS = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
#: Reasoning of an earlier answer is bound to the model that gave it, and no server here takes it.
_OPAQUE = ("reasoning", "reasoning_content", "thinking_blocks")
_SHOWN_BELOW = "[image attached below]"


def chat_messages(messages: Sequence[Message]) -> list[Message]:
    """Return messages for the wire.

    Raises:
        TargetError: one holds a part that cannot be sent.

    """
    return list(_written(messages))


def _written(messages: Sequence[Message]) -> Iterator[Message]:
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
    if not others:
        return message
    _check(others)
    shown += others
    texts = [part for part in parts if part not in others]
    return {**message, "content": texts or _SHOWN_BELOW}


def _message(message: Message) -> Message:
    if not isinstance(message.get("content"), str | None):
        _check(parts_of(message))
    if message["role"] != "developer" and not any(key in message for key in _OPAQUE):
        return message
    kept = {key: value for key, value in message.items() if key not in _OPAQUE}
    return {**kept, "role": "system"} if message["role"] == "developer" else kept


def _check(parts: Sequence[Any]) -> None:
    for part in parts:
        if part.get("type") not in _PARTS:
            raise incapable(f"a content part of type {part.get('type')!r} cannot be sent here")
