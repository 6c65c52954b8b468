"""OpenAI Responses, as OpenAI, llama.cpp, Ollama, LM Studio and others serve it.

Nothing is kept at the provider (`store: false`): the conversation travels with every request,
and reasoning comes encrypted, to be sent back to the same target. Source: OpenAI's API
reference and typed SDK models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from llmroute.adapter.opaque import seal
from llmroute.adapter.protocols.base import Encoded, Judge, ProviderError
from llmroute.adapter.protocols.content import incapable, refused
from llmroute.adapter.protocols.extract import mapping, pick, usage_from
from llmroute.adapter.protocols.fields import (
    check_choice,
    effort_of,
    merged,
    put,
    with_tools,
    write_fields,
)
from llmroute.adapter.protocols.openai_responses_items import Items
from llmroute.adapter.protocols.openai_responses_stream import OpenAIResponsesDecoder
from llmroute.adapter.protocols.openai_responses_words import (
    BETWEEN_THOUGHTS,
    USAGE,
    finish_of,
    left_out,
    opaque_of,
    output_items,
    pieces_of,
    tool_call,
)
from llmroute.adapter.protocols.schema import tool_schema
from llmroute.adapter.protocols.strict import openai_format, openai_tools
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind
from llmroute.types import Request, Response

__all__ = ["OpenAIResponses"]

#: Canonical field → name on the wire; there is no `stop` and no `seed`.
FIELDS = {
    "max_tokens": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "user": "safety_identifier",
}
_LONGEST_USER = 64
_CHOICES = ("auto", "none", "required")


class OpenAIResponses:
    """The `openai-responses` protocol."""

    framing: ClassVar[str] = "sse"
    only_streams: ClassVar[bool] = False
    judge: ClassVar[Judge | None] = None
    help: ClassVar[Mapping[ErrorKind, str]] = {}

    def encode(self, request: Request, target: Target, *, stream: bool) -> Encoded:
        """Write a request; see `WireProtocol.encode`."""
        check_choice(request, target)
        said = Items(request.messages, target)
        body: dict[str, Any] = {"model": target.upstream, "input": said.input}
        body |= {"store": False, "stream": stream}
        if said.instructions:
            body["instructions"] = said.instructions
        if target.capabilities.reasoning:
            body["include"] = ["reasoning.encrypted_content"]
        warnings = [*said.warnings, *write_fields(body, request, target, FIELDS)]
        effort, effort_warnings = effort_of(request, target)
        if effort is not None:
            put(body, "reasoning.effort", effort)
        _shorten_user(body)
        effort_warnings += _format(body, request, target)
        body = merged(body, target.provider.endpoint.body)
        warnings += effort_warnings + _tools(body, request, target)
        return Encoded("/responses", body, warnings=tuple(warnings), tool_ids=said.tool_ids)

    def decode(self, body: Any, target: Target) -> Response:
        """Read a whole answer; see `WireProtocol.decode`."""
        answer = mapping(body, "the answer")
        if answer.get("error"):
            raise ProviderError({"error": answer["error"]})
        items = output_items(answer) if answer.get("status") != "failed" else []
        calls = tuple(tool_call(item) for item in items if item.get("type") == "function_call")
        told = [piece for item in items for piece in pieces_of(item)]
        refusal = "".join(piece.text for piece in told if piece.field == "refusal") or None
        thoughts = (p.text for p in told if p.field in ("summary", "content") and p.text)
        sealed = (seal(item, target.id, place) for place, item in opaque_of(items))
        return Response(
            text="".join(piece.text for piece in told if piece.field == "text") or None,
            finish_reason=finish_of(answer, calls, refusal),
            usage=usage_from(answer, USAGE),
            model=str(answer.get("model") or target.upstream),
            id=answer.get("id"),
            tool_calls=calls,
            reasoning=BETWEEN_THOUGHTS.join(thoughts) or None,
            refusal=refusal,
            warnings=tuple(left_out(items)),
            thinking_blocks=tuple(block for block in sealed if block),
        )

    def decoder(self) -> OpenAIResponsesDecoder:
        """Return a fresh reader for one streamed answer."""
        return OpenAIResponsesDecoder()


def _shorten_user(body: dict[str, Any]) -> None:
    user = body.get(FIELDS["user"], "")
    if len(user) > _LONGEST_USER:
        body[FIELDS["user"]] = hashlib.sha256(user.encode()).hexdigest()


def _format(body: dict[str, Any], request: Request, target: Target) -> list[str]:
    if request.response_format is None or request.response_format.get("type") == "text":
        return []
    form, warnings = openai_format(request.response_format)
    if renamed := target.wire.rename.get("response_format"):  # servers that know the other shape
        put(body, renamed, form)
        return warnings
    if form.get("type") == "json_object":
        put(body, "text.format", {"type": "json_object"})
        return warnings
    schema, told = request.json_schema, form.get("json_schema")
    if not isinstance(told, Mapping) or not isinstance(schema, Mapping):
        raise incapable(f"response_format {form.get('type')!r} cannot be asked for here")
    kept = {key: told[key] for key in ("description", "strict") if told.get(key) is not None}
    name = told.get("name") or "answer"
    put(body, "text.format", {"type": "json_schema", "name": name, "schema": schema, **kept})
    return warnings


def _tools(body: dict[str, Any], request: Request, target: Target) -> list[str]:
    if not request.tools:
        return []
    tools, warnings = openai_tools(request.tools)
    body["tools"] = [_tool(tool) for tool in tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _choice(request.tool_choice)
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls
    return warnings + with_tools(body, target)


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a flat tool; here `strict` is on where nothing is said, in the canonical shape off."""
    function = tool.get("function")
    if tool.get("type", "function") != "function":
        raise incapable(f"tools of type {tool.get('type')!r} cannot be sent here")
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise refused("a tool needs function.name")
    described = {"description": function["description"]} if function.get("description") else {}
    return {
        "type": "function",
        "name": function["name"],
        **described,
        "parameters": tool_schema(function.get("parameters")),
        "strict": bool(function.get("strict")),
    }


def _choice(choice: str | Mapping[str, Any]) -> Any:
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise refused(f"tool_choice is {choice!r}; use one of {', '.join(_CHOICES)}")
        return choice
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        tools = [_named(tool) for tool in pick(allowed, "tools") or ()]
        return {"type": "allowed_tools", "mode": pick(allowed, "mode") or "auto", "tools": tools}
    return _named(choice)


def _named(choice: Any) -> dict[str, Any]:
    name = pick(choice, "function.name")
    if pick(choice, "type") != "function" or not isinstance(name, str):
        raise incapable(f"tool_choice of type {pick(choice, 'type')!r} cannot be sent here")
    return {"type": "function", "name": name}
