"""Clients of OpenAI's Chat Completions. Source: OpenAI's API reference and typed SDK models.

The canonical request has this shape, so messages pass as they are. Reasoning is handed out in
`reasoning_content`, as compatible servers do it, and sealed blocks in `thinking_blocks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.adapter.answering.base import Asked, Failure, Reader, Stamp, event
from llmroute.adapter.answering.extension import NAME, read_extension, write_extension
from llmroute.adapter.answering.failures import headers, trouble
from llmroute.errors import UsageError
from llmroute.types import Chunk, Request, Response, ToolCall, Usage

__all__ = ["OpenAIChatClients", "chat_usage"]

_MESSAGE_FIELDS = frozenset(
    {
        *("role", "content", "name", "refusal", "tool_calls", "tool_call_id", "annotations"),
        *("audio", "reasoning", "reasoning_content", "thinking_blocks", "function_call"),
    }
)
#: Fields that ask for nothing about the answer itself.
_HARMLESS = (
    *("service_tier", "store", "prompt_cache_key", "prompt_cache_options"),
    "prompt_cache_retention",
)
_IGNORED = ("frequency_penalty", "presence_penalty", "logit_bias", "verbosity", "prediction")


class OpenAIChatClients:
    """The `openai-chat` protocol, as clients speak it."""

    def __init__(self, stamp: Stamp = Stamp()) -> None:  # noqa: B008 - immutable
        self._stamp = stamp

    def read(self, body: Any) -> Asked:
        """Read a request; see `ClientProtocol.read`."""
        reader = Reader(body)
        model = reader.need("model", str)
        fields = _fields(reader)
        options = reader.take("stream_options", Mapping) or {}
        _refuse(reader)
        reader.end()
        request = Request.of(fields.pop("messages"), **fields)
        return Asked(request, model, bool(options.get("include_usage")), tuple(reader.warnings))

    def answer(self, response: Response, asked: Asked) -> Mapping[str, Any]:
        """Write a whole answer; see `ClientProtocol.answer`."""
        choice = {
            "index": 0,
            "message": _message(response),
            "logprobs": None,
            "finish_reason": response.finish_reason,
        }
        return {
            "id": response.id or f"chatcmpl-{self._stamp.token()}",
            "object": "chat.completion",
            "created": int(self._stamp.now()),
            "model": response.model,
            "choices": [choice],
            "usage": chat_usage(response.usage),
            NAME: write_extension(response, asked.warnings),
        }

    def writer(self, asked: Asked) -> ChatWriter:
        """Return a fresh writer for one streamed answer."""
        return ChatWriter(asked, self._stamp)

    def failure(self, error: Exception) -> Failure:
        """Write an error that came before any answer."""
        told = trouble(error)
        return Failure(told.status, headers(told), _error(error))


class ChatWriter:
    """Writes chunks; the reason comes with the end, so that usage can follow it."""

    def __init__(self, asked: Asked, stamp: Stamp) -> None:
        self._asked = asked
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{stamp.token()}",
            "object": "chat.completion.chunk",
            "created": int(stamp.now()),
            "model": asked.model,
        }
        self._begun = False
        self._finish: str | None = None
        self._usage: Usage | None = None

    def feed(self, chunk: Chunk) -> list[bytes]:
        """Return the events of one chunk."""
        if not self._begun:
            self._head |= {"model": chunk.model or self._head["model"]}
            self._head |= {"id": chunk.id or self._head["id"]}
        self._finish = chunk.finish_reason or self._finish
        self._usage = chunk.usage or self._usage
        delta = _delta(chunk)
        if not delta:
            return []
        return [*self._begin(), self._choice(delta)]

    def finish(self) -> list[bytes]:
        """Return the events that end a whole answer."""
        found = [*self._begin(), self._choice({}, self._finish)]
        if self._asked.include_usage and self._usage is not None:
            found.append(event({**self._head, "choices": [], "usage": chat_usage(self._usage)}))
        return [*found, event("[DONE]")]

    def fail(self, error: Exception) -> list[bytes]:
        """Return the error as an event; without `[DONE]` no client takes the answer for whole."""
        return [event(_error(error))]

    def _begin(self) -> list[bytes]:
        if self._begun:
            return []
        self._begun = True
        return [self._choice({"role": "assistant", "content": ""})]

    def _choice(self, delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._asked.include_usage else {}
        return event({**self._head, "choices": [choice], **usage})


def chat_usage(usage: Usage) -> dict[str, Any]:
    """Return token counts as Chat Completions names them."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_written,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        **({"estimated": True} if usage.estimated else {}),
    }


