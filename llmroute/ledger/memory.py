"""The ledger of one process, gone with it: for tests, and where nothing may be written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import tzinfo

from llmroute.ledger.holds import (
    Counter,
    Held,
    Hold,
    Key,
    Refusal,
    Reservation,
    check_again,
    expired,
    refusal,
    settled,
    shift,
)
from llmroute.ledger.records import (
    PENDING,
    UNENDED,
    AttemptRecord,
    RequestRecord,
    first_id,
    unended,
)
from llmroute.ledger.store import By, Record, SpendRow
from llmroute.ledger.sums import sum_up

__all__ = ["MemoryStore"]

_Name = tuple[str, int]


class MemoryStore:
    """Keeps everything in dictionaries, with the semantics of the other stores."""

    epoch = "memory"

    def __init__(self) -> None:
        self._counters: dict[Key, Counter] = {}
        self._open: dict[_Name, Reservation] = {}
        self._holds: dict[_Name, Hold] = {}
        self._attempts: dict[_Name, AttemptRecord] = {}
        self._requests: dict[str, RequestRecord] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do nothing: one thread owns the store, and nothing here fails halfway."""
        yield

    def reserve(self, reservation: Reservation, *, forced: bool = False) -> Refusal | None:
        """Hold an amount in all budgets, or in none."""
        name = _name(reservation.attempt)
        known = self._held(name)
        if known is not None:
            check_again(reservation, known, forced=forced)
            return None
        refused = None if forced else refusal(reservation, self._counters)
        if refused is None:
            self._attempts[name] = replace(reservation.attempt, outcome=PENDING, cost=None)
            self._open[name] = reservation
            self._holds[name] = Hold(reservation.amount, reservation.expires)
            self._add(reservation.keys, Counter(0, reservation.amount))
        return refused

    def settle(self, reservation: Reservation, attempt: AttemptRecord) -> None:
        """Take the cost, else the estimate, as spent, and record the attempt."""
        self._end(reservation, settled(reservation, attempt))

    def release(self, reservation: Reservation, attempt: AttemptRecord | None) -> None:
        """Give the money back, and record the attempt."""
        self._end(reservation, attempt and replace(attempt, cost=0))

    def _end(self, reservation: Reservation, attempt: AttemptRecord | None) -> None:
        name = _name(reservation.attempt)
        change = shift(self._held(name), (attempt.cost or 0) if attempt else 0)
        if change is None:
            return
        self._open.pop(name, None)
        self._add(reservation.keys, change)
        if attempt is None:
            self._attempts.pop(name, None)
        else:
            self._attempts[name] = attempt

    def _held(self, name: _Name) -> Held | None:
        row, reservation = self._attempts.get(name), self._open.get(name)
        if row is None:
            return None
        return Held(row.outcome, row.cost, reservation.amount if reservation else None)

    def _add(self, keys: Iterable[Key], change: Counter) -> None:
        for key in keys:
            old = self._counters.get(key, Counter())
            self._counters[key] = Counter(old.spent + change.spent, old.reserved + change.reserved)

    def record(self, records: Iterable[Record]) -> None:
        """Write records that are not there yet."""
        for record in records:
            if isinstance(record, RequestRecord):
                self._requests.setdefault(record.id, record)
            else:
                self._attempts.setdefault(_name(record), record)

    def sweep(self, now: float) -> int:
        """Settle what expired at its estimate."""
        late = [held for held in self._open.values() if held.expires < now]
        for held in late:
            self._end(held, expired(held))
        return len(late)

    def prune(self, before: float) -> int:
        """Forget records of requests before a time."""
        limit = first_id(before)
        old = [name for name in self._attempts if name[0] < limit and name not in self._open]
        for name in old:
            del self._attempts[name]
            self._holds.pop(name, None)
        self._requests = {key: row for key, row in self._requests.items() if key >= limit}
        return len(old)

    def counters(self, keys: Iterable[Key]) -> Mapping[Key, Counter]:
        """Return what the budgets have spent and reserved."""
        return {key: self._counters.get(key, Counter()) for key in keys}

    def spend(self, by: By, since: float, until: float, zone: tzinfo) -> Sequence[SpendRow]:
        """Sum up the attempts of the requests in a span of time."""
        first, last = first_id(since), first_id(until)
        rows = (row for name, row in self._attempts.items() if first <= name[0] < last)
        return sum_up((row for row in rows if row.outcome != PENDING), by, zone)

    def requests(
        self, last: int, *, prefix: str = "", target: str | None = None, failed: bool = False
    ) -> Sequence[RequestRecord]:
        """Return the latest requests, newest first, without their decisions and prompts."""
        found = []
        open_ended = {name[0] for name, row in self._attempts.items() if row.outcome in UNENDED}
        for key in sorted({*self._requests, *open_ended}, reverse=True):
            row = self._requests.get(key) or unended(self.attempts(key))
            tried = target is None or any(a.target == target for a in self.attempts(key))
            if key.startswith(prefix) and tried and not (failed and row.outcome == "ok"):
                found.append(replace(row, decision=None, prompt=None))
        return found[:last]

    def request(self, request: str) -> RequestRecord | None:
        """Return one request in full."""
        known, attempts = self._requests.get(request), self.attempts(request)
        return known or (unended(attempts) if attempts else None)

    def attempts(self, request: str) -> Sequence[AttemptRecord]:
        """Return the attempts of a request, in order."""
        names = sorted(name for name in self._attempts if name[0] == request)
        return [self._attempts[name] for name in names]

    def holds(self, request: str) -> Mapping[int, Hold]:
        """Return what was reserved for the attempts of a request."""
        return {name[1]: hold for name, hold in self._holds.items() if name[0] == request}

    def close(self) -> None:
        """Keep everything: another one may go on with it."""


def _name(attempt: AttemptRecord) -> _Name:
    return attempt.request, attempt.number
