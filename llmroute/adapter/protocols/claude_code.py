"""The Claude Code CLI in print mode, speaking `stream-json` in both directions.

What a command needs for this protocol: `--input-format stream-json --output-format stream-json
--verbose --include-partial-messages`, and `--system-prompt-file={system_file}`, so that no
prompt stands in the list of processes. Source: recorded runs of version 2.1.330.

The CLI answers every user message on standard input with a turn of its own, so a conversation
is sent as one message: alone if it is a single one, else as a transcript. Images travel inside.

The `result` line alone decides: `is_error`, `api_error_status` and `terminal_reason`; its
`subtype` says "success" on most errors. Usage is taken from there too.

When its connection breaks midway the CLI asks again by itself, and its switches against that do
not hold once a block is complete. What it then tells again is left out, and an answer that
differs from what was said already is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from llmroute.adapter.framing import StreamEvent
from llmroute.adapter.jsontext import compact
from llmroute.adapter.protocols.anthropic_stream import AnthropicDecoder
from llmroute.adapter.protocols.anthropic_words import USAGE, finish_of
from llmroute.adapter.protocols.base import Encoded, Judge, ProviderError
from llmroute.adapter.protocols.content import incapable
from llmroute.adapter.protocols.extract import malformed, mapping, parse_event, text, usage_from
from llmroute.adapter.protocols.fields import effort_of, write_fields
from llmroute.adapter.protocols.retold import Retold
from llmroute.adapter.protocols.turns import Conversation
from llmroute.catalog.model import Endpoint, Target
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, FinishReason, Request, Response

__all__ = ["ClaudeCode"]

#: The `result` line adds up all turns, and `iterations` are those of one of them.
_USAGE = replace(USAGE, parts="")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_PLACEHOLDER = re.compile(r"\{([a-z_]+?)(?:_file)?\}")
#: The tool through which the CLI gets answers that follow a schema.
_STRUCTURED = "StructuredOutput"
_LOGIN = "run `claude` and log in with /login, or set ANTHROPIC_API_KEY"
#: Names the model of messages that the CLI makes up itself.
_SYNTHETIC = "<synthetic>"
#: How it says that it gave up waiting; there is no other sign of it.
_TIMED_OUT = "Request timed out"
_AGAIN = "the connection broke midway; the CLI asked again, and its usage counts both answers"
_SHOWN = ("api_error_status", "api_error_type", "terminal_reason", "stop_reason", "subtype")


class ClaudeCode:
    """The `claude-code` protocol."""

    framing: ClassVar[str] = "ndjson"
    only_streams: ClassVar[bool] = True
    judge: ClassVar[Judge | None] = None
    help: ClassVar[Mapping[ErrorKind, str]] = {
        ErrorKind.AUTH: _LOGIN,
        ErrorKind.UNAVAILABLE: "check the network and the proxy settings of the `claude` command",
    }

    def encode(
        self,
        request: Request,
        target: Target,
        *,
        stream: bool,  # noqa: ARG002 - every answer is a stream
    ) -> Encoded:
        """Write a request; see `WireProtocol.encode`."""
        if request.tools and request.tool_choice != "none":
            raise incapable("the CLI takes no tools of the caller")
        said = Conversation(request.messages)
        blocks = list(_checked(_blocks(said)))
        line = {"type": "user", "message": {"role": "user", "content": blocks}}
        effort, warnings = effort_of(request, target, _EFFORTS)
        warnings += said.warnings
        values = _values(request, target, said)
        if effort is not None:
            values["effort"] = effort
        warnings += _parameters(values, request, target)
        stdin = compact(line).encode("utf-8", "replace") + b"\n"
        return Encoded("", values=values, stdin=stdin, warnings=tuple(warnings))

    def decode(self, body: Any, target: Target) -> Response:  # noqa: ARG002
        """Refuse: every answer of the CLI is a stream."""
        raise malformed("the CLI answers in streams only", body)

    def decoder(self) -> ClaudeCodeDecoder:
        """Return a fresh reader for one answer."""
        return ClaudeCodeDecoder()


def _values(request: Request, target: Target, said: Conversation) -> dict[str, str]:
    form = request.response_format or {"type": "text"}
    system = "\n\n".join(block["text"] for block in said.system)
    values = {"model": target.upstream, "system": system}
    if request.json_schema is not None:
        values["json_schema"] = compact(request.json_schema)
    elif form.get("type") != "text":
        raise incapable(f"response_format {form.get('type')!r} cannot be asked for here")
    return values


def _parameters(values: dict[str, str], request: Request, target: Target) -> list[str]:
    known = {name: name for name in _placeholders(target.provider.endpoint)}
    written: dict[str, Any] = {}
    warnings = write_fields(written, request, target, known)
    values |= {name: str(value) for name, value in written.items()}
    return warnings


def _placeholders(endpoint: Endpoint) -> set[str]:
    words = (w for part in endpoint.command for w in ([part] if isinstance(part, str) else part))
    return {name for word in words for name in _PLACEHOLDER.findall(word)}


def _blocks(said: Conversation) -> Iterator[Mapping[str, Any]]:
    if len(said.turns) == 1:
        yield from said.turns[0]["content"]
        return
    yield {"type": "text", "text": "This is a conversation so far.\n\n"}
    for turn in said.turns:
        yield {"type": "text", "text": f"<{turn['role']}>"}
        yield from turn["content"]
        yield {"type": "text", "text": f"</{turn['role']}>"}
    yield {"type": "text", "text": "\n\nWrite the assistant's next message, and nothing else."}


def _checked(blocks: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        if block["type"] not in ("text", "image"):
            raise incapable("calls of tools and their results cannot be sent to the CLI")
        if block["type"] == "image" and block["source"]["type"] == "url":
            raise incapable("images must be sent as data here, not as an address")
        yield {key: value for key, value in block.items() if key != "cache_control"}


class ClaudeCodeDecoder:
    """Reads one run of the CLI; the `result` line ends it."""

    exit_code: ClassVar[int] = 0

    def __init__(self) -> None:
        self.done = False
        self.warnings: list[str] = []
        self._events = AnthropicDecoder()
        self._told = Retold()
        self._thought = False
        self._structured = False

    def feed(self, event: StreamEvent) -> list[Chunk]:
        """Take one line; see `Decoder.feed`."""
        if self.done:
            return []
        line = parse_event(event.data)
        own = line.get("parent_tool_use_id") is None
        match line.get("type"):
            case "system":
                self._structured = self._structured or _STRUCTURED in (line.get("tools") or ())
            case "stream_event" if own:
                event_data = mapping(line.get("event"), "event")
                return self._partial(event_data, line.get("abandoned_blocks"))
            case "assistant" if own and self._told.broken:
                return self._unstreamed(mapping(line.get("message"), "message"))
            case "result":
                return self._result(line)
        return []

    def _partial(self, event: Mapping[str, Any], abandoned: Any) -> list[Chunk]:
        kind = event.get("type")
        if kind == "message_start":
            self._told.begin()
        elif kind == "content_block_start":
            self._told.block(event.get("index"))
        elif kind == "message_stop":
            return _texts(self._told.end(abandoned))
        elif kind != "content_block_delta":
            return []
        return [said for chunk in self._events.take(kind, event) for said in self._fresh(chunk)]

    def _fresh(self, chunk: Chunk) -> list[Chunk]:
        """Return what is new about a chunk. Thoughts are never the same the second time."""
        if chunk.model:
            return [Chunk(model=chunk.model, id=chunk.id)]
        if chunk.reasoning:
            again = self._thought and self._told.interrupted
            self._thought = self._thought or not self._told.interrupted
            return [] if again else [chunk]
        return self._tell(chunk.text)

    def _tell(self, said: str) -> list[Chunk]:
        return [] if self._structured else _texts(self._told.tell(said))

    def _unstreamed(self, message: Mapping[str, Any]) -> list[Chunk]:
        """Take the message that comes whole where a stream was interrupted."""
        if message.get("model") == _SYNTHETIC:
            return []
        self._told.broken = False
        blocks = [mapping(block, "a content block") for block in message.get("content") or ()]
        said = (text(b.get("text"), "text") for b in blocks if b.get("type") == "text")
        return [*self._tell("".join(said)), *_texts(self._told.settle())]

    def _result(self, line: Mapping[str, Any]) -> list[Chunk]:
        self.done = True
        usage = Chunk(usage=usage_from(line, _USAGE))
        if line.get("stop_reason") == "refusal":
            refusal = text(line.get("result"), "result")
            return [Chunk(refusal=refusal), usage, Chunk(finish_reason="content_filter")]
        if line.get("is_error") is not False:
            raise _failure(line)
        if self._told.interrupted:
            self.warnings.append(_AGAIN)
        return [*self._rest(line), usage, Chunk(finish_reason=self._finish(line))]

    def _rest(self, line: Mapping[str, Any]) -> list[Chunk]:
        if self._structured:
            if line.get("structured_output") is None:
                raise malformed("the answer lacks the structured output that was asked for")
            return [Chunk(text=compact(line["structured_output"]))]
        said = text(line.get("result"), "result")
        again = self._told.broken or not self._told.spoke
        return [*(self._tell(said) if again else []), *_texts(self._told.settle())]

    def _finish(self, line: Mapping[str, Any]) -> FinishReason:
        reason = line.get("stop_reason")
        if reason is None or self._structured:
            return "stop"
        return finish_of(reason, None, self.warnings)


def _texts(said: str) -> list[Chunk]:
    return [Chunk(text=said)] if said else []


def _failure(line: Mapping[str, Any]) -> ProviderError | TargetError:
    status = line.get("api_error_status")
    errors = line.get("errors")
    said = line.get("result") or (errors and "; ".join(map(str, errors))) or line.get("subtype")
    if status is None and str(said).startswith(_TIMED_OUT):
        return TargetError(ErrorKind.TIMEOUT, str(said))
    reason = line.get("terminal_reason")
    code = line.get("api_error") or (reason if reason != "api_error" else None)
    error = {"message": said, "code": code, "type": line.get("api_error_type")}
    body = {"error": error, **{key: line.get(key) for key in _SHOWN}}
    return ProviderError(body, status if isinstance(status, int) else None)
