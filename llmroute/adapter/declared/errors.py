"""Errors by a declared protocol's rules: kind, code, message, and when to come back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llmroute.adapter.classify import LONGEST_WAIT
from llmroute.adapter.declared.answers import text_or_none
from llmroute.adapter.declared.expressions import Evaluate
from llmroute.adapter.declared.scopes import ERROR
from llmroute.adapter.declared.templates import Maker
from llmroute.config.durations import seconds
from llmroute.errors import ErrorKind, TargetError
from llmroute.policy.expressions.expression import FAILURES, truthy

__all__ = ["Judge", "make_judge"]

_RAW = {**ERROR, "code": None, "message": None}


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: ErrorKind
    status: frozenset[int]
    when: Evaluate | None

    def fits(self, scope: Mapping[str, Any]) -> bool:
        if self.status and scope["status"] not in self.status:
            return False
        return self.when is None or truthy(_read(self.when, scope))


@dataclass(frozen=True, slots=True)
class Judge:
    """What a file's `errors` say of an error that was classified by the general rules."""

    values: Mapping[str, Evaluate]
    rules: tuple[_Rule, ...]

    def __call__(self, error: TargetError, headers: Mapping[str, str]) -> None:
        """Correct an error by the file: the first rule that fits names the kind."""
        scope: dict[str, Any] = {
            "status": error.status,
            "headers": dict(headers),
            "body": error.native,
            "code": error.code,
            "message": error.message,
        }
        for name in ("code", "message"):
            if name in self.values and (found := _shown(_read(self.values[name], scope))):
                scope[name] = found
        error.code, error.message = scope["code"], scope["message"]
        error.args = (error.message,)
        if "retry_after" in self.values:
            wait = _seconds(_read(self.values["retry_after"], scope))
            error.retry_after = wait or error.retry_after
        rule = next((rule for rule in self.rules if rule.fits(scope)), None)
        if rule is not None and rule.kind is not error.kind:
            error.kind, error.help = rule.kind, None


def make_judge(maker: Maker, data: Any) -> Judge | None:
    """Compile `errors`; None where the file has none."""
    if not isinstance(data, Mapping):
        return None
    values = {}
    for name in ("code", "message", "retry_after"):
        if made := maker.expression(data.get(name), ("errors", name), ERROR):
            values[name] = made.evaluate
    rules = []
    listed = data.get("kinds")
    for index, rule in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(rule, Mapping) and rule.get("kind") in tuple(ErrorKind):
            when = maker.expression(rule.get("when"), ("errors", "kinds", index, "when"), ERROR)
            rules.append(_rule(rule, when.evaluate if when else None))
    return Judge(values, tuple(rules))


def _rule(data: Mapping[str, Any], when: Evaluate | None) -> _Rule:
    status = data.get("status", ())
    numbers = status if isinstance(status, list) else [status] if status else []
    return _Rule(ErrorKind(data["kind"]), frozenset(numbers), when)


def _read(evaluate: Evaluate, scope: Any) -> Any:
    """Return a value of an error's body, None where it has another shape."""
    try:
        return evaluate(scope)
    except FAILURES:
        return None


def _shown(value: Any) -> str | None:
    return str(value) if isinstance(value, int) else text_or_none(value)


def _seconds(value: Any) -> float | None:
    """Return a wait in seconds of a number, or of a text such as `32s` or `1.5`."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = float(value)
    try:
        wait = seconds(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        return None
    return wait if 0 < wait <= LONGEST_WAIT else None
