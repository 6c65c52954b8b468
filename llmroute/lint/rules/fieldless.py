"""A field is read of what has no such field: a text, a number, an element of a list, a map.

Wrong:
    policy: example
    rules:
      - {name: code, weight: 1, when: "request.tags[?name == 'code']", prefer: quality}

Right:
    policy: example
    rules:
      - {name: code, weight: 1, when: "request.tags[?@ == 'code']", prefer: quality}

Why: A field of a text, a number, a boolean or a list is null for every request, and so is a field
that a map does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import did_you_mean
from llmroute.lint.jsontypes import Type
from llmroute.lint.rules._expressions import Found, Node, about, expression_rule
from llmroute.policy.expressions.expression import field_chains

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

_WORDS = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "null": "null",
}


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    checked = {id(step) for chain in field_chains(typed.tree) for step in chain}
    negated = _negated(typed)
    for node in typed.nodes:
        if node["type"] != "field" or id(node) in negated:
            continue
        current = typed.current(node)
        if "object" not in current.kinds:
            yield about(typed, node, *_no_map(node, current))
        elif id(node) not in checked and _unknown(node["value"], current):
            yield about(typed, node, *_no_field(node, current))


def _negated(typed: Typed) -> set[int]:
    """Return the fields that follow a negation: `negation-scope` speaks of them."""
    return {
        id(inner)
        for node in typed.nodes
        if node["type"] == "subexpression" and node["children"][0]["type"] == "not_expression"
        for inner in node["children"][1:]
    }


def _unknown(name: str, current: Type) -> bool:
    return current.fields is not None and current.rest is None and name not in current.fields


def _no_map(node: Node, current: Type) -> tuple[str, str | None]:
    kinds = " or ".join(_WORDS[kind] for kind in sorted(current.known or current.kinds))
    message = f'"{node["value"]}" is read of {kinds}, which has no fields: it is always null'
    if "array" in current.known:
        return message, f"read it of each element: [].{node['value']}, or of one: [0]"
    quoted = f"for the text write '{node['value']}'; the value itself is @"
    return message, quoted if current.known else None


def _no_field(node: Node, current: Type) -> tuple[str, str]:
    fields = current.fields or {}
    listed = f"there are {', '.join(sorted(fields)) or 'none'}"
    message = f'there is no field "{node["value"]}" here: it is always null'
    return message, did_you_mean(node["value"], fields) or listed


RULE = expression_rule("fieldless", _find)
