"""A `!` stands before a field with dots and negates its first name only.

Wrong:
    policy: example
    rules:
      - {name: prose, weight: 1, when: "!facts.code", prefer: price}

Right:
    policy: example
    rules:
      - {name: prose, weight: 1, when: "!(facts.code)", prefer: price}

Why: In JMESPath `!` binds tighter than the dot: `!facts.code` means `(!facts).code`, a field of a
boolean, which is null for every request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, expression_rule

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

#: Nodes that go on from their first child.
_LEADING = frozenset(
    {
        "subexpression",
        "index_expression",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
    }
)


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    inner: set[int] = set()
    for node in typed.nodes:
        if node["type"] not in _LEADING or id(node) in inner:
            continue
        first = node["children"][0]
        while first["type"] in _LEADING:
            inner.add(id(first))
            first = first["children"][0]
        if first["type"] != "not_expression":
            continue
        start, end = typed.places.span(node)
        mark = typed.places.before(first, "not")
        begin = mark.start if mark else start
        text = typed.text[start:end]
        if text.count(")") > text.count("("):  # written as (!a).b
            text = text.replace(")", "", 1)
        message = f"`!` negates {typed.places.source(first)} only, and what follows is always null"
        yield Found(begin, end, message, f"write !({text})")


RULE = expression_rule("negation-scope", _find)
