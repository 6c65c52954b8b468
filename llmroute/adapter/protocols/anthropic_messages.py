"""Anthropic Messages. Source: Anthropic's API reference and typed SDK models.

The API version is data of the provider file (`anthropic-version` under `headers`), and so is
what a model rejects. Version 2026-10-21 has taken out the sampling parameters; documents in an
assistant's turn and citations in a user's, which it refuses too, are never written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from llmroute.adapter.opaque import seal
from llmroute.adapter.protocols.anthropic_stream import AnthropicDecoder
from llmroute.adapter.protocols.anthropic_thinking import think
from llmroute.adapter.protocols.anthropic_words import USAGE, finish_of, refusal_of, tool_call
from llmroute.adapter.protocols.base import Encoded, Judge, ProviderError
from llmroute.adapter.protocols.content import incapable, refused
from llmroute.adapter.protocols.extract import (
    CITED,
    malformed,
    mapping,
    pick,
    text,
    usage_from,
)
from llmroute.adapter.protocols.fields import (
    check_choice,
    merged,
    put,
    with_tools,
    write_fields,
)
from llmroute.adapter.protocols.schema import output_schema, tool_schema
from llmroute.adapter.protocols.turns import Conversation
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind
from llmroute.types import Request, Response

__all__ = ["AnthropicMessages"]

FIELDS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
}
#: `max_tokens` is required here; this many where neither request nor model state a number.
DEFAULT_MAX_TOKENS = 4096
#: Since this version the sampling parameters are an error, even at their defaults.
_WITHOUT_SAMPLING = "2026-10-21"
_VERSION = "anthropic-version"
_SAMPLING = ("temperature", "top_p")
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_HIDDEN = frozenset({"thinking", "redacted_thinking"})


class AnthropicMessages:
    """The `anthropic-messages` protocol."""

    framing: ClassVar[str] = "sse"
    only_streams: ClassVar[bool] = False
    judge: ClassVar[Judge | None] = None
    help: ClassVar[Mapping[ErrorKind, str]] = {}

    def encode(self, request: Request, target: Target, *, stream: bool) -> Encoded:
        """Write a request; see `WireProtocol.encode`."""
        check_choice(request, target)
        said = Conversation(request.messages, target.id, system_turns=target.wire.system_turns)
        body: dict[str, Any] = {
            "model": target.upstream,
            "max_tokens": target.max_output or DEFAULT_MAX_TOKENS,
            "messages": said.turns,
            "stream": stream,
        }
        if said.system:
            body["system"] = said.system
        warnings = said.warnings + write_fields(body, request, target, _fields(target))
        warnings += _adjust(body) + think(body, request, target)
        _format(body, request)
        body = merged(body, target.provider.endpoint.body)
        warnings += _tools(body, request, target)
        rewritten = said.ids.rewritten
        return Encoded("/v1/messages", body, warnings=tuple(warnings), tool_ids=rewritten)

    def decode(self, body: Any, target: Target) -> Response:
        """Read a whole answer; see `WireProtocol.decode`."""
        answer = mapping(body, "the answer")
        if answer.get("type") == "error" or "error" in answer:
            raise ProviderError(answer)
        blocks = answer.get("content")
        if not isinstance(blocks, list):
            raise malformed("the answer has no content")
        blocks = [mapping(block, "a content block") for block in blocks]
        calls = tuple(tool_call(block) for block in blocks if block.get("type") == "tool_use")
        warnings = _left_out(blocks)
        return Response(
            text=_joined(blocks, "text") or None,
            finish_reason=finish_of(answer.get("stop_reason"), calls, warnings),
            usage=usage_from(answer, USAGE),
            model=str(answer.get("model") or target.upstream),
            id=answer.get("id"),
            tool_calls=calls,
            reasoning=_joined(blocks, "thinking") or None,
            refusal=refusal_of(answer),
            warnings=tuple(warnings),
            thinking_blocks=tuple(_sealed(blocks, target.id)),
        )

    def decoder(self) -> AnthropicDecoder:
        """Return a fresh reader for one streamed answer."""
        return AnthropicDecoder()


def _joined(blocks: list[Mapping[str, Any]], kind: str) -> str:
    return "".join(text(b.get(kind), kind) for b in blocks if b.get("type") == kind)


def _sealed(blocks: list[Mapping[str, Any]], target: str) -> Iterator[Mapping[str, Any]]:
    for place, block in enumerate(blocks):
        if block.get("type") in _HIDDEN and (sealed := seal(block, target, place)):
            yield sealed


def _left_out(blocks: list[Mapping[str, Any]]) -> list[str]:
    known = _HIDDEN | {"text", "tool_use"}
    kinds = {str(b.get("type")) for b in blocks} - known
    cited = [CITED] if any(block.get("citations") for block in blocks) else []
    return cited + [f"a block of type {kind} was left out of the answer" for kind in sorted(kinds)]


def _fields(target: Target) -> Mapping[str, str]:
    """Return the parameters that the API version of a target's endpoint has."""
    headers = target.provider.endpoint.headers.items()
    version = next((value for name, value in headers if name.lower() == _VERSION), "")
    if version < _WITHOUT_SAMPLING:
        return FIELDS
    return {name: place for name, place in FIELDS.items() if name not in _SAMPLING}


