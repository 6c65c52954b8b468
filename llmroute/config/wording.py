"""Values, keys and types in the words of a YAML file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmroute.config.scalars import quoted

__all__ = [
    "TYPES",
    "any_of",
    "kind_of",
    "name_of",
    "plain",
    "show",
    "type_of",
    "written",
    "yaml_of",
]

#: JSON Schema's types in words.
TYPES = {
    "object": "a map (`key: value`)",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_KINDS: Mapping[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}
_SHOWN = 40
_PLAIN = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9_./ -]|:(?=[^\s]))*\Z")


def show(value: Any) -> str:
    """Show a value as the file would hold it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def plain(value: Any) -> str:
    """Show one of the values that a key takes: text as it is, anything else as the file has it."""
    return value if isinstance(value, str) else show(value)


def kind_of(value: Any) -> str:
    """Return the JSON Schema type of a value."""
    return _KINDS.get(type(value), "null")


def name_of(path: Sequence[str | int]) -> str:
    """Name a place: the last key, with the item's number where it is in a list."""
    keys = [step for step in path if isinstance(step, str)]
    if not keys:
        return "the file"
    if isinstance(path[-1], int):
        return f"item {path[-1] + 1} of `{keys[-1]}`"
    return f"`{keys[-1]}`"


def type_of(value: Any) -> str:
    """Say what a value is, shown where it is short."""
    if isinstance(value, bool):
        return show(value)
    if isinstance(value, str):
        return f"text {show(value)}"
    if isinstance(value, int | float):
        return f"the number {show(value)}"
    kinds = ((dict, "a map"), (list, "a list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "empty")


def any_of(words: Sequence[str]) -> str:
    """Join alternatives: `a`, `a or b`, `a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def yaml_of(value: Any) -> str:
    """Write a value as YAML in flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {yaml_of(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(yaml_of(item) for item in value) + "]"
    if isinstance(value, str):
        return value if _PLAIN.match(value) else quoted(value)
    return json.dumps(value)


def written(examples: Sequence[Any], path: Sequence[str | int], verb: str = "write") -> str | None:
    """Show how a value is written, with its key, by the first of some examples."""
    if not examples:
        return None
    key = f"{path[-1]}: " if path and isinstance(path[-1], str) else ""
    return f"{verb} {key}{yaml_of(examples[0])}"
