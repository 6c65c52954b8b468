"""A preference is a number that has no upper end, and is cut to 1.

Wrong:
    policy: example
    rules:
      - {name: roomy, weight: 1, prefer: target.context_window}

Right:
    policy: example
    rules:
      - {name: roomy, weight: 1, prefer: target.context_window >= `200000`}

Why: A preference is a value from 0 to 1, and the larger it is, the more points a target gets.
Larger ones are cut to 1: where the number is never below that, all targets get the same points, but
for those where it is unknown. And what is dear or slow gets most, unless the weight is negative;
the built-in preferences `price`, `cost`, `latency` and `throughput` know which end is good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, expression_rule, whole

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]


#: What to write instead of a field that a built-in preference is made of, by the last name in it.
_BUILT_IN = {
    "cost": "{cost: {half: 0.05}}",
    "cost_max": "{cost: {half: 0.05}}",
    "first_token": "{latency: {half: 2s}}",
    "in_flight": "headroom",
    "tokens_per_second": "{throughput: {half: 20}}",
}


def _find(item: Placed, typed: Typed) -> Iterator[Found]:
    made = typed.type(typed.tree)
    if item.scope != "prefer" or made.known != {"number"} or typed.tree["type"] == "literal":
        return
    if made.low is not None and made.low >= 1:
        message = f"{typed.text} is never below 1, so it is cut to 1 for every target"
        yield whole(typed, message, f"compare it with a number: {typed.text} >= …")
    elif made.low is not None and made.high is None and _favours(item):
        message = f"the larger {typed.text} is, the more points; all above 1 counts as 1"
        yield whole(typed, message, _better(typed.text))


def _favours(item: Placed) -> bool:
    """Whether the rule gives points to large values of something that targets differ in."""
    rule = item.document.data["rules"][item.path[1]]
    return rule["weight"] > 0 and bool(item.expression.roots & {"target", "estimate", "live"})


def _better(text: str) -> str:
    if text.startswith("target.cost."):
        return "write prefer: price"
    known = _BUILT_IN.get(text.rpartition(".")[2])
    return f"write prefer: {known}" if known else f"compare it with a number: {text} >= …"


RULE = expression_rule("prefer-range", _find)
