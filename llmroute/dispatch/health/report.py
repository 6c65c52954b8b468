"""What is known of a target's health, for people and for what watches a router."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from llmroute.catalog.build import Catalog, Problem
from llmroute.catalog.model import Target
from llmroute.dispatch.health.breaker import Circuit
from llmroute.dispatch.health.health import Health
from llmroute.dispatch.live import LiveState

__all__ = ["TargetHealth", "report"]


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """One target as a router knows it at this moment, from its own calls and files alone.

    Whether it is `in_service`; else `reason`, what to do (`help`), and `until` when, None where
    nobody knows. A target out of service is still asked where too few others are left.

    `circuit` is that of the target or of its host, whichever is worse; `share` is the share of
    requests that it may take, below 1 after it returned. `requests_left` and `tokens_left` are
    what its declared `rpm` and `tpm` allow now, `places_left` what its `concurrency` does; None
    where none is declared. `quotas` are the free shares of the limits that its provider announced
    last, by their names. Whoever shares a limit (`limits.pool`) shares all of these.

    `first_token` (seconds), `tokens_per_second` and `success` (0..1) are what decisions go by:
    measurements over priors, of which `observations` calls are known, older ones counting less.
    """

    target: str
    in_service: bool
    reason: str | None
    help: str | None
    until: datetime | None
    circuit: Circuit
    share: float
    requests_left: int | None
    tokens_left: int | None
    places_left: int | None
    quotas: Mapping[str, float]
    in_flight: int
    first_token: float
    tokens_per_second: float
    success: float
    observations: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data in a fixed order; times are ISO 8601, figures have six decimals."""
        data = {name: _rounded(getattr(self, name)) for name in self.__dataclass_fields__}
        until = self.until.isoformat() if self.until else None
        quotas = {name: _rounded(free) for name, free in self.quotas.items()}
        return {**data, "until": until, "quotas": quotas}


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def report(catalog: Catalog, health: Health, live: LiveState) -> tuple[TargetHealth, ...]:
    """Put together what is known of every target."""
    return tuple(_of(target, catalog.problem(target), health, live) for target in catalog.targets)


def _of(target: Target, problem: Problem | None, health: Health, live: LiveState) -> TargetHealth:
    """Put together what is known of a target; `problem` is what its files and server say."""
    seen, facts = health.seen(target), live.of(target)
    out, until = (problem, None) if problem else (seen.out, seen.until)
    return TargetHealth(
        target=target.id,
        in_service=out is None,
        reason=out.reason if out else None,
        help=out.help if out else None,
        until=until,
        circuit=seen.circuit,
        share=seen.share,
        requests_left=seen.left.requests,
        tokens_left=seen.left.tokens,
        places_left=live.places(target),
        quotas=seen.left.quotas,
        in_flight=facts.in_flight,
        first_token=facts.first_token,
        tokens_per_second=facts.tokens_per_second,
        success=facts.success,
        observations=facts.observations,
    )
