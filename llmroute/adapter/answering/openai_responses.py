"""Clients of OpenAI's Responses. Source: OpenAI's API reference and typed SDK models.

Nothing is kept: every request carries its whole conversation, and `previous_response_id` is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.adapter.answering.base import Asked, Failure, Reader, Stamp
from llmroute.adapter.answering.extension import NAME, read_extension, write_extension
from llmroute.adapter.answering.failures import headers, trouble
from llmroute.adapter.answering.responses_items import messages_of
from llmroute.adapter.answering.responses_words import (
    answer_items,
    ended,
    response_object,
)
from llmroute.adapter.answering.responses_writer import ResponsesWriter
from llmroute.errors import UsageError
from llmroute.types import Request, Response

__all__ = ["OpenAIResponsesClients"]

_HARMLESS = (
    *("service_tier", "store", "prompt_cache_key", "prompt_cache_options", "include"),
    *("prompt_cache_retention", "stream_options"),
)
_IGNORED = ("context_management", "max_tool_calls", "moderation")
#: Fields that answers repeat.
_ECHOED = ("instructions", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p")
_MORE_ECHOED = ("max_output_tokens", "metadata", "reasoning", "text")


class OpenAIResponsesClients:
    """The `openai-responses` protocol, as clients speak it."""

    def __init__(self, stamp: Stamp = Stamp()) -> None:  # noqa: B008 - immutable
        self._stamp = stamp

    def read(self, body: Any) -> Asked:
        """Read a request; see `ClientProtocol.read`."""
        reader = Reader(body)
        echo = {name: body[name] for name in (*_ECHOED, *_MORE_ECHOED) if name in body}
        model = reader.need("model", str)
        instructions = reader.take("instructions", str)
        messages = messages_of(instructions, reader.need("input", (str, list)))
        fields = _fields(reader) | read_extension(reader)
        _refuse(reader)
        reader.end()
        fields = {name: value for name, value in fields.items() if value is not None}
        request = Request.of(messages, **fields)
        return Asked(request, model, warnings=tuple(reader.warnings), echo=echo)

    def answer(self, response: Response, asked: Asked) -> Mapping[str, Any]:
        """Write a whole answer; see `ClientProtocol.answer`."""
        number = response.id or f"resp_{self._stamp.token()}"
        items = answer_items(response, self._stamp)
        base = response_object(number, response.model, self._stamp, asked.echo)
        done = ended(response.finish_reason, response.refusal, response.usage)
        return {
            **base,
            **done,
            "output": items,
            NAME: write_extension(response, asked.warnings),
        }

    def writer(self, asked: Asked) -> ResponsesWriter:
        """Return a fresh writer for one streamed answer."""
        return ResponsesWriter(asked.model, asked.echo, self._stamp)

    def failure(self, error: Exception) -> Failure:
        """Write an error that came before any answer."""
        told = trouble(error)
        inner = {"message": told.message, "type": told.type, "param": None, "code": told.code}
        inner |= {} if told.native is None else {"native": told.native}
        return Failure(told.status, headers(told), {"error": inner})


def _fields(reader: Reader) -> dict[str, Any]:
    config, reasoning = reader.inner("text"), reader.inner("reasoning")
    form, effort = config.take("format", Mapping), reasoning.take("effort", str)
    config.warn("verbosity")
    config.end()
    reasoning.warn("summary", "generate_summary", "mode", "context")
    reasoning.end()
    known, user = (reader.take(name, str) for name in ("safety_identifier", "user"))
    return {
        "tools": [_tool(tool) for tool in reader.take("tools", list) or ()] or None,
        "tool_choice": _choice(reader.take("tool_choice", (str, Mapping))),
        "parallel_tool_calls": reader.take("parallel_tool_calls", bool),
        "response_format": _format(form),
        "reasoning_effort": effort,
        "max_tokens": reader.take("max_output_tokens", int),
        "temperature": reader.take("temperature", (int, float)),
        "top_p": reader.take("top_p", (int, float)),
        "user": user if known is None else known,
        "stream": reader.take("stream", bool),
        "metadata": reader.take("metadata", dict),
    }


def _refuse(reader: Reader) -> None:
    kept = "nothing is kept here; send the whole conversation"
    reader.refuse(kept, "previous_response_id", "conversation", "background", "prompt")
    reader.refuse("answers carry no probabilities", "top_logprobs")
    if reader.take("truncation", str) not in (None, "disabled"):
        reader.warnings.append("truncation was dropped: prompts are never cut")
    reader.drop(*_HARMLESS)
    reader.warn(*_IGNORED)


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        kind = tool.get("type") if isinstance(tool, Mapping) else tool
        raise UsageError(f"a tool of type {kind} runs at one provider alone")
    if not isinstance(tool.get("name"), str):
        raise UsageError("a tool needs its name")
    names = ("name", "description", "parameters", "strict")
    function = {name: tool[name] for name in names if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _choice(choice: Any) -> Any:
    if choice is None or isinstance(choice, str):
        return choice
    if choice.get("type") != "function" or not isinstance(choice.get("name"), str):
        raise UsageError(f"tool_choice of type {choice.get('type')} cannot be routed")
    return {"type": "function", "function": {"name": choice["name"]}}


def _format(form: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if form is None or form.get("type") == "text":
        return None
    if form.get("type") != "json_schema":
        return dict(form)
    names = ("name", "description", "schema", "strict")
    inner = {name: form[name] for name in names if form.get(name) is not None}
    return {"type": "json_schema", "json_schema": inner}
