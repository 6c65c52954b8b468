"""A model has no capability at all, not even streaming.

Wrong:
    provider: example
    models:
      - {model: small, context_window: 8000, cost: {input: 1, output: 2, date: "2026-11-01"}}

Right:
    provider: example
    models:
      - model: small
        context_window: 8000
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, date: "2026-11-01"}

Why: A capability that is not declared is off. Such a model gets no request that streams, offers
tools, carries an image or asks for an answer after a schema.
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
        declared = model.data.get("capabilities")
        if model.number is None or model.discovered or any((declared or {}).values()):
            continue
        if declared and set(declared.values()) == {False} and "streaming" in declared:
            continue  # said, not forgotten
        message = f"{model.name} has no capability: it gets plain requests only"
        help_text = "declare what it can do, such as capabilities: {streaming: true}"
        yield model.finding(RULE.name, message, help=help_text, severity="note")


RULE = Rule("capabilities-none", "note", _check)
