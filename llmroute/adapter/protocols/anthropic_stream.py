"""Reading a streamed Anthropic answer; `message_stop` ends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from llmroute.adapter.framing import StreamEvent
from llmroute.adapter.opaque import seal
from llmroute.adapter.protocols.anthropic_words import USAGE, finish_of, refusal_of, tool_call
from llmroute.adapter.protocols.base import ProviderError
from llmroute.adapter.protocols.extract import (
    CITED,
    malformed,
    mapping,
    parse_event,
    text,
    usage_from,
)
from llmroute.types import Chunk, FinishReason, ToolCallDelta

__all__ = ["AnthropicDecoder"]


@dataclass(slots=True)
class _Call:
    number: int
    arguments: str
    spoken: bool = False


class AnthropicDecoder:
    """Reads one stream. Unknown events are ignored, as the protocol demands."""

    exit_code: ClassVar[int] = 0

    def __init__(self) -> None:
        self.done = False
        self.warnings: list[str] = []
        self._usage: dict[str, Any] = {}
        self._calls: dict[int, _Call] = {}
        self._thoughts: dict[Any, dict[str, Any]] = {}
        self._count = 0
        self._finish: FinishReason | None = None

    def feed(self, event: StreamEvent) -> list[Chunk]:
        """Take one event; see `Decoder.feed`."""
        if self.done or not event.data.strip():
            return []
        data = parse_event(event.data)
        kind = data.get("type") or event.name
        if kind == "error":
            raise ProviderError(data)
        return self.take(kind, data)

    def take(self, kind: Any, data: Mapping[str, Any]) -> list[Chunk]:
        """Take one event's data by its kind."""
        match kind:
            case "message_start":
                return self._start(mapping(data.get("message"), "message"))
            case "content_block_start":
                block = mapping(data.get("content_block"), "content_block")
                return self._block(data.get("index"), block)
            case "content_block_delta":
                return self._delta(data.get("index"), mapping(data.get("delta"), "delta"))
            case "content_block_stop":
                return self._stop(data.get("index"))
            case "message_delta":
                return self._message_delta(data)
            case "message_stop":
                return self._end()
        return []

    def _start(self, message: Mapping[str, Any]) -> list[Chunk]:
        self._merge(message.get("usage"))
        model, number = message.get("model"), message.get("id")
        return [
            Chunk(
                usage=usage_from({"usage": self._usage}, USAGE),
                model=model if isinstance(model, str) else None,
                id=number if isinstance(number, str) else None,
            )
        ]

    def _merge(self, usage: Any) -> None:
        if isinstance(usage, Mapping):
            self._usage |= {key: value for key, value in usage.items() if value is not None}

    def _block(self, index: Any, block: Mapping[str, Any]) -> list[Chunk]:
        kind = block.get("type")
        if kind == "tool_use":
            return [*self._stop(index), self._call(index, block)]
        if kind == "text" and (said := text(block.get("text"), "text")):
            return [Chunk(text=said)]
        if kind in ("thinking", "redacted_thinking"):
            self._thoughts[index] = dict(block)
        elif kind != "text":
            self.warnings.append(f"a block of type {kind} was left out of the answer")
        return []

    def _call(self, index: Any, block: Mapping[str, Any]) -> Chunk:
        call = tool_call({**block, "input": block.get("input") or {}})
        number, self._count = self._count, self._count + 1
        self._calls[index] = _Call(number, call.arguments)
        return Chunk(tool_call=ToolCallDelta(number, call.id, call.name))

    def _delta(self, index: Any, delta: Mapping[str, Any]) -> list[Chunk]:
        match delta.get("type"):
            case "text_delta":
                said = text(delta.get("text"), "text")
                return [Chunk(text=said)] if said else []
            case "thinking_delta":
                thought = text(delta.get("thinking"), "thinking")
                self._thought(index, "thinking", thought)
                return [Chunk(reasoning=thought)] if thought else []
            case "signature_delta":
                self._thought(index, "signature", text(delta.get("signature"), "signature"))
            case "citations_delta" if CITED not in self.warnings:
                self.warnings.append(CITED)
            case "input_json_delta":
                return self._arguments(index, text(delta.get("partial_json"), "partial_json"))
        return []

    def _arguments(self, index: Any, piece: str) -> list[Chunk]:
        call = self._calls.get(index)
        if call is None or not piece:
            return []
        call.spoken = True
        return [Chunk(tool_call=ToolCallDelta(call.number, arguments=piece))]

    def _thought(self, index: Any, field: str, piece: str) -> None:
        if (block := self._thoughts.get(index)) is not None:
            block[field] = (block.get(field) or "") + piece

    def _stop(self, index: Any) -> list[Chunk]:
        if (block := self._thoughts.pop(index, None)) is not None:
            sealed = seal(block, "", index) if isinstance(index, int) else None
            return [Chunk(thinking_block=sealed)] if sealed else []
        call = self._calls.pop(index, None)
        if call is None or call.spoken:
            return []
        return [Chunk(tool_call=ToolCallDelta(call.number, arguments=call.arguments))]

    def _message_delta(self, data: Mapping[str, Any]) -> list[Chunk]:
        self._merge(data.get("usage"))
        chunks = [Chunk(usage=usage_from({"usage": self._usage}, USAGE))]
        delta = mapping(data.get("delta") or {}, "delta")
        if delta.get("stop_reason") is not None:
            self._finish = finish_of(delta["stop_reason"], self._count, self.warnings)
        if refusal := refusal_of(delta):
            chunks.append(Chunk(refusal=refusal))
        return chunks

    def _end(self) -> list[Chunk]:
        self.done = True
        if self._finish is None:
            raise malformed("the stream ended without a stop_reason")
        chunks = [chunk for index in list(self._calls) for chunk in self._stop(index)]
        return [*chunks, Chunk(finish_reason=self._finish)]
