"""The rules that only lint knows: what a rule is, and finding the modules that hold one.

A rule is a module `llmroute/lint/rules/NAME.py` (underscores for the rule's hyphens) with
`RULE = Rule(…)`. Its docstring is its documentation and nothing else::

    What the rule finds, in one line.

    Wrong:
        # policies/example.yaml
        policy: example
        rules:
          - {name: home, weight: 1, prefer: "target.locality != 'cloud'"}

    Right:
        policy: example
        rules:
          - {name: home, weight: 1, prefer: "target.locality == 'local'"}

    Why: The reason, in a few sentences.

A comment `# FOLDER/NAME.yaml` on a line of its own begins a file; an example without one is a
policy, a provider or `llmroute.yaml` by its keys, and may leave out what the shown fault does not
need: it is completed to a small workspace (`llmroute.lint.examples`). Tests lint both examples:
the wrong one must give the finding, the right one must not.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from llmroute.config.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["Check", "Rule", "docstring", "rules", "run"]

_PACKAGE = "llmroute.lint.rules"

#: Looks at a whole workspace and yields what it finds; the files in it are known to load.
Check = Callable[["Project"], Iterable[Diagnostic]]


class Rule(NamedTuple):
    """A rule: `severity` is the one of its findings, `analyses` whether it evaluates policies.

    Rules with analyses are left out by `--no-analyses`.
    """

    name: str
    severity: Severity
    check: Check
    analyses: bool = False


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule that has a module, by name."""
    return tuple(sorted(_modules(), key=lambda rule: rule.name))


def docstring(name: str) -> str | None:
    """Return the documentation of a rule that has a module, or None."""
    if not any(rule.name == name for rule in rules()):
        return None
    return import_module(f"{_PACKAGE}.{name.replace('-', '_')}").__doc__


def run(project: Project, selected: Sequence[Rule] | None = None) -> list[Diagnostic]:
    """Return the findings of rules (default: all) about a project."""
    chosen = rules() if selected is None else selected
    return [item for rule in chosen for item in rule.check(project)]


def _modules() -> Iterable[Rule]:
    package = import_module(_PACKAGE)
    for found in pkgutil.iter_modules(package.__path__):
        if found.name.startswith("_"):
            continue
        rule: Rule = import_module(f"{_PACKAGE}.{found.name}").RULE
        if rule.name.replace("-", "_") != found.name:
            raise RuntimeError(f"rules/{found.name}.py holds the rule {rule.name}")
        yield rule
