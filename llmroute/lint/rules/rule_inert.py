"""A rule never makes a difference: without it every order of targets is the same.

Wrong:
    policy: example
    rules:
      - {name: code first, weight: 20, prefer: facts.code}
      - {name: cheap, weight: 10, prefer: price}

Right:
    policy: example
    rules:
      - {name: code first, weight: 20, when: facts.code, prefer: quality}
      - {name: cheap, weight: 10, prefer: price}

Why: Only differences between targets decide. A rule that gives all of them the same points, or too
few to change anything, does not do what its name says. Only what is certain is said: for every
request, every measurement and every target that discovery may add.
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
    from llmroute.lab.analysis.rules import Known, inert_rules
    from llmroute.lint.rules._analyses import constant_at, fleet, own_policies

    known = fleet(project)
    seen: Known = {}
    for name, document in own_policies(project).items() if known else ():
        own = {rule["name"]: index for index, rule in enumerate(document.data.get("rules") or ())}
        for rule, why in inert_rules(project.sources[name], known, seen) if known else ():
            if rule not in own or constant_at(project, document, ("rules", own[rule])):
                continue
            yield document.diagnostic(
                RULE.name,
                f'"{rule}" never changes who wins: {why}',
                ("rules", own[rule], "name"),
                help="leave it out, or let it prefer something that targets differ in",
                severity="warning",
            )


RULE = Rule("rule-inert", "warning", _check, analyses=True)
