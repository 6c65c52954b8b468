"""One rule weighs 20 times as much as all others of the policy together, or more.

Wrong:
    policy: example
    rules:
      - {name: cheap, weight: 400, prefer: price}
      - {name: good, weight: 10, prefer: quality}
      - {name: fast, weight: 5, prefer: {latency: {half: 2s}}}

Right:
    policy: example
    rules:
      - {name: cheap, weight: 40, prefer: price}
      - {name: good, weight: 10, prefer: quality}
      - {name: fast, weight: 5, prefer: {latency: {half: 2s}}}

Why: The others can only decide where the heavy rule makes next to no difference. From 1,000 times
on they are taken to be meant for ties alone, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

#: From how many times the others' weights on a rule drowns them, and from where on it is meant.
_LEAST, _MEANT = 20, 1000


def _check(project: Project) -> Iterator[Diagnostic]:
    for name, document in project.policies.items():
        weights = {rule.name: abs(rule.weight) for rule in project.sources[name].rules}
        total = sum(weights.values())
        for index, rule in enumerate(document.data.get("rules") or ()):
            own = weights[rule["name"]]
            others = total - own
            if not others or not _LEAST * others <= own < _MEANT * others:
                continue
            yield document.diagnostic(
                RULE.name,
                f'"{rule["name"]}" weighs {own // others} times as much as all others together',
                ("rules", index, "weight"),
                help=f"the others weigh {others / 1000:g} together; bring the weights nearer",
                severity="note",
            )


RULE = Rule("weight-drowns", "note", _check)
