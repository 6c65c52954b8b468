"""What the rules about expressions share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from llmroute.config.diagnostics import Diagnostic, Severity
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Placed, Project
    from llmroute.lint.types_of import Typed

__all__ = ["Found", "about", "expression_rule", "shown", "whole"]

Node = Mapping[str, Any]


class Found(NamedTuple):
    """What is wrong with a piece of an expression: 0-based start and end in its text."""

    start: int
    end: int
    message: str
    help: str | None = None


Find = Callable[["Placed", "Typed"], Iterable[Found]]


def expression_rule(name: str, find: Find, severity: Severity = "warning") -> Rule:
    """Make a rule that looks at every expression by itself."""

    def check(project: Project) -> Iterator[Diagnostic]:
        from llmroute.lint.types_of import each

        for item, typed in each(project):
            for found in find(item, typed):
                length = max(found.end - found.start, 1)
                yield item.finding(
                    name,
                    found.message,
                    column=found.start,
                    length=length,
                    help=found.help,
                    severity=severity,
                )

    return Rule(name, severity, check)


def about(typed: Typed, node: Node, message: str, help_text: str | None = None) -> Found:
    """Make a finding about one node."""
    return Found(*typed.places.span(node), message, help_text)


def whole(typed: Typed, message: str, help_text: str | None = None) -> Found:
    """Make a finding about a whole expression."""
    return Found(0, len(typed.text), message, help_text)


def shown(value: Any) -> str:
    """Write a literal as JMESPath has it."""
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    import json

    return f"`{json.dumps(value)}`"
