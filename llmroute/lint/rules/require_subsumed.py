"""A requirement rejects nobody whom another one does not reject already.

Wrong:
    policy: example
    require:
      - {name: large, target: target.context_window >= `100000`}
      - {name: larger, target: target.context_window >= `200000`}

Right:
    policy: example
    require:
      - {name: larger, target: target.context_window >= `200000`}

Why: It looks as if it protected something, and changes nothing. Perhaps it was meant to say
something else, or the other one is to go. A requirement of `llmroute.yaml` holds for every policy,
so a policy need not repeat it.
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
    from llmroute.lab.analysis.requires import subsuming
    from llmroute.lint.rules._analyses import conditions, own_policies, own_requirements

    answers = conditions(project)
    for name in own_policies(project):
        source = project.sources[name]
        for document, path, place in own_requirements(project, name):
            other = subsuming(source, place, answers)
            if other is None:
                continue
            where = " of the workspace" if other.origin == "workspace" else ""
            yield document.diagnostic(
                RULE.name,
                f'"{source.require[place].name}" rejects nobody whom "{other.name}"{where} '
                "does not reject",
                (*path, "name"),
                help="leave it out, or write what was meant",
                severity="warning",
            )


RULE = Rule("require-subsumed", "warning", _check, analyses=True)
