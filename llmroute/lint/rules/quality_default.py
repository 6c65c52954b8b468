"""Figures of quality hold for some tasks, and for all others there is none.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        quality: {defualt: 0.62, source: https://example.com/scores, date: "2026-11-01"}
        cost: {input: 1, output: 2, date: "2026-11-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        quality: {default: 0.62, source: https://example.com/scores, date: "2026-11-01"}
        cost: {input: 1, output: 2, date: "2026-11-01"}

Why: Every key but `default`, `source` and `date` names a task, a misspelt one too. At tasks without
a figure an unknown quality counts as the worst, so most requests pass the model over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic, did_you_mean
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import models

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

_OWN = ("default", "source", "date")


def _check(project: Project) -> Iterator[Diagnostic]:
    for model in models(project):
        quality = model.data.get("quality") or {}
        tasks = [name for name in quality if name not in _OWN]
        if not quality or "default" in quality:
            continue
        known = f" but {' and '.join(tasks)}" if tasks else ""
        message = f"the quality of {model.name} is unknown at every task{known}"
        hints = ((name, hint) for name in tasks if (hint := did_you_mean(name, _OWN)))
        misspelt, meant = next(hints, (None, "write default: the figure for all other tasks"))
        keys = ("quality", misspelt) if misspelt else ("quality",)
        yield model.finding(RULE.name, message, *keys, key=True, help=meant)


RULE = Rule("quality-default", "warning", _check)
