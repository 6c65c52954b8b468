"""Why a decision is what it is, as data: what all renderers write, each in its own form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from llmroute.catalog.cost import format_usd, nano_to_usd
from llmroute.policy.engine.decision import Decision, Ranked
from llmroute.policy.explaining.changes import Change
from llmroute.policy.explaining.counterfactual import caller_decides, changes, moved
from llmroute.policy.explaining.pair import TIE_BREAKS, Pair
from llmroute.policy.explaining.wording import (
    Outside,
    Sentence,
    format_points,
    joined,
    named,
    plain,
    signed,
    target_id,
    told,
)
from llmroute.policy.scoring.requirements import Rejection

__all__ = ["Deciding", "Explanation", "RejectionGroup", "explanation", "tokens_out", "usd"]

#: Ranked targets that are itemised, and that are named at all.
_ITEMISED, _LISTED = 2, 10


@dataclass(frozen=True, slots=True)
class Deciding:
    """What put the winner before the runner-up.

    `by`: `points`; `tie_break` (equal points; `key` says which); `caller` (the caller's order);
    `selection` (a draw or exploration). With `points`, `rules` are the fewest whose absence
    would put the runner-up ahead, those with the largest differences first, each with its
    difference in micro-points; where even the absence of all would not, `enough` is False and
    `rules` is the one with the largest difference.
    """

    by: Literal["points", "tie_break", "caller", "selection"]
    rules: tuple[tuple[str, int], ...] = ()
    enough: bool = False
    key: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; differences are in micro-points."""
        rules = [{"rule": name, "difference": points} for name, points in self.rules]
        return {"by": self.by, "rules": rules, "enough": self.enough, "tie_break": self.key}


@dataclass(frozen=True, slots=True)
class RejectionGroup:
    """Targets that failed one requirement with the same values."""

    targets: tuple[str, ...]
    requirement: str
    origin: str
    reason: str
    help: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        shared = {"requirement": self.requirement, "origin": self.origin, "reason": self.reason}
        return {"targets": list(self.targets), **shared, "help": self.help}


class Explanation:
    """A decision's explanation; only the first places of the ranking are looked at."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        shown = list(decision.ranking[:_LISTED])
        self.itemised: Sequence[Ranked] = shown[:_ITEMISED]
        self.others: Sequence[Ranked] = shown[_ITEMISED:]
        self.more = len(decision.ranking) - len(shown)
        self.pair = Pair(decision) if len(shown) > 1 else None

    @cached_property
    def deciding(self) -> Deciding | None:
        """What put the winner first; None where it had no competitor."""
        return _deciding(self.pair) if self.pair else None

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The nearest changes of which each, alone, puts the runner-up ahead."""
        return changes(self.pair) if self.pair else ()

    @property
    def behind(self) -> Sequence[tuple[str, str]]:
        """The ranked targets that come after the others whatever their points, with the reason."""
        return tuple(self.decision.behind.items())[:_LISTED]

    @cached_property
    def rejections(self) -> tuple[RejectionGroup, ...]:
        """The rejections, those alike but for the target together."""
        return tuple(_grouped(self.decision.rejections))

    def facts(self) -> str:
        """Return the request's facts on one line."""
        return ", ".join(f"{k} {_shown(value)}" for k, value in self.decision.facts.items())

    def headline(self) -> Sentence:
        """Return who won, by how much, and what moved the order."""
        if not self.itemised:
            return ("no target is eligible",)
        first, reason = self.itemised[0], self.decision.reason
        points = f" with {format_points(first.score)} points"
        ending: Sentence = (" (", told(reason), ")") if reason else ()
        return (target_id(first.target.id), points, *self._margin(), *ending)

    def _margin(self) -> Sentence:
        if self.pair is None:
            return (", the only eligible target",)
        margin, other = self.pair.margin, target_id(self.pair.runner_up.item.target.id)
        if not margin:
            return (", level with ", other)
        where = "ahead of" if margin > 0 else "behind"
        return (f", {format_points(abs(margin))} {where} ", other)

    def decided(self) -> Sentence | None:
        """Return what decided, in words."""
        if self.deciding is None or self.pair is None:
            return None
        return _decided(self.deciding, self.pair)

    def outlook(self) -> Sentence | None:
        """Return the heading of the changes, or that there is none."""
        if self.pair is None:
            return None
        other, winner = (target_id(side.item.target.id) for side in self.pair.sides)
        if not self.changes and self.deciding and self.deciding.by == "selection":
            return ("chance put ", winner, " first: no weight, figure or condition decided")
        if not self.changes:
            return ("no single change puts ", other, " ahead of ", winner)
        spread = self.decision.source.select.spread
        drawn = f" (within {format_points(spread)} points a draw may decide)" if spread else ""
        return (other, " would be ahead of ", winner, drawn)


def explanation(decision: Decision) -> dict[str, Any]:
    """Return the explanation as plain data, to stand beside `Decision.to_dict()`.

    `margin` and differences are in micro-points; every `text` is the sentence of the text form.
    """
    made = Explanation(decision)
    ids = [item.target.id for item in made.itemised]
    decided = made.decided()
    return {
        "winner": ids[0] if ids else None,
        "runner_up": ids[1] if len(ids) > 1 else None,
        "margin": made.pair.margin if made.pair else None,
        "deciding": made.deciding
        and {**made.deciding.to_dict(), "text": plain(decided) if decided else ""},
        "changes": [change.to_dict() for change in made.changes],
        "rejections": [group.to_dict() for group in made.rejections],
    }


def usd(item: Ranked) -> str:
    """Write the estimated cost at a target."""
    return format_usd(nano_to_usd(item.estimate.cost))


def tokens_out(item: Ranked) -> str:
    """Write the expected length of the answer, and what it was learned from."""
    told, known = f"{item.estimate.tokens_out:,} out", item.learned_output
    if known is None or known.tokens != item.estimate.tokens_out:
        return told
    return f"{told} (learned from {known.answers} answer{'s' if known.answers != 1 else ''})"


def _deciding(pair: Pair) -> Deciding:
    if moved(pair):
        return Deciding("caller" if caller_decides(pair) else "selection")
    if pair.margin == 0:
        return Deciding("tie_break", key=pair.tie_key())
    names = [rule.name for rule in pair.decision.source.rules]
    gaps = [(name, gap) for name in names if (gap := pair.difference(name)) > 0]
    gaps.sort(key=lambda item: -item[1])
    for count in range(1, len(gaps) + 1):
        if pair.ahead(sum(gap for _, gap in gaps[:count])):
            return Deciding("points", tuple(gaps[:count]), enough=True)
    return Deciding("points", tuple(gaps[:1]), key=pair.tie_key())


def _decided(deciding: Deciding, pair: Pair) -> Sentence:
    other = target_id(pair.runner_up.item.target.id)
    if deciding.by == "points":
        return _by_rules(deciding, target_id(pair.winner.item.target.id), other)
    if deciding.by == "tie_break":
        return ("decided by a tie-break: equal points, and ", TIE_BREAKS[deciding.key or "target"])
    what = (
        "the caller's order" if deciding.by == "caller" else told(pair.decision.reason or "outages")
    )
    points = format_points(abs(pair.margin))
    if not pair.ahead(0):
        return ("decided by ", what, "; the points agree")
    if not pair.margin:
        return ("decided by ", what, "; the points are equal, and ties go to ", other)
    return ("decided by ", what, "; by points ", other, f" would be {points} ahead")


def _by_rules(deciding: Deciding, winner: Outside, other: Outside) -> Sentence:
    gains = joined([(named(name), f" ({signed(gap)})") for name, gap in deciding.rules])
    count = len(deciding.rules)
    if not deciding.enough:
        ties: Sentence = (
            ", and ties go to ",
            winner,
            f", by {TIE_BREAKS[deciding.key or 'target']}",
        )
        return ("decided by ", *gains, "; no rule favours ", other, *ties)
    if count == 1:
        return ("decided by ", *gains, "; without it ", other, " would be ahead")
    together = f" together; without these {count} rules "
    return ("decided by ", *gains, together, other, " would be ahead, without fewer it would not")


def _grouped(rejections: Sequence[Rejection]) -> Iterator[RejectionGroup]:
    grouped: dict[tuple[str, str, str, str | None], list[str]] = {}
    for item in rejections:
        key = (item.requirement, item.origin, item.reason, item.help)
        grouped.setdefault(key, []).append(item.target)
    for (requirement, origin, reason, advice), targets in grouped.items():
        yield RejectionGroup(tuple(targets), requirement, origin, reason, advice)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
