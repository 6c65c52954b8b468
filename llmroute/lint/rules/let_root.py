"""A `let` reads through `@` what it cannot have, or takes the whole of `@`.

Wrong:
    policy: example
    let:
      home: "@.target.locality == 'local'"
    rules:
      - {name: cheap, weight: 1, when: home, prefer: price}

Right:
    policy: example
    rules:
      - {name: cheap, weight: 1, when: target.locality == 'local', prefer: price}

Why: `@` at top level is the map of all roots. A `let` is evaluated once for each request, before
any target is looked at: there that map holds request, facts, budget and now alone; anything else
in it is null, and its length is always 4. `@.request` and `@ | request` are plain request. Within
`[?…]`, behind `|` and in `&…`, `@` is the value at hand, which is something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, Node, about, expression_rule
from llmroute.policy.expressions.expression import field_chains
from llmroute.policy.scoring.stages import REQUEST_ROOTS

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

#: Nodes that evaluate their second child on what the first gives.
_LEADING = ("subexpression", "pipe")


def _find(item: Placed, typed: Typed) -> Iterator[Found]:
    if item.scope != "let":
        return
    whole = {id(chain[0]): chain[0] for chain in field_chains(typed.tree) if _is_all(chain[0])}
    for node in typed.nodes if whole else ():
        place = whole.get(id(node["children"][0])) if node["type"] in _LEADING else None
        if place is not None and not _reads_all(node["children"][1]):
            del whole[id(place)]
            yield from _missing(typed, node["children"][1])
    for place in whole.values():
        message = "@ is the map of request, facts, budget and now here, all four"
        yield about(typed, place, message, "name what is meant")


def _missing(typed: Typed, read: Node) -> Iterator[Found]:
    for chain in field_chains(read):
        root = chain[0]["value"]
        if root not in REQUEST_ROOTS:
            message = f"a let has no {root}: this is null"
            yield about(typed, chain[0], message, f"it has {', '.join(sorted(REQUEST_ROOTS))}")


def _is_all(node: Node) -> bool:
    return node["type"] in ("current", "identity")


def _reads_all(node: Node) -> bool:
    return any(_is_all(chain[0]) for chain in field_chains(node))


RULE = expression_rule("let-root", _find)
