"""A name under `let` that no expression reads.

Wrong:
    policy: example
    let:
      coding: facts.code
      long: facts.tokens > `20000`
    rules:
      - {name: strong, weight: 1, when: coding, prefer: quality}

Right:
    policy: example
    let:
      coding: facts.code
      long: facts.tokens > `20000`
    rules:
      - {name: strong, weight: 1, when: coding || long, prefer: quality}

Why: It does nothing. Often a rule was meant to read it, and reads something else.
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
    read: dict[str | None, set[str]] = {}
    for item in project.expressions():
        read.setdefault(item.policy, set()).update(item.expression.roots)
    for name, document in project.policies.items():
        family = [name, *_heirs(project, name)]
        if any(policy not in project.policies for policy in family):
            continue
        if any("@" in read.get(policy, ()) for policy in family):
            continue
        for let in document.data.get("let") or {}:
            if not any(let in read.get(policy, ()) for policy in family):
                yield document.diagnostic(
                    RULE.name,
                    f'nothing reads "{let}"',
                    ("let", let),
                    key=True,
                    help="read it in a `when`, `target` or `prefer`, or remove it",
                    severity="warning",
                )


def _heirs(project: Project, name: str) -> Iterator[str]:
    """Yield the policies that extend one, and those that extend them; broken ones count too."""
    for other, document in project.workspace.policies.items():
        if document.data.get("extends") == name and other != name:
            yield other
            yield from _heirs(project, other)


RULE = Rule("let-unused", "warning", _check)
