"""Something stands behind `target` in `tie_break`, where no tie is left.

Wrong:
    policy: example
    select: {tie_break: [target, cost]}

Right:
    policy: example
    select: {tie_break: [cost, target]}

Why: `target` compares ids, and no two targets have the same one: what follows never decides.
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
    for document in project.policies.values():
        order = (document.data.get("select") or {}).get("tie_break") or []
        if "target" not in order[:-1]:
            continue
        after = order[order.index("target") + 1 :]
        yield document.diagnostic(
            RULE.name,
            f"{', '.join(after)} never decides: no two targets have the same id",
            ("select", "tie_break", order.index("target") + 1),
            help=f"write [{', '.join([*(o for o in order if o != 'target'), 'target'])}]",
            severity="warning",
        )


RULE = Rule("tie-break-order", "warning", _check)
