"""An expression reads a budget that `llmroute.yaml` does not declare.

Wrong:
    # llmroute.yaml
    budgets: [{name: team, period: month, amount: 200}]
    # policies/example.yaml
    policy: example
    rules:
      - {name: thrifty, weight: 1, when: budget.taem > `0.8`, prefer: price}

Right:
    # llmroute.yaml
    budgets: [{name: team, period: month, amount: 200}]
    # policies/example.yaml
    policy: example
    rules:
      - {name: thrifty, weight: 1, when: budget.team > `0.8`, prefer: price}

Why: The spent share of a budget that is not there is null, and so the condition never holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic, did_you_mean
from llmroute.lint.registry import Rule
from llmroute.lint.types_of import each
from llmroute.policy.expressions.expression import field_chains

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    if project.settings_document is None:
        return
    known = [budget["name"] for budget in project.settings.get("budgets", ())]
    for item, typed in each(project):
        for chain in field_chains(typed.tree):
            if chain[0].get("value") != "budget" or len(chain) < 2 or chain[1]["value"] in known:
                continue
            start, end = typed.places.span(chain[1])
            name = chain[1]["value"]
            listed = f"declared are {', '.join(known)}" if known else "none is declared"
            yield item.finding(
                RULE.name,
                f'there is no budget "{name}" in llmroute.yaml: this is always null',
                column=start,
                length=end - start,
                help=did_you_mean(name, known) or listed,
            )


RULE = Rule("unknown-budget", "warning", _check)
