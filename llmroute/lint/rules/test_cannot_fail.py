"""A policy's test whose expectations hold whatever the policy does.

Wrong:
    policy: example
    tests:
      - name: never the cloud
        request: {prompt: hello}
        unavailable: [cloud]
        expect: {never: [cloud]}

Right:
    policy: example
    tests:
      - name: never the cloud
        request: {prompt: hello, metadata: {privacy: private}}
        expect: {locality: local}

Why: A test that cannot fail looks like a promise and keeps none. What is unavailable, or ruled out
by the request's own `route`, is never chosen; an empty list and a margin of 0 always hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for test in project.tests:
        expected = test.data["expect"].items()
        reasons = [_reason(key, value, test.data) for key, value in expected]
        if all(reasons):
            message = f"this cannot fail: {'; '.join(filter(None, reasons))}"
            help_text = "expect a target, a locality or a rejection that the policy brings about"
            yield test.finding(RULE.name, message, "expect", key=True, help=help_text)


def _reason(key: str, value: Any, test: Mapping[str, Any]) -> str | None:
    """Return why an expectation holds in any case, None if it may not."""
    if key in ("never", "order", "rejected") and not value:
        return f"{key} is empty"
    if key == "margin_at_least" and value == 0:
        return "every margin is at least 0"
    if key == "never" and all(_is_out(name, test) for name in value):
        return f"{', '.join(value)} cannot be chosen by this request anyway"
    return None


def _is_out(name: str, test: Mapping[str, Any]) -> bool:
    route = test["request"].get("route") or {}
    out = {*(test.get("unavailable") or ()), *(route.get("ignore") or ())}
    provider = name.partition("/")[0]
    if name in out or provider in out:
        return True
    only = route.get("only")
    return only is not None and not any(
        name == one or provider == one or one.partition("/")[0] == name for one in only
    )


RULE = Rule("test-cannot-fail", "warning", _check)
