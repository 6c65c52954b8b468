"""At which weight of a rule the runner-up would go first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmroute.policy.explaining.changes import WeightChange, apart
from llmroute.policy.explaining.pair import Pair, Side
from llmroute.policy.scoring.preferences import MICRO
from llmroute.policy.scoring.rules import points
from llmroute.policy.source import Rule

__all__ = ["weight_changes"]

#: The largest weight that a policy may give, in thousandths.
_MOST = 1_000_000


def weight_changes(pair: Pair, rule: Rule) -> Iterator[WeightChange]:
    """Yield the first weight below and the first above at which the runner-up goes first.

    A weight has three decimals, and each rule's points are rounded half-even: the weight that is
    found is the first one on the way from the present weight, tie-break considered.
    """
    task: str | None = pair.decision.facts.get("task")
    for way in (-1, 1):
        for run in _runs(rule.weight, way):
            mine, other = (_value(side, rule, task, run[0]) for side in pair.sides)
            search = _Search(mine, other, pair.difference(rule.name) - pair.margin)
            found = search.first(run, 0 if pair.wins_ties else 1)
            if found is not None:
                tie = pair.tie_key() if search.lead(found) == 0 else None
                yield WeightChange(apart(rule.weight, found), tie, rule.name, rule.weight, found)
                break


def _runs(weight: int, way: int) -> Iterator[range]:
    """Yield the weights that lie on the way, in runs of one sign: not negative, or negative.

    A value that is unknown is the worst for the weight's sign, so it is constant in a run.
    """
    most = max(_MOST, abs(weight))
    whole = range(weight + way, way * most + way, way)
    turn = whole.index(0) if 0 in whole else len(whole)
    turn += way < 0 and turn < len(whole)  # zero belongs to the positive run
    yield from (run for run in (whole[:turn], whole[turn:]) if run)


def _value(side: Side, rule: Rule, task: str | None, weight: int) -> int:
    """Return the value of a rule for a target, at a weight."""
    found = side.contributions.get(rule.name)
    if found is None:
        return 0
    if _unknown(side, rule, task):
        return MICRO if weight < 0 else 0
    return found.value


def _unknown(side: Side, rule: Rule, task: str | None) -> bool:
    """Whether a built-in preference does not know its figure."""
    if rule.prefer == "quality":
        return side.item.target.quality.of(task) is None
    priced = rule.prefer == "price" or (isinstance(rule.prefer, Mapping) and "cost" in rule.prefer)
    return priced and side.item.estimate.cost is None


@dataclass(frozen=True, slots=True)
class _Search:
    """Weights of one sign, given the rule's values and the runner-up's lead without it."""

    mine: int
    other: int
    rest: int

    def lead(self, weight: int) -> int:
        """Return the micro-points by which the runner-up leads at a weight."""
        return self.rest + points(weight, self.mine) - points(weight, self.other)

    def first(self, run: range, least: int) -> int | None:
        """Return the first weight of a run at which the runner-up leads by at least so much.

        Without rounding the lead is linear in the weight; two roundings move it by one
        micro-point at most. So only weights within one of the straight line need a look.
        """
        growth = (self.mine - self.other) * run.step
        if not growth:
            return run[0] if self.lead(run[0]) >= least else None
        missing = 1000 * (least - 1) - self._line(run[0])
        place = max(-(-missing // growth), 0) if growth > 0 else 0
        while place < len(run) and self._line(run[place]) >= 1000 * (least - 1):
            if self.lead(run[place]) >= least:
                return run[place]
            place += 1
        return None

    def _line(self, weight: int) -> int:
        """Return the lead without rounding, in thousandths of a micro-point."""
        return 1000 * self.rest + weight * (self.mine - self.other)
