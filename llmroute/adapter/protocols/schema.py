"""Rewriting JSON Schemas for Anthropic: the subset of structured output, and tool inputs.

The subset and the way of keeping the rest (in the description) are those of Anthropic's own
SDK: additional properties are always refused, `oneOf` becomes `anyOf`, `minItems` stays only
as 0 or 1, of string formats only the listed ones stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["output_schema", "tool_schema"]

Schema = Mapping[str, Any]

_FORMATS = frozenset(
    {
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uri",
        "uuid",
    }
)
_KEPT = ("title", "enum", "const", "required", "$ref")
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_MAPS = ("properties", "$defs", "definitions")
_COMBINATORS = ("anyOf", "oneOf", "allOf")
_NO_INPUT: Schema = {"type": "object", "properties": {}}


def output_schema(schema: Schema) -> dict[str, Any]:
    """Return the schema of an answer, in the subset that Anthropic's models are held to."""
    if isinstance(schema.get("type"), list):
        types = [{**schema, "type": name} for name in schema["type"]]
        return {"anyOf": [output_schema(variant) for variant in types]}
    kept = {key: schema[key] for key in ("type", *_KEPT) if key in schema}
    rest = {key: value for key, value in schema.items() if key not in kept}
    description = rest.pop("description", None)
    _keep_nested(kept, rest)
    if schema.get("type") == "object":
        rest.pop("additionalProperties", None)
        kept["additionalProperties"] = False
    if rest:
        said = "{" + ", ".join(f"{key}: {value}" for key, value in rest.items()) + "}"
        description = f"{description}\n\n{said}" if description else said
    return {**kept, "description": description} if description else kept


def _keep_nested(kept: dict[str, Any], rest: dict[str, Any]) -> None:
    for key in _MAPS:
        if isinstance(rest.get(key), Mapping):
            kept[key] = {name: _inner(value) for name, value in rest.pop(key).items()}
    for key, name in _LISTS.items():
        if isinstance(rest.get(key), list):
            kept[name] = [_inner(value) for value in rest.pop(key)]
    if isinstance(rest.get("items"), Mapping):
        kept["items"] = output_schema(rest.pop("items"))
    if rest.get("format") in _FORMATS:
        kept["format"] = rest.pop("format")
    if rest.get("minItems") in (0, 1):
        kept["minItems"] = rest.pop("minItems")


def _inner(value: Any) -> Any:
    return output_schema(value) if isinstance(value, Mapping) else value


def tool_schema(parameters: Schema | None) -> Schema:
    """Return a tool's input schema: an object at the top, without the old `definitions`."""
    if not parameters:
        return _NO_INPUT
    schema = parameters
    if "definitions" in schema:
        definitions = schema["definitions"]
        rest = {key: value for key, value in schema.items() if key != "definitions"}
        schema = _inlined(rest, definitions, ())
    if any(key in schema for key in _COMBINATORS):
        schema = _one_object(schema)
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}


def _inlined(value: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_inlined(item, definitions, inside) for item in value]
    if not isinstance(value, Mapping):
        return value
    reference = value.get("$ref")
    name = reference.removeprefix("#/definitions/") if isinstance(reference, str) else ""
    if name in definitions and name not in inside:
        return _inlined(definitions[name], definitions, (*inside, name))
    if name in inside:  # a type that holds itself cannot be written out
        return {"type": "object"}
    return {key: _inlined(item, definitions, inside) for key, item in value.items()}


def _one_object(schema: Schema) -> Schema:
    properties: dict[str, Any] = dict(schema.get("properties") or {})
    required = list(schema.get("required") or ())
    for key in _COMBINATORS:
        for variant in schema.get(key) or ():
            if isinstance(variant, Mapping):
                properties |= variant.get("properties") or {}
                required += (variant.get("required") or ()) if key == "allOf" else ()
    kept = {key: value for key, value in schema.items() if key not in _COMBINATORS}
    merged = {**kept, "type": "object", "properties": properties}
    return {**merged, "required": required} if required else merged
