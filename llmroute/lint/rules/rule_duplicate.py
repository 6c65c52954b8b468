"""Two rules of a policy have the same condition and the same preference.

Wrong:
    policy: example
    rules:
      - {name: cheap, weight: 10, prefer: price}
      - {name: thrifty, weight: 5, prefer: price}

Right:
    policy: example
    rules:
      - {name: cheap, weight: 15, prefer: price}

Why: Together they are one rule with the sum of the weights. One of the two is easily forgotten
when the other is changed, or was meant to say something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.policy.expressions.parsing import parse_expression
from llmroute.policy.scoring.preferences import BUILT_IN

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for name, document in project.policies.items():
        own = {rule["name"]: index for index, rule in enumerate(document.data.get("rules") or ())}
        first: dict[str, str] = {}
        for rule in project.sources[name].rules:
            meaning = _meaning(rule.when, rule.prefer)
            other = first.setdefault(meaning, rule.name)
            place = own.get(rule.name, own.get(other))
            if other == rule.name or place is None:
                continue
            yield document.diagnostic(
                RULE.name,
                f'the rules "{other}" and "{rule.name}" have the same condition and preference',
                ("rules", place, "name"),
                help="make them one rule with the sum of the weights, or mend one of them",
                severity="warning",
            )


def _meaning(when: str | None, prefer: str | Mapping[str, Any]) -> str:
    """Return a text that is equal for rules that mean the same."""
    parts = [None if when is None else _tree(when)]
    written = isinstance(prefer, str) and prefer not in BUILT_IN
    parts.append(_tree(str(prefer)) if written else prefer)
    return json.dumps(parts, sort_keys=True, default=str)


def _tree(text: str) -> Any:
    return parse_expression(text).parsed


RULE = Rule("rule-duplicate", "warning", _check)
