"""Output costs less than input.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 10, output: 2, date: "2026-11-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 2, output: 10, date: "2026-11-01"}

Why: Hardly any vendor sells output for less than input: the two numbers may be exchanged.
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


def _check(project: Project) -> Iterator[Diagnostic]:
    for model, cost in priced(project):
        if cost["output"] < cost["input"]:
            message = f"output costs {cost['output']:g}, less than input ({cost['input']:g})"
            help_text = "are the two exchanged?"
            yield model.finding(
                RULE.name, message, "cost", "output", help=help_text, severity="note"
            )


RULE = Rule("price-output", "note", _check)
