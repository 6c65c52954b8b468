"""Writing requests by a declared protocol's templates; what they cannot carry is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from llmroute.adapter.declared.faults import Fault
from llmroute.adapter.declared.scopes import REQUEST
from llmroute.adapter.declared.templates import Maker, Template
from llmroute.adapter.declared.view import kinds_of, view_of
from llmroute.adapter.protocols.base import Encoded
from llmroute.adapter.protocols.content import incapable
from llmroute.adapter.protocols.fields import (
    EFFORTS,
    check_choice,
    effort_of,
    forced_tool,
    merged,
    put,
    with_tools,
    write_fields,
)
from llmroute.catalog.model import Endpoint, Target
from llmroute.types import Request

__all__ = ["RequestWriter", "make_writer"]

_EFFORT = "reasoning_effort"
_PLACEHOLDER = re.compile(r"\{([a-z_]+?)(?:_file)?\}")
#: What a request may hold, and the words for refusing it where no template reads it.
_HELD = {
    "image": "images cannot be sent here",
    "tool_call": "calls of tools cannot be sent here",
    "tool_result": "results of tools cannot be sent here",
    "system": "a system text cannot be sent here",
}


@dataclass(frozen=True, slots=True)
class RequestWriter:
    """Writes requests.

    `reads` are the fields of the normalised request that templates read, `holds` the kinds of
    content that they can say, `parameters` the places of simple parameters, `efforts` what the
    wire calls each effort.
    """

    path: str
    stream_path: str
    body: Template
    values: Mapping[str, Template] = field(default_factory=dict)
    stdin: Template | None = None
    reads: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    parameters: Mapping[str, str] = field(default_factory=dict)
    efforts: Mapping[str, Any] = field(default_factory=dict)
    refuse: frozenset[str] = frozenset()

    def write(self, request: Request, target: Target, *, stream: bool) -> Encoded:
        """Write a request.

        Raises:
            TargetError: the protocol or the target cannot carry it.

        """
        self._check(request, target)
        view = view_of(request, target, set(self.reads), stream=stream)
        body = self.body(view)
        written: dict[str, Any] = {}
        warnings = self._parameters(written, request, target)
        values = {name: said for name, make in self.values.items() if (said := make(view))}
        if self.stdin is not None or self.values:
            values |= written
            stdin = str(self.stdin(view) or "") if self.stdin else ""
            named = {name: str(value) for name, value in values.items()}
            return Encoded("", values=named, stdin=stdin.encode(), warnings=tuple(warnings))
        body = _deep(body or {}, written)
        body = merged(body, target.provider.endpoint.body)
        if request.tools and request.tool_choice != "none":
            warnings += with_tools(body, target)
        path = self.stream_path if stream else self.path
        path = path.replace("{model}", quote(target.upstream, safe="/:@"))
        return Encoded(path, body, warnings=tuple(warnings))

    def _check(self, request: Request, target: Target) -> None:
        for kind in sorted(kinds_of(request) - self.holds):
            raise incapable(_HELD[kind])
        if request.tools and request.tool_choice != "none":
            if "tools" not in self.reads:
                raise incapable("tools cannot be sent here")
            check_choice(request, target)
            if forced_tool(request) and "tool_choice" not in self.reads:
                raise incapable("a tool call cannot be forced here")
        form = (request.response_format or {}).get("type", "text")
        if form != "text" and not self.reads & {"format", "schema"}:
            raise incapable(f"response_format {form!r} cannot be asked for here")
        if form == "json_object" and "format" not in self.reads:
            raise incapable("JSON without a schema cannot be asked for here")
        if form == "json_schema" and (request.json_schema is None or "schema" not in self.reads):
            raise incapable("an answer by a JSON Schema cannot be asked for here")
        for name in sorted(self.refuse):
            if getattr(request, name) not in (None, ()):
                raise incapable(f"{name} cannot be sent here")

    def _parameters(self, body: dict[str, Any], request: Request, target: Target) -> list[str]:
        table = dict(self.parameters)
        if self.stdin is not None or self.values:
            known = _placeholders(target.provider.endpoint)
            table = {name: place for name, place in table.items() if place in known}
        effort, warnings = effort_of(request, target, self._known_efforts())
        warnings = write_fields(body, request, target, table) + warnings
        if effort is not None and _EFFORT not in table:
            warnings.append(f"{_EFFORT} was dropped: the protocol has no such parameter")
        elif effort is not None:
            put(body, table[_EFFORT], self.efforts.get(effort, effort))
        if request.parallel_tool_calls is not None and "parallel_tool_calls" not in self.reads:
            warnings.append("parallel_tool_calls was dropped: the protocol has no such parameter")
        return warnings

    def _known_efforts(self) -> tuple[str, ...]:
        return tuple(e for e in EFFORTS if e in self.efforts) if self.efforts else EFFORTS


def _placeholders(endpoint: Endpoint) -> set[str]:
    words = (w for part in endpoint.command for w in ([part] if isinstance(part, str) else part))
    return {name for word in words for name in _PLACEHOLDER.findall(word)}


def _deep(body: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Lay nested fields over a body, map by map."""
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(body.get(key), dict):
            body[key] = _deep(dict(body[key]), value)
        else:
            body[key] = value
    return body


def make_writer(maker: Maker, data: Any, parameters: Any) -> RequestWriter:
    """Compile `request` and `parameters`."""
    request: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    path = str(request.get("path", ""))
    body = maker.template(request.get("body"), ("request", "body"), REQUEST)
    named = request.get("values")
    values = {
        name: maker.template(template, ("request", "values", name), REQUEST)
        for name, template in (named if isinstance(named, Mapping) else {}).items()
    }
    stdin = None
    if "stdin" in request:
        stdin = maker.template(request["stdin"], ("request", "stdin"), REQUEST)
    places, efforts = _places(parameters)
    refuse = parameters.get("refuse", ()) if isinstance(parameters, Mapping) else ()
    return RequestWriter(
        path,
        str(request.get("stream_path", path)),
        body,
        values,
        stdin,
        frozenset(maker.roots),
        frozenset(_holds(maker)),
        places,
        efforts,
        frozenset(refuse if isinstance(refuse, list) else ()),
    )


def _holds(maker: Maker) -> Iterator[str]:
    """Name the kinds of content that the templates can say."""
    if maker.roots & {"system", "messages", "prompt"}:
        yield "system"
    yield from maker.cases & {"image", "tool_call", "tool_result"}
    if "messages" in maker.roots:
        if "tool_calls" in maker.names:
            yield "tool_call"
        if maker.names & {"tool_call_id", "tool_name"}:
            yield "tool_result"


def _places(parameters: Any) -> tuple[dict[str, str], dict[str, Any]]:
    places, efforts = {}, {}
    for name, value in (parameters if isinstance(parameters, Mapping) else {}).items():
        if isinstance(value, str):
            places[name] = value
        elif isinstance(value, Mapping) and isinstance(value.get("to"), str):
            places[name] = value["to"]
            efforts = dict(value.get("map") or {})
    return places, efforts


def unread(maker: Maker) -> Iterator[Fault]:
    """Yield a fault where a request's text is read by no template."""
    if not maker.faults and not maker.roots & {"turns", "messages", "prompt"}:
        message = "no template reads what the caller says"
        help_text = "read turns, messages or prompt in the body, in values or in stdin"
        yield Fault(("request",), "protocol-unread", message, help_text, key=True)
