"""A condition joins a comparison with a value of its own.

Wrong:
    policy: example
    rules:
      - {name: hard, weight: 1, when: facts.task == 'code' || 'math', prefer: quality}

Right:
    policy: example
    rules:
      - {name: hard, weight: 1, when: facts.task == 'code' || facts.task == 'math', prefer: quality}

Why: The value is not compared with anything. It is true by itself, and so is the whole condition
behind `||`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, Node, about, expression_rule, shown

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

_JOINS = {"or_expression": "||", "and_expression": "&&"}


def _find(item: Placed, typed: Typed) -> Iterator[Found]:
    for node in typed.nodes:
        if node["type"] not in _JOINS:
            continue
        left, right = node["children"]
        for literal, other in ((left, right), (right, left)):
            if _is_stray(literal, numbers=item.scope != "prefer") and _is_condition(typed, other):
                yield about(typed, literal, *_words(typed, literal, other))
                break


def _is_stray(node: Node, *, numbers: bool) -> bool:
    if node["type"] != "literal" or isinstance(node["value"], bool):
        return False
    return isinstance(node["value"], str) or (numbers and isinstance(node["value"], int | float))


def _is_condition(typed: Typed, node: Node) -> bool:
    return typed.type(node).known == {"boolean"}


def _words(typed: Typed, literal: Node, other: Node) -> tuple[str, str]:
    value = shown(literal["value"])
    truth = "true" if literal["value"] != "" else "false"
    message = f"{value} is not compared with anything, it is {truth} by itself"
    compared = other
    while compared["type"] in _JOINS:
        compared = compared["children"][1]
    if compared["type"] == "comparator":
        sign = {"eq": "==", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
        left = typed.places.source(compared["children"][0])
        return message, f"write {left} {sign[compared['value']]} {value}"
    return message, "compare it with a field, or leave it out"


RULE = expression_rule("or-literal", _find)
