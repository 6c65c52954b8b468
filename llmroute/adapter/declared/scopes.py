"""What the expressions of a declared protocol may read at each of its places.

`None` marks a value, `ANY` data that nothing is known of, a dict a map with known keys, and a
list with one element a list of such elements. This tree is the documentation of the normalised
request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmroute.adapter.declared.expressions import WireExpression
from llmroute.adapter.declared.faults import Fault
from llmroute.config.diagnostics import did_you_mean
from llmroute.policy.expressions.expression import Node
from llmroute.policy.expressions.places import Places

__all__ = ["ANY", "ERROR", "EVENT", "PARTS", "REQUEST", "item_of", "unknown_fields"]

ANY: Mapping[str, Any] = {"*": None}

_CALL = {
    "id": None,
    "name": None,
    "number": None,
    "arguments": None,
    "args": ANY,
    "signature": None,
    "extra_content": ANY,
}
#: Every type that a part of a turn may have, with the fields that it has.
PARTS: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": None, "text": None},
    "image": {"type": None, "media_type": None, "data": None, "url": None, "href": None},
    "tool_call": {"type": None, **_CALL},
    "tool_result": {"type": None, "id": None, "name": None, "text": None},
}
_PART = {name: kind for fields in PARTS.values() for name, kind in fields.items()}
_CONTENT = [{**PARTS["text"], **PARTS["image"]}]
_MESSAGE = {
    "role": None,
    "text": None,
    "parts": _CONTENT,
    "tool_calls": [_CALL],
    "tool_call_id": None,
    "tool_name": None,
}

#: The normalised request.
REQUEST: Mapping[str, Any] = {
    "model": None,
    "stream": None,
    "system": None,
    "prompt": None,
    "turns": [{"role": None, "parts": [_PART]}],
    "messages": [_MESSAGE],
    "tools": [{"name": None, "description": None, "parameters": ANY, "strict": None}],
    "tool_choice": {"mode": None, "name": None},
    "parallel_tool_calls": None,
    "format": None,
    "schema": ANY,
    "schema_name": None,
    "max_output": None,
}
#: One event of a stream: its name, its data as JSON, and the data as it came.
EVENT: Mapping[str, Any] = {"event": None, "data": ANY, "raw": None}
#: An error: `code` and `message` as the file's `errors` read them.
ERROR: Mapping[str, Any] = {
    "status": None,
    "headers": ANY,
    "body": ANY,
    "code": None,
    "message": None,
}


def item_of(expression: WireExpression, scope: Any) -> Any:
    """Return what is known of the elements of a list that an expression reads of a scope."""
    chains = expression.chains
    if len(chains) != 1:
        return ANY
    tree = scope
    for node in chains[0]:
        if not isinstance(tree, Mapping) or node.get("value") not in tree:
            return ANY
        tree = tree[node["value"]]
    return tree[0] if isinstance(tree, list) else ANY


def unknown_fields(expression: WireExpression, scope: Any) -> Iterator[Fault]:
    """Yield a fault for every field that an expression reads and that is not there."""
    places = None
    for chain in expression.chains:
        node = _unknown(chain, scope)
        if node is None:
            continue
        places = places or Places(expression.tree, expression.text)
        token = places.token(node[0])
        yield Fault(
            (),
            "unknown-field",
            f"there is no `{node[0]['value']}` here",
            help=did_you_mean(node[0]["value"], node[1]) or f"there are: {', '.join(node[1])}",
            column=token.start,
            length=token.end - token.start,
        )


def _unknown(chain: tuple[Node, ...], scope: Any) -> tuple[Node, list[str]] | None:
    tree = scope
    for node in chain:
        if not isinstance(tree, Mapping) or "*" in tree or "value" not in node:
            return None
        if node["value"] not in tree:
            return node, sorted(tree)
        tree = tree[node["value"]]
    return None
