"""The winner against the runner-up: by how much, and who goes first where the points are equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from llmroute.policy.engine.decision import Decision, Ranked
from llmroute.policy.scoring.rules import Contribution

__all__ = ["TIE_BREAKS", "Keys", "Pair", "Side"]

#: What ends a tie, in words.
TIE_BREAKS: Mapping[str, str] = {
    "cost": "the lower estimated cost",
    "latency": "the shorter time to the first token",
    "quality": "the higher default quality",
    "target": "the alphabet",
}

#: What ties are broken by, smaller first: cost, latency, quality (negated) and target id.
Keys = Mapping[str, float | str | None]
_LAST = float("inf")


@dataclass(frozen=True)
class Side:
    """One of the two targets; `sign` is 1 for the runner-up, whose gain is sought, else -1."""

    item: Ranked
    sign: int
    first_token: float | None = None

    @cached_property
    def contributions(self) -> Mapping[str, Contribution]:
        """What each rule that applies here gives, by the rule's name."""
        return {item.rule: item for item in self.item.contributions}

    @cached_property
    def keys(self) -> Keys:
        """What ties are broken by; None where it is not known here."""
        item = self.item
        return {
            "cost": _LAST if item.estimate.cost is None else item.estimate.cost,
            "latency": self.first_token,
            "quality": -(item.target.quality.default or 0.0),
            "target": item.target.id,
        }

    def points(self, rule: str) -> int:
        """Return what a rule gives here, 0 where it does not apply."""
        found = self.contributions.get(rule)
        return found.points if found else 0


class Pair:
    """The first two of a ranking.

    `margin` is by how many micro-points the winner leads; negative where the caller's order or
    a draw put it first.
    """

    def __init__(self, decision: Decision) -> None:
        first, second = decision.ranking[:2]
        self.decision = decision
        self.winner, self.runner_up = self._side(first, -1), self._side(second, 1)
        self.margin = first.score - second.score
        self._tie_break = (*decision.source.select.tie_break, "target")

    def _side(self, item: Ranked, sign: int) -> Side:
        return Side(item, sign, self.decision.live(item.target).first_token)

    @property
    def sides(self) -> tuple[Side, Side]:
        """The runner-up and the winner."""
        return self.runner_up, self.winner

    @cached_property
    def wins_ties(self) -> bool:
        """Whether the runner-up goes first where both have the same points."""
        return self.wins_tie(self.winner.keys, self.runner_up.keys)

    def wins_tie(self, winner: Keys, runner_up: Keys) -> bool:
        """Whether the runner-up goes first in a tie; False where that is not known."""
        key = self.tie_key(winner, runner_up)
        mine, other = runner_up[key], winner[key]
        if mine is None or other is None:
            return False
        return mine < other  # type: ignore[operator]  # one key has one type

    def tie_key(self, winner: Keys | None = None, runner_up: Keys | None = None) -> str:
        """Return the first key in which the two differ."""
        winner, runner_up = winner or self.winner.keys, runner_up or self.runner_up.keys
        for name in self._tie_break:
            if winner[name] is None or winner[name] != runner_up[name]:
                return name
        return "target"

    def breaks_ties_by(self, name: str) -> bool:
        """Whether a key is among those that ties are broken by."""
        return name in self._tie_break

    def ahead(self, gain: int) -> bool:
        """Whether the runner-up would go first if it gained so many micro-points."""
        return gain > self.margin or (gain == self.margin and self.wins_ties)

    def difference(self, rule: str) -> int:
        """Return how many micro-points a rule gives the winner more than the runner-up."""
        return self.winner.points(rule) - self.runner_up.points(rule)
