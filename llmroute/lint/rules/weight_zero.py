"""A rule has the weight 0, so it never gives a point.

Wrong:
    policy: example
    rules:
      - {name: fast, weight: 0, prefer: {latency: {half: 2s}}}

Right:
    policy: example
    rules:
      - {name: fast, weight: 10, prefer: {latency: {half: 2s}}}

Why: A rule without weight is only read, never felt. In a policy that extends another, 0 is the way
to switch off a rule of the same name, and is no finding there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic, did_you_mean
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for document in project.policies.values():
        base = document.data.get("extends")
        inherited = {rule.name for rule in project.sources[base].rules} if base else set()
        for index, rule in enumerate(document.data.get("rules") or ()):
            if rule["weight"] != 0 or rule["name"] in inherited:
                continue
            meant = did_you_mean(rule["name"], inherited)
            yield document.diagnostic(
                RULE.name,
                f'the rule "{rule["name"]}" has the weight 0: it never gives a point',
                ("rules", index, "weight"),
                help=meant or "give it a weight, or remove it",
                severity="warning",
            )


RULE = Rule("weight-zero", "warning", _check)
