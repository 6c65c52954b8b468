"""A small JSON value that validates against a schema of the common subset.

Covers `type` (also a list of types), `enum`, `const`, `default`, `examples`, `properties`,
`required`, `items`, `prefixItems`, `minItems`, `minLength`, `maxLength`, `format`, the numeric
bounds and `multipleOf`, `allOf`, `anyOf`, `oneOf` and local `$ref`. `pattern`, `not`, `if` and
`uniqueItems` are not solved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["instance"]

Schema = Mapping[str, Any]

_OPTIONAL_DEPTH = 3
_MAX_DEPTH = 24
_FORMATS = {
    "date": "2026-11-22",
    "date-time": "2026-11-22T12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def instance(schema: Any, root: Schema | None = None, depth: int = 0) -> Any:
    """Return the smallest sensible value for `schema`.

    Optional properties are filled down to a depth of three, required ones always. `root` is
    the document that `$ref` points into; it defaults to `schema`.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    root = schema if root is None else root
    schema = _resolved(schema, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    return _of_type(schema, root, depth)


def _resolved(schema: Schema, root: Schema) -> Schema:
    merged = dict(schema)
    for _ in range(_MAX_DEPTH):
        parts = [*merged.pop("allOf", ())]
        for key in ("anyOf", "oneOf"):
            parts += _choice(merged.pop(key, ()))
        if "$ref" in merged:
            parts.append(_pointed(merged.pop("$ref"), root))
        if not parts:
            break
        for part in parts:
            merged = _merge(merged, part)
    return merged


def _choice(options: Any) -> list[Schema]:
    """Pick the first alternative that is not null."""
    real = [option for option in options if option.get("type") != "null"]
    return (real or list(options))[:1]


def _pointed(reference: str, root: Schema) -> Schema:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key, {}) if key and isinstance(found, Mapping) else found
    return found if isinstance(found, Mapping) else {}


def _merge(left: Schema, right: Schema) -> dict[str, Any]:
    merged = {**left, **right}
    if "properties" in left and "properties" in right:
        merged["properties"] = {**left["properties"], **right["properties"]}
    if "required" in left and "required" in right:
        merged["required"] = [*left["required"], *right["required"]]
    return merged


def _of_type(schema: Schema, root: Schema, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind == "object" or (kind is None and "properties" in schema):
        return _object(schema, root, depth)
    if kind == "array":
        return _array(schema, root, depth)
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return True
    return None if kind == "null" else _string(schema)


def _object(schema: Schema, root: Schema, depth: int) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    properties = schema.get("properties", {})
    built = {
        name: instance(part, root, depth + 1)
        for name, part in properties.items()
        if name in required or depth < _OPTIONAL_DEPTH
    }
    extra = sorted(required - set(properties))
    return built | dict.fromkeys(extra, "text")


def _array(schema: Schema, root: Schema, depth: int) -> list[Any]:
    built = [instance(part, root, depth + 1) for part in schema.get("prefixItems", ())]
    wanted = schema.get("minItems", 1 if depth < _OPTIONAL_DEPTH else 0)
    wanted = min(wanted, schema.get("maxItems", wanted))
    if "items" in schema or len(built) < schema.get("minItems", 0):
        items = schema.get("items", {})
        built += [instance(items, root, depth + 1) for _ in range(wanted - len(built))]
    return built


def _number(schema: Schema, *, whole: bool) -> int | float:
    step = schema.get("multipleOf") or (1 if whole else None)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    open_low = "exclusiveMinimum" in schema and schema["exclusiveMinimum"] == low
    open_high = "exclusiveMaximum" in schema and schema["exclusiveMaximum"] == high
    if step:
        return _stepped(step, low, high, open_low=open_low, open_high=open_high)
    if low is not None and high is not None:
        return float((low + high) / 2)
    if low is not None:
        return float(low + 1)
    return 1.0 if high is None or high > 1 else float(high - 1)


def _stepped(
    step: float, low: float | None, high: float | None, *, open_low: bool, open_high: bool
) -> int | float:
    """Take the first multiple of `step` from the lower bound (or 1), else the last in range."""
    times = math.ceil((1 if low is None else low) / step)
    if open_low and times * step == low:
        times += 1
    if high is not None and (times * step > high or (open_high and times * step >= high)):
        times = math.floor(high / step)
        times -= 1 if open_high and times * step == high else 0
    return times * step


def _string(schema: Schema) -> str:
    text = _FORMATS.get(schema.get("format", ""), "text")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema["maxLength"]] if "maxLength" in schema else text
