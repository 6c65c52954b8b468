"""Clients of Anthropic's Messages. Source: Anthropic's API reference and typed SDK models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmroute.adapter.answering.anthropic_input import marked, messages_of
from llmroute.adapter.answering.anthropic_words import failed, stop_details, stop_reason, usage_of
from llmroute.adapter.answering.anthropic_writer import AnthropicWriter
from llmroute.adapter.answering.base import Asked, Failure, Reader, Stamp
from llmroute.adapter.answering.extension import NAME, read_extension, write_extension
from llmroute.adapter.answering.failures import headers, trouble
from llmroute.adapter.jsontext import JsonError, parse
from llmroute.adapter.opaque import unseal
from llmroute.errors import ErrorKind, TargetError, UsageError
from llmroute.types import Request, Response, ToolCall

__all__ = ["AnthropicMessagesClients"]

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
#: Thinking budgets of older clients up to which an effort is meant, in tokens.
_BUDGETS = ((2_048, "low"), (8_192, "medium"))
_HARMLESS = ("service_tier", "inference_geo", "speed", "diagnostics", "betas")
_IGNORED = ("top_k", "context_management")


class AnthropicMessagesClients:
    """The `anthropic-messages` protocol, as clients speak it."""

    def __init__(self, stamp: Stamp = Stamp()) -> None:  # noqa: B008 - immutable
        self._stamp = stamp

    def read(self, body: Any) -> Asked:
        """Read a request; see `ClientProtocol.read`."""
        reader = Reader(body)
        model = reader.need("model", str)
        system = reader.take("system", (str, list))
        turns = messages_of(system, reader.need("messages", list))
        messages = marked(turns, reader.take("cache_control", Mapping))
        fields = _fields(reader) | _choice(reader) | _reasoning(reader)
        fields |= read_extension(reader)
        reader.refuse("servers of tools belong to one provider", "mcp_servers", "container")
        reader.drop(*_HARMLESS)
        reader.warn(*_IGNORED)
        reader.end()
        fields = {name: value for name, value in fields.items() if value is not None}
        return Asked(Request.of(messages, **fields), model, warnings=tuple(reader.warnings))

    def answer(self, response: Response, asked: Asked) -> Mapping[str, Any]:
        """Write a whole answer; see `ClientProtocol.answer`."""
        response = _expressible(response)
        return {
            "id": response.id or f"msg_{self._stamp.token()}",
            "type": "message",
            "role": "assistant",
            "model": response.model,
            "content": _content(response),
            "stop_reason": stop_reason(response.finish_reason),
            "stop_sequence": None,
            **stop_details(response.finish_reason, response.refusal),
            "usage": usage_of(response.usage),
            NAME: write_extension(response, asked.warnings),
        }

    def writer(self, asked: Asked) -> AnthropicWriter:
        """Return a fresh writer for one streamed answer."""
        return AnthropicWriter(asked.model, self._stamp)

    def failure(self, error: Exception) -> Failure:
        """Write an error that came before any answer."""
        told = trouble(error)
        return Failure(told.status, headers(told), failed(error))


def _fields(reader: Reader) -> dict[str, Any]:
    user = reader.take("metadata", Mapping) or {}
    return {
        "max_tokens": reader.need("max_tokens", int),
        "temperature": reader.take("temperature", (int, float)),
        "top_p": reader.take("top_p", (int, float)),
        "stop": reader.take("stop_sequences", list),
        "stream": reader.take("stream", bool),
        "user": user.get("user_id"),
        "tools": [_tool(tool) for tool in reader.take("tools", list) or ()] or None,
    }


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, Mapping) or not isinstance(tool.get("name"), str):
        raise UsageError(f"a tool is {tool!r}; it must be an object with a name")
    if tool.get("type") not in (None, "custom"):
        kind = tool["type"]
        raise UsageError(f"the tool {tool['name']} of type {kind} runs at one provider alone")
    function = {
        "name": tool["name"],
        "description": tool.get("description"),
        "parameters": tool.get("input_schema"),
        "strict": tool.get("strict"),
    }
    kept = {name: value for name, value in function.items() if value is not None}
    cached = {"cache_control": tool["cache_control"]} if tool.get("cache_control") else {}
    return {"type": "function", "function": kept, **cached}


def _choice(reader: Reader) -> dict[str, Any]:
    choice = reader.take("tool_choice", Mapping)
    if choice is None:
        return {}
    alone = False if choice.get("disable_parallel_tool_use") else None
    kind = choice.get("type")
    if kind == "tool" and isinstance(choice.get("name"), str):
        named = {"type": "function", "function": {"name": choice["name"]}}
        return {"tool_choice": named, "parallel_tool_calls": alone}
    if not isinstance(kind, str) or kind not in _CHOICES:
        raise UsageError(f"tool_choice is {dict(choice)!r}; its type is auto, any, tool or none")
    return {"tool_choice": _CHOICES[kind], "parallel_tool_calls": alone}


def _reasoning(reader: Reader) -> dict[str, Any]:
    """Return effort and form of the answer, which stand in one object."""
    config = reader.inner("output_config")
    effort, form = config.take("effort", str), config.take("format", Mapping)
    config.end()
    thinking = reader.inner("thinking")
    kind, budget = thinking.take("type", str), thinking.take("budget_tokens", int)
    thinking.warn("display")
    thinking.end()
    if kind == "disabled":
        effort = effort or "none"
    elif kind == "enabled" and effort is None:
        effort = _effort_of(budget)
    return {"reasoning_effort": effort, "response_format": _format(form)}


def _effort_of(budget: Any) -> str:
    if not isinstance(budget, int):
        raise UsageError("thinking.budget_tokens is missing")
    return next((effort for most, effort in _BUDGETS if budget <= most), "high")


def _format(form: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if form is None:
        return None
    if form.get("type") != "json_schema" or not isinstance(form.get("schema"), Mapping):
        raise UsageError("output_config.format must be a json_schema with its schema")
    wanted = {"name": "answer", "strict": True, "schema": form["schema"]}
    return {"type": "json_schema", "json_schema": wanted}


def _content(response: Response) -> list[Any]:
    parts: list[Any] = []
    if response.reasoning and not response.thinking_blocks:
        parts.append({"type": "thinking", "thinking": response.reasoning, "signature": ""})
    if said := response.text or response.refusal:
        parts.append({"type": "text", "text": said})
    parts += [_call(call) for call in response.tool_calls]
    for place, block in _placed(response):
        parts.insert(place, block)
    return parts


def _placed(response: Response) -> list[tuple[int, Mapping[str, Any]]]:
    """Return sealed blocks with their places: those that clients of this protocol can hold."""
    found = ((unseal(block), block) for block in response.thinking_blocks)
    kinds = ("thinking", "redacted_thinking")
    return sorted(
        ((own.place, block) for own, block in found if own and block.get("type") in kinds),
        key=lambda pair: pair[0],
    )


def _expressible(response: Response) -> Response:
    """Return an answer without calls that were cut in their arguments, which are objects here.

    Raises:
        TargetError: arguments that the model meant to be whole are none.

    """
    cut = [call for call in response.tool_calls if _input(call) is None]
    if not cut:
        return response
    if response.finish_reason == "tool_calls":
        message = f"the arguments of the call of {cut[0].name} are not a JSON object"
        raise TargetError(ErrorKind.MALFORMED, message, target=response.target or None)
    whole = tuple(call for call in response.tool_calls if call not in cut)
    told = [f"the call of {call.name} was left out: it was cut in its arguments" for call in cut]
    return replace(response, tool_calls=whole, warnings=(*response.warnings, *told))


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call)}


def _input(call: ToolCall) -> Mapping[str, Any] | None:
    """Return a call's arguments, None where they are not a JSON object; `null` is an empty one."""
    try:
        given = parse(call.arguments or "{}")
    except JsonError:
        return None
    return {} if given is None else given if isinstance(given, Mapping) else None