def _fields(reader: Reader) -> dict[str, Any]:
    stop = reader.take("stop", (str, list))
    capped = reader.take("max_completion_tokens", int)
    older = reader.take("max_tokens", int)
    labels = reader.take("metadata", dict)
    known, user = (reader.take(name, str) for name in ("safety_identifier", "user"))
    fields = {
        "messages": _messages(reader.need("messages", list)),
        "tools": reader.take("tools", list),
        "tool_choice": reader.take("tool_choice", (str, Mapping)),
        "parallel_tool_calls": reader.take("parallel_tool_calls", bool),
        "response_format": reader.take("response_format", Mapping),
        "max_tokens": older if capped is None else capped,
        "temperature": reader.take("temperature", (int, float)),
        "top_p": reader.take("top_p", (int, float)),
        "stop": stop,
        "seed": reader.take("seed", int),
        "reasoning_effort": reader.take("reasoning_effort", str),
        "user": user if known is None else known,
        "stream": reader.take("stream", bool),
        "metadata": labels,
    }
    fields |= read_extension(reader)
    return {name: value for name, value in fields.items() if value is not None}


def _refuse(reader: Reader) -> None:
    if reader.take("n", int) not in (None, 1):
        raise UsageError("n is not 1; ask several times for several answers")
    reader.refuse("answers carry no probabilities", "logprobs", "top_logprobs")
    reader.refuse("answers are text", "audio")
    if reader.take("modalities", list) not in (None, ["text"]):
        raise UsageError("modalities is not text; answers are text")
    reader.refuse("write it as tools and tool_choice", "functions", "function_call")
    reader.refuse("no provider searches alike", "web_search_options", "moderation")
    reader.drop(*_HARMLESS)
    reader.warn(*_IGNORED)


def _messages(messages: list[Any]) -> list[Mapping[str, Any]]:
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise UsageError(f"messages[{index}] is {message!r}; it must be an object")
        if message.get("role") == "function" or message.get("function_call"):
            raise UsageError(f"messages[{index}] is a function's; write it as a tool's")
        unknown = set(message) - _MESSAGE_FIELDS
        if unknown:
            raise UsageError(f"messages[{index}] has the unknown field {min(unknown)!r}")
    return messages


def _message(response: Response) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": response.text,
        "refusal": response.refusal,
    }
    if response.tool_calls:
        message["tool_calls"] = [_call(call) for call in response.tool_calls]
    if response.reasoning is not None:
        message["reasoning_content"] = response.reasoning
    if response.thinking_blocks:
        message["thinking_blocks"] = list(response.thinking_blocks)
    return message


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _delta(chunk: Chunk) -> dict[str, Any]:
    delta: dict[str, Any] = {}
    if chunk.text:
        delta["content"] = chunk.text
    if chunk.reasoning:
        delta["reasoning_content"] = chunk.reasoning
    if chunk.refusal:
        delta["refusal"] = chunk.refusal
    if chunk.thinking_block is not None:
        delta["thinking_blocks"] = [chunk.thinking_block]
    if (piece := chunk.tool_call) is not None:
        function: dict[str, Any] = {"arguments": piece.arguments}
        if piece.name is not None:
            function["name"] = piece.name
        call: dict[str, Any] = {"index": piece.index, "function": function}
        if piece.id is not None:
            call |= {"id": piece.id, "type": "function"}
        delta["tool_calls"] = [call]
    return delta


def _error(error: Exception) -> dict[str, Any]:
    told = trouble(error)
    inner = {"message": told.message, "type": told.type, "param": None, "code": told.code}
    return {"error": inner if told.native is None else {**inner, "native": told.native}}
