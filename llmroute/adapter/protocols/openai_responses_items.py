"""A conversation as the instructions and input items of OpenAI's Responses.

Leading system messages are the instructions; later ones stay where they were said. Reasoning
that this target wrote goes back to it, byte by byte and at its place; all other is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from llmroute.adapter.opaque import KEY, restored
from llmroute.adapter.protocols.content import (
    check_answered,
    image_of,
    incapable,
    parts_of,
    plain_text,
    refused,
    text_of,
    tool_calls_of,
)
from llmroute.catalog.model import Target
from llmroute.types import Message

__all__ = ["Items"]

Item = dict[str, Any]

_SYSTEM = ("system", "developer")
#: OpenAI's specification allows call ids of this many characters.
_LONGEST_ID = 64
#: Fields of a message that are said here; reasoning is bound to the model that gave it.
_SAID = frozenset({"role", "content", "refusal", "tool_calls", "tool_call_id"})
_OPAQUE = frozenset({KEY, "reasoning", "reasoning_content"})
#: Fields that are about a message and no part of what it says.
_ABOUT = frozenset({"annotations", "cache_control", "name"})
_MARK = "prompt_cache_breakpoint"
_FILE = ("file_data", "file_id", "file_url", "filename")


class Items:
    """Instructions and input items made of canonical messages.

    `tool_ids` leads from ids on the wire back to the caller's, where they had to be shortened.

    Raises:
        TargetError: a message is malformed, holds what the protocol cannot say, or answers a
            tool call that was never made; a call has no result; or nothing is said at all.

    """

    def __init__(self, messages: Sequence[Message], target: Target) -> None:
        self.instructions = ""
        self.input: list[Item] = []
        self.tool_ids: dict[str, str] = {}
        self.warnings: list[str] = []
        self._target = target.id
        self._called: set[str] = set()
        self._answered: set[str] = set()
        for message in self._after_instructions(messages):
            self._add(message)
        check_answered(self._called - self._answered)
        if not self.input:
            raise refused("a request needs at least one message that says something")

    def _after_instructions(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Take the leading system messages; where there are no others, they are the input."""
        leading = next((n for n, m in enumerate(messages) if m["role"] not in _SYSTEM), 0)
        self.instructions = "\n\n".join(map(self._text, messages[:leading]))
        return messages[leading:]

    def _add(self, message: Message) -> None:
        role = message["role"]
        if role == "assistant":
            self._add_answer(message)
        elif role == "tool":
            self.input.append(self._result(message))
        elif role in _SYSTEM:
            self.input.append({"role": role, "content": self._text(message)})
        else:
            self.input.append({"role": "user", "content": self._content(message)})

    def _text(self, message: Message) -> str:
        self._check_fields(message)
        for part in parts_of(message):
            self._check_part(part)
            if _MARK in part:
                self._warn(f"{_MARK} was dropped: here only a user's parts can have one")
        return plain_text(message, "" if message["role"] == "assistant" else "\n\n")

    def _content(self, message: Message) -> str | list[Item]:
        self._check_fields(message)
        content = message.get("content")
        if isinstance(content, str | None):
            return content or ""
        return [self._part(part, message) for part in parts_of(message)]

    def _add_answer(self, message: Message) -> None:
        said = self._text(message) or message.get("refusal") or ""
        parts: list[Item] = []
        if said:
            parts.append({"type": "message", "role": "assistant", "content": said})
        for call_id, name, arguments in tool_calls_of(message):
            if not call_id:
                raise refused(f"the call of {name} needs an id")
            self._called.add(call_id)
            call = {"type": "function_call", "call_id": self._wire_id(call_id), "name": name}
            parts.append({**call, "arguments": arguments})
        self.input += _followed(restored(parts, message, self._target))

    def _result(self, message: Message) -> Item:
        call_id = message.get("tool_call_id")
        if not isinstance(call_id, str) or call_id not in self._called:
            raise refused(f"a tool message answers {call_id!r}, which the assistant did not call")
        self._answered.add(call_id)
        output = self._content({**message, "name": None})
        if isinstance(output, list) and all(part["type"] == "input_text" for part in output):
            output = "".join(part["text"] for part in output)
        return {"type": "function_call_output", "call_id": self._wire_id(call_id), "output": output}

    def _wire_id(self, call_id: str) -> str:
        if len(call_id) <= _LONGEST_ID:
            return call_id
        short = f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:48]}"
        self.tool_ids[short] = call_id
        return short

    def _part(self, part: Mapping[str, Any], message: Message) -> Item:
        self._check_part(part)
        kind = part.get("type")
        cached = {_MARK: part[_MARK]} if _MARK in part else {}
        if kind == "image_url":
            return {**_image(part), **cached}
        if kind == "file":
            return {**_file(part), **cached}
        return {"type": "input_text", "text": text_of(part, message), **cached}

    def _check_part(self, part: Mapping[str, Any]) -> None:
        if part.get("cache_control"):
            self._warn("cache_control was dropped: the protocol has no such parameter")

    def _check_fields(self, message: Message) -> None:
        for name, value in message.items():
            if name in _SAID or name in _OPAQUE or not value:
                continue
            role = message["role"]
            if name not in _ABOUT:
                raise incapable(f"a message of role {role} holds {name!r}; it cannot be sent here")
            self._warn(f"{name} of a message was dropped: the protocol has no place for it")

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)


def _followed(items: Sequence[Item]) -> Sequence[Item]:
    """Return items without reasoning that nothing follows, which is answered with 400.

    Several texts of one answer are one here, so that what came between them is last.
    """
    last = next((n for n, item in enumerate(reversed(items)) if item["type"] != "reasoning"), None)
    return () if last is None else items[: len(items) - last]


def _image(part: Mapping[str, Any]) -> Item:
    image_of(part)
    inner = part["image_url"]
    told = inner if isinstance(inner, Mapping) else {"url": inner}
    detail = told.get("detail") or "auto"
    return {"type": "input_image", "image_url": told["url"], "detail": detail}


def _file(part: Mapping[str, Any]) -> Item:
    inner = part.get("file")
    if not isinstance(inner, Mapping) or not any(inner.get(name) for name in _FILE[:3]):
        raise refused("a file part needs file.file_data or file.file_id")
    return {"type": "input_file", **{name: inner[name] for name in _FILE if inner.get(name)}}
