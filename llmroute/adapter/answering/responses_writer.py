"""Writing a streamed answer for clients of OpenAI's Responses.

Items may stand side by side there: each has its index, and all that are open end with the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmroute.adapter.answering.base import Stamp, event
from llmroute.adapter.answering.failures import trouble
from llmroute.adapter.answering.responses_words import (
    call_item,
    ended,
    message_item,
    reasoning_item,
    refusal_part,
    response_object,
    text_part,
)
from llmroute.types import Chunk, FinishReason, ToolCall, ToolCallDelta, Usage

__all__ = ["ResponsesWriter"]

#: Kind of a part → prefix of its events, and the field of its text.
_SPOKEN = {"text": ("output_text", "text"), "refusal": ("refusal", "refusal")}


@dataclass(slots=True)
class _Item:
    """An item that is open: `kind` is reasoning, text, refusal or call."""

    index: int
    kind: str
    number: str
    text: str = ""
    call_id: str = ""
    name: str = ""

    def whole(self) -> dict[str, Any]:
        """Return the item as it ends."""
        match self.kind:
            case "reasoning":
                return reasoning_item(self.number, self.text)
            case "call":
                call = ToolCall(self.call_id, self.name, self.text or "{}")
                return call_item(self.number, call, "completed")
        return message_item(self.number, "completed", [self.part()])

    def part(self) -> dict[str, Any]:
        """Return the part of a message."""
        return text_part(self.text) if self.kind == "text" else refusal_part(self.text)

    def begun(self) -> dict[str, Any]:
        """Return the item as it begins."""
        if self.kind == "call":
            call = ToolCall(self.call_id, self.name, "")
            return call_item(self.number, call, "in_progress")
        if self.kind == "reasoning":
            return {**reasoning_item(self.number, ""), "status": "in_progress"}
        return message_item(self.number, "in_progress", [])


class ResponsesWriter:
    """Writes one answer; `model` is named until the provider names its own."""

    def __init__(self, model: str, echo: Mapping[str, Any], stamp: Stamp) -> None:
        self._model, self._echo, self._stamp = model, echo, stamp
        self._number = f"resp_{stamp.token()}"
        self._sequence = -1
        self._object: dict[str, Any] = {}
        self._output: list[dict[str, Any] | None] = []
        self._open: dict[str | int, _Item] = {}
        self._usage: Usage | None = None
        self._finish: FinishReason | None = None
        self._refusal = ""

    def feed(self, chunk: Chunk) -> list[bytes]:
        """Return the events of one chunk."""
        if not self._object:
            self._model, self._number = chunk.model or self._model, chunk.id or self._number
        self._usage = chunk.usage or self._usage
        self._finish = chunk.finish_reason or self._finish
        self._refusal += chunk.refusal
        if not (chunk.has_content or chunk.reasoning or chunk.thinking_block):
            return []
        found = self._begin()
        if chunk.reasoning:
            found += self._thought(chunk.reasoning)
        if chunk.thinking_block is not None:
            found += self._opaque(chunk.thinking_block)
        if chunk.text:
            found += self._spoken("text", chunk.text)
        if chunk.refusal:
            found += self._spoken("refusal", chunk.refusal)
        if chunk.tool_call is not None:
            found += self._called(chunk.tool_call)
        return found

    def finish(self) -> list[bytes]:
        """Return the events that end a whole answer."""
        found = self._begin()
        for key in list(self._open):
            found += self._close(key)
        done = ended(self._finish, self._refusal or None, self._usage or Usage(estimated=True))
        response = {**self._object, **done, "output": [item for item in self._output if item]}
        return [*found, self._event(f"response.{done['status']}", response=response)]

    def fail(self, error: Exception) -> list[bytes]:
        """Return the events of an answer that broke."""
        told = trouble(error)
        inner = {"code": told.code, "message": told.message}
        response = {**self._object, "status": "failed", "error": inner}
        return [*self._begin(), self._event("response.failed", response=response)]

    def _begin(self) -> list[bytes]:
        if self._object:
            return []
        self._object = response_object(self._number, self._model, self._stamp, self._echo)
        names = ("response.created", "response.in_progress")
        return [self._event(name, response=self._object) for name in names]

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._sequence += 1
        return event({"type": kind, "sequence_number": self._sequence, **fields}, kind)

    def _start(self, key: str | int, kind: str, prefix: str, **named: str) -> list[bytes]:
        item = _Item(len(self._output), kind, f"{prefix}_{self._stamp.token()}", **named)
        self._open[key] = item
        self._output.append(None)
        begun = item.begun()
        return [self._event("response.output_item.added", output_index=item.index, item=begun)]

    def _at(self, item: _Item, **more: Any) -> dict[str, Any]:
        return {"item_id": item.number, "output_index": item.index, **more}

    def _spoken(self, kind: str, piece: str) -> list[bytes]:
        found = self._close("reasoning")
        if kind not in self._open:
            found += self._start(kind, kind, "msg")
            item = self._open[kind]
            at = self._at(item, content_index=0, part=item.part())
            found.append(self._event("response.content_part.added", **at))
        item = self._open[kind]
        item.text += piece
        at = self._at(item, content_index=0, delta=piece)
        return [*found, self._event(f"response.{_SPOKEN[kind][0]}.delta", **at)]

    def _thought(self, piece: str) -> list[bytes]:
        found: list[bytes] = []
        if "reasoning" not in self._open:
            found += self._start("reasoning", "reasoning", "rs")
            part = {"type": "summary_text", "text": ""}
            at = self._at(self._open["reasoning"], summary_index=0, part=part)
            found.append(self._event("response.reasoning_summary_part.added", **at))
        item = self._open["reasoning"]
        item.text += piece
        at = self._at(item, summary_index=0, delta=piece)
        return [*found, self._event("response.reasoning_summary_text.delta", **at)]

    def _opaque(self, block: Mapping[str, Any]) -> list[bytes]:
        """Return a sealed block as an item, or as the end of the thought that is open."""
        if block.get("type") != "reasoning":
            return []  # another protocol's, which these clients could not send back
        if "reasoning" in self._open:
            return self._close("reasoning", dict(block))
        index = len(self._output)
        self._output.append(dict(block))
        names = ("response.output_item.added", "response.output_item.done")
        return [self._event(name, output_index=index, item=block) for name in names]

    def _called(self, piece: ToolCallDelta) -> list[bytes]:
        found = self._close("reasoning")
        if piece.index not in self._open:
            named = {"call_id": piece.id or "", "name": piece.name or ""}
            found += self._start(piece.index, "call", "fc", **named)
        item = self._open[piece.index]
        item.name = item.name or piece.name or ""
        if not piece.arguments:
            return found
        item.text += piece.arguments
        at = self._at(item, delta=piece.arguments)
        return [*found, self._event("response.function_call_arguments.delta", **at)]

    def _close(self, key: str | int, whole: dict[str, Any] | None = None) -> list[bytes]:
        item = self._open.pop(key, None)
        if item is None:
            return []
        whole = whole or item.whole()
        self._output[item.index] = whole
        found = self._ended(item)
        done = self._event("response.output_item.done", output_index=item.index, item=whole)
        return [*found, done]

    def _ended(self, item: _Item) -> list[bytes]:
        """Return the events that end what is inside an item."""
        if item.kind == "call":
            at = self._at(item, name=item.name, arguments=item.text or "{}")
            return [self._event("response.function_call_arguments.done", **at)]
        if item.kind == "reasoning":
            part = {"type": "summary_text", "text": item.text}
            at = self._at(item, summary_index=0)
            text = self._event("response.reasoning_summary_text.done", **at, text=item.text)
            return [text, self._event("response.reasoning_summary_part.done", **at, part=part)]
        prefix, field = _SPOKEN[item.kind]
        at = self._at(item, content_index=0)
        text = self._event(f"response.{prefix}.done", **at, **{field: item.text})
        return [text, self._event("response.content_part.done", **at, part=item.part())]
