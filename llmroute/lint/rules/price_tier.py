"""A tier for long prompts leaves out a cache price that the model has below it.

Wrong:
    provider: example
    models:
      - model: small
        context_window: 1000000
        capabilities: {streaming: true}
        cost:
          input: 1
          output: 2
          cache_read: 0.1
          tiers: [{above: 200000, input: 2, output: 3}]
          date: "2026-11-01"

Right:
    provider: example
    models:
      - model: small
        context_window: 1000000
        capabilities: {streaming: true}
        cost:
          input: 1
          output: 2
          cache_read: 0.1
          tiers: [{above: 200000, input: 2, output: 3, cache_read: 0.2}]
          date: "2026-11-01"

Why: What a tier leaves out is not taken from below it: cached input and cache writes count there
as the tier's plain input, many times too dear or too cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._prices import priced

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

_CACHE = ("cache_read", "cache_write", "cache_write_1h")


def _check(project: Project) -> Iterator[Diagnostic]:
    for model, cost in priced(project):
        for index, tier in enumerate(cost.get("tiers") or ()):
            missing = [name for name in _CACHE if name in cost and name not in tier]
            if missing:
                message = (
                    f"above {tier['above']} tokens {model.name} has no {' and no '.join(missing)}"
                )
                help_text = "write the tier's own price; without it plain input counts there"
                place = ("cost", "tiers", index, "above")
                yield model.finding(RULE.name, message, *place, key=True, help=help_text)


RULE = Rule("price-tier", "warning", _check)
