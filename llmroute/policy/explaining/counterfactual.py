"""What would have to change for the runner-up to go before the winner, each change alone.

Every change is worked out in the same integers as the decision, ties included, and everything
else stays as it is: the facts, the live values, what is eligible. Only these two targets are
compared; a third may be ahead of both after the change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmroute.policy.explaining.changes import (
    Change,
    ConditionChange,
    OrderChange,
)
from llmroute.policy.explaining.figures import figure_changes
from llmroute.policy.explaining.pair import Pair, Side
from llmroute.policy.explaining.weights import weight_changes
from llmroute.policy.expressions.expression import Expression
from llmroute.policy.source import Rule

__all__ = ["MOST_CHANGES", "all_changes", "caller_decides", "changes", "moved"]

#: Changes that are told, the nearest ones.
MOST_CHANGES = 5

_TARGET_ROOTS = frozenset({"target", "estimate", "live", "@"})


def changes(pair: Pair) -> tuple[Change, ...]:
    """Return the nearest changes of which each, alone, puts the runner-up ahead."""
    return all_changes(pair)[:MOST_CHANGES]


def all_changes(pair: Pair) -> tuple[Change, ...]:
    """Return every such change that is known, the nearest first.

    Where the caller's order, exploration or a draw put the winner first, no rule can tell: only
    the lack of that is offered.
    """
    found = _moves(pair) if moved(pair) else _of_points(pair)
    return tuple(sorted(found, key=lambda change: change.effort))


def moved(pair: Pair) -> bool:
    """Whether something besides the points decided between the two."""
    if pair.decision.request.route.order:
        return caller_decides(pair)
    sides = {side.item.target.id for side in pair.sides}
    return pair.decision.reason is not None or not sides.isdisjoint(pair.decision.behind)


def caller_decides(pair: Pair) -> bool:
    """Whether the caller's `order` names one of the two before the other."""
    order = pair.decision.request.route.order
    return _position(order, pair.winner) != _position(order, pair.runner_up)


def _position(order: Sequence[str], side: Side) -> int:
    names = (side.item.target.id, side.item.target.provider.name)
    return min((i for i, name in enumerate(order) if name in names), default=len(order))


def _moves(pair: Pair) -> Iterator[Change]:
    tie = pair.tie_key() if pair.margin == 0 else None
    caller = bool(pair.decision.request.route.order)
    if pair.ahead(0):
        words = "without the caller's order" if caller else "had the points decided"
        yield OrderChange(0.0, tie, "caller" if caller else "selection", words)
    elif caller:
        words = "if the caller's order put it first"
        yield OrderChange(0.0, None, "caller", words)


def _of_points(pair: Pair) -> Iterator[Change]:
    for rule in pair.decision.source.rules:
        yield from weight_changes(pair, rule)
    yield from figure_changes(pair)
    yield from _condition_changes(pair)


def _condition_changes(pair: Pair) -> Iterator[Change]:
    """Yield the conditions that, held or not held, put the runner-up ahead.

    Rules with the same condition change together.
    """
    source, skipped = pair.decision.source, pair.decision.skipped
    groups: dict[str, list[Rule]] = {}
    for rule in source.rules:
        if rule.when is not None:
            groups.setdefault(rule.when, []).append(rule)
    for condition, rules in groups.items():
        if Expression(condition).roots & _TARGET_ROOTS:
            yield from _for_one(pair, condition, rules)
        else:
            yield from _for_all(pair, condition, rules, then=rules[0].name in skipped)


def _for_all(pair: Pair, condition: str, rules: Sequence[Rule], *, then: bool) -> Iterator[Change]:
    """Toggle a condition on the request, unless a requirement hangs on its holding."""
    if then and any(item.when == condition for item in pair.decision.source.require):
        return
    change = _toggled(pair, condition, rules, pair.sides, then=then)
    if change:
        yield change


def _for_one(pair: Pair, condition: str, rules: Sequence[Rule]) -> Iterator[Change]:
    """Toggle a condition on the target, for one of the two."""
    for side in pair.sides:
        holds = rules[0].name in side.contributions
        change = _toggled(pair, condition, rules, [side], then=not holds)
        if change:
            yield change


def _toggled(
    pair: Pair, condition: str, rules: Sequence[Rule], sides: Sequence[Side], *, then: bool
) -> ConditionChange | None:
    gain = sum(side.sign * _toggle(pair, side, rule, then) for side in sides for rule in rules)
    if not pair.ahead(gain):
        return None
    names = tuple(rule.name for rule in rules)
    where = sides[0].item.target.id if len(sides) == 1 else None
    tie = pair.tie_key() if gain == pair.margin else None
    return ConditionChange(1.0, tie, condition, names, then, where)


def _toggle(pair: Pair, side: Side, rule: Rule, then: bool) -> int:
    """Return the micro-points that a target gains."""
    if not then:
        return -side.points(rule.name)
    return pair.decision.potential(rule.name, side.item.target.id).points
