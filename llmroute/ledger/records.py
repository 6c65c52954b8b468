"""What is written down: one record for each request and one for each attempt.

Money is in nano-dollars, times of day are UTC in seconds since 1970, durations are in seconds.
Texts from outside are stored as they are, except what no database takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from llmroute.types import Usage

__all__ = [
    "LOST",
    "PENDING",
    "UNENDED",
    "AttemptRecord",
    "RequestIds",
    "RequestRecord",
    "first_id",
    "unended",
]

#: The outcome of an attempt that goes on, and of one whose process ended before it told its own.
PENDING, LOST = "pending", "lost"
UNENDED = (PENDING, LOST)

#: Crockford's alphabet for base 32: it sorts as the numbers do, and no two letters look alike.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_DIGITS, _RANDOM_DIGITS = 10, 16
#: An error's message is kept up to this length.
_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One call to one target.

    `request` and `number` (from 1) name it. `model` is the model that was served, where known.
    `outcome` is `ok`, an `ErrorKind`, `PENDING` or `LOST`. `cost` is None where nobody knows it;
    `estimated` says that tokens or cost are estimates. `fingerprint` is the decision's.
    """

    request: str
    number: int
    at: float
    provider: str
    target: str
    policy: str = ""
    outcome: str = "ok"
    model: str | None = None
    status: int | None = None
    message: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    estimated: bool = False
    cost: int | None = None
    first_token: float | None = None
    duration: float = 0.0
    tags: tuple[str, ...] = ()
    caller: str | None = None
    fingerprint: str = ""

    def with_usage(self, usage: Usage, cost: int | None) -> AttemptRecord:
        """Return the record with the tokens of an answer and its cost in nano-dollars."""
        return replace(
            self,
            tokens_in=usage.input,
            tokens_out=usage.output,
            cached=usage.cached,
            cache_written=usage.cache_written,
            reasoning=usage.reasoning,
            estimated=usage.estimated,
            cost=cost,
        )

    def brief(self) -> AttemptRecord:
        """Return the record with its message cut to what is kept."""
        long = self.message is not None and len(self.message) > _MESSAGE
        return replace(self, message=f"{(self.message or '')[:_MESSAGE]}…") if long else self


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request and what became of it.

    Where its process ended before it could say, `outcome` is `LOST`, or `PENDING` as long as that
    cannot be told from a request that goes on.

    `winner` is the target that was ranked first, `target` the one that served the answer; None
    where there was none. `outcome` is `ok`, the `ErrorKind` of the last attempt, or the name of
    the error. `decision` is `Decision.brief`, or `brief` makes it on the writer's thread; `prompt`
    is the messages' JSON where they are kept.
    """

    id: str
    at: float
    policy: str
    outcome: str = "ok"
    winner: str | None = None
    target: str | None = None
    tags: tuple[str, ...] = ()
    caller: str | None = None
    task: str | None = None
    fingerprint: str = ""
    decision: Mapping[str, Any] | None = None
    prompt: str | None = None
    brief: Callable[[], Mapping[str, Any]] | None = None

    def made(self) -> RequestRecord:
        """Return the record with its decision as data."""
        return self if self.brief is None else replace(self, decision=self.brief(), brief=None)


def unended(attempts: Sequence[AttemptRecord]) -> RequestRecord:
    """Return what can be told of a request whose end was not written, by its attempts."""
    first = attempts[0]
    return RequestRecord(
        first.request,
        first.at,
        first.policy,
        PENDING if any(item.outcome == PENDING for item in attempts) else LOST,
        tags=first.tags,
        caller=first.caller,
        fingerprint=first.fingerprint,
    )


class RequestIds:
    """Makes the ids of requests: 26 letters and digits that sort by time.

    They are ULIDs (48 bits of milliseconds, 80 of chance) in small letters. Within a millisecond
    the first 16 of those 80 bits count up, so that one process's ids keep their order.
    """

    def __init__(
        self, clock: Callable[[], float], random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._clock = clock
        self._random = random_bytes
        self._lock = Lock()
        self._last = (-1, 0)

    def next(self) -> str:
        """Return a new id."""
        chance = int.from_bytes(self._random(9), "big")
        with self._lock:
            millis, count = max(int(self._clock() * 1000), self._last[0]), self._last[1] + 1
            if millis > self._last[0] or count > 0xFFFF:
                millis += millis == self._last[0]
                count = chance >> 64
            self._last = (millis, count)
        number = (millis << 80) | (count << 64) | (chance & (2**64 - 1))
        return _base32(number, _TIME_DIGITS + _RANDOM_DIGITS)


def first_id(at: float) -> str:
    """Return the least id of a time, to ask for requests since or until then."""
    millis = min(max(int(at * 1000), 0), 2**48 - 1)
    return _base32(millis, _TIME_DIGITS) + "0" * _RANDOM_DIGITS


def _base32(number: int, digits: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(digits)))
