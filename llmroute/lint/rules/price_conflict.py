"""Prices of a model contradict each other.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, cache_read: 10, date: "2026-11-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, cache_read: 0.1, date: "2026-11-01"}

Why: Reading from the prompt cache costs no more than plain input, and long prompts no less than
short ones. Two tiers with the same threshold, or one beyond the window, never come to hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import Model
from llmroute.lint.rules._prices import priced

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for model, cost in priced(project):
        yield from _cached(model, cost, ())
        tiers = cost.get("tiers") or ()
        for index, tier in enumerate(tiers):
            yield from _cached(model, tier, ("tiers", index))
            yield from _lower(model, index, tier, cost)
            yield from _threshold(model, index, tiers)


def _cached(
    model: Model, cost: Mapping[str, Any], path: tuple[str | int, ...]
) -> Iterator[Diagnostic]:
    if cost.get("cache_read", 0) > cost["input"]:
        message = (
            f"cached input costs {cost['cache_read']:g}, more than plain input ({cost['input']:g})"
        )
        help_text = "look at the price list: cache_read is at most input"
        yield model.finding(RULE.name, message, "cost", *path, "cache_read", help=help_text)


def _lower(
    model: Model, index: int, tier: Mapping[str, Any], cost: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    for name in ("input", "output"):
        if tier[name] < cost[name]:
            message = (
                f"above {tier['above']} tokens {name} costs {tier[name]:g}, less than the "
                f"{cost[name]:g} below it"
            )
            help_text = "are the tier and the base price the wrong way round?"
            yield model.finding(RULE.name, message, "cost", "tiers", index, name, help=help_text)


def _threshold(
    model: Model, index: int, tiers: Sequence[Mapping[str, Any]]
) -> Iterator[Diagnostic]:
    above, window = tiers[index]["above"], model.data.get("context_window")
    place = ("cost", "tiers", index, "above")
    if any(tier["above"] == above for tier in tiers[:index]):
        message = f"another tier begins above {above} tokens too: one of them never holds"
        yield model.finding(
            RULE.name, message, *place, help="give each tier a threshold of its own"
        )
    elif window is not None and above >= window:
        message = f"no prompt has more than {above} tokens: the window is {window}"
        yield model.finding(RULE.name, message, *place, help="mend the threshold or the window")


RULE = Rule("price-conflict", "warning", _check)
