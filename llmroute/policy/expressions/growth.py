"""How much larger than its data an expression can make its result, found without running it.

JMESPath can repeat what it reads, and repeat that again: `x | [@,@,@] | [@,@,@] | to_string(@)`.
A few dozen characters then ask for gigabytes of a prompt of one megabyte. So each construct
counts by how often it may repeat its data at most, what follows another counts as their product,
and an expression that exceeds the limit is refused when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

__all__ = ["MAX_GROWTH", "growth", "joins_by_data"]

#: How many times its data an expression may hold at once.
MAX_GROWTH = 32

Node = Mapping[str, Any]
#: Characters of a literal that count as much as an element of the data.
_LITERAL = 32
#: JSON may write a character as six (`\\u0000`), and again the backslashes of a text within.
_WRITING = {"to_string": 6, "to_json": 6}
#: What is evaluated on the result of its first child, once or for each element.
_FOLLOWING = frozenset(
    {"subexpression", "pipe", "projection", "value_projection", "index_expression", "flatten"}
)
_ADDING = frozenset({"multi_select_list", "multi_select_dict"})


def growth(node: Node) -> int:
    """Return how many times its data a tree may hold at once, at most."""
    kind, children = node["type"], list(_children(node))
    if _is_constant(node):
        return 1 + len(_text(node)) // _LITERAL
    sizes = [growth(child) for child in children]
    if kind in _FOLLOWING:
        return prod(sizes)
    if kind == "filter_projection":
        return sizes[0] * max(sizes[1:])
    if kind == "function_expression":
        return _call(node["value"], children)
    return sum(sizes) if kind in _ADDING else max(sizes, default=1)


def joins_by_data(node: Node) -> bool:
    """Whether a tree calls `join` with anything but a literal between the parts.

    Its result could then grow with the square of the data.
    """
    if node["type"] == "function_expression" and node["value"] == "join":
        first = next(_children(node), None)
        return first is None or not _is_constant(first)
    return any(joins_by_data(child) for child in _children(node))


def _call(name: str, given: Sequence[Node]) -> int:
    each = prod(growth(child) for child in given if child["type"] == "expref")
    whole = [growth(child) for child in given if child["type"] != "expref"]
    if name == "join" and given:
        return (1 + len(_text(given[0])) // 3) * max(whole)  # `"",` is the shortest part
    together = max(whole, default=1) if name == "not_null" else max(sum(whole), 1)
    return _WRITING.get(name, 1) * each * together


def _children(node: Node) -> Iterator[Node]:
    return (child for child in node.get("children", ()) if isinstance(child, Mapping))


def _is_constant(node: Node) -> bool:
    """Whether a tree is made of literals alone."""
    if node["type"] in ("literal", "key_val_pair", *_ADDING):
        return all(map(_is_constant, _children(node)))
    return False


def _text(node: Node) -> str:
    own = json.dumps(node.get("value")) if node["type"] == "literal" else ""
    return own + "".join(map(_text, _children(node)))
