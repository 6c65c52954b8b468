"""One tiny real completion per provider, to see whether it answers.

A reasoning model may spend a small allowance on thinking and then say nothing, so it gets a
larger one; the prompt keeps the answer short.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmroute.catalog.model import Provider, Target
from llmroute.errors import LlmrouteError, RouteFailed

if TYPE_CHECKING:
    from llmroute.policy.policy import Policy
    from llmroute.router import Router

__all__ = ["Probe", "probe", "probe_target"]

PROMPT = "Say OK."
_TOKENS, _REASONING_TOKENS = 16, 512
#: Seconds that one provider may take, a model's loading included.
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of one call: `text` of the answer, or `error`; seconds; USD where known."""

    provider: str
    target: str | None
    text: str | None
    error: str | None
    seconds: float
    cost: Decimal | None = None

    @property
    def record(self) -> dict[str, Any]:
        """The plain data of the probe."""
        return {**asdict(self), "cost": None if self.cost is None else f"{self.cost:f}"}


def probe(router: Router, providers: Iterable[Provider]) -> Iterator[Probe]:
    """Call one model of each provider, one after the other."""
    for provider in providers:
        target = probe_target(router, provider)
        if target is None:
            yield Probe(provider.name, None, None, "it has no model that can be used", 0.0)
        else:
            yield _called(router, target)


def probe_target(router: Router, provider: Provider) -> Target | None:
    """Return the model to call: usable, in memory rather than not, the cheapest, the smallest."""
    catalog = router.catalog
    usable = [
        target
        for target in catalog.targets
        if target.provider.name == provider.name and catalog.problem(target) is None
    ]
    return min(usable, key=_preference, default=None)


def _preference(target: Target) -> tuple[bool, float, float, str]:
    price = target.price.tiers[0].output if target.price else math.inf
    return (target.loaded is False, price, target.parameters or math.inf, target.id)


def _plain_policy() -> Policy:
    """Return a policy that requires nothing and asks once: a probe is about the provider."""
    from llmroute.policy.policy import Policy
    from llmroute.policy.source import Fallback, PolicySource

    return Policy(PolicySource("check", fallback=Fallback(attempts=1)))


def _called(router: Router, target: Target) -> Probe:
    name = target.provider.name
    tokens = _REASONING_TOKENS if target.capabilities.reasoning else _TOKENS
    try:
        response = router.complete(
            PROMPT, target=target.id, max_tokens=tokens, timeout=_PATIENCE, policy=_plain_policy()
        )
    except LlmrouteError as exc:
        took = sum(item.duration for item in exc.attempts) if isinstance(exc, RouteFailed) else 0.0
        return Probe(name, target.id, None, str(exc), took)
    took = sum(item.duration for item in response.attempts)
    text = response.text or response.refusal or ""
    return Probe(name, target.id, text.strip(), None, took, response.cost)
