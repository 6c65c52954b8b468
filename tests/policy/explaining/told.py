"""Decisions to explain: policies from plain data, targets, and a live view that is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmroute.catalog import Target
from llmroute.policy import CompiledPolicy, Decision, PolicySource, Surroundings, decide
from llmroute.policy.scoring.live import LiveFacts, Priors
from llmroute.policy.source import policy_source
from llmroute.types import Request

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


class Told(Priors):
    """A live view that answers what a test says, else the priors."""

    def __init__(self, facts: Mapping[str, LiveFacts] | None = None) -> None:
        self.facts = facts or {}

    def of(self, target: Target) -> LiveFacts:
        return self.facts.get(target.id) or super().of(target)


def source(**data: Any) -> PolicySource:
    return policy_source("p", {"p": {"policy": "p", **data}})


def decided(
    policy: PolicySource,
    targets: Sequence[Target],
    live: Priors | None = None,
    random: Any = None,
    **fields: Any,
) -> Decision:
    request = Request.of(fields.pop("prompt", "hi"), **{"input_tokens": 1000, **fields})
    around = Surroundings(NOW, live or Priors())
    return decide(CompiledPolicy(policy, targets), request, around, random=random)
