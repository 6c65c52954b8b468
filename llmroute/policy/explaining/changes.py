"""What could have been otherwise: the kinds of change, each in words and as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmroute.policy.explaining.pair import TIE_BREAKS
from llmroute.policy.explaining.wording import (
    Sentence,
    code,
    format_weight,
    joined,
    named,
    plain,
    target_id,
    told,
)

__all__ = ["Change", "ConditionChange", "FigureChange", "OrderChange", "WeightChange", "apart"]


def apart(now: float | None, then: float) -> float:
    """Return how far a change goes: the difference by the larger of both, 1 where unknown."""
    if now is None:
        return 1.0
    most = max(abs(now), abs(then))
    return abs(then - now) / most if most else 0.0


@dataclass(frozen=True, slots=True)
class Change(ABC):
    """A change that, alone, puts the runner-up ahead of the winner.

    `tie` names what breaks the tie that the change ends in, None where it ends in a lead.
    `effort` orders changes, nearest first.
    """

    effort: float
    tie: str | None

    @abstractmethod
    def sentence(self) -> Sentence:
        """Return the change in words: `if …`."""

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """Return the change's own data."""

    def told(self) -> Sentence:
        """Return the change in words, with what breaks the tie."""
        return (*self.sentence(), _ending(self.tie))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**self.fields(), "tie": self.tie, "text": plain(self.told())}


def _ending(tie: str | None) -> str:
    return f" – a tie, broken by {TIE_BREAKS[tie]}" if tie else ""


@dataclass(frozen=True, slots=True)
class WeightChange(Change):
    """Another weight of one rule, in thousandths: the first one on the way that suffices."""

    rule: str
    now: int
    then: int

    def sentence(self) -> Sentence:  # noqa: D102 - as in Change
        way = "came down to" if self.then < self.now else "went up to"
        weights = f" {way} {format_weight(self.then)} (now {format_weight(self.now)})"
        return ("if the weight of ", named(self.rule), weights)

    def fields(self) -> dict[str, Any]:  # noqa: D102
        now, then = self.now / 1000, self.then / 1000
        return {"kind": "weight", "rule": self.rule, "now": now, "then": then}


@dataclass(frozen=True, slots=True)
class FigureChange(Change):
    """Another figure of one target: its price, its time to the first token, ….

    `step` is the first one that suffices, in the figure's smallest steps; `now` and `then` are
    in `unit`. `shown_now` and `shown_then` are for people: what is shown suffices as well,
    and ends in `shown_tie`.
    """

    figure: str
    unit: str
    target: str
    step: int
    rising: bool
    now: float | None
    then: float
    shown_now: str
    shown_then: str
    shown_tie: str | None = None

    def told(self) -> Sentence:  # noqa: D102
        return (*self.sentence(), _ending(self.shown_tie))

    def sentence(self) -> Sentence:  # noqa: D102
        way = "went up to" if self.rising else "came down to"
        values: Sentence = (f" {way} {self.shown_then} (now ", told(self.shown_now), ")")
        return (f"if the {self.figure} of ", target_id(self.target), *values)

    def fields(self) -> dict[str, Any]:  # noqa: D102
        return {
            "kind": "figure",
            "figure": self.figure,
            "unit": self.unit,
            "target": self.target,
            "now": self.now,
            "then": self.then,
        }


@dataclass(frozen=True, slots=True)
class ConditionChange(Change):
    """A condition that would hold or not, for one target or (None) for the request."""

    condition: str
    rules: tuple[str, ...]
    then: bool
    target: str | None

    def sentence(self) -> Sentence:  # noqa: D102
        where: Sentence = (" for ", target_id(self.target)) if self.target else ()
        held = " had held" if self.then else " had not held"
        return ("if ", code(self.condition), held, *where, *_rules(self.rules))

    def fields(self) -> dict[str, Any]:  # noqa: D102
        return {
            "kind": "condition",
            "condition": self.condition,
            "rules": list(self.rules),
            "target": self.target,
            "now": not self.then,
            "then": self.then,
        }


def _rules(names: Sequence[str]) -> Sentence:
    word = "rule" if len(names) == 1 else "rules"
    return (f" ({word} ", *joined([(named(name),) for name in names]), ")")


@dataclass(frozen=True, slots=True)
class OrderChange(Change):
    """Something besides the points that put the winner first: `by` is `caller` or `selection`."""

    by: str
    words: str

    def sentence(self) -> Sentence:  # noqa: D102
        return (self.words,)

    def fields(self) -> dict[str, Any]:  # noqa: D102
        return {"kind": self.by}
