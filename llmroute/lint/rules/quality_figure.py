"""A figure of quality that is hardly a published one: 0, 1, or the same for every model.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        quality: {default: 1, source: https://example.com/scores, date: "2026-11-01"}
        cost: {input: 1, output: 2, date: "2026-11-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        quality: {default: 0.62, source: https://example.com/scores, date: "2026-11-01"}
        cost: {input: 1, output: 2, date: "2026-11-01"}

Why: No benchmark finds a model perfect or useless at everything, and a figure under `defaults`
gives models the same quality that no two have. Leave quality out where nothing is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import models

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for document in project.providers.values():
        yield from _shared(document)
    for model in models(project):
        quality = model.own.get("quality") or {}
        for name, value in quality.items():
            if name in ("source", "date") or value not in (0, 1):
                continue
            said = "perfect" if value == 1 else "useless"
            message = f"a quality of {value:g} says that {model.name} is {said}"
            help_text = "write the published figure, or leave it out"
            yield model.finding(
                RULE.name, message, "quality", name, help=help_text, severity="note"
            )


def _shared(document: Document) -> Iterator[Diagnostic]:
    figures = (document.data.get("defaults") or {}).get("quality")
    heirs = [one for one in document.data.get("models") or () if "quality" not in one]
    if figures and (len(heirs) > 1 or "discover" in document.data):
        message = "every model of this provider gets the same figures of quality"
        help_text = "write quality at the models for which it was published"
        yield document.diagnostic(
            RULE.name, message, ("defaults", "quality"), key=True, help=help_text, severity="note"
        )


RULE = Rule("quality-figure", "note", _check)
