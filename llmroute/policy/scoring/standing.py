"""Who is out of service for now, as dispatch has seen it, and what hard budgets leave.

A decision leaves out who is out, and says why and until when. Two rules keep outages from
becoming one of the whole service: open circuits exclude only while at least half of the eligible
targets stay in (Envoy's panic threshold), and a used-up rate limit only while anybody else is
left. Otherwise those targets come after the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from llmroute.catalog.build import Problem
from llmroute.catalog.cost import nano_to_usd
from llmroute.catalog.model import Target
from llmroute.policy.scoring.estimate import Estimate
from llmroute.types import Request

__all__ = ["IN_SERVICE", "Allowance", "Outage", "OutageKind", "Standing", "allowed_to"]

#: `circuit`: too many calls failed. `limit`: a rate limit is used up.
OutageKind = Literal["circuit", "limit"]


@dataclass(frozen=True, slots=True)
class Outage(Problem):
    """Why a target is out for now; `until` is a time of the clock that dispatch goes by."""

    kind: OutageKind
    until: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One snapshot of who is out of service.

    `out` holds outages by target id; `problems` what else cannot be used for now, by target id or
    provider name; `ramping` maps a target that has just returned to the share of requests that
    it may take.
    """

    out: Mapping[str, Outage] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    ramping: Mapping[str, float] = field(default_factory=dict)


#: Everybody is in service.
IN_SERVICE = Standing()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a hard budget leaves until its period ends, in nano-dollars.

    Keys of its scope that are None match anything.
    """

    budget: str
    left: int
    until: datetime
    tag: str | None = None
    caller: str | None = None
    policy: str | None = None
    provider: str | None = None
    target: str | None = None

    def concerns(self, request: Request, policy: str) -> bool:
        """Whether a request under a policy counts against the budget."""
        return (
            (self.tag is None or self.tag in request.tags)
            and self.caller in (None, request.user)
            and self.policy in (None, policy)
        )

    def covers(self, target: Target) -> bool:
        """Whether calls to a target count against the budget."""
        return self.provider in (None, target.provider.name) and self.target in (None, target.id)

    def refusal(self, estimate: Estimate) -> str | None:
        """Return why an estimate may exceed what is left, or None; an unknown price does."""
        most = estimate.cost_max
        if most is not None and most <= max(self.left, 0):
            return None
        may = "what it may cost is unknown" if most is None else f"it may cost {_usd(most)}"
        end = f"{self.until:%Y-%m-%d %H:%M %Z}".strip()
        left = _usd(max(self.left, 0))
        return f'{may}; {left} of the budget "{self.budget}" is left until {end}'

    def help(self, estimate: Estimate) -> str:
        """Return what to do about a refusal."""
        if estimate.cost is None:
            return "declare its cost, which a hard budget must know"
        if estimate.cost_max is None:
            return "ask with max_tokens, or declare the model's max_output"
        return "raise its amount in llmroute.yaml, or ask with a smaller max_tokens"


def allowed_to(
    allowances: Iterable[Allowance], request: Request, policy: str
) -> tuple[Allowance, ...]:
    """Return the hard budgets that a request under a policy counts against."""
    return tuple(item for item in allowances if item.concerns(request, policy))


def _usd(nano: int) -> str:
    """Write money exactly: what is left and what may be spent often differ by little."""
    return f"${nano_to_usd(nano):f}"
