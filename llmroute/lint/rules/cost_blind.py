"""A rule over price or cost gives nearly the same points to all targets.

Wrong:
    policy: example
    rules:
      - {name: cheap, weight: 50, prefer: {cost: {half: 10}}}
      - {name: good, weight: 5, prefer: quality}

Right:
    policy: example
    rules:
      - {name: cheap, weight: 50, prefer: {cost: {half: 0.002}}}
      - {name: good, weight: 5, prefer: quality}

Why: Where `half` is far from what requests cost, half / (half + cost) is next to 1, or next to 0,
for the cheapest target and the dearest alike: the weight promises what the rule does not do. It is
found where the points vary by less than a tenth of the weight over the targets that have a price,
for requests of 300 tokens in and 10 out, of 1,500 and 400, and of 50,000 and 1,000.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lab.analysis.costs import Blind
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    from llmroute.lab.analysis.costs import Costs
    from llmroute.lint.rules._analyses import own_policies

    costs = Costs(project.targets, project.today) if project.targets else None
    for name, document in own_policies(project).items() if costs else ():
        known = {rule.name: rule for rule in project.sources[name].rules}
        for index, data in enumerate(document.data.get("rules") or ()):
            rule = known[data["name"]]
            found = costs.blind(rule) if costs else None
            if found:
                yield document.diagnostic(
                    RULE.name,
                    _message(rule.name, found),
                    ("rules", index, "prefer"),
                    help=_help(found, price=rule.prefer == "price"),
                    severity="warning",
                )


def _message(name: str, found: Blind) -> str:
    few, usual, many = (f"{share:.1%}" for share in found.shares)
    return (
        f'the points of "{name}" hardly vary over the priced targets: by {few} of the weight at '
        f"300 tokens in and 10 out, {usual} at 1,500 and 400, {many} at 50,000 and 1,000"
    )


def _help(found: Blind, *, price: bool) -> str:
    usual = f"half: {found.half:g} would make it {found.better:.0%} at 1,500 and 400"
    if price:
        return f"the prices are close; with prefer: {{cost: {{half}}}}, {usual}"
    return f"{usual}; or use prefer: price"


RULE = Rule("cost-blind", "warning", _check, analyses=True)
