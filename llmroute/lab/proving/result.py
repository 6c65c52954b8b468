"""What became of a claim, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmroute.lab.domain.saved import Saved, situation_data
from llmroute.lab.domain.situation import Situation

__all__ = ["Counterexample", "Outcome", "Proof"]

#: `proved` and `refuted` are certain; `undecided` says why it is not known.
Outcome = Literal["proved", "refuted", "undecided"]


@dataclass(frozen=True)
class Counterexample:
    """A concrete case: where a claim fails, or, for a target's reachability, where it wins.

    `target` is whom it is about. `listing` is what a server would have to list for the target to
    exist, None where it is known already.
    """

    situation: Situation
    policy: str
    target: str | None
    says: str
    provider: str | None = None
    listing: Mapping[str, Any] | None = None

    @property
    def command(self) -> str:
        """The command line that shows it."""
        return self.situation.command(self.policy)

    @property
    def complete(self) -> bool:
        """Whether the command line alone shows it."""
        return self.listing is None and not self.situation.beyond()

    @property
    def saved(self) -> dict[str, Any]:
        """What `llmroute decide --situation` takes."""
        saved = Saved(self.situation, self.policy, self.provider, self.listing)
        return situation_data(saved)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "target": self.target,
            "says": self.says,
            "command": self.command if self.complete else None,
            **self.situation.to_dict(),
            "discovered": None
            if self.listing is None
            else {"provider": self.provider, "model": dict(self.listing)},
            "situation": self.saved,
        }


@dataclass(frozen=True)
class Proof:
    """The answer to one claim about one policy.

    `vacuous` says why a proved claim says nothing, None where it does. `why` are the reasons why
    it is undecided, `scope` what the answer covers, `notes` what else should be known.
    """

    policy: str
    claim: str
    outcome: Outcome
    vacuous: str | None = None
    example: Counterexample | None = None
    why: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "policy": self.policy,
            "claim": self.claim,
            "outcome": self.outcome,
            "vacuous": self.vacuous,
            "example": self.example.to_dict() if self.example else None,
            "why": list(self.why),
            "scope": list(self.scope),
            "notes": list(self.notes),
            "counts": dict(self.counts),
        }
