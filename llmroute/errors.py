"""Every error that llmroute raises, and the classes that a failed call is sorted into.

::

    LlmrouteError
    ├── ConfigError            files are wrong: every finding of every file, with line and column
    ├── UsageError             the caller asked for something that cannot be meant
    ├── NoEligibleTarget       no target meets the requirements; each rejection says why
    ├── TargetError            one call to one target failed; `kind` says how
    └── RouteFailed            every attempt failed; carries the attempts
        └── StreamInterrupted  the answer broke after its first content had been delivered
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmroute.types import Attempt

__all__ = [
    "ConfigError",
    "ErrorKind",
    "LlmrouteError",
    "NoEligibleTarget",
    "RouteFailed",
    "StreamInterrupted",
    "TargetError",
    "UsageError",
]


class ErrorKind(StrEnum):
    """What kind of failure a call met; the kind, not the status code, decides what happens next."""

    UNAVAILABLE = "unavailable"  # nobody answered: refused, reset, DNS, TLS, missing binary
    TIMEOUT = "timeout"  # one of the four timers fired
    TRANSIENT = "transient"  # the server failed in a way that may pass
    OVERLOADED = "overloaded"  # the server says it is too busy
    RATE_LIMIT = "rate_limit"  # a request or token limit; see `retry_after`
    QUOTA = "quota"  # out of money or over a spend limit
    AUTH = "auth"  # the credential is missing, wrong or not allowed
    MODEL_MISSING = "model_missing"  # this provider does not serve the model
    CONTEXT = "context"  # the prompt does not fit the window
    TOO_LARGE = "too_large"  # the request body is too large
    POLICY = "policy"  # the provider's content policy refused
    CAPABILITY = "capability"  # the target cannot do what was asked
    INVALID_REQUEST = "invalid_request"  # the request is malformed for every target
    MALFORMED = "malformed"  # the answer was not what its protocol allows
    EMPTY = "empty"  # a well-formed answer without any content
    INTERNAL = "internal"  # a fault of llmroute or of a transport added to it; see `__cause__`
    CANCELLED = "cancelled"  # the caller went away


#: Kinds that another target would meet in the same way: they return to the caller at once.
FINAL_KINDS = frozenset(
    {
        ErrorKind.INVALID_REQUEST,
        ErrorKind.TOO_LARGE,
        ErrorKind.POLICY,
        ErrorKind.CANCELLED,
    }
)


#: A wait of more than a day is no wait but a mistake; in seconds.
_LONGEST_WAIT = 86_400.0


class LlmrouteError(Exception):
    """Base of every error that llmroute raises on purpose."""


class ConfigError(LlmrouteError):
    """Configuration files are wrong.

    `diagnostics` holds every finding of every file, each with file, line, column and help;
    `str()` prints them all.
    """

    def __init__(self, diagnostics: Sequence[Any]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        return "\n".join(str(diagnostic) for diagnostic in self.diagnostics)


class UsageError(LlmrouteError):
    """The caller asked for something that cannot be meant; the message says what to write."""


class NoEligibleTarget(LlmrouteError):  # noqa: N818 - the name is part of the public contract
    """No target meets the requirements.

    `decision` holds each rejection with its reason. `str()` names the reasons and what to do.
    """

    def __init__(self, message: str, decision: Any = None) -> None:
        super().__init__(message)
        self.decision = decision


class TargetError(LlmrouteError):
    """One call to one target failed.

    `kind` is the class of the failure, `status` the HTTP status or exit code where there was
    one, `code` the provider's own code, `retry_after` seconds to wait as the provider asked (at
    most a day, else None),
    `native` the provider's body (capped), `help` what the user can do about it. `repeatable` is
    the provider's own word on whether the same call may be made again, None where it has none.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        native: Any = None,
        help: str | None = None,  # noqa: A002 - the field's own name
        target: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after if _is_wait(retry_after) else None
        self.native = native
        self.help = help
        self.target = target
        self.repeatable: bool | None = None

    def __str__(self) -> str:
        where = f"{self.target}: " if self.target else ""
        status = f" (status {self.status})" if self.status is not None else ""
        help_text = f"; {self.help}" if self.help else ""
        return f"{where}{self.kind}: {self.message}{status}{help_text}"


def _is_wait(seconds: float | None) -> bool:
    """Whether somebody can be meant to wait so long; what is not above 0, or NaN, is no wait."""
    return seconds is not None and 0 < seconds <= _LONGEST_WAIT


class RouteFailed(LlmrouteError):  # noqa: N818 - reads as what happened
    """Every attempt failed.

    `attempts` holds one record per call, in order; `last` is the error of the last one. `warnings`
    are those of the request itself, as in `Response`; the message holds them too. `brief` is the
    message without what the attempts say, for those who were told of each (`on_attempt`).
    """

    def __init__(
        self,
        message: str,
        attempts: Sequence[Attempt] = (),
        last: TargetError | None = None,
        warnings: Sequence[str] = (),
        *,
        brief: str | None = None,
    ) -> None:
        super().__init__("\n".join([message, *(f"  {text}" for text in warnings)]))
        self.attempts = tuple(attempts)
        self.last = last
        self.warnings = tuple(warnings)
        self.brief = "\n".join([brief or message, *(f"  {text}" for text in warnings)])


class StreamInterrupted(RouteFailed):
    """The answer broke after its first content had been delivered, so nobody else was asked."""
