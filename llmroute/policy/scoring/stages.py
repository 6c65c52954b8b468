"""When a part of a policy is evaluated, decided from the roots that it reads.

What reads less is evaluated less often: a condition over `target` alone is a number once the
policy is compiled, one over the request is evaluated once per request, and only what mixes a
target with the request is evaluated for the targets that are visited.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

__all__ = [
    "FREQUENCY",
    "REQUEST_ROOTS",
    "TARGET_ROOTS",
    "Stage",
    "joined",
    "reads_any",
    "reason",
    "stage_of",
]

Stage = Literal["load", "task", "request", "estimate", "live", "target"]

#: How often each stage is evaluated.
FREQUENCY: dict[Stage, str] = {
    "load": "once, when the policy is compiled",
    "task": "once per task and target, then kept",
    "request": "once per request",
    "estimate": "once per request and price",
    "live": "when a measurement of the target changes",
    "target": "per request, for each target visited",
}

#: Roots that are the same for every target.
REQUEST_ROOTS = frozenset({"request", "facts", "budget", "now"})


#: Roots of one target that depend on the request or on measurements.
TARGET_ROOTS = frozenset({"estimate", "live"})


def stage_of(roots: frozenset[str], lets: frozenset[str]) -> Stage:
    """Return the stage of something that reads these roots; `lets` are the names under `let`."""
    if roots <= {"target"}:
        return "load"
    if roots <= {"live"}:
        return "live"
    if roots <= REQUEST_ROOTS | lets:
        return "request"
    if roots <= REQUEST_ROOTS | lets | {"estimate"}:
        return "estimate"
    return "target"


def joined(first: Stage, second: Stage) -> Stage:
    """Return the stage of something that needs both: they are alike, or it is per target."""
    if {first, second} == {"load", "task"}:
        return "task"
    return first if first == second else "target"


def reads_any(roots: frozenset[str], names: Collection[str]) -> bool:
    """Whether something with these roots reads any of the names; `@` reads all of them."""
    return bool(names) and ("@" in roots or not roots.isdisjoint(names))


def reason(stage: Stage, roots: frozenset[str]) -> str:
    """Say why something is evaluated at its stage."""
    if not roots:
        return "reads nothing"
    named = ", ".join(sorted(roots))
    if "@" in roots:
        return "reads everything (@)"
    if stage == "target":
        return f"mixes what is known of the target with the request: {named}"
    return f"reads {named} only"
