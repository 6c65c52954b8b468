"""A condition, or a part of one, holds for every request.

Wrong:
    policy: example
    rules:
      - {name: long, weight: 10, when: facts.tokens >= `0`, prefer: price}

Right:
    policy: example
    rules:
      - {name: long, weight: 10, when: facts.tokens >= `10000`, prefer: price}

Why: It looks as if it told requests apart, and does not. What a field can be is known: sizes are
not negative, an hour is below 24, a label with an `enum` has one of its values. Only what is
certain is said: nothing about fields that are used in ways that no list of values covers.
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
    from llmroute.lint.rules._analyses import constants

    for found in constants(project):
        if not found.constant.value:
            continue
        whom = "every request and target" if found.of_target else "every request"
        message = f"this holds for {whom}"
        if found.parts:
            message += f": {' and '.join(found.parts)} leave out nothing"
        yield found.finding(RULE.name, message, "leave it out, or write what was meant")


RULE = Rule("always-true", "warning", _check, analyses=True)
