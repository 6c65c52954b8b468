"""Which alternative of an `anyOf` or `oneOf` was meant by a value that fits none.

Alternatives that want another type are out; among the rest the one whose keys are nearest to the
value's keys is taken, and its faults are the ones to report.
"""

from __future__ import annotations

from typing import Any

from llmroute.config.diagnostics import closest

__all__ = ["applicable"]

_CHOICES = ("anyOf", "oneOf")


def applicable(error: Any) -> list[Any] | None:
    """Return the faults of the alternative that was meant.

    None where the error is no choice, or no single alternative was meant: the value's type fits
    none, or the alternatives are whole-document demands such as "one of these keys".
    """
    if error.kind.name not in _CHOICES:
        return None
    branches = [list(branch) for branch in getattr(error.kind, "context", [])]
    if not branches or all(_only_demands_keys(branch) for branch in branches):
        return None
    fitting = [branch for branch in branches if not _wants_another_type(branch, error)]
    if not fitting:
        return None
    return min(fitting, key=lambda branch: _distance(branch, error))


def _wants_another_type(branch: list[Any], error: Any) -> bool:
    """Whether a branch failed because the value itself has another type than it wants."""
    for inner in branch:
        if list(inner.instance_path) != list(error.instance_path):
            continue
        if inner.kind.name == "type":
            return True
        if inner.kind.name in ("enum", "const") and isinstance(error.instance, dict | list):
            return True
        if inner.kind.name == "const" and type(inner.kind.expected_value) is not type(
            error.instance
        ):
            return True
    return False


def _only_demands_keys(branch: list[Any]) -> bool:
    return all(inner.kind.name == "required" for inner in branch)


def _distance(branch: list[Any], error: Any) -> tuple[int, int, int]:
    """How far a branch is from the value: strange keys, unlike keys, faults."""
    keys = list(error.instance) if isinstance(error.instance, dict) else []
    here = [inner for inner in branch if list(inner.instance_path) == list(error.instance_path)]
    missing = [i.kind.property for i in here if i.kind.name == "required"]
    strange = [k for i in here if i.kind.name == "additionalProperties" for k in i.kind.unexpected]
    unlike = sum(closest(name, keys) is None for name in missing)
    unlike += sum(closest(key, missing) is None for key in strange)
    return len(strange), unlike, len(branch)
