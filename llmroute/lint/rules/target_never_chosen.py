"""No policy ever chooses a model: none lets it through, or another is always ahead.

Wrong:
    policy: example
    require:
      - {name: ours, target: target.provider == 'home'}
    rules:
      - {name: cheap, weight: 10, prefer: price}

Right:
    policy: example
    require:
      - {name: ours, when: request.metadata.privacy == 'private', target: target.provider == 'home'}
    rules:
      - {name: cheap, weight: 10, prefer: price}

Why: It costs attention, a key and upkeep, and is never called, or only where a caller names it or
another has failed. Perhaps a policy was meant to use it. It is looked at together with every policy
of the workspace, for every request and measurement, all targets being usable. Where it is let
through and only always behind, this is a note: it may be meant as a fallback.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lab.analysis.targets import Never
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    from llmroute.lab.analysis.targets import never_chosen
    from llmroute.lint.rules._analyses import fleet
    from llmroute.lint.rules._models import models

    known = fleet(project)
    if known is None or len(project.policies) < len(project.workspace.policies):
        return
    found = {item.target.id: item for item in never_chosen(tuple(project.sources.values()), known)}
    for model in models(project) if found else ():
        never = found.get(f"{model.document.data['provider']}/{model.name}")
        if never is not None:
            yield model.finding(
                RULE.name,
                _message(never),
                help=_help(never),
                severity="warning" if never.barred else "note",
            )


def _message(never: Never) -> str:
    reasons = list(never.reasons.values())
    more = len(reasons) - 1
    others = f"; so it is under {more} other polic{'y' if more == 1 else 'ies'}" if more else ""
    return f"no policy ever chooses {never.target.id}: {reasons[0]}{others}"


def _help(never: Never) -> str:
    if never.barred:
        return "let a policy use it, or leave the model out"
    return "leave it in as a fallback, or let a rule prefer it where it is better"


RULE = Rule("target-never-chosen", "warning", _check, analyses=True)
