"""The labels that callers may put into a request's metadata, as `llmroute.yaml` declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmroute.catalog.model import Capabilities
from llmroute.config.diagnostics import did_you_mean
from llmroute.errors import UsageError
from llmroute.types import Request

__all__ = ["check_inputs"]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "number": (int, float),
    "string": (str,),
}


def check_inputs(request: Request, inputs: Mapping[str, Any] | None) -> Request:
    """Check a request's metadata against the declared inputs and fill in their defaults.

    `inputs` None leaves metadata open.

    Raises:
        UsageError: a label is not declared, or its value is not one that it may have.

    """
    for capability in request.route.require:
        if capability not in Capabilities.names():
            hint = did_you_mean(capability, Capabilities.names())
            listed = f"there are: {', '.join(Capabilities.names())}"
            raise UsageError(f'route.require: no capability "{capability}"; {hint or listed}')
    if inputs is None:
        return request
    for name, value in request.metadata.items():
        if name not in inputs:
            raise UsageError(_undeclared(name, inputs))
        _check_value(name, value, inputs[name])
    defaults = {name: rule["default"] for name, rule in inputs.items() if "default" in rule}
    missing = {k: v for k, v in defaults.items() if k not in request.metadata}
    return replace(request, metadata={**request.metadata, **missing}) if missing else request


def _undeclared(name: str, inputs: Mapping[str, Any]) -> str:
    known = ", ".join(sorted(inputs)) or "none"
    hint = did_you_mean(name, inputs) or f"declared: {known}"
    return f'metadata "{name}" is not declared under inputs of llmroute.yaml; {hint}'


def _same(value: Any, item: Any) -> bool:
    """Whether two labels are equal; true is not 1 here, as in the conditions that read them."""
    return isinstance(value, bool) is isinstance(item, bool) and bool(value == item)


def _check_value(name: str, value: Any, rule: Mapping[str, Any]) -> None:
    allowed = rule.get("enum")
    if allowed is not None and not any(_same(value, item) for item in allowed):
        hint = did_you_mean(str(value), [str(item) for item in allowed])
        listed = f"allowed: {', '.join(map(str, allowed))}"
        raise UsageError(f'metadata {name} is "{value}"; {hint or listed}')
    kinds = _TYPES.get(rule.get("type", ""), (object,))
    wrong_bool = isinstance(value, bool) and bool not in kinds and object not in kinds
    if wrong_bool or not isinstance(value, kinds):
        raise UsageError(f"metadata {name} is {value!r}; it must be a {rule['type']}")
