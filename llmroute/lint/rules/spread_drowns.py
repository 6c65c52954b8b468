"""`spread` is as large as all weights together, so that every target counts as nearly the best.

Wrong:
    policy: example
    rules:
      - {name: cheap, weight: 10, prefer: price}
      - {name: good, weight: 10, prefer: quality}
    select: {spread: 20}

Right:
    policy: example
    rules:
      - {name: cheap, weight: 10, prefer: price}
      - {name: good, weight: 10, prefer: quality}
    select: {spread: 2}

Why: Among targets within `spread` points of the best one, chance and load decide. No two targets
can be further apart than the sum of the weights, so the rules decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for name, document in project.policies.items():
        source = project.sources[name]
        reach = sum(abs(rule.weight) for rule in source.rules)
        own = "spread" in (document.data.get("select") or {})
        if own and reach and source.select.spread >= reach * 1000:
            yield document.diagnostic(
                RULE.name,
                f"all weights together are {reach / 1000:g} points: every target is within spread",
                ("select", "spread"),
                help="write the points that are worth no difference, such as 1",
                severity="warning",
            )


RULE = Rule("spread-drowns", "warning", _check)
