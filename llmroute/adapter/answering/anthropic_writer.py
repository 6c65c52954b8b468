"""Writing a streamed answer for Anthropic's clients.

Blocks come one after the other there. So of several calls of tools that arrive side by side, one
is written as it comes and the others when it is complete; and the last event before the end
waits for the usage, which other protocols send after the finish reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.adapter.answering.anthropic_words import failed, stop_details, stop_reason, usage_of
from llmroute.adapter.answering.base import Stamp, event
from llmroute.types import Chunk, FinishReason, ToolCallDelta, Usage

__all__ = ["AnthropicWriter"]

_NOTHING = Usage()
_NO_THOUGHT: Mapping[str, Any] = {"thinking": "", "signature": ""}


class AnthropicWriter:
    """Writes one answer; `model` is named until the provider names its own."""

    def __init__(self, model: str, stamp: Stamp) -> None:
        self._model = model
        self._id = f"msg_{stamp.token()}"
        self._begun = False
        self._index = -1
        self._kind: str | None = None
        self._call: int | None = None
        self._later: dict[int, list[ToolCallDelta]] = {}
        self._behind: list[Chunk] = []
        self._usage: Usage | None = None
        self._finish: FinishReason | None = None
        self._refusal = ""

    def feed(self, chunk: Chunk) -> list[bytes]:
        """Return the events of one chunk."""
        if not self._begun:
            self._model, self._id = chunk.model or self._model, chunk.id or self._id
        self._usage = chunk.usage or self._usage
        self._finish = chunk.finish_reason or self._finish
        self._refusal += chunk.refusal
        found = self._written(chunk)
        return [*self._begin(), *found] if found else []

    def _written(self, chunk: Chunk) -> list[bytes]:
        if chunk.tool_call is not None:
            return self._tool(chunk.tool_call)
        if self._kind == "tool_use":  # the call may go on, and blocks cannot be opened again
            self._behind.append(chunk)
            return []
        found: list[bytes] = []
        if chunk.reasoning:
            found += self._piece("thinking", _NO_THOUGHT, chunk.reasoning)
        if chunk.thinking_block is not None:
            found += self._opaque(chunk.thinking_block)
        if said := chunk.text + chunk.refusal:
            found += self._piece("text", {"text": ""}, said)
        return found

    def finish(self) -> list[bytes]:
        """Return the events that end a whole answer."""
        found = [*self._begin(), *self._close()]
        for number in sorted(self._later):
            found += [*self._pieces(self._later[number]), *self._close()]
        found += [written for chunk in self._behind for written in self._written(chunk)]
        delta = {"stop_reason": stop_reason(self._finish), "stop_sequence": None}
        delta |= stop_details(self._finish, self._refusal or None)
        ended = {"delta": delta, "usage": usage_of(self._usage or _NOTHING)}
        found += [*self._close(), _event("message_delta", ended)]
        return [*found, _event("message_stop", {})]

    def fail(self, error: Exception) -> list[bytes]:
        """Return the error as an event; without `message_stop` the answer is not whole."""
        return [event(failed(error), "error")]

    def _begin(self) -> list[bytes]:
        if self._begun:
            return []
        self._begun = True
        message: dict[str, Any] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**usage_of(self._usage or _NOTHING), "output_tokens": 1},
        }
        return [_event("message_start", {"message": message})]

    def _piece(self, kind: str, empty: Mapping[str, Any], piece: str) -> list[bytes]:
        """Return a piece of text or thought, in the block that is open if it is of that kind."""
        found = [] if self._kind == kind else self._open(kind, empty)
        return [*found, self._delta({"type": f"{kind}_delta", kind: piece})]

    def _opaque(self, block: Mapping[str, Any]) -> list[bytes]:
        """Return a sealed block: its signature ends the thought that is open, or it is a block."""
        if block.get("type") == "redacted_thinking":
            rest = {key: value for key, value in block.items() if key != "type"}
            return [*self._open("redacted_thinking", rest), *self._close()]
        if block.get("type") != "thinking":
            return []  # another protocol's, which these clients could not send back
        found = [] if self._kind == "thinking" else self._open("thinking", _NO_THOUGHT)
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return [*found, self._delta(signed), *self._close()]

    def _tool(self, piece: ToolCallDelta) -> list[bytes]:
        if self._kind == "tool_use" and self._call != piece.index:
            self._later.setdefault(piece.index, []).append(piece)
            return []
        return self._pieces([piece])

    def _pieces(self, pieces: list[ToolCallDelta]) -> list[bytes]:
        """Return the pieces of one call, opening its block with the first."""
        found: list[bytes] = []
        for piece in pieces:
            if self._call != piece.index:
                named: dict[str, Any] = {"id": piece.id, "name": piece.name, "input": {}}
                found += self._open("tool_use", named)
                self._call = piece.index
            if piece.arguments:
                partial = {"type": "input_json_delta", "partial_json": piece.arguments}
                found.append(self._delta(partial))
        return found

    def _open(self, kind: str, fields: Mapping[str, Any]) -> list[bytes]:
        found = self._close()
        self._index += 1
        self._kind = kind
        block = {"index": self._index, "content_block": {"type": kind, **fields}}
        return [*found, _event("content_block_start", block)]

    def _close(self) -> list[bytes]:
        if self._kind is None:
            return []
        self._kind = self._call = None
        return [_event("content_block_stop", {"index": self._index})]

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return _event("content_block_delta", {"index": self._index, "delta": delta})


def _event(kind: str, fields: Mapping[str, Any]) -> bytes:
    return event({"type": kind, **fields}, kind)
