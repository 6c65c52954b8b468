"""A protocol that is declared in YAML, compiled once: the `WireProtocol` of its file.

What a file may say is in `schemas/protocol.schema.json`, what it means in docs/protocols.md.
Files come here checked against the schema; what a schema cannot see is found while compiling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmroute.adapter.declared.answers import (
    FINISH,
    CallPiece,
    Reader,
    UsageCounts,
    check_finish,
    failure_of,
    finish_of,
    left_out,
    make_reader,
    said,
    sealed,
    text_or_none,
)
from llmroute.adapter.declared.decoder import DeclaredDecoder, Rules
from llmroute.adapter.declared.errors import Judge, make_judge
from llmroute.adapter.declared.faults import Fault
from llmroute.adapter.declared.requests import RequestWriter, make_writer, unread
from llmroute.adapter.declared.scopes import EVENT
from llmroute.adapter.declared.templates import Maker
from llmroute.adapter.protocols.base import Encoded, ProviderError
from llmroute.adapter.protocols.extract import malformed
from llmroute.adapter.protocols.toolcalls import new_call_id
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind, UsageError
from llmroute.policy.expressions.expression import truthy
from llmroute.types import Request, Response, ToolCall

__all__ = ["DeclaredProtocol", "compile_protocol", "usable_protocol"]


@dataclass(frozen=True)
class DeclaredProtocol:
    """A declared protocol; holds no state between calls.

    `framing` is `json` where the file declares no stream: every answer is one document.
    """

    name: str
    framing: str
    only_streams: bool
    writer: RequestWriter
    answer: Reader | None
    rules: Rules
    finish: Mapping[str, str]
    judge: Judge | None = None
    help: Mapping[ErrorKind, str] = field(default_factory=dict)

    def encode(self, request: Request, target: Target, *, stream: bool) -> Encoded:
        """Write a request; see `WireProtocol.encode`."""
        streams = self.only_streams or (stream and self.framing != "json")
        return self.writer.write(request, target, stream=streams)

    def decode(self, body: Any, target: Target) -> Response:
        """Read a whole answer; see `WireProtocol.decode`."""
        answer = self.answer
        if answer is None:
            raise malformed("this protocol answers in streams only", body)
        if truthy(found := answer.value("error", body)):
            raise ProviderError(failure_of(found, body))
        pieces = list(answer.calls.pieces(body)) if answer.calls else []
        calls = tuple(_call(piece) for piece in pieces)
        blocks = (sealed(piece.signature, n, target.id) for n, piece in enumerate(pieces))
        refusal = said(answer.value("refusal", body), "refusal") or None
        usage = UsageCounts()
        usage.update(answer.counts(body))
        word = answer.value("finish", body)
        return Response(
            text=said(answer.value("text", body), "text") or None,
            finish_reason=finish_of(word, self.finish, calls=calls, refusal=refusal),
            usage=usage.usage(),
            model=text_or_none(answer.value("model", body)) or target.upstream,
            id=text_or_none(answer.value("id", body)),
            tool_calls=calls,
            reasoning=said(answer.value("reasoning", body), "reasoning") or None,
            refusal=refusal,
            warnings=tuple(left_out(answer.value("left_out", body))),
            thinking_blocks=tuple(block for block in blocks if block),
        )

    def decoder(self) -> DeclaredDecoder:
        """Return a fresh reader for one streamed answer."""
        return DeclaredDecoder(self.rules, self.finish)


def _call(piece: CallPiece) -> ToolCall:
    if piece.name is None:
        raise malformed("a tool call came without a name")
    return ToolCall(piece.id or new_call_id(), piece.name, piece.arguments or "{}")


def compile_protocol(data: Mapping[str, Any]) -> tuple[DeclaredProtocol, list[Fault]]:
    """Compile a file's data; a protocol with faults must not be used."""
    maker = Maker()
    writer = make_writer(maker, data.get("request"), data.get("parameters", {}))
    maker.faults += [*unread(maker), *check_finish(data.get("finish")), *_unended(data)]
    response, stream = data.get("response"), data.get("stream")
    answer = None
    if isinstance(response, Mapping):
        answer = make_reader(maker, response, ("response",), None)
    events = stream if isinstance(stream, list) else []
    rules = tuple(_rules(maker, events, answer))
    made = DeclaredProtocol(
        name=str(data.get("protocol", "")),
        framing=str(data.get("framing", "json")) if events else "json",
        only_streams=answer is None,
        writer=writer,
        answer=answer,
        rules=rules,
        finish=_names(data.get("finish")),
        judge=make_judge(maker, data.get("errors")),
        help=_help(data.get("help")),
    )
    return made, sorted(maker.faults, key=lambda fault: tuple(map(str, fault.path)))


def _rules(maker: Maker, events: list[Any], answer: Reader | None) -> Iterator[Reader]:
    for index, data in enumerate(events):
        if not isinstance(data, Mapping):
            continue
        rule = make_reader(maker, data, ("stream", index), EVENT)
        if data.get("like") != "response":
            yield rule
        elif answer is not None:
            yield rule.over(answer.of_event())
        else:
            message, help_text = "there is no response to be like", "write `response` as well"
            maker.faults.append(
                Fault(("stream", index, "like"), "protocol-template", message, help_text)
            )


def _unended(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault where nothing tells a whole answer from a broken one, or why it ended."""
    response, stream = data.get("response"), data.get("stream")
    whole = response if isinstance(response, Mapping) else {}
    if isinstance(response, Mapping) and "finish" not in whole:
        yield _no_finish("response")
    rules = [rule for rule in stream if isinstance(rule, Mapping)] if stream else []
    if rules and not any("done" in rule for rule in rules):
        message = "no rule says when the stream is complete, so a broken one would look whole"
        help_text = "give the rule of the last event `done: true`"
        yield Fault(("stream",), "protocol-terminator", message, help_text, key=True)
    if rules and not any("finish" in rule or "like" in rule for rule in rules):
        yield _no_finish("stream")


def _no_finish(section: str) -> Fault:
    help_text = "write finish: EXPRESSION (finish: \"'stop'\" where the API does not say)"
    message = "nothing says why an answer ended"
    return Fault((section,), "protocol-finish", message, help_text, key=True)


def _names(data: Any) -> Mapping[str, str]:
    own = data if isinstance(data, Mapping) else {}
    return {str(word): str(meant) for word, meant in own.items()} or dict(FINISH)


def _help(data: Any) -> Mapping[ErrorKind, str]:
    texts = data if isinstance(data, Mapping) else {}
    return {ErrorKind(kind): str(text) for kind, text in texts.items() if kind in tuple(ErrorKind)}


def usable_protocol(data: Mapping[str, Any]) -> DeclaredProtocol:
    """Compile a file's data, for use.

    Raises:
        UsageError: it is faulty; `llmroute lint` shows every fault at its place.

    """
    made, faults = compile_protocol(data)
    if faults:
        where = ".".join(map(str, faults[0].path))
        raise UsageError(f"protocol {made.name}: {where}: {faults[0].message}")
    return made
