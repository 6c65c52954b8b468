"""A value is compared with one that it can never have.

Wrong:
    policy: example
    require:
      - {name: home, target: target.locality == 'lokal'}

Right:
    policy: example
    require:
      - {name: home, target: target.locality == 'local'}

Why: The values of a locality, of a label with an `enum` under `inputs`, of facts.question,
facts.language (ISO 639-1: de, not German), now.hour (0 to 23) and now.weekday (1 is Monday, 7
Sunday) are known. A comparison with any other value gives the same answer for every request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import closest
from llmroute.lint.jsontypes import Type, kind_of
from llmroute.lint.rules._expressions import Found, Node, about, expression_rule, shown

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

_LISTED = 12


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    for node in typed.nodes:
        if node["type"] == "comparator" and node["value"] in ("eq", "ne"):
            left, right = node["children"]
            yield from _pair(typed, left, right)
            yield from _pair(typed, right, left)
        elif node["type"] == "function_expression" and node["value"] == "contains":
            yield from _contained(typed, *node["children"])


def _pair(typed: Typed, value: Node, literal: Node) -> Iterator[Found]:
    if literal["type"] == "literal" and value["type"] != "literal":
        yield from _outside(typed, value, literal, literal["value"])


def _contained(typed: Typed, listed: Node, value: Node) -> Iterator[Found]:
    """Look at the elements of a list that is written out."""
    if listed["type"] == "literal" and isinstance(listed["value"], list):
        for given in listed["value"]:
            yield from _outside(typed, value, listed, given)
    elif listed["type"] == "multi_select_list":
        for element in listed["children"]:
            yield from _pair(typed, value, element)


def _outside(typed: Typed, value: Node, place: Node, given: Any) -> Iterator[Found]:
    made = typed.type(value)
    if made.values is None or kind_of(given) not in made.known or not _scalars(made):
        return
    if any(type(one) is type(given) and one == given for one in made.values):
        return
    if kind_of(given) == "number" and given in made.values:
        return
    message = f"{typed.places.source(value)} is never {shown(given)}"
    yield about(typed, place, message, _help(made, given))


def _scalars(made: Type) -> bool:
    return made.known <= {"string", "number", "boolean"}


def _help(made: Type, given: Any) -> str:
    values = list(dict.fromkeys(made.values or ()))
    texts = {value for value in values if isinstance(value, str)}
    meant = closest(given, texts) if isinstance(given, str) else None
    if meant:
        return f"did you mean {shown(meant)}?"
    if len(values) > _LISTED and not texts:
        return f"it is a number from {values[0]} to {values[-1]}"
    return f"it is one of {', '.join(map(shown, values))}"


RULE = expression_rule("enum-value", _find)
