"""The prices of cache writes contradict each other, or the usual one is missing.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, cache_read: 0.1, cache_write: 2, cache_write_1h: 1.25,
               date: "2026-11-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, cache_read: 0.1, cache_write: 1.25, cache_write_1h: 2,
               date: "2026-11-01"}

Why: Keeping a prompt for an hour costs no less than keeping it for minutes, and writing it no less
than reading it again. A rate that is left out counts as plain input, so the longer write alone
leaves the usual one too cheap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import Model
from llmroute.lint.rules._prices import priced

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

#: What costs less, what costs at least as much, and what to call the two.
_PAIRS = (
    ("cache_write", "cache_write_1h", "the longer cache write", "the shorter one"),
    ("cache_read", "cache_write", "a cache write", "a read"),
)


def _check(project: Project) -> Iterator[Diagnostic]:
    for model, cost in priced(project):
        yield from _of(model, cost, ())
        for index, tier in enumerate(cost.get("tiers") or ()):
            yield from _of(model, tier, ("tiers", index))


def _of(model: Model, cost: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Diagnostic]:
    for less, more, what, other in _PAIRS:
        if less in cost and more in cost and cost[more] < cost[less]:
            message = f"{what} costs {cost[more]:g}, less than {other} ({cost[less]:g})"
            help_text = "are the two exchanged?"
            yield model.finding(RULE.name, message, "cost", *path, more, help=help_text)
    if "cache_write_1h" in cost and "cache_write" not in cost:
        message = f"{model.name} has a price for the longer cache write and none for the usual one"
        help_text = "write cache_write; without it a write counts as plain input"
        place = ("cost", *path, "cache_write_1h")
        yield model.finding(RULE.name, message, *place, key=True, help=help_text)


RULE = Rule("price-cache", "warning", _check)
