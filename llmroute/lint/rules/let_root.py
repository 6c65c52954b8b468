"""A `let` reads `@`, which holds no target.

Wrong:
    policy: example
    let:
      long: length(@) > `3`
    rules:
      - {name: cheap, weight: 1, when: long, prefer: price}

Right:
    policy: example
    let:
      long: length(request.messages) > `3`
    rules:
      - {name: cheap, weight: 1, when: long, prefer: price}

Why: `@` at top level is the map of all roots that a condition may read. A `let` is evaluated once
for each request, before any target is looked at: it has request, facts, budget and now alone, and
only those fields of them that the policy names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, about, expression_rule
from llmroute.policy.expressions.expression import field_chains

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]


def _find(item: Placed, typed: Typed) -> Iterator[Found]:
    if item.scope != "let":
        return
    for chain in field_chains(typed.tree):
        if chain[0]["type"] == "current":
            message = "@ is the map of all roots, of which a let has only some"
            help_text = "name what is meant: request, facts, budget or now"
            yield about(typed, chain[0], message, help_text)


RULE = expression_rule("let-root", _find)
