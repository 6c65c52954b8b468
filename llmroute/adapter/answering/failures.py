"""What a client is told of an error: status, type and code, whatever its protocol.

One provider's trouble is not the client's: a key that is refused or an empty answer upstream
becomes 502. Sources: the error tables of OpenAI's and Anthropic's API references.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from llmroute.errors import (
    ErrorKind,
    LlmrouteError,
    NoEligibleTarget,
    RouteFailed,
    TargetError,
    UsageError,
)

__all__ = ["ANTHROPIC_TYPES", "Trouble", "headers", "trouble"]


class Trouble(NamedTuple):
    """An error for a client; `type` and `code` are OpenAI's, `retry_after` is in seconds."""

    status: int
    type: str
    code: str
    message: str
    retry_after: float | None = None
    native: Any = None


_INVALID, _UPSTREAM = "invalid_request_error", "upstream_error"
_KINDS: Mapping[ErrorKind, tuple[int, str, str]] = {
    ErrorKind.UNAVAILABLE: (502, _UPSTREAM, "upstream_unavailable"),
    ErrorKind.TIMEOUT: (504, "timeout_error", "upstream_timeout"),
    ErrorKind.TRANSIENT: (502, _UPSTREAM, "upstream_failed"),
    ErrorKind.OVERLOADED: (503, "service_unavailable_error", "no_healthy_target"),
    ErrorKind.RATE_LIMIT: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.QUOTA: (429, "insufficient_quota", "insufficient_quota"),
    ErrorKind.AUTH: (502, _UPSTREAM, "upstream_auth"),
    ErrorKind.MODEL_MISSING: (404, _INVALID, "model_not_found"),
    ErrorKind.CONTEXT: (400, _INVALID, "context_length_exceeded"),
    ErrorKind.TOO_LARGE: (413, _INVALID, "request_too_large"),
    ErrorKind.POLICY: (400, _INVALID, "content_policy_violation"),
    ErrorKind.CAPABILITY: (400, _INVALID, "unsupported_parameter"),
    ErrorKind.INVALID_REQUEST: (400, _INVALID, "invalid_request"),
    ErrorKind.MALFORMED: (502, _UPSTREAM, "upstream_malformed"),
    ErrorKind.EMPTY: (502, _UPSTREAM, "upstream_empty"),
    ErrorKind.INTERNAL: (500, "server_error", "internal_error"),
    ErrorKind.CANCELLED: (499, "cancelled", "cancelled"),
}
#: Status → the error type that Anthropic's clients know.
ANTHROPIC_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def trouble(error: Exception) -> Trouble:
    """Return what a client is told of an error; of one that is a bug, nothing but that."""
    if isinstance(error, UsageError):
        return Trouble(400, _INVALID, "invalid_request", str(error))
    if isinstance(error, NoEligibleTarget):
        return Trouble(400, _INVALID, "no_eligible_target", str(error))
    cause = error.last if isinstance(error, RouteFailed) else error
    if isinstance(cause, TargetError):
        status, kind, code = _KINDS[cause.kind]
        return Trouble(status, kind, code, str(error), cause.retry_after, cause.native)
    if isinstance(error, LlmrouteError):
        return Trouble(503, "service_unavailable_error", "no_healthy_target", str(error))
    return Trouble(500, "server_error", "internal_error", "llmroute failed; its log says why")


def headers(told: Trouble) -> Mapping[str, str]:
    """Return the headers of an error: how long to wait, where that is known."""
    if told.retry_after is None:
        return {}
    return {"retry-after": str(max(math.ceil(told.retry_after), 0))}
