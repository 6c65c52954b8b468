"""A preference can give neither true or false nor a number.

Wrong:
    policy: example
    rules:
      - {name: home, weight: 1, prefer: target.locality}

Right:
    policy: example
    rules:
      - {name: home, weight: 1, prefer: target.locality == 'local'}

Why: A text, a list, a map or null is worth 0 for every target, so the rule never moves a point.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import closest
from llmroute.lint.rules._expressions import Found, expression_rule, whole
from llmroute.lint.types_of import is_text
from llmroute.policy.scoring.preferences import BUILT_IN

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

_WORDS = {"string": "a text", "array": "a list", "object": "a map", "null": "null"}


def _find(item: Placed, typed: Typed) -> Iterator[Found]:
    made = typed.type(typed.tree)
    if item.scope != "prefer" or made.kinds & {"boolean", "number"}:
        return
    kinds = " or ".join(_WORDS[kind] for kind in sorted(made.known or made.kinds))
    yield whole(typed, f"this gives {kinds}, which is worth 0 for every target", _help(typed))


def _help(typed: Typed) -> str:
    if is_text(typed.tree):
        meant = closest(typed.tree["value"], BUILT_IN)
        return f"write prefer: {meant}" if meant else "write a condition, or a built-in preference"
    made = typed.type(typed.tree)
    if "array" in made.known:
        return f"write contains({typed.text}, …)"
    return f"compare it: {typed.text} == …"


RULE = expression_rule("prefer-type", _find)
