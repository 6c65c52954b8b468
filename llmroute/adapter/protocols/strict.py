"""What OpenAI takes of schemas: its strict mode, and the parameters of functions.

Strict mode wants an object at the root, without anyOf, oneOf, allOf, enum or not there, and of
every object all properties required and no others allowed. The parameters of a function are an
object without these five at the root, strict or not. Anything else is answered with 400: so
schemas outside strict mode are sent without it, and parameters are written as one object, each
with a warning. Source: OpenAI's guide to structured outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmroute.adapter.protocols.schema import tool_schema

__all__ = ["fits_strict", "openai_format", "openai_tools"]

_NOT_AT_ROOT = ("anyOf", "oneOf", "allOf", "enum", "not")
_MAPS = ("properties", "$defs", "definitions")


def fits_strict(schema: Any) -> bool:
    """Whether strict mode takes a schema."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return False
    return not any(key in schema for key in _NOT_AT_ROOT) and all(map(_closed, _objects(schema)))


def _closed(schema: Mapping[str, Any]) -> bool:
    required = set(schema.get("required") or ())
    return schema.get("additionalProperties") is False and required >= set(
        schema.get("properties") or ()
    )


def _objects(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every schema of an object inside a schema, itself included."""
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "object" or "properties" in schema:
        yield schema
    for key in _MAPS:
        inner = schema.get(key)
        for value in inner.values() if isinstance(inner, Mapping) else ():
            yield from _objects(value)
    for value in (schema.get("items"), *(schema.get("anyOf") or ())):
        yield from _objects(value)


def openai_tools(tools: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """Return tools as OpenAI takes them, and the warnings; most are returned as they are."""
    warnings: list[str] = []
    return [_tool(tool, warnings) for tool in tools], warnings


def _tool(tool: Any, warnings: list[str]) -> Any:
    function = tool.get("function")
    schema = function.get("parameters") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(schema, Mapping):
        return tool
    name = function.get("name")
    if any(key in schema for key in _NOT_AT_ROOT):
        merged = tool_schema(schema).items()
        schema = {key: value for key, value in merged if key not in _NOT_AT_ROOT}
        function = {**function, "parameters": schema}
        warnings.append(f"the parameters of {name} were written as one object, with less said")
    if function.get("strict") and not fits_strict(schema):
        function = {**function, "strict": False}
        warnings.append(f"strict was dropped: strict mode does not take the parameters of {name}")
    return tool if function is tool["function"] else {**tool, "function": function}


def openai_format(form: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Return a `response_format` as OpenAI takes it, and the warnings."""
    told = form.get("json_schema")
    if not isinstance(told, Mapping) or not told.get("strict") or fits_strict(told.get("schema")):
        return form, []
    loose = {**form, "json_schema": {**told, "strict": False}}
    return loose, ["strict was dropped: strict mode does not take the schema of response_format"]
