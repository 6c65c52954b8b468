"""Writing a request's parameters by a protocol's table and a model's own rules.

A table leads from the canonical field to its place on the wire (dotted, for nested bodies).
What the table does not hold, or the model rejects, is dropped with a warning, unless the model's
rules name its place; nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmroute.adapter.protocols.content import incapable, refused
from llmroute.catalog.model import Target
from llmroute.types import Request

__all__ = [
    "EFFORTS",
    "check_choice",
    "effort_of",
    "forced_tool",
    "merged",
    "put",
    "takes_effort",
    "with_tools",
    "write_fields",
]

#: Efforts from the least to the most.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

#: What the request's own definition allows.
_RANGES: Mapping[str, tuple[float, float]] = {"temperature": (0, 2), "top_p": (0, 1)}
_PARAMETERS = ("max_tokens", "temperature", "top_p", "stop", "seed", "user")


def write_fields(
    body: dict[str, Any], request: Request, target: Target, table: Mapping[str, str]
) -> list[str]:
    """Write the simple parameters into a body and return the warnings."""
    warnings: list[str] = []
    for name in _PARAMETERS:
        value = getattr(request, name)
        if value is None or value == ():
            continue
        if why := _why_not(name, request, target, table):
            warnings.append(f"{name} was dropped: {why}")
        else:
            put(body, _place(name, target, table), _fitting(name, value, target, warnings))
    return warnings


def _why_not(name: str, request: Request, target: Target, table: Mapping[str, str]) -> str:
    rules = target.wire
    if name in rules.reject:
        return f"{target.id} rejects it"
    if name in rules.reject_reasoning and _reasons(request, target):
        return f"{target.id} rejects it unless the reasoning effort is none"
    if name not in table and name not in rules.rename:
        return "the protocol has no such parameter"
    given = (other for other in rules.exclusive if getattr(request, other) not in (None, ()))
    if name in rules.exclusive and (first := next(given)) != name:
        return f"{target.id} does not take it beside {first}"
    return ""


def _reasons(request: Request, target: Target) -> bool:
    """Whether the model will reason; where its default is not known it is said to."""
    pinned = target.wire.with_tools.get("reasoning_effort") if request.tools else None
    return (pinned or effort_of(request, target)[0] or target.wire.default_effort) != "none"


def _fitting(name: str, value: Any, target: Target, warnings: list[str]) -> Any:
    """Return a value as the target takes it: in its range, and not too many."""
    if name == "stop":
        most = target.wire.max_stop
        if most is not None and len(value) > most:
            warnings.append(f"stop was cut to {most} sequences: {target.id} takes no more")
        return list(value[:most])
    if name == "max_tokens":
        few = target.wire.min_output or value
        if value < few:
            warnings.append(f"max_tokens {value} became {few}: {target.id} takes no less")
        return max(value, few)
    least, largest = _RANGES.get(name, (value, value))
    fitting = min(max(value, least), largest)
    if fitting != value:
        warnings.append(f"{name} {value} became {fitting}: no model takes more or less")
    return fitting


def _place(name: str, target: Target, table: Mapping[str, str]) -> str:
    renamed = target.wire.rename.get(name)
    if renamed is None:
        return table[name]
    parent, dot, _ = table.get(name, "").rpartition(".")
    return f"{parent}{dot}{renamed}"


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, making the objects on the way."""
    *parents, last = path.split(".")
    for key in parents:
        body = body.setdefault(key, {})
    body[last] = value


def merged(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Lay static fields over a body; objects are merged one level deep."""
    for key, value in extra.items():
        both = isinstance(value, Mapping) and isinstance(body.get(key), Mapping)
        body[key] = {**body[key], **value} if both else value
    return body


def effort_of(
    request: Request, target: Target, known: Iterable[str] = EFFORTS
) -> tuple[str | None, list[str]]:
    """Return the reasoning effort to send, if any, and the warnings.

    An effort that the model does not take becomes the next lower one that it takes, else its
    lowest. `known` are the efforts of the protocol, for models that do not list theirs.
    """
    effort = request.reasoning_effort
    if effort is None:
        return None, []
    declared = target.wire.efforts
    if declared == () or not takes_effort(target):
        return None, [f"reasoning_effort was dropped: {target.id} does not take it"]
    accepted = tuple(known) if declared is None else declared
    if effort in accepted:
        return effort, []
    nearest = _nearest(effort, accepted)
    return nearest, [f"reasoning_effort {effort} became {nearest}: {target.id} does not take it"]


def takes_effort(target: Target) -> bool:
    """Whether a model reasons, and can be told how much."""
    return target.capabilities.reasoning and "reasoning_effort" not in target.wire.reject


def _nearest(effort: str, accepted: tuple[str, ...]) -> str:
    if effort not in EFFORTS:
        raise refused(f"reasoning_effort is {effort!r}; use one of {', '.join(EFFORTS)}")
    order = sorted((e for e in accepted if e in EFFORTS), key=EFFORTS.index)
    lower = [e for e in order if EFFORTS.index(e) < EFFORTS.index(effort)]
    return lower[-1] if lower else (order or list(accepted))[0]


def with_tools(body: dict[str, Any], target: Target) -> list[str]:
    """Lay over a body with tools what the model wants beside them; return the warnings."""
    warnings = []
    for key, value in target.wire.with_tools.items():
        if body.get(key, value) != value:
            warnings.append(f"{key} became {value!r}: {target.id} takes no other with tools")
        put(body, key, value)
    return warnings


def forced_tool(request: Request) -> bool:
    """Whether the caller insists on a tool call."""
    choice = request.tool_choice
    return choice == "required" or isinstance(choice, Mapping)


def check_choice(request: Request, target: Target) -> None:
    """Refuse a forced tool call that the target would not obey.

    Raises:
        TargetError: of kind `capability`.

    """
    if forced_tool(request) and not target.capabilities.forced_tool_choice:
        raise incapable(f"{target.id} does not obey tool_choice {request.tool_choice!r}")
