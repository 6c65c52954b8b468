"""A price does not hold today: it has ended, or has yet to begin.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, valid_until: "2025-06-30", date: "2026-11-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, valid_until: "2099-12-31", date: "2026-11-01"}

Why: Outside `valid_from` and `valid_until` a price counts as unknown: the model gets the worst
value for `price` and `cost`, and `max_cost` and hard budgets refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._prices import day, priced

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    today = project.today
    for model, cost in priced(project):
        first, last = day(cost.get("valid_from")), day(cost.get("valid_until"))
        if last is not None and last < today:
            message = f"the price of {model.name} held until {last}: it counts as unknown"
            help_text = "look up the price that holds now"
            yield model.finding(RULE.name, message, "cost", "valid_until", help=help_text)
        elif first is not None and first > today:
            message = f"the price of {model.name} holds from {first} on: until then it is unknown"
            help_text = "write the price that holds now"
            yield model.finding(RULE.name, message, "cost", "valid_from", help=help_text)


RULE = Rule("price-expired", "warning", _check)
