"""A conversation as alternating turns of blocks, which is how Anthropic wants it.

Leading system messages stand apart. Moving later ones to the top would change the cached prefix:
they are turns of their own where the model takes such and they may stand there, that is between a
user's turn and an assistant's or at the end; all others are said inside the user's turn.
Neighbouring messages of one side become one turn, in which the results of tools come first. Tool
ids are rewritten where they hold characters that the wire refuses.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from llmroute.adapter.opaque import restored
from llmroute.adapter.protocols.content import (
    arguments_object,
    check_answered,
    check_fields,
    file_of,
    image_of,
    incapable,
    parts_of,
    plain_text,
    refused,
    text_of,
    tool_calls_of,
)
from llmroute.types import Message

__all__ = ["Conversation", "ToolIds"]

Block = dict[str, Any]
_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")
_SYSTEM = ("system", "developer")


class ToolIds:
    """Names tool calls on the wire: each call by its own id, in the characters Anthropic takes.

    Some servers count the calls of each answer from the start, so that a conversation holds the
    same id again. Anthropic wants ids that are unique.
    """

    def __init__(self) -> None:
        self._original: dict[str, str] = {}
        self._latest: dict[str, str] = {}
        self._open: dict[str, str] = {}

    def called(self, original: str) -> str:
        """Return the id of a new call on the wire."""
        plain = _FORBIDDEN.sub("_", original) or "call"
        name, number = plain, 2
        while name in self._original:
            name, number = f"{plain}_{number}", number + 1
        self._original[name] = self._open[name] = original
        return name

    def answered(self, original: str) -> str:
        """Return the id on the wire of the first such call that has no result yet."""
        waiting = (name for name, told in self._open.items() if told == original)
        name = next(waiting, None) or self._latest[original]
        self._open.pop(name, None)
        self._latest[original] = name
        return name

    @property
    def unanswered(self) -> Collection[str]:
        """The callers' ids of calls without a result."""
        return self._open.values()

    @property
    def rewritten(self) -> Mapping[str, str]:
        """Ids on the wire that differ → the caller's."""
        return {wire: original for wire, original in self._original.items() if wire != original}


