"""A model in the cloud has no price.

Wrong:
    provider: example
    models:
      - {model: small, capabilities: {streaming: true}}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, source: https://example.com/prices, date: "2026-11-01"}

Why: An unknown price is never taken for 0: `price` and `cost` give such a model the worst value,
and `max_cost` and hard budgets refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import models

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for model in models(project):
        if model.number is not None and model.cloud and not model.data.get("cost"):
            message = f"the price of {model.name} is unknown"
            help_text = "write cost: {input: …, output: …, source: …, date: …}, in USD per million"
            yield model.finding(RULE.name, message, help=help_text)


RULE = Rule("price-missing", "warning", _check)
