"""Sizes of a model contradict each other.

Wrong:
    provider: example
    models:
      - {model: small, context_window: 8000, max_output: 16000, capabilities: {streaming: true},
         cost: {input: 1, output: 2, date: "2026-11-01"}}

Right:
    provider: example
    models:
      - {model: small, context_window: 16000, max_output: 8000, capabilities: {streaming: true},
         cost: {input: 1, output: 2, date: "2026-11-01"}}

Why: Prompt and answer share the window, so an answer is never longer than that; and a usual answer
is no longer than the longest. One of the two numbers is wrong, and requests are routed by it.
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

#: The smaller and the larger of each pair.
_PAIRS = (
    ("max_output", "context_window"),
    ("typical_output", "max_output"),
    ("typical_output", "context_window"),
)


def _check(project: Project) -> Iterator[Diagnostic]:
    for model in models(project):
        for smaller, larger in _PAIRS:
            least, most = model.data.get(smaller), model.data.get(larger)
            if least is None or most is None or least <= most:
                continue
            message = f"{smaller} of {model.name} is {least}, more than its {larger} of {most}"
            help_text = f"one of the two is wrong: {smaller} is at most {larger}"
            key = smaller if smaller in model.own or larger not in model.own else larger
            yield model.finding(RULE.name, message, key, help=help_text)
            break


RULE = Rule("limit-conflict", "warning", _check)
