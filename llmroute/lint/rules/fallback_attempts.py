"""A policy wants a second call, and allows only one.

Wrong:
    policy: example
    fallback: {attempts: 1, hedge: {after: 2s}}

Right:
    policy: example
    fallback: {attempts: 2, hedge: {after: 2s}}

Why: `attempts` counts every call of a request: a hedge, the continuation of a broken answer, the
next target after a refusal and the call after a rate limit too. With 1 the request ends after the
first call, and what else is written here does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

#: What a key wants of a second call, by the key and the value with which it wants one.
_WANTS: Mapping[tuple[str, Any], str] = {
    ("on_limit", "wait"): "`on_limit: wait` calls again",
    ("on_refusal", "next"): "`on_refusal: next` calls the next target",
    ("continuation", True): "`continuation` calls another target",
}


def _check(project: Project) -> Iterator[Diagnostic]:
    for name, document in project.policies.items():
        if project.sources[name].fallback.attempts > 1:
            continue
        for key, value in (document.data.get("fallback") or {}).items():
            wanted = "a hedge is a second call" if key == "hedge" else _WANTS.get((key, value))
            if wanted is None:
                continue
            yield document.diagnostic(
                RULE.name,
                f"{wanted}, but `attempts: 1` allows only the first one",
                ("fallback", key),
                key=True,
                help="write attempts: 2 or more, or remove it",
                severity="warning",
            )


RULE = Rule("fallback-attempts", "warning", _check)
