"""What the rules about prices share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from llmroute.lint.rules._models import Model, models

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RATES", "day", "priced", "rates", "today_of"]

#: The prices per million tokens, by their keys.
RATES = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


def priced(project: Project) -> Iterator[tuple[Model, Mapping[str, Any]]]:
    """Yield every model that has a price, with the price; one under `defaults` once."""
    seen: set[str] = set()
    for model in models(project):
        cost = model.data.get("cost")
        shared = "cost" not in model.own
        if not cost or (shared and model.document.label in seen):
            continue
        if shared:
            seen.add(model.document.label)
        yield model, cost


def rates(cost: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], float]]:
    """Yield every price per million tokens with its path under `cost`, tiers included."""
    for name in RATES:
        if name in cost:
            yield (name,), cost[name]
    for index, tier in enumerate(cost.get("tiers") or ()):
        for name in RATES:
            if name in tier:
                yield ("tiers", index, name), tier[name]


def today_of(project: Project) -> date:
    """Return the day that prices are judged by."""
    return project.today


def day(text: str | None) -> date | None:
    """Return a day of a file that passed its checks."""
    return date.fromisoformat(text) if text else None
