"""Reading a streamed answer of OpenAI's Responses.

`response.completed`, `.incomplete` or `.failed` ends it; there is no `[DONE]`. Servers differ in
what they leave out: llama.cpp sends no `output_index`, others change an item's id midway. What
an item's last event says beyond its deltas is given out then.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from llmroute.adapter.framing import StreamEvent
from llmroute.adapter.opaque import seal
from llmroute.adapter.protocols.base import ProviderError
from llmroute.adapter.protocols.extract import mapping, parse_event, text, usage_from
from llmroute.adapter.protocols.openai_responses_words import (
    BETWEEN_THOUGHTS,
    USAGE,
    finish_of,
    left_out,
    opaque_of,
    pieces_of,
    tool_call,
)
from llmroute.types import Chunk, ToolCallDelta

__all__ = ["OpenAIResponsesDecoder"]

#: Event → the field of the answer that it adds to, and the number of the part it belongs to.
_DELTAS = {
    "response.output_text.delta": ("text", "content_index"),
    "response.refusal.delta": ("refusal", "content_index"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index"),
    "response.reasoning_text.delta": ("content", "content_index"),
}
_WHOLES = {
    "response.output_text.done": ("text", "text"),
    "response.refusal.done": ("refusal", "refusal"),
    "response.reasoning_summary_text.done": ("summary", "text"),
    "response.reasoning_text.done": ("content", "text"),
}
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_STARTS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ARGUMENTS = "response.function_call_arguments."


@dataclass(slots=True)
class _Call:
    number: int
    id: str
    length: int = 0


class OpenAIResponsesDecoder:
    """Reads one stream. Unknown events are ignored."""

    exit_code: ClassVar[int] = 0

    def __init__(self) -> None:
        self.done = False
        self.warnings: list[str] = []
        self._calls: list[_Call] = []
        self._by_place: dict[Hashable, _Call] = {}
        self._said: dict[Hashable, int] = {}
        self._fields: set[str] = set()
        self._items: list[Mapping[str, Any]] = []
        self._named: tuple[Any, Any] = (None, None)

    def feed(self, event: StreamEvent) -> list[Chunk]:
        """Take one event; see `Decoder.feed`."""
        said = event.data.strip()
        if self.done or not said or said == "[DONE]":
            return []
        data = parse_event(said)
        kind = data.get("type") or event.name
        if kind == "error" or data.get("error"):
            raise ProviderError(data)
        return self._take(kind, data)

    def _take(self, kind: Any, data: Mapping[str, Any]) -> list[Chunk]:
        if kind in _DELTAS:
            return self._delta(*_DELTAS[kind], data)
        if kind in _WHOLES:
            return self._whole(*_WHOLES[kind], data)
        if kind in (f"{_ARGUMENTS}delta", f"{_ARGUMENTS}done"):
            return self._arguments(data)
        if kind == "response.output_item.added":
            return self._start(data, mapping(data.get("item"), "an output item"))
        if kind == "response.output_item.done":
            return self._stop(data, mapping(data.get("item"), "an output item"))
        if kind in _STARTS:
            return self._head(mapping(data.get("response"), "the response"))
        if kind in _ENDS:
            return self._end(mapping(data.get("response"), "the response"))
        return []

    def _head(self, response: Mapping[str, Any]) -> list[Chunk]:
        named = tuple(
            value if isinstance(value, str) and value else None
            for value in (response.get("model"), response.get("id"))
        )
        if named == self._named or named == (None, None):
            return []
        self._named = (named[0], named[1])
        return [Chunk(model=named[0], id=named[1])]

    def _delta(self, field: str, counter: str, data: Mapping[str, Any]) -> list[Chunk]:
        return self._say(field, (_place(data), field, data.get(counter) or 0), data.get("delta"))

    def _whole(self, field: str, name: str, data: Mapping[str, Any]) -> list[Chunk]:
        number = data.get("summary_index" if field == "summary" else "content_index") or 0
        return self._rest(field, (_place(data), field, number), text(data.get(name), name))

    def _rest(self, field: str, key: Hashable, whole: str) -> list[Chunk]:
        """Say what the end of a part holds beyond its deltas."""
        return self._say(field, key, whole[self._said.get(key, 0) :])

    def _say(self, field: str, key: Hashable, value: Any) -> list[Chunk]:
        piece = text(value, field)
        if not piece:
            return []
        thought = field in ("summary", "content")
        between = thought and key not in self._said and "thought" in self._fields
        self._said[key] = self._said.get(key, 0) + len(piece)
        self._fields.add("thought" if thought else field)
        if thought:
            return [Chunk(reasoning=BETWEEN_THOUGHTS * between + piece)]
        return [Chunk(refusal=piece) if field == "refusal" else Chunk(text=piece)]

    def _start(self, data: Mapping[str, Any], item: Mapping[str, Any]) -> list[Chunk]:
        place = _place(data)
        for key in [key for key in self._said if isinstance(key, tuple) and key[0] == place]:
            del self._said[key]
        return [self._call(data, item)] if item.get("type") == "function_call" else []

    def _call(self, data: Mapping[str, Any], item: Mapping[str, Any]) -> Chunk:
        made = tool_call({**item, "arguments": None})
        arguments = text(item.get("arguments"), "arguments")
        call = _Call(len(self._calls), made.id, len(arguments))
        self._calls.append(call)
        self._by_place |= dict.fromkeys(_places(data, item), call)
        return Chunk(tool_call=ToolCallDelta(call.number, made.id, made.name, arguments))

    def _arguments(self, data: Mapping[str, Any]) -> list[Chunk]:
        call = self._known(data, {})
        if call is None:
            return []
        if "delta" in data:
            return self._argue(call, text(data["delta"], "arguments"))
        return self._argue(call, text(data.get("arguments"), "arguments")[call.length :])

    def _argue(self, call: _Call, piece: str) -> list[Chunk]:
        call.length += len(piece)
        return [Chunk(tool_call=ToolCallDelta(call.number, arguments=piece))] if piece else []

    def _known(self, data: Mapping[str, Any], item: Mapping[str, Any]) -> _Call | None:
        found = (self._by_place.get(place) for place in _places(data, item))
        return next((call for call in found if call is not None), None)

    def _stop(self, data: Mapping[str, Any], item: Mapping[str, Any]) -> list[Chunk]:
        self._items.append(item)
        if item.get("type") == "function_call":
            return self._stop_call(data, item)
        chunks = []
        for piece in pieces_of(item):
            key = (_place({**data, "item_id": item.get("id")}), piece.field, piece.number)
            chunks += self._rest(piece.field, key, piece.text)
        return chunks

    def _stop_call(self, data: Mapping[str, Any], item: Mapping[str, Any]) -> list[Chunk]:
        call = self._known(data, item)
        if call is None:
            return [self._call(data, item)]
        return self._argue(call, text(item.get("arguments"), "arguments")[call.length :])

    def _end(self, response: Mapping[str, Any]) -> list[Chunk]:
        self.done = True
        output = response.get("output")
        items = output if isinstance(output, list) and output else self._items
        items = [mapping(item, "an output item") for item in items]
        chunks = [*self._head(response), *self._unsaid(items)]
        chunks += [
            Chunk(tool_call=ToolCallDelta(call.number, arguments="{}"))
            for call in self._calls
            if not call.length
        ]
        sealed = (seal(item, "", place) for place, item in opaque_of(items))
        chunks += [Chunk(thinking_block=block) for block in sealed if block]
        if response.get("usage"):
            chunks.append(Chunk(usage=usage_from(response, USAGE)))
        finish = finish_of(response, self._calls, "refusal" in self._fields)
        self.warnings += left_out(items)
        return [*chunks, Chunk(finish_reason=finish)]

    def _unsaid(self, items: list[Mapping[str, Any]]) -> list[Chunk]:
        """Say what only the last event holds: whole calls, and fields without any delta."""
        known = {call.id for call in self._calls}
        before, chunks = set(self._fields), []
        for number, item in enumerate(items):
            if item.get("type") == "function_call" and tool_call(item).id not in known:
                chunks.append(self._call({"output_index": ("end", number)}, item))
            for piece in pieces_of(item):
                field = "thought" if piece.field in ("summary", "content") else piece.field
                if field not in before:
                    key = (("end", number), piece.field, piece.number)
                    chunks += self._say(piece.field, key, piece.text)
        return chunks


def _places(data: Mapping[str, Any], item: Mapping[str, Any]) -> list[Hashable]:
    """Return the names that a call goes by: the item's id, then its index."""
    named: tuple[Hashable, ...] = (data.get("item_id"), item.get("id"), data.get("output_index"))
    return [name for name in named if name is not None]


def _place(data: Mapping[str, Any]) -> Hashable:
    """Return what an item goes by: its index, which stays, else its id."""
    index = data.get("output_index")
    if index is not None:
        return ("index", index)
    item = data.get("item")
    number = item.get("id") if isinstance(item, Mapping) else None
    return ("id", data.get("item_id") or number)
