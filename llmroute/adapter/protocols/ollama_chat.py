"""Ollama's native chat. Source: the server's Go types (`api/types.go`) and its API reference.

The native endpoint is the only one that takes the context size. It is sent with every request,
always the same for a model, because another size makes the server load the model anew; and
the server is told not to drop the oldest messages of a prompt that does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from llmroute.adapter.framing import StreamEvent
from llmroute.adapter.jsontext import compact
from llmroute.adapter.protocols.base import Encoded, Judge, ProviderError
from llmroute.adapter.protocols.content import (
    arguments_object,
    check_fields,
    image_of,
    incapable,
    parts_of,
    text_of,
    tool_calls_of,
)
from llmroute.adapter.protocols.extract import (
    UsagePaths,
    malformed,
    mapping,
    parse_event,
    pick,
    text,
    usage_from,
)
from llmroute.adapter.protocols.fields import (
    effort_of,
    forced_tool,
    merged,
    put,
    with_tools,
    write_fields,
)
from llmroute.adapter.protocols.toolcalls import ToolCallAssembler, new_call_id
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind
from llmroute.types import Chunk, FinishReason, Message, Request, Response, ToolCall

__all__ = ["OllamaChat"]

FIELDS = {
    "max_tokens": "options.num_predict",
    "temperature": "options.temperature",
    "top_p": "options.top_p",
    "stop": "options.stop",
    "seed": "options.seed",
}
FINISH: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}
USAGE = UsagePaths(input=("prompt_eval_count",), output="eval_count")
#: Effort → `think`, as the server's own OpenAI endpoint maps it.
THINK: Mapping[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}


class OllamaChat:
    """The `ollama-chat` protocol."""

    framing: ClassVar[str] = "ndjson"
    only_streams: ClassVar[bool] = False
    judge: ClassVar[Judge | None] = None
    help: ClassVar[Mapping[ErrorKind, str]] = {
        ErrorKind.MODEL_MISSING: "run: ollama pull {model}",
        ErrorKind.UNAVAILABLE: "run: ollama serve, and check base_url {base_url}",
    }

    def encode(self, request: Request, target: Target, *, stream: bool) -> Encoded:
        """Write a request; see `WireProtocol.encode`."""
        warnings: list[str] = []
        body: dict[str, Any] = {
            "model": target.upstream,
            "messages": _messages(request.messages, warnings),
            "stream": stream,
            "truncate": False,
        }
        if target.context_window is not None:
            put(body, "options.num_ctx", target.context_window)
        warnings += write_fields(body, request, target, FIELDS)
        effort, effort_warnings = effort_of(request, target)
        if effort is not None:
            body["think"] = THINK[effort]
        _format(body, request)
        body = merged(body, target.provider.endpoint.body)
        warnings += effort_warnings + _tools(body, request, target)
        return Encoded("/api/chat", body, warnings=tuple(warnings))

    def decode(self, body: Any, target: Target) -> Response:
        """Read a whole answer; see `WireProtocol.decode`."""
        answer = mapping(body, "the answer")
        if answer.get("error"):
            raise ProviderError(answer)
        message = mapping(answer.get("message"), "message")
        calls = tuple(
            ToolCall(call_id or new_call_id(), name, arguments)
            for call_id, name, arguments in _calls(message)
        )
        return Response(
            text=text(message.get("content"), "content") or None,
            finish_reason=_finish(answer, calls),
            usage=usage_from(answer, USAGE),
            model=str(answer.get("model") or target.upstream),
            tool_calls=calls,
            reasoning=text(message.get("thinking"), "thinking") or None,
        )

    def decoder(self) -> OllamaDecoder:
        """Return a fresh reader for one streamed answer."""
        return OllamaDecoder()


class OllamaDecoder:
    """Reads one stream; the line with `done` ends it."""

    exit_code: ClassVar[int] = 0

    def __init__(self) -> None:
        self.done = False
        self.warnings: list[str] = []
        self._calls = ToolCallAssembler()
        self._named = False

    def feed(self, event: StreamEvent) -> list[Chunk]:
        """Take one line; see `Decoder.feed`."""
        if self.done:
            return []
        line = parse_event(event.data)
        if line.get("error"):
            raise ProviderError(line)
        chunks = self._head(line) + self._message(mapping(line.get("message") or {}, "message"))
        return chunks + (self._end(line) if line.get("done") is True else [])

    def _head(self, line: Mapping[str, Any]) -> list[Chunk]:
        model = line.get("model")
        if self._named or not isinstance(model, str):
            return []
        self._named = True
        return [Chunk(model=model)]

    def _message(self, message: Mapping[str, Any]) -> list[Chunk]:
        chunks = []
        if thought := text(message.get("thinking"), "thinking"):
            chunks.append(Chunk(reasoning=thought))
        if said := text(message.get("content"), "content"):
            chunks.append(Chunk(text=said))
        for call_id, name, arguments in _calls(message):
            pieces = self._calls.add(None, call_id, name, arguments)
            chunks += [Chunk(tool_call=piece) for piece in pieces]
        return chunks

    def _end(self, line: Mapping[str, Any]) -> list[Chunk]:
        self.done = True
        finish = _finish(line, self._calls)
        return [Chunk(usage=usage_from(line, USAGE)), Chunk(finish_reason=finish)]


def _finish(answer: Mapping[str, Any], calls: Any) -> FinishReason:
    reason = answer.get("done_reason")
    finish = FINISH.get(reason) if isinstance(reason, str) else None
    if answer.get("done") is not True or finish is None:
        raise malformed(f"the answer ended with done_reason {reason!r}")
    return "tool_calls" if finish == "stop" and calls else finish


def _calls(message: Mapping[str, Any]) -> list[tuple[str | None, str, str]]:
    calls = []
    for call in message.get("tool_calls") or ():
        name, call_id = pick(call, "function.name"), pick(call, "id")
        arguments = pick(call, "function.arguments")
        if not isinstance(name, str) or not name:
            raise malformed("a tool call came without a name")
        written = arguments if isinstance(arguments, str) else compact(arguments or {})
        calls.append((call_id if isinstance(call_id, str) and call_id else None, name, written))
    return calls


def _messages(messages: Sequence[Message], warnings: list[str]) -> list[dict[str, Any]]:
    names: dict[str, str] = {}
    for message in messages:
        check_fields(message, warnings)
    return [_message(message, names) for message in messages]


def _message(message: Message, names: dict[str, str]) -> dict[str, Any]:
    role = "system" if message["role"] == "developer" else message["role"]
    texts, images = _content(message)
    said = "\n".join(texts) or str(message.get("refusal") or "")
    written: dict[str, Any] = {"role": role, "content": said}
    if images:
        written["images"] = images
    calls = []
    for index, (call_id, name, arguments) in enumerate(tool_calls_of(message)):
        names[call_id] = name
        function = {"index": index, "name": name, "arguments": arguments_object(arguments, name)}
        calls.append({"id": call_id, "function": function})
    if calls:
        written["tool_calls"] = calls
    if role == "tool":
        call_id = str(message.get("tool_call_id") or "")
        written |= {"tool_name": names.get(call_id, ""), "tool_call_id": call_id}
    return written


def _content(message: Message) -> tuple[list[str], list[str]]:
    texts, images = [], []
    for part in parts_of(message):
        if part.get("type") != "image_url":
            texts.append(text_of(part, message))
            continue
        image = image_of(part)
        if image.url:
            raise incapable("images must be sent as data here, not as an address")
        images.append(image.data)
    return texts, images


def _format(body: dict[str, Any], request: Request) -> None:
    form = request.response_format
    kind = form.get("type") if form else "text"
    if kind == "json_object":
        body["format"] = "json"
    elif kind == "json_schema":
        body["format"] = request.json_schema or "json"
    elif kind != "text":
        raise incapable(f"response_format {kind!r} cannot be asked for here")


def _tools(body: dict[str, Any], request: Request, target: Target) -> list[str]:
    if not request.tools or request.tool_choice == "none":
        return []
    if forced_tool(request):
        raise incapable("a tool call cannot be forced here: the server ignores tool_choice")
    body["tools"] = list(request.tools)
    warnings = with_tools(body, target)
    if request.parallel_tool_calls is False:
        warnings.append("parallel_tool_calls was dropped: the protocol has no such parameter")
    return warnings
