"""Two requirements that hold together have the same name.

Wrong:
    # llmroute.yaml
    require:
      - {name: stays home, when: facts.code, target: target.locality == 'local'}
    # policies/example.yaml
    policy: example
    require:
      - {name: stays home, target: target.context_window >= `8000`}

Right:
    # llmroute.yaml
    require:
      - {name: stays home, when: facts.code, target: target.locality == 'local'}
    # policies/example.yaml
    policy: example
    require:
      - {name: has room, target: target.context_window >= `8000`}

Why: Requirements are added, never replaced: both hold. Explanations and tests name the requirement
that rejected a target, and with one name for two nobody can tell which it was.
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
    workspace = {item["name"] for item in project.settings.get("require") or ()}
    for document in project.policies.values():
        base = document.data.get("extends")
        inherited = {item.name for item in project.sources[base].require} if base else workspace
        for index, item in enumerate(document.data.get("require") or ()):
            if item["name"] not in inherited:
                continue
            where = "llmroute.yaml" if item["name"] in workspace else "a policy that it extends"
            yield document.diagnostic(
                RULE.name,
                f'{where} has a requirement "{item["name"]}" too; both hold',
                ("require", index, "name"),
                help="give it a name of its own",
                severity="warning",
            )


RULE = Rule("require-name", "warning", _check)
