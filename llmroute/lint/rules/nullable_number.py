"""A number that may be unknown is negated, or compared with `!=`.

Wrong:
    policy: example
    require:
      - {name: not free, target: target.cost.input != `0`}

Right:
    policy: example
    require:
      - {name: not free, target: target.cost.input > `0`}

Why: An unknown number is null. It differs from every number, so `!=` holds for it; and `!` asks
whether it is unknown, since 0 is true in JMESPath.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, Node, about, expression_rule

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    for node in typed.nodes:
        if node["type"] == "not_expression":
            yield from _negated(typed, node)
        elif node["type"] == "comparator" and node["value"] == "ne":
            yield from _differing(typed, node)


def _negated(typed: Typed, node: Node) -> Iterator[Found]:
    (inner,) = node["children"]
    made, text = typed.type(inner), typed.places.source(inner)
    if made.known != {"number"}:
        return
    if made.nullable:
        message = f"this asks whether {text} is unknown: 0 is true, and so is every other number"
        help_text = f"write {text} == `null`, or {text} == `0`, as is meant"
    else:
        message = f"this is always false: {text} is a number, and 0 is true too"
        help_text = f"write {text} == `0`"
    yield about(typed, node, message, help_text)


def _differing(typed: Typed, node: Node) -> Iterator[Found]:
    left, right = node["children"]
    for value, other in ((left, right), (right, left)):
        made, against = typed.type(value), typed.type(other)
        if made.known == {"number"} and made.nullable and against.kinds == {"number"}:
            text = typed.places.source(value)
            message = f"this holds where {text} is unknown too: null differs from every number"
            help_text = f"write {text} > … or <, or not_null({text}, …) for what is unknown"
            yield about(typed, node, message, help_text)
            return


RULE = expression_rule("nullable-number", _find)
