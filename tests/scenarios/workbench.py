"""What the scenario tests share: loading a workspace folder, and reading a decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from llmroute import Router
from llmroute.catalog import Catalog
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.plan import Plan
from llmroute.errors import ErrorKind, TargetError
from llmroute.policy import Decision, Surroundings
from llmroute.policy.scoring.live import LiveView, Priors

__all__ = [
    "HERE",
    "NOW",
    "Clock",
    "chance",
    "costs",
    "decide",
    "load",
    "order",
    "parts",
    "scores",
    "walk",
]

HERE = Path(__file__).parent
#: A Sunday afternoon.
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


class Clock:
    """A monotonic clock that stands still until a test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def chance(seed: int) -> Random:
    """Return a source of chance that gives the same from run to run."""
    return Random(seed)


def load(name: str, environment: Mapping[str, str] | None = None, **options: Any) -> Router:
    """Load one of the folders beside this file; nothing of the process's environment counts."""
    return Router.load(HERE / name, environment=environment or {}, now=lambda: NOW, **options)


def decide(
    router: Router,
    *,
    policy: str | None = None,
    catalog: Catalog | None = None,
    live: LiveView | LiveState | None = None,
    now: datetime = NOW,
    random: Random | None = None,
    **fields: Any,
) -> Decision:
    """Decide as the router does, with the catalogue, live state, time and chance of a test."""
    known = catalog or router.catalog
    return router.policy(policy).decide(
        router.request(fields.pop("prompt", "hello"), **{"input_tokens": 1000, **fields}),
        known.targets,
        around=Surroundings(now, live or Priors()),
        problems=known.problems,
        random=random,
    )


def scores(decision: Decision) -> list[tuple[str, int]]:
    """Return the ranking as ids and micro-points, having checked that each is its parts' sum."""
    for item in decision.ranking:
        assert item.score == sum(part.points for part in item.contributions), item.target.id
    return [(item.target.id, item.score) for item in decision.ranking]


def order(decision: Decision) -> list[str]:
    """Return the ids of the ranking, best first."""
    return [target.id for target in decision.targets]


def parts(decision: Decision, target_id: str) -> dict[str, int]:
    """Return what each rule gave a target, in micro-points."""
    (item,) = (ranked for ranked in decision.ranking if ranked.target.id == target_id)
    return {part.rule: part.points for part in item.contributions}


def costs(decision: Decision) -> dict[str, tuple[int | None, int | None]]:
    """Return the expected and the highest cost of each ranked target, in nano-dollars."""
    return {
        item.target.id: (item.estimate.cost, item.estimate.cost_max) for item in decision.ranking
    }


def walk(decision: Decision, *kinds: ErrorKind) -> list[str]:
    """Return who is called, in order, where every call fails; the last kind goes on for ever."""
    plan, asked = Plan(decision), []
    while step := plan.next():
        asked.append(step.target.id)
        kind = kinds[min(len(asked), len(kinds)) - 1]
        plan.failed(step, TargetError(kind, "scripted"))
    return asked
