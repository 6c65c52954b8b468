"""What a change does to decisions, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from llmroute.catalog.cost import nano_to_usd
from llmroute.lab.diffing.boxes import Condition
from llmroute.lab.domain.situation import Situation
from llmroute.policy.engine.decision import Decision

__all__ = ["Change", "Compared", "Diff", "Group", "Names", "Totals", "Verdict"]


@dataclass(frozen=True)
class Names:
    """What was compared: the policy's name on either side, and a title for both.

    `kind` says what leads to the policy: its own name, an alias, or that no other is named.
    """

    old: str
    new: str
    title: str
    kind: str = "policy"


@dataclass(frozen=True)
class Verdict:
    """What one side does with one request.

    `winner` is None where no target is eligible; `refused` says why the request is not taken at
    all. `cost` is the winner's estimate in nano-dollars, None where unknown, `quality` its figure
    for the request's task.
    """

    winner: str | None
    second: str | None = None
    cost: int | None = None
    quality: float | None = None
    refused: str | None = None

    @classmethod
    def of(cls, decision: Decision) -> Verdict:
        """Return what a decision says."""
        if not decision.ranking:
            return cls(None)
        target, *others = (item.target for item in islice(decision.ranking, 2))
        second = others[0].id if others else None
        quality = target.quality.of(decision.facts.get("task"))
        return cls(target.id, second, decision.estimate(target).cost, quality)

    @property
    def usd(self) -> Decimal | None:
        """The estimated cost of the request in USD, None where it is not known."""
        return nano_to_usd(self.cost)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; money in USD."""
        return {
            "winner": self.winner,
            "first_fallback": self.second,
            "refused": self.refused,
            "cost": None if self.usd is None else float(self.usd),
            "quality": self.quality,
        }


@dataclass(frozen=True)
class Change:
    """A class of requests that change alike, with the plainest of them.

    `conditions` are what matters, none where every request of the group's does or where the
    requests come from a log. `cases` counts requests. `origin` is the place in the log.
    """

    situation: Situation
    old: Verdict
    new: Verdict
    cases: int
    conditions: tuple[Condition, ...] = ()
    origin: str | None = None

    @property
    def cost_change(self) -> Decimal | None:
        """How much more the new winner is estimated to cost, in USD; None where unknown."""
        one, other = self.old.usd, self.new.usd
        return None if one is None or other is None else other - one

    @property
    def cost_percent(self) -> float | None:
        """The change of the cost in percent of the old one; None where that is not defined."""
        change, before = self.cost_change, self.old.usd
        return float(change / before * 100) if change is not None and before else None

    @property
    def quality_change(self) -> float | None:
        """How much better the new winner's figure is; None where either is unknown."""
        one, other = self.old.quality, self.new.quality
        return None if one is None or other is None else round(other - one, 6)

    def to_dict(self, policy: str) -> dict[str, Any]:
        """Return plain data, with the command that shows the new decision."""
        return {
            "cases": self.cases,
            "where": [
                {"name": c.name, "values": _plain(c.values), "text": c.text, "unless": c.unless}
                for c in self.conditions
            ],
            "command": self.situation.command(policy),
            "origin": self.origin,
            "example": self.situation.to_dict(),
            "old": self.old.to_dict(),
            "new": self.new.to_dict(),
            "cost_change": None if self.cost_change is None else float(self.cost_change),
            "cost_percent": self.cost_percent,
            "quality_change": self.quality_change,
        }


@dataclass(frozen=True)
class Group:
    """All requests that go from one target to another: winners, or first fallbacks.

    `changes` are their classes, the plainest first; not all where there are many (`more`: how
    many requests are in none of them).
    """

    old: str | None
    new: str | None
    cases: int
    changes: tuple[Change, ...]
    more: int = 0

    def to_dict(self, policy: str) -> dict[str, Any]:
        """Return plain data."""
        return {
            "old": self.old,
            "new": self.new,
            "cases": self.cases,
            "classes": [change.to_dict(policy) for change in self.changes],
            "in_other_classes": self.more,
        }


@dataclass(frozen=True)
class Totals:
    """What a log's requests are estimated to cost, in nano-dollars, and how many are unknown."""

    old: int = 0
    new: int = 0
    old_unknown: int = 0
    new_unknown: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; money in USD."""
        return {
            "old_cost": float(nano_to_usd(self.old) or 0),
            "new_cost": float(nano_to_usd(self.new) or 0),
            "old_unknown": self.old_unknown,
            "new_unknown": self.new_unknown,
        }


@dataclass(frozen=True)
class Compared:
    """One policy before and after.

    `winners` are the requests whose winner changes, `ranking` those that keep it and have another
    first fallback, `repriced` counts those that keep it at another estimated cost. `looked_at`
    requests of `possible` were decided; `why_not` says why they do not stand for all requests,
    empty where they do. `totals` are those of a log. `notes` say what else differs.
    """

    names: Names
    winners: tuple[Group, ...] = ()
    ranking: tuple[Group, ...] = ()
    repriced: int = 0
    looked_at: int = 0
    possible: int = 0
    why_not: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    totals: Totals | None = None

    @property
    def changed(self) -> int:
        """How many requests change their winner."""
        return sum(group.cases for group in self.winners)

    @property
    def reranked(self) -> int:
        """How many requests keep their winner and have another first fallback."""
        return sum(group.cases for group in self.ranking)

    @property
    def exhaustive(self) -> bool:
        """Whether the answer holds for every request."""
        return not self.why_not

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        policy = self.names.new
        return {
            "kind": self.names.kind,
            "policy": self.names.title,
            "old_policy": self.names.old,
            "new_policy": policy,
            "changed": self.changed,
            "looked_at": self.looked_at,
            "possible": self.possible,
            "exhaustive": None if self.totals else self.exhaustive,
            "why_not": list(self.why_not),
            "winners": [group.to_dict(policy) for group in self.winners],
            "reranked": self.reranked,
            "ranking": [group.to_dict(policy) for group in self.ranking],
            "repriced": self.repriced,
            "log": self.totals.to_dict() if self.totals else None,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Diff:
    """What differs between two states of policies and providers.

    `added` and `removed` map "policies" and "targets" to names. `scope` says what is not looked
    at; `skipped` are lines of a log that could not be read.
    """

    old: str
    new: str
    policies: tuple[Compared, ...]
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scope: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether some request is decided differently; a policy that is gone decides nothing."""
        gone = bool(self.removed.get("policies"))
        return gone or any(compared.changed for compared in self.policies)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "old": self.old,
            "new": self.new,
            "changes": self.changes,
            "added": {name: list(items) for name, items in self.added.items()},
            "removed": {name: list(items) for name, items in self.removed.items()},
            "policies": [compared.to_dict() for compared in self.policies],
            "scope": list(self.scope),
            "skipped": list(self.skipped),
        }


def _plain(values: tuple[Any, ...]) -> list[Any]:
    return [list(value) if isinstance(value, tuple) else value for value in values]
