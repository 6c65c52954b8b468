"""A price was looked up more than 180 days ago, or nobody knows when.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, source: https://example.com/prices, date: "2024-01-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 0, output: 0, source: a trial without end}

Why: Prices of models change several times a year, and routing is as good as they are. What costs
nothing needs no date.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._prices import day, priced, rates

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

_DAYS = 180


def _check(project: Project) -> Iterator[Diagnostic]:
    today = project.today
    for model, cost in priced(project):
        dated = day(cost.get("date"))
        if not any(price for _, price in rates(cost)):
            continue
        if dated is None:
            message = f"nothing says when the price of {model.name} was looked up"
            help_text = f'write date: "{today}" once you have, and source'
            yield model.finding(
                RULE.name, message, "cost", key=True, help=help_text, severity="note"
            )
        elif (today - dated).days > _DAYS:
            message = f"the price of {model.name} is {(today - dated).days} days old"
            help_text = f"look it up again{_where(cost.get('source'))}, and mend the date"
            yield model.finding(RULE.name, message, "cost", "date", help=help_text)
        elif dated > today:
            message = f"the price of {model.name} was looked up on {dated}, which is to come"
            yield model.finding(RULE.name, message, "cost", "date", help="mend the date")


def _where(source: str | None) -> str:
    return f" at {source}" if source and source.startswith("http") else ""


RULE = Rule("price-stale", "warning", _check)