def _adjust(body: dict[str, Any]) -> list[str]:
    warnings = []
    if body.get("temperature", 0) > 1:
        warnings.append(f"temperature {body['temperature']} became 1, the most there is here")
        body["temperature"] = 1
    if any(not stop.strip() for stop in body.get("stop_sequences", ())):
        warnings.append("stop sequences of white space were dropped: the protocol refuses them")
        body["stop_sequences"] = [stop for stop in body["stop_sequences"] if stop.strip()]
    if user := pick(body, "metadata.user_id"):  # must not identify a person
        body["metadata"]["user_id"] = hashlib.sha256(user.encode()).hexdigest()
    return warnings


def _format(body: dict[str, Any], request: Request) -> None:
    form = request.response_format
    if form is None or form.get("type") == "text":
        return
    schema = request.json_schema
    if schema is None:
        raise incapable(f"response_format {form.get('type')!r} cannot be asked for here")
    put(body, "output_config.format", {"type": "json_schema", "schema": output_schema(schema)})


def _tools(body: dict[str, Any], request: Request, target: Target) -> list[str]:
    if not request.tools:
        return []
    allowed = _allowed(request)
    tools = [_tool(tool) for tool in request.tools]
    body["tools"] = [tool for tool in tools if allowed is None or tool["name"] in allowed]
    choice = _choice(request)
    if request.parallel_tool_calls is False and (choice or {}).get("type") != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    if choice:
        body["tool_choice"] = choice
    return with_tools(body, target)


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if tool.get("type", "function") != "function":
        raise incapable(f"tools of type {tool.get('type')!r} cannot be sent here")
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise refused("a tool needs function.name")
    kept = {key: function[key] for key in ("description", "strict") if function.get(key)}
    schema = tool_schema(function.get("parameters"))
    if "strict" in kept:  # held to the same subset as an answer's schema
        schema = output_schema(schema)
    cached = {"cache_control": tool["cache_control"]} if "cache_control" in tool else {}
    return {"name": function["name"], **kept, "input_schema": schema, **cached}


def _allowed(request: Request) -> set[Any] | None:
    """Return the names of the tools that `allowed_tools` leaves; None where all are left.

    Raises:
        TargetError: none of them is offered.

    """
    choice = request.tool_choice
    if not isinstance(choice, Mapping) or choice.get("type") != "allowed_tools":
        return None
    names = {pick(tool, "function.name") for tool in pick(choice, "allowed_tools.tools") or ()}
    if not names & {pick(tool, "function.name") for tool in request.tools}:
        raise refused("tool_choice allows no tool that is offered")
    return names


def _choice(request: Request) -> dict[str, Any] | None:
    choice = request.tool_choice
    if choice is None:
        return None
    if _allowed(request) is not None:
        choice = pick(choice, "allowed_tools.mode") or "auto"
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise refused(f"tool_choice is {choice!r}; use one of {', '.join(sorted(_CHOICES))}")
        return {"type": _CHOICES[choice]}
    name = pick(choice, "function.name")
    if choice.get("type") != "function" or not isinstance(name, str):
        raise incapable(f"tool_choice of type {choice.get('type')!r} cannot be sent here")
    return {"type": "tool", "name": name}
