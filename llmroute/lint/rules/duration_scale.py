"""A duration is a number so large that it is probably in milliseconds.

Wrong:
    policy: example
    rules:
      - {name: fast, weight: 10, prefer: {latency: {half: 2000}}}

Right:
    policy: example
    rules:
      - {name: fast, weight: 10, prefer: {latency: {half: 2s}}}

Why: A duration without a unit is in seconds. With half at 2,000 seconds every target is fast, so
the rule decides nothing; and a call that may take ten days has no timeout.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.config.document import Document
    from llmroute.lint.project import Project

__all__ = ["RULE"]

Steps = tuple[str | int, ...]
#: From so many seconds on a number is taken for milliseconds: of a whole call, of anything else.
_TOTAL, _OTHER = 10_000, 1_000


def _check(project: Project) -> Iterator[Diagnostic]:
    for document in project.providers.values():
        timers = document.data["endpoint"].get("timeouts") or {}
        for name, value in timers.items():
            least = _TOTAL if name == "total" else _OTHER
            yield from _judged(document, ("endpoint", "timeouts", name), value, least)
    for document in project.policies.values():
        for index, rule in enumerate(document.data.get("rules") or ()):
            prefer = rule["prefer"]
            if isinstance(prefer, dict) and "latency" in prefer:
                path = ("rules", index, "prefer", "latency", "half")
                yield from _judged(document, path, prefer["latency"]["half"], _OTHER)


def _judged(document: Document, path: Steps, value: Any, least: float) -> Iterator[Diagnostic]:
    if isinstance(value, int | float) and value >= least:
        yield document.diagnostic(
            RULE.name,
            f"{path[-1]} is {value:g} seconds; a number without a unit is in seconds",
            path,
            help=f"write {value:.15g}ms, or {value:.15g}s where that is meant",
            severity="warning",
        )


RULE = Rule("duration-scale", "warning", _check)
