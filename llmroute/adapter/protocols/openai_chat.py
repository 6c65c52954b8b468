"""OpenAI Chat Completions, as OpenAI, LM Studio, llama.cpp and many others serve it.

The canonical request has this shape already, so messages pass as they are. Source: OpenAI's
API reference and typed SDK models; for `reasoning`/`reasoning_content`, the servers that send
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from llmroute.adapter.framing import StreamEvent
from llmroute.adapter.protocols.base import Encoded, Judge, ProviderError
from llmroute.adapter.protocols.chat_messages import chat_messages, unmarked
from llmroute.adapter.protocols.extract import (
    CITED,
    UsagePaths,
    malformed,
    mapping,
    parse_event,
    pick,
    text,
    usage_from,
)
from llmroute.adapter.protocols.fields import (
    check_choice,
    effort_of,
    merged,
    with_tools,
    write_fields,
)
from llmroute.adapter.protocols.strict import openai_format, openai_tools
from llmroute.adapter.protocols.toolcalls import ToolCallAssembler, new_call_id
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind
from llmroute.types import Chunk, FinishReason, Request, Response, ToolCall

__all__ = ["OpenAIChat"]

#: Canonical field → name on the wire; newer OpenAI models rename `max_tokens` in their data.
FIELDS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop",
    "seed": "seed",
    "user": "user",
}
FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
USAGE = UsagePaths(
    input=("usage.prompt_tokens",),
    output="usage.completion_tokens",
    cached="usage.prompt_tokens_details.cached_tokens",
    cache_written="usage.prompt_tokens_details.cache_write_tokens",
    reasoning="usage.completion_tokens_details.reasoning_tokens",
    tier="service_tier",
)


class OpenAIChat:
    """The `openai-chat` protocol."""

    framing: ClassVar[str] = "sse"
    only_streams: ClassVar[bool] = False
    judge: ClassVar[Judge | None] = None
    help: ClassVar[Mapping[ErrorKind, str]] = {}

    def encode(self, request: Request, target: Target, *, stream: bool) -> Encoded:
        """Write a request; see `WireProtocol.encode`."""
        check_choice(request, target)
        messages, warnings = chat_messages(request.messages, target)
        body: dict[str, Any] = {"model": target.upstream, "messages": messages, "stream": stream}
        if stream and "stream_options" not in target.wire.reject:
            body["stream_options"] = {"include_usage": True}
        warnings += write_fields(body, request, target, FIELDS)
        effort, effort_warnings = effort_of(request, target)
        if effort is not None:
            body["reasoning_effort"] = effort
        if request.response_format is not None:
            body["response_format"], loosened = openai_format(request.response_format)
            warnings += loosened
        body = merged(body, target.provider.endpoint.body)
        warnings += effort_warnings + _tools(body, request, target)
        return Encoded("/chat/completions", body, warnings=tuple(dict.fromkeys(warnings)))

    def decode(self, body: Any, target: Target) -> Response:
        """Read a whole answer; see `WireProtocol.decode`."""
        answer = mapping(body, "the answer")
        if answer.get("error"):
            raise ProviderError(answer)
        message = mapping(pick(answer, "choices.0.message"), "choices[0].message")
        calls = _whole_calls(message)
        refusal = text(message.get("refusal"), "refusal") or None
        return Response(
            text=text(message.get("content"), "content") or None,
            finish_reason=finish_of(pick(answer, "choices.0.finish_reason"), calls, refusal),
            usage=usage_from(answer, USAGE),
            model=_name(answer) or target.upstream,
            id=_string(answer.get("id")),
            tool_calls=calls,
            reasoning=_reasoning(message) or None,
            refusal=refusal,
            warnings=(CITED,) if message.get("annotations") else (),
        )

    def decoder(self) -> OpenAIChatDecoder:
        """Return a fresh reader for one streamed answer."""
        return OpenAIChatDecoder()


class OpenAIChatDecoder:
    """Reads one stream; `[DONE]` ends it."""

    exit_code: ClassVar[int] = 0

    def __init__(self) -> None:
        self.done = False
        self.warnings: list[str] = []
        self._calls = ToolCallAssembler()
        self._finish: Any = None
        self._refused = False
        self._model: str | None = None

    def feed(self, event: StreamEvent) -> list[Chunk]:
        """Take one event; see `Decoder.feed`."""
        data = event.data.strip()
        if self.done or not data:
            return []
        if data == "[DONE]":
            self.done = True
            return self._end()
        chunk = parse_event(data)
        if chunk.get("error") or event.name == "error":
            raise ProviderError(chunk)
        return self._chunks(chunk)

    def _chunks(self, data: Mapping[str, Any]) -> list[Chunk]:
        chunks = self._head(data)
        choice = pick(data, "choices.0")
        if choice is not None:
            delta = mapping(choice, "a choice").get("delta") or {}
            self._finish = choice.get("finish_reason") or self._finish
            chunks += self._delta(mapping(delta, "a delta"))
        if data.get("usage"):
            chunks.append(Chunk(usage=usage_from(data, USAGE)))
        return chunks

    def _head(self, data: Mapping[str, Any]) -> list[Chunk]:
        model = _name(data)
        if not model or model == self._model:
            return []
        self._model = model
        return [Chunk(model=model, id=_string(data.get("id")))]

    def _delta(self, delta: Mapping[str, Any]) -> list[Chunk]:
        chunks = []
        if reasoning := _reasoning(delta):
            chunks.append(Chunk(reasoning=reasoning))
        if content := text(delta.get("content"), "content"):
            chunks.append(Chunk(text=content))
        if refusal := text(delta.get("refusal"), "refusal"):
            self._refused = True
            chunks.append(Chunk(refusal=refusal))
        if delta.get("annotations"):
            self.warnings = [CITED]
        for call in _wire_calls(delta):
            index, function = call.get("index"), call.get("function") or {}
            pieces = self._calls.add(
                index if isinstance(index, int) else None,
                _string(call.get("id")),
                _string(pick(function, "name")),
                _arguments(function),
            )
            chunks += [Chunk(tool_call=piece) for piece in pieces]
        return chunks

    def _end(self) -> list[Chunk]:
        chunks = [Chunk(tool_call=piece) for piece in self._calls.finish()]
        if self._finish is not None:
            finish = finish_of(self._finish, self._calls, self._refused)
            chunks.append(Chunk(finish_reason=finish))
        return chunks


def finish_of(value: Any, calls: Any, refusal: Any) -> FinishReason:
    """Return the canonical reason: what was called or refused counts more than `stop`.

    Raises:
        TargetError: the reason is missing or unknown.

    """
    reason = FINISH.get(value) if isinstance(value, str) else None
    if reason is None:
        raise malformed(f"the answer ended with finish_reason {value!r}")
    if reason != "stop":
        return reason
    return "content_filter" if refusal else "tool_calls" if calls else "stop"


def _tools(body: dict[str, Any], request: Request, target: Target) -> list[str]:
    if not request.tools:
        return []
    tools, warnings = openai_tools(request.tools)
    body["tools"] = [unmarked(tool, target, warnings) for tool in tools]
    if request.tool_choice is not None:
        body["tool_choice"] = request.tool_choice
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls
    return warnings + with_tools(body, target)


def _wire_calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    calls = message.get("tool_calls") or []
    legacy = message.get("function_call")
    if not isinstance(calls, list):
        raise malformed("tool_calls is not a list")
    return [mapping(call, "a tool call") for call in calls] or (
        [{"index": 0, "function": legacy}] if legacy else []
    )


def _whole_calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    calls = []
    for call in _wire_calls(message):
        function = mapping(call.get("function"), "function")
        name = _string(function.get("name"))
        if name is None:
            raise malformed("a tool call came without a name")
        call_id = _string(call.get("id")) or new_call_id()
        calls.append(ToolCall(call_id, name, _arguments(function) or "{}"))
    return tuple(calls)


def _arguments(function: Any) -> str:
    arguments = pick(function, "arguments")
    if arguments is None:
        return ""
    if not isinstance(arguments, str):
        raise malformed("the arguments of a tool call are not text")
    return arguments


def _reasoning(message: Mapping[str, Any]) -> str:
    value = message.get("reasoning_content") or message.get("reasoning")
    return value if isinstance(value, str) else ""


def _name(answer: Mapping[str, Any]) -> str | None:
    return _string(answer.get("model"))


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
