"""The outcome of deciding: a ranking, each rule's part in it, each rejection with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmroute.catalog.model import Target
from llmroute.policy.compiled import Contribution
from llmroute.policy.estimate import Estimate
from llmroute.policy.requirements import Rejection
from llmroute.policy.source import Fallback

__all__ = ["Decision", "Ranked"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One eligible target: its score in micro-points and what made it."""

    target: Target
    score: int
    contributions: tuple[Contribution, ...]
    estimate: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; `points` and `score` are integers in micro-points."""
        return {
            "target": self.target.id,
            "score": self.score,
            "estimate": self.estimate.view,
            "contributions": [
                {
                    "rule": item.rule,
                    "weight": item.weight / 1000,
                    "value": item.value / 1_000_000,
                    "points": item.points,
                    "note": item.note,
                }
                for item in self.contributions
            ],
        }


@dataclass(frozen=True)
class Decision:
    """Where a request should go, best first, and why.

    `fingerprint` names the configuration that decided. `notes` count what could not be
    evaluated. `reason` says what moved the order after scoring (the caller's `order`, a draw).
    """

    policy: str
    ranking: tuple[Ranked, ...]
    rejections: tuple[Rejection, ...]
    facts: Mapping[str, Any]
    fallback: Fallback = Fallback()
    fingerprint: str = ""
    notes: Mapping[str, int] = field(default_factory=dict)
    reason: str | None = None

    @property
    def winner(self) -> Target | None:
        """The first target, None where none is eligible."""
        return self.ranking[0].target if self.ranking else None

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every eligible target, in the order in which they would be tried."""
        return tuple(item.target for item in self.ranking)

    def rejected(self, target_id: str) -> tuple[Rejection, ...]:
        """Return why a target was rejected; empty where it was not."""
        return tuple(item for item in self.rejections if item.target == target_id)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with a fixed order, the same for the same inputs."""
        return {
            "policy": self.policy,
            "winner": self.winner.id if self.winner else None,
            "ranking": [item.to_dict() for item in self.ranking],
            "rejections": [
                {
                    "target": item.target,
                    "requirement": item.requirement,
                    "origin": item.origin,
                    "reason": item.reason,
                    **({"help": item.help} if item.help else {}),
                }
                for item in self.rejections
            ],
            "facts": dict(self.facts),
            "notes": dict(sorted(self.notes.items())),
            **({"reason": self.reason} if self.reason else {}),
            "fallback": {
                "attempts": self.fallback.attempts,
                "max_price_ratio": self.fallback.max_price_ratio,
                "on_limit": self.fallback.on_limit,
            },
            "fingerprint": self.fingerprint,
        }
