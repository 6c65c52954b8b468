"""A condition, or a part of one, holds for no request; or two parts of it exclude each other.

Wrong:
    policy: example
    rules:
      - {name: late, weight: 10, when: now.hour < `6` && now.hour > `22`, prefer: price}

Right:
    policy: example
    rules:
      - {name: late, weight: 10, when: now.hour < `6` || now.hour > `22`, prefer: price}

Why: A rule or requirement with such a condition does nothing, and a requirement whose `target`
never holds rejects every target. Only what is certain is said: nothing about fields that are used
in ways that no list of values covers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project
    from llmroute.lint.rules._analyses import Piecewise

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    from llmroute.lint.rules._analyses import constants

    for found in constants(project):
        if not found.constant.value:
            yield found.finding(RULE.name, _message(found), _help(found))


def _message(found: Piecewise) -> str:
    if len(found.parts) == 2:
        return f"{' and '.join(found.parts)} exclude each other: this never holds"
    whom = "no request and target" if found.of_target else "no request"
    return f"this holds for {whom}"


def _help(found: Piecewise) -> str:
    if found.parts:
        return "leave one of them out, or join them by ||"
    return "leave it out, or write what was meant"


RULE = Rule("always-false", "warning", _check, analyses=True)
