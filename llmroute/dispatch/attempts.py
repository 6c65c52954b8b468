"""The record of every call of one request, and what each one teaches of its target."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from llmroute.catalog.model import Target
from llmroute.dispatch.live import LiveState
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Attempt, Chunk, Response

__all__ = ["Attempts", "OnAttempt"]

OnAttempt = Callable[[Attempt], None]

#: Kinds that say something bad about a target's health.
_UNHEALTHY = frozenset(
    {
        ErrorKind.UNAVAILABLE,
        ErrorKind.TIMEOUT,
        ErrorKind.TRANSIENT,
        ErrorKind.OVERLOADED,
        ErrorKind.MALFORMED,
        ErrorKind.EMPTY,
    }
)


class Attempts:
    """The calls of one request, in order; each is measured into the live state."""

    def __init__(
        self, live: LiveState, clock: Callable[[], float], on_attempt: OnAttempt | None = None
    ) -> None:
        self.records: list[Attempt] = []
        self._live = live
        self._clock = clock
        self._on_attempt = on_attempt
        self._origin = clock()
        self._target: Target | None = None
        self._started = 0.0
        self._first: float | None = None

    def begin(self, target: Target, started: float) -> None:
        """Note that a call begins."""
        self._target, self._started, self._first = target, started, None
        self._live.started(target)

    def saw(self, chunk: Chunk) -> None:
        """Note a chunk; the first one with content or reasoning stops the first-token clock."""
        if self._first is None and (chunk.has_content or chunk.reasoning):
            self._first = self._clock() - self._started

    def failed(self, error: TargetError) -> None:
        """Note that the call failed."""
        healthy = False if error.kind in _UNHEALTHY else None
        self._ended(healthy, None)
        self._record(error.kind.value, error.message, error.status, error.help, None)

    def abandoned(self) -> None:
        """Note that the caller went away before the call ended."""
        if self._target is not None:
            self._ended(None, None)
            self._record(ErrorKind.CANCELLED.value, "the caller went away", None, None, None)

    def succeeded(self, response: Response, cost: Decimal | None) -> None:
        """Note a whole answer."""
        self._ended(True, self._speed(response))
        self._record("ok", None, None, None, cost)

    def _speed(self, response: Response) -> float | None:
        """Tokens per second after the first one; None where it cannot be told."""
        if self._first is None or response.usage.output < 2:
            return None
        generating = self._clock() - self._started - self._first
        return (response.usage.output - 1) / generating if generating > 0 else None

    def _ended(self, healthy: bool | None, speed: float | None) -> None:
        if self._target is not None:
            self._live.ended(
                self._target, healthy=healthy, first_token=self._first, tokens_per_second=speed
            )

    def _record(
        self,
        outcome: str,
        message: str | None,
        status: int | None,
        help_text: str | None,
        cost: Decimal | None,
    ) -> None:
        if self._target is None:
            return
        record = Attempt(
            target=self._target.id,
            outcome=outcome,
            started=self._started - self._origin,
            duration=self._clock() - self._started,
            first_token=self._first,
            message=message,
            status=status,
            help=help_text,
            cost=cost,
        )
        self.records.append(record)
        self._target = None
        if self._on_attempt:
            self._on_attempt(record)
