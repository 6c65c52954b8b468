"""Two rules have the same preference, and conditions that say the same in other words.

Wrong:
    policy: example
    rules:
      - {name: cheap, weight: 10, when: facts.tokens > `999`, prefer: price}
      - {name: thrifty, weight: 5, when: "!(facts.tokens < `1000`)", prefer: price}

Right:
    policy: example
    rules:
      - {name: cheap, weight: 15, when: facts.tokens > `999`, prefer: price}

Why: Together they are one rule with the sum of the weights. That they are one is hard to see, and
easily broken when one of the two conditions is changed. Where both are written alike,
`rule-duplicate` says so.
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
    from llmroute.lab.analysis.rules import same_rules
    from llmroute.lint.rules._analyses import conditions, constant_at, own_policies

    answers = conditions(project)
    for name, document in own_policies(project).items():
        own = {rule["name"]: index for index, rule in enumerate(document.data.get("rules") or ())}
        for first, second in same_rules(project.sources[name], answers):
            place = own.get(second.name, own.get(first.name))
            if place is None or constant_at(project, document, ("rules", place)):
                continue
            together = (first.weight + second.weight) / 1000
            yield document.diagnostic(
                RULE.name,
                f'"{first.name}" and "{second.name}" prefer the same, whenever either applies',
                ("rules", place, "name"),
                help=f"make them one rule of weight {together:g}, or mend one of them",
                severity="warning",
            )


RULE = Rule("rule-subsumed", "warning", _check, analyses=True)
