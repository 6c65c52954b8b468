"""No target meets a requirement, so that it refuses every request that it is about.

Wrong:
    policy: example
    require:
      - {name: ours, target: target.provider == 'home' && target.capabilities.vision}

Right:
    policy: example
    require:
      - {name: ours, target: target.provider == 'home'}

Why: The router has no target left for such a request. To refuse requests on purpose, write the
condition under `when`, and target: "`false`". Nothing is said where a server that is asked for its
models may list one that meets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.policy.expressions.expression import Expression
from llmroute.policy.source import PolicySource, policy_source

if TYPE_CHECKING:
    from llmroute.config.document import Document
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    from llmroute.lab.analysis.requires import unmet
    from llmroute.lint.rules._analyses import conditions, constant_at, discovering, fleet

    known, answers, adding = fleet(project), conditions(project), discovering(project)
    if known is None:
        return
    done: dict[object, Mapping[tuple[str, ...], Any] | None] = {}
    for document, path, source, place in _requirements(project):
        item = source.require[place]
        if not Expression(item.target).roots or constant_at(project, document, path):
            continue
        key = (item.when, item.target, tuple(source.let.items()))
        if key not in done:
            done[key] = unmet(source, place, known, answers, adding)
        found = done[key]
        if found is not None:
            yield document.diagnostic(
                RULE.name,
                f'no target meets "{item.name}": it refuses {_shown(found)}',
                (*path, "target"),
                help="add a target that meets it, or ask for less",
                severity="warning",
            )


def _requirements(
    project: Project,
) -> Iterator[tuple[Document, tuple[str | int, ...], PolicySource, int]]:
    """Yield every requirement where it stands, with the policy and its place there."""
    from llmroute.lint.rules._analyses import own_policies, own_requirements

    settings = project.settings_document
    shared = (settings.data.get("require") or ()) if settings else ()
    everywhere = policy_source("", {"": {}}, shared)
    for index in range(len(shared)):
        if settings:
            yield settings, ("require", index), everywhere, index
    for name in own_policies(project):
        for document, path, place in own_requirements(project, name):
            yield document, path, project.sources[name], place


def _shown(values: Mapping[tuple[str, ...], Any]) -> str:
    if not values:
        return "every request"
    said = ", ".join(f"{'.'.join(path)} = {value!r}" for path, value in values.items())
    return f"requests such as those with {said}"


RULE = Rule("require-unmet", "warning", _check, analyses=True)
