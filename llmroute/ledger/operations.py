"""What the ledger asks of its store: said once, and again where the store may have lost it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from llmroute.ledger.holds import Key, Reservation, settled
from llmroute.ledger.records import AttemptRecord, RequestRecord
from llmroute.ledger.store import Record, Store

__all__ = ["Operation", "hold", "note", "release", "settle", "tell", "upkeep"]


@dataclass(eq=False, slots=True)
class Operation:
    """One change, or one look.

    `do` carries it out. `again` does so where that may have happened before; None: it is not said
    again. Of several with one `name` only the latest needs to be. `instead` is said where it failed
    and is over by then. `delta` nano-dollars come to `keys` by it, as long as the store has not
    confirmed it. `outcome` is what `do` returned, or what it failed with.
    """

    do: Callable[[Store], Any]
    again: Callable[[Store], Any] | None = None
    name: Hashable = None
    instead: Operation | None = None
    keys: tuple[Key, ...] = ()
    delta: int = 0
    changes: bool = True
    outcome: Future[Any] = field(default_factory=Future)


def hold(reservation: Reservation) -> Operation:
    """Reserve. Where that fails, soft budgets count it all the same; a hard one refuses the call.

    A store that broke while it answered may have reserved it, and is then told that it is over.
    """
    over = release(reservation, None)
    over.delta = 0
    return Operation(
        lambda store: store.reserve(reservation),
        lambda store: store.reserve(reservation, forced=True),
        reservation.id,
        over if reservation.hard else None,
        reservation.keys,
        reservation.amount,
    )


def settle(reservation: Reservation, attempt: AttemptRecord) -> Operation:
    """Settle."""

    def do(store: Store) -> None:
        store.settle(reservation, attempt)

    paid = settled(reservation, attempt).cost or 0
    delta = paid - reservation.amount
    return Operation(do, do, reservation.id, None, reservation.keys, delta)


def release(reservation: Reservation, attempt: AttemptRecord | None) -> Operation:
    """Release."""

    def do(store: Store) -> None:
        store.release(reservation, attempt)

    return Operation(do, do, reservation.id, None, reservation.keys, -reservation.amount)


def note(records: Sequence[Record]) -> Operation:
    """Record; decisions that are still to be made into data are made once, where it is done."""
    kept: list[Record] = list(records)

    def do(store: Store) -> None:
        kept[:] = [r.made() if isinstance(r, RequestRecord) else r for r in kept]
        store.record(kept)

    return Operation(do, do, tuple(map(_name, records)))


def _name(record: Record) -> Hashable:
    if isinstance(record, RequestRecord):
        return record.id
    return record.request, record.number


def tell() -> Operation:
    """Look at the counters."""
    return Operation(lambda _store: None, changes=False)


def upkeep(now: float, keep: float | None) -> Operation:
    """Settle what expired, and forget what was recorded more than `keep` seconds ago."""

    def do(store: Store) -> None:
        store.sweep(now)
        if keep is not None:
            store.prune(now - keep)

    return Operation(do)
