"""Values are ordered with `<` or `>` that have no order.

Wrong:
    policy: example
    rules:
      - {name: long, weight: 1, when: facts.tokens > '1000', prefer: price}

Right:
    policy: example
    rules:
      - {name: long, weight: 1, when: facts.tokens > `1000`, prefer: price}

Why: Only numbers have an order (and texts among themselves). Anything else gives null, which is
false, and a number beside a text cannot be evaluated at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, Node, about, expression_rule, shown

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

_ORDERED = frozenset({"number", "string"})
_COUNTED = frozenset({"array", "object"})
_GENERAL = "compare numbers, or use == or contains(…)"


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    for node in typed.nodes:
        if node["type"] == "comparator" and node["value"] not in ("eq", "ne"):
            left, right = node["children"]
            yield from _compared(typed, node, left, right)


def _compared(typed: Typed, node: Node, left: Node, right: Node) -> Iterator[Found]:
    kinds = [typed.type(side).known & _ORDERED for side in (left, right)]
    for side, own, other in ((left, kinds[0], kinds[1]), (right, kinds[1], kinds[0])):
        if not own:
            message = f"{typed.places.source(side)} has no order: the comparison is always null"
            yield about(typed, side, message, _counted(typed, side, other) or _GENERAL)
            return
    if not kinds[0] & kinds[1]:
        message = "a number and a text have no order: this cannot be evaluated"
        yield about(typed, node, message, _help(right) or _help(left))


def _counted(typed: Typed, side: Node, other: frozenset[str]) -> str | None:
    """Count a list or map, where a number stands on the other side."""
    known = typed.type(side).known
    counted = known and known <= _COUNTED and "number" in other
    return f"write length({typed.places.source(side)})" if counted else None


def _help(literal: Node) -> str | None:
    if literal["type"] != "literal" or not isinstance(literal["value"], str):
        return None
    try:
        value = json.loads(literal["value"].replace("_", ""))
    except ValueError:
        return "write a number in `backticks`"
    return f"write {shown(value)}"


RULE = expression_rule("ordering-type", _find)
