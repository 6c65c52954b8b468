"""What a failed call says of whom: its target, its rate limit, its credential, or nobody."""

from __future__ import annotations

from typing import Literal

from llmroute.errors import ErrorKind, TargetError

__all__ = ["Effect", "effect_of"]

#: `failed`: the target is unwell. `absent`: nobody listens there. `limit`: its rate limit is used
#: up. `credential`, `money`: its provider's credential is refused, or has no money left. `model`:
#: the provider does not serve the model, or not with this credential. `none`: nothing.
Effect = Literal["failed", "absent", "limit", "credential", "money", "model", "none"]

_EFFECTS: dict[ErrorKind, Effect] = {
    ErrorKind.UNAVAILABLE: "failed",
    ErrorKind.TIMEOUT: "failed",
    ErrorKind.TRANSIENT: "failed",
    ErrorKind.OVERLOADED: "failed",
    ErrorKind.MALFORMED: "failed",
    ErrorKind.EMPTY: "failed",
    ErrorKind.INTERNAL: "failed",
    ErrorKind.RATE_LIMIT: "limit",
    ErrorKind.AUTH: "credential",
    ErrorKind.QUOTA: "money",
    ErrorKind.MODEL_MISSING: "model",
}
#: Codes of failures that are nobody's illness: no place in our own queue, a deadline that left
#: the target too little time, a JSON Schema that the model did not follow, a program that is not
#: there.
_BLAMELESS = frozenset({"bulkhead", "cut_short", "schema", "missing_binary"})


def effect_of(error: TargetError) -> Effect:
    """Return what a failure before or after the first content says."""
    if error.code in _BLAMELESS:
        return "none"
    if error.code == "connection_refused":
        return "absent"
    if error.kind is ErrorKind.AUTH and error.status == 403:
        return "model"
    return _EFFECTS.get(error.kind, "none")