class Conversation:
    """Turns of blocks made of canonical messages.

    `system` are the leading system texts as blocks, `turns` the rest. Sealed thoughts of the
    `target` that is called come back at their places; those of all others are left out. With
    `system_turns` later system messages are turns of their own where that is allowed. `warnings`
    name what was dropped.

    Raises:
        TargetError: a message is malformed, holds content that blocks cannot say, or answers a
            tool call that was never made; a call has no result in the next turn; or nobody but
            the system says anything.

    """

    def __init__(
        self, messages: Sequence[Message], target: str = "", *, system_turns: bool = False
    ) -> None:
        self.ids = ToolIds()
        self.warnings: list[str] = []
        self._late: list[Block] = []
        self._target = target
        self.system: list[Block] = []
        self.turns: list[dict[str, Any]] = []
        self._called: set[str] = set()
        for message in messages:
            check_fields(message, self.warnings)
            self._add(message)
        check_answered(self.ids.unanswered)
        self._order_results()
        self._say_late(system_turns)
        if not self.turns:
            raise refused("a request needs at least one user message that says something")

    def _add(self, message: Message) -> None:
        role = message["role"]
        if role in _SYSTEM:
            self._add_system(message)
        elif role == "tool":
            self._turn("user").append(self._result(message))
        elif role == "assistant":
            self._add_assistant(message)
        else:
            blocks = [b for part in parts_of(message) if (b := _block(part, message))]
            if not blocks:
                raise refused("a user message says nothing: its content is empty")
            self._turn("user").extend(blocks)

    def _add_system(self, message: Message) -> None:
        if not self.turns:
            blocks = (_text_block(part, message) for part in parts_of(message))
            self.system += [block for block in blocks if block]
        elif said := plain_text(message).strip():
            self._late.append({"type": "text", "text": said})
            self._turn("user").append(self._late[-1])

    def _add_assistant(self, message: Message) -> None:
        blocks = [b for part in parts_of(message) if (b := _text_block(part, message))]
        if not blocks and message.get("refusal"):
            blocks = [{"type": "text", "text": str(message["refusal"])}]
        calls = zip(tool_calls_of(message), message.get("tool_calls") or (), strict=True)
        if not self._is_assistants_turn():
            check_answered(self.ids.unanswered)
            self._called = set()
        for (call_id, name, arguments), call in calls:
            self._called.add(call_id)
            made = {"type": "tool_use", "id": self.ids.called(call_id), "name": name}
            blocks.append({**made, "input": arguments_object(arguments, name), **_cached(call)})
        if blocks:
            self._turn("assistant").extend(restored(blocks, message, self._target))

    def _is_assistants_turn(self) -> bool:
        return bool(self.turns) and self.turns[-1]["role"] == "assistant"

    def _result(self, message: Message) -> Block:
        call_id = message.get("tool_call_id")
        if not isinstance(call_id, str) or call_id not in self._called:
            raise refused(f"a tool message answers {call_id!r}, which the assistant did not call")
        block: Block = {"type": "tool_result", "tool_use_id": self.ids.answered(call_id)}
        content = [b for part in parts_of(message) if (b := _block(part, message))]
        for part in content:  # a mark of a cache must stand at the result itself
            block |= _cached(part)
            part.pop("cache_control", None)
        return {**block, "content": content} if content else block

    def _turn(self, role: str) -> list[Block]:
        if not self.turns or self.turns[-1]["role"] != role:
            self.turns.append({"role": role, "content": []})
        blocks: list[Block] = self.turns[-1]["content"]
        return blocks

    def _say_late(self, system_turns: bool) -> None:
        """Make the system's words after a user's a turn, where that is allowed; mark all others."""
        late = set(map(id, self._late))
        turns, self.turns = self.turns, []
        for turn in turns if late else ():
            blocks = turn["content"]
            said = next((n for n, b in enumerate(reversed(blocks)) if id(b) not in late), 0)
            cut = len(blocks) - (said if system_turns else 0)
            for block in blocks[:cut]:
                if id(block) in late:
                    block["text"] = f"<system>{block['text']}</system>"
            self.turns.append({**turn, "content": blocks[:cut]})
            if blocks[cut:]:
                self.turns.append({"role": "system", "content": blocks[cut:]})
        self.turns = self.turns or turns

    def _order_results(self) -> None:
        for turn in self.turns:
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
        if self._is_assistants_turn() and (last := self.turns[-1]["content"][-1]).get("text"):
            last["text"] = last["text"].rstrip()


def _block(part: Mapping[str, Any], message: Message) -> Block | None:
    if part.get("type") == "file":
        return _document(part)
    if part.get("type") != "image_url":
        return _text_block(part, message)
    image = image_of(part)
    source = (
        {"type": "url", "url": image.url}
        if image.url
        else {"type": "base64", "media_type": image.media_type, "data": image.data}
    )
    return {"type": "image", "source": source, **_cached(part)}


def _document(part: Mapping[str, Any]) -> Block:
    name, document = file_of(part)
    if document.media_type != "application/pdf":
        raise incapable(f"a file of type {document.media_type} cannot be sent here")
    source = {"type": "base64", "media_type": document.media_type, "data": document.data}
    title = {"title": name} if name else {}
    return {"type": "document", "source": source, **title, **_cached(part)}


def _text_block(part: Mapping[str, Any], message: Message) -> Block | None:
    text = text_of(part, message)
    return {"type": "text", "text": text, **_cached(part)} if text.strip() else None


def _cached(part: Mapping[str, Any]) -> Block:
    return {"cache_control": part["cache_control"]} if "cache_control" in part else {}
