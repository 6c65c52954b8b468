"""A share between 0 and 1 is compared with a number outside of that.

Wrong:
    policy: example
    require:
      - {name: works, target: live.success >= `95`}

Right:
    policy: example
    require:
      - {name: works, target: live.success >= `0.95`}

Why: Success, headroom, quality, facts.digits and facts.lexical_diversity are shares, not percent.
A comparison with a number beyond 0 and 1 gives the same answer for every target.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, Node, about, expression_rule, shown

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    for node in typed.nodes:
        if node["type"] == "comparator":
            left, right = node["children"]
            yield from _pair(typed, left, right)
            yield from _pair(typed, right, left)


def _pair(typed: Typed, value: Node, literal: Node) -> Iterator[Found]:
    made, given = typed.type(value), literal.get("value")
    share = made.known == {"number"} and (made.low, made.high) == (0, 1)
    if literal["type"] != "literal" or not share or value["type"] == "literal":
        return
    if isinstance(given, bool) or not isinstance(given, int | float) or 0 <= given <= 1:
        return
    message = f"{typed.places.source(value)} is a share from 0 to 1, never {shown(given)}"
    percent = f"write {shown(given / 100)} for {given:g} %" if 1 < given <= 100 else None
    yield about(typed, literal, message, percent)


RULE = expression_rule("value-range", _find)
