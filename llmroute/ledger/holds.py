"""Money that is held for a call: reserved before it, and settled or released once after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from llmroute.catalog.cost import format_usd, nano_to_usd
from llmroute.ledger.records import LOST, PENDING, AttemptRecord

__all__ = [
    "Charge",
    "Counter",
    "Held",
    "Hold",
    "Key",
    "Refusal",
    "Reservation",
    "check_again",
    "expired",
    "refusal",
    "settled",
    "shift",
]


class Key(NamedTuple):
    """One budget in one of its periods, such as `("team", "2026-11")`."""

    budget: str
    period: str


class Counter(NamedTuple):
    """What one budget has spent in a period, and what is reserved beside it; nano-dollars."""

    spent: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Charge:
    """One budget that a call counts against: its period, its limit, and when the period ends.

    `limit` is in nano-dollars, `until` in UTC seconds.
    """

    key: Key
    limit: int
    hard: bool
    until: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money held for one attempt until `expires` (UTC seconds).

    `amount` is what is held, `estimate` what is taken as spent where nobody can tell; both in
    nano-dollars, 0 where the price is unknown (`priced` False). `attempt` is what is known before
    the call. Without charges nothing is held and no store is asked.
    """

    attempt: AttemptRecord
    amount: int = 0
    estimate: int = 0
    expires: float = 0.0
    charges: tuple[Charge, ...] = ()
    priced: bool = True

    @property
    def id(self) -> str:
        """The name of the reservation: that of its attempt."""
        return f"{self.attempt.request}.{self.attempt.number}"

    @property
    def keys(self) -> tuple[Key, ...]:
        """The budgets it counts against, each in its period."""
        return tuple(charge.key for charge in self.charges)

    @property
    def hard(self) -> bool:
        """Whether one of its budgets may refuse: a call that costs nothing always fits."""
        return self.amount > 0 and any(charge.hard for charge in self.charges)

    def guess(self) -> int | None:
        """Return what it settles at without a better figure; None where the price is unknown."""
        return self.estimate if self.priced else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A budget that does not allow a call.

    `reason` is `spent` (too little is left), `price` (nobody knows what the call costs) or
    `store` (nobody knows what is left). `left` and `limit` are in nano-dollars, `until` is when
    the period ends, in UTC seconds; `detail` says what ails the store.
    """

    budget: str
    reason: Literal["spent", "price", "store"]
    limit: int
    until: float
    left: int | None = None
    detail: str = ""

    @property
    def message(self) -> str:
        """What is wrong, until when, and what to do, in one sentence."""
        until = f"{datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC"
        limit = format_usd(nano_to_usd(self.limit))
        head = f'budget "{self.budget}" ({limit} until {until})'
        if self.reason == "price":
            return f"{head}: the price is unknown, and a hard budget pays known prices alone"
        if self.reason == "store":
            return f"{head}: what is left of it cannot be told: {self.detail}"
        left = format_usd(nano_to_usd(self.left or 0)) if self.left else "nothing"
        return f"{head}: {left} is left, the call may cost more; raise it, or wait until then"


class Hold(NamedTuple):
    """What was reserved for an attempt, in nano-dollars, and until when, in UTC seconds."""

    amount: int
    expires: float


class Held(NamedTuple):
    """What a store has of an attempt: its outcome so far, its cost, and what it reserves."""

    outcome: str
    cost: int | None
    amount: int | None


def check_again(reservation: Reservation, known: Held, *, forced: bool) -> None:
    """Let a reservation be said again while it is held, or as one that may have been lost.

    Raises:
        ValueError: another attempt had its name, and would be called without being paid for.

    """
    if known.outcome != PENDING and not forced:
        raise ValueError(f"the attempt {reservation.id} is recorded already; number them from 1")


def shift(known: Held | None, paid: int) -> Counter | None:
    """Return what the end of an attempt changes in its counters; None where it has counted.

    `paid` is what it cost, 0 where it is released. One that expired was settled at a guess, and
    what its process says later takes the guess's place. One that the store does not know (it lost
    it) just counts.
    """
    if known is None:
        return Counter(paid, 0)
    if known.outcome == PENDING:
        return Counter(paid, -(known.amount or 0))
    return Counter(paid - (known.cost or 0), 0) if known.outcome == LOST else None


def settled(reservation: Reservation, attempt: AttemptRecord) -> AttemptRecord:
    """Return the record of an attempt at its cost, or at the reservation's estimate."""
    guess = reservation.guess()
    if attempt.cost is not None or guess is None or not reservation.charges:
        return attempt
    return replace(attempt, cost=guess, estimated=True)


def expired(reservation: Reservation) -> AttemptRecord:
    """Return the record of an attempt whose process ended, or hangs."""
    message = "its process ended before it told what this cost"
    row = replace(reservation.attempt, outcome=LOST, message=message, cost=None, estimated=True)
    return settled(reservation, row)


def refusal(reservation: Reservation, counters: Mapping[Key, Counter]) -> Refusal | None:
    """Return the first hard budget that has too little left, by the counters of its budgets."""
    for charge in reservation.charges:
        spent, reserved = counters.get(charge.key, Counter())
        left = charge.limit - spent - reserved
        if charge.hard and reservation.amount > max(left, 0):
            name, until = charge.key.budget, charge.until
            return Refusal(name, "spent", charge.limit, until, max(left, 0))
    return None
