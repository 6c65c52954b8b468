"""Two values are compared that can never be equal.

Wrong:
    policy: example
    rules:
      - {name: streamed, weight: 1, when: request.stream == 'true', prefer: price}

Right:
    policy: example
    rules:
      - {name: streamed, weight: 1, when: request.stream == `true`, prefer: price}

Why: Values of different types are never equal in JMESPath: a boolean is not the text 'true', and a
number is not the text '5'. Such a comparison gives the same answer for every request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llmroute.lint.jsontypes import Type
from llmroute.lint.rules._expressions import Found, about, expression_rule, shown

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    for node in typed.nodes:
        if node["type"] != "comparator" or node["value"] not in ("eq", "ne"):
            continue
        left, right = node["children"]
        one, other = typed.type(left), typed.type(right)
        if one.kinds & other.kinds or _missing(left, one) or _missing(right, other):
            continue
        answer = "false" if node["value"] == "eq" else "true"
        message = (
            f"{typed.places.source(left)} is {_kinds(one)}, {typed.places.source(right)} is "
            f"{_kinds(other)}: this is always {answer}"
        )
        yield about(typed, node, message, _help(typed, left, right) or _help(typed, right, left))


def _missing(node: Any, made: Type) -> bool:
    """Whether a value is null because nothing is there; other rules say so."""
    return not made.known and node["type"] != "literal"


def _kinds(made: Type) -> str:
    names = {"array": "a list", "object": "a map", "null": "null"}
    words = [names.get(kind, f"a {kind}") for kind in sorted(made.kinds, key=_order)]
    return " or ".join(words).replace("a string", "a text")


def _order(kind: str) -> tuple[bool, str]:
    return kind == "null", kind


def _help(typed: Typed, value: Any, literal: Any) -> str | None:
    """Say what to write where one side is a literal."""
    if literal["type"] != "literal":
        return None
    known, given, name = typed.type(value).known, literal["value"], typed.places.source(value)
    if given is None:
        return f"{name} is never null; leave the comparison out, or compare with another value"
    if known == {"string"}:
        return f"write {shown(given if isinstance(given, str) else json.dumps(given))}"
    if known == {"array"} and isinstance(given, str):
        return f"write contains({name}, {shown(given)})"
    if known <= {"number", "boolean"} and isinstance(given, str):
        return _unquoted(known, given)
    if known == {"boolean"} and given in (0, 1):
        return f"write {shown(bool(given))}"
    if known == {"boolean"}:
        return "write `true` or `false`"
    if known == {"number"} and isinstance(given, bool):
        return f"write {shown(int(given))}, or another number"
    return None


def _unquoted(known: frozenset[str], given: str) -> str | None:
    try:
        value = json.loads(given.strip().lower())
    except ValueError:
        value = None
    kind = "boolean" if isinstance(value, bool) else "number"
    if isinstance(value, bool | int | float) and kind in known:
        return f"write {shown(value)}"
    return "write `true` or `false`" if known == {"boolean"} else "write a number in `backticks`"


RULE = expression_rule("comparison-type", _find)
