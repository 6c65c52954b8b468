"""Reading a stream by a declared protocol's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.adapter.declared.answers import (
    CallPiece,
    Reader,
    UsageCounts,
    failure_of,
    finish_of,
    left_out,
    said,
    sealed,
    text_or_none,
)
from llmroute.adapter.framing import StreamEvent
from llmroute.adapter.jsontext import JsonError, parse
from llmroute.adapter.protocols.base import ProviderError
from llmroute.adapter.protocols.extract import malformed
from llmroute.adapter.protocols.toolcalls import ToolCallAssembler
from llmroute.policy.expressions.expression import FAILURES, truthy
from llmroute.types import Chunk

__all__ = ["DeclaredDecoder", "Rules"]

Rules = tuple[Reader, ...]


class DeclaredDecoder:
    """Reads one stream; the first event for which `done` is true ends it.

    Every rule whose `when` is met is applied to an event, in the order of the file.
    """

    def __init__(self, rules: Rules, finish: Mapping[str, str]) -> None:
        self.done = False
        self.exit_code = 0
        self.warnings: list[str] = []
        self._rules = rules
        self._names = finish
        self._calls = ToolCallAssembler()
        self._usage = UsageCounts()
        self._finish: Any = None
        self._refused = False
        self._held = ""
        self._head: tuple[str | None, str | None] = (None, None)

    def feed(self, event: StreamEvent) -> list[Chunk]:
        """Take one event; see `Decoder.feed`."""
        if self.done or not event.data.strip():
            return []
        try:
            data, fault = parse(event.data), None
        except JsonError as exc:
            data, fault = None, exc
        scope = {"event": event.name, "data": data, "raw": event.data}
        fitting = [rule for rule in self._rules if _fits(rule, scope)]
        if fault is not None and not any(rule.when for rule in fitting):
            raise malformed(f"a stream event is not JSON: {fault}", event.data[:500]) from fault
        chunks: list[Chunk] = []
        for rule in fitting:
            self._apply(rule, scope, chunks)
        return [*chunks, *self._end()] if self.done else chunks

    def _apply(self, rule: Reader, scope: Mapping[str, Any], chunks: list[Chunk]) -> None:
        if truthy(found := rule.value("error", scope)):
            raise ProviderError(failure_of(found, scope["data"]))
        self._named(rule, scope, chunks)
        if reasoning := said(rule.value("reasoning", scope), "reasoning"):
            chunks.append(Chunk(reasoning=reasoning))
        if text := said(rule.value("text", scope), "text"):
            chunks += self._told(text, last=rule.last)
        if refusal := said(rule.value("refusal", scope), "refusal"):
            self._refused = True
            chunks.append(Chunk(refusal=refusal))
        if rule.calls is not None:
            for piece in rule.calls.pieces(scope):
                self._call(piece, chunks)
        if rule.usage:
            self._usage.update(rule.counts(scope))
        self._finish = rule.value("finish", scope) or self._finish
        self._leave_out(rule.value("left_out", scope))
        self.done = self.done or truthy(rule.value("done", scope))
        self.exit_code = rule.exit_code or self.exit_code

    def _told(self, text: str, *, last: bool) -> list[Chunk]:
        """Give a text out, or hold it back: one that others follow was thinking aloud."""
        if not last:
            return [Chunk(text=text)]
        before, self._held = self._held, text
        return [Chunk(reasoning=f"{before}\n\n")] if before else []

    def _call(self, piece: CallPiece, chunks: list[Chunk]) -> None:
        found = self._calls.add(piece.number, piece.id, piece.name, piece.arguments)
        chunks += [Chunk(tool_call=delta) for delta in found]
        if found and (block := sealed(piece.signature, found[-1].index)):
            chunks.append(Chunk(thinking_block=block))

    def _named(self, rule: Reader, scope: Mapping[str, Any], chunks: list[Chunk]) -> None:
        model = text_or_none(rule.value("model", scope)) or self._head[0]
        known = text_or_none(rule.value("id", scope)) or self._head[1]
        if (model, known) != self._head:
            self._head = (model, known)
            chunks.append(Chunk(model=model, id=known))

    def _leave_out(self, found: Any) -> None:
        if found is not None:
            new = [words for words in left_out(found) if words not in self.warnings]
            self.warnings += new

    def _end(self) -> list[Chunk]:
        chunks = [Chunk(text=self._held)] if self._held else []
        chunks += [Chunk(tool_call=piece) for piece in self._calls.finish()]
        chunks.append(Chunk(usage=self._usage.usage()))
        if self._finish is not None:
            reason = finish_of(self._finish, self._names, calls=self._calls, refusal=self._refused)
            chunks.append(Chunk(finish_reason=reason))
        return chunks


def _fits(rule: Reader, scope: Mapping[str, Any]) -> bool:
    if rule.when is None:
        return True
    try:
        return truthy(rule.when(scope))
    except FAILURES:
        return False
