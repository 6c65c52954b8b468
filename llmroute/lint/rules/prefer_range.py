"""A preference is a number that is never below 1, so it is worth 1 for every target.

Wrong:
    policy: example
    rules:
      - {name: roomy, weight: 1, prefer: target.context_window}

Right:
    policy: example
    rules:
      - {name: roomy, weight: 1, prefer: target.context_window >= `200000`}

Why: A preference is a value from 0 to 1. Larger ones are cut to 1, and so all targets get the same
points, but for those where the number is unknown: they get none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, expression_rule, whole

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]


def _find(item: Placed, typed: Typed) -> Iterator[Found]:
    made = typed.type(typed.tree)
    if item.scope != "prefer" or made.known != {"number"} or typed.tree["type"] == "literal":
        return
    if made.low is not None and made.low >= 1:
        message = f"{typed.text} is never below 1, so it is cut to 1 for every target"
        yield whole(typed, message, f"compare it with a number: {typed.text} >= …")


RULE = expression_rule("prefer-range", _find)
