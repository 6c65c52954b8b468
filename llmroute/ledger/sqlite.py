"""The ledger in one SQLite file, which several processes share.

Every transaction takes the write lock at once (`BEGIN IMMEDIATE`), so that what a reservation
reads stays true until it is committed. A commit is on the disk when it returns
(`synchronous = FULL`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

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
from llmroute.ledger.sqlite_file import Database
from llmroute.ledger.sqlite_rows import (
    ATTEMPT_COLUMNS,
    REQUEST_COLUMNS,
    attempt_of,
    attempt_row,
    charges_text,
    request_of,
    request_row,
    reservation_of,
    spend_query,
)
from llmroute.ledger.store import By, Record, SpendRow
from llmroute.ledger.sums import day_of, in_order

__all__ = ["SqliteStore"]

_ATTEMPTS = (
    f"INTO attempts ({ATTEMPT_COLUMNS}, held, estimate, expires, charges) "
    f"VALUES ({', '.join('?' * (ATTEMPT_COLUMNS.count(',') + 5))})"
)
_REQUESTS = (
    f"INSERT OR IGNORE INTO requests ({REQUEST_COLUMNS}) "  # noqa: S608 - own words
    f"VALUES ({', '.join('?' * (REQUEST_COLUMNS.count(',') + 1))})"
)
_BRIEF = REQUEST_COLUMNS.replace("decision, prompt", "NULL, NULL")
#: So many rows are forgotten in one transaction, so that nobody waits long for it.
_PRUNED = 1000


class SqliteStore:
    """The store of one machine.

    `wait` bounds, in seconds, how long it waits for other processes.
    """

    def __init__(
        self,
        path: Path,
        *,
        wait: float = 2.0,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = Database(path, wait, now=now, clock=clock, sleep=sleep, chance=chance)

    @property
    def epoch(self) -> str:
        """Name the file: a new one, after a corrupt one was set aside, has another name."""
        return self._database.epoch

    def transaction(self) -> AbstractContextManager[None]:
        """Make all changes inside durable together, or none of them."""
        return self._database.writing()

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._database.reading():
            return self._database.execute(sql, values).fetchall()

    def reserve(self, reservation: Reservation, *, forced: bool = False) -> Refusal | None:
        """Hold an amount in all budgets, or in none."""
        known = self._held(reservation)
        if known is not None:
            check_again(reservation, known, forced=forced)
            return None
        refused = None if forced else refusal(reservation, self._counters(reservation.keys))
        if refused is None:
            row = replace(reservation.attempt, outcome=PENDING, cost=None)
            self._insert(reservation, row)
            self._add(reservation.keys, Counter(0, reservation.amount))
        return refused

    def settle(self, reservation: Reservation, attempt: AttemptRecord) -> None:
        """Take the cost, else the estimate, as spent, and record the attempt."""
        self._end(reservation, settled(reservation, attempt))

    def release(self, reservation: Reservation, attempt: AttemptRecord | None) -> None:
        """Give the money back, and record the attempt."""
        self._end(reservation, attempt and replace(attempt, cost=0))

    def _end(self, reservation: Reservation, attempt: AttemptRecord | None) -> None:
        known = self._held(reservation)
        change = shift(known, (attempt.cost or 0) if attempt else 0)
        if change is None:
            return
        self._add(reservation.keys, change)
        if attempt is not None:
            self._insert(reservation, attempt)
        else:
            sql = "DELETE FROM attempts WHERE request = ? AND number = ?"
            self._database.execute(sql, _name(reservation))

    def _held(self, reservation: Reservation) -> Held | None:
        sql = "SELECT outcome, cost, held FROM attempts WHERE request = ? AND number = ?"
        found = self._database.execute(sql, _name(reservation)).fetchone()
        return Held(*found) if found else None

    def _insert(self, reservation: Reservation, attempt: AttemptRecord) -> None:
        held = (reservation.amount, reservation.guess(), reservation.expires)
        values = (*attempt_row(attempt), *held, charges_text(reservation.charges))
        self._database.execute(f"INSERT OR REPLACE {_ATTEMPTS}", values)

    def _add(self, keys: Iterable[Key], change: Counter) -> None:
        sql = (
            "INSERT INTO counters VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "spent = spent + excluded.spent, reserved = reserved + excluded.reserved"
        )
        for key in keys:
            self._database.execute(sql, (*key, *change))

    def record(self, records: Iterable[Record]) -> None:
        """Write records that are not there yet."""
        for record in records:
            if isinstance(record, RequestRecord):
                self._database.execute(_REQUESTS, request_row(record))
            else:
                values = (*attempt_row(record), None, None, None, None)
                self._database.execute(f"INSERT OR IGNORE {_ATTEMPTS}", values)

    def sweep(self, now: float) -> int:
        """Settle what expired at its estimate."""
        sql = (
            f"SELECT held, estimate, expires, charges, {ATTEMPT_COLUMNS} FROM attempts "  # noqa: S608
            "WHERE outcome = 'pending' AND expires < ?"
        )
        late = self._database.execute(sql, (now,)).fetchall()
        for held, estimate, expires, charges, *row in late:
            reservation = reservation_of(row, held, estimate, expires, charges)
            self._end(reservation, expired(reservation))
        return len(late)

    def prune(self, before: float) -> int:
        """Forget records of requests before a time, some of them at a time."""
        limit = (first_id(before), _PRUNED)
        chosen = "SELECT {0} FROM {1} WHERE {2} < ? {3}LIMIT ?"
        names = chosen.format("request, number", "attempts", "request", "AND outcome != 'pending' ")
        sql = f"DELETE FROM attempts WHERE (request, number) IN ({names})"  # noqa: S608 - own words
        gone = self._database.execute(sql, limit).rowcount
        ids = chosen.format("id", "requests", "id", "")
        self._database.execute(f"DELETE FROM requests WHERE id IN ({ids})", limit)  # noqa: S608
        return gone

    def counters(self, keys: Iterable[Key]) -> Mapping[Key, Counter]:
        """Return what the budgets have spent and reserved."""
        rows = self._read("SELECT budget, period, spent, reserved FROM counters")
        known = {Key(*row[:2]): Counter(*row[2:]) for row in rows}
        return {key: known.get(key, Counter()) for key in keys}

    def _counters(self, keys: Iterable[Key]) -> Mapping[Key, Counter]:
        sql = "SELECT spent, reserved FROM counters WHERE budget = ? AND period = ?"
        found = {key: self._database.execute(sql, key).fetchone() for key in keys}
        return {key: Counter(*row) for key, row in found.items() if row}

    def spend(self, by: By, since: float, until: float, zone: tzinfo) -> Sequence[SpendRow]:
        """Sum up the attempts of the requests in a span of time."""
        with self._database.reading():
            self._database.define("day_of", lambda at: day_of(at, zone))
            rows = self._read(spend_query(by), (first_id(since), first_id(until)))
        return in_order((SpendRow(*row) for row in rows), by)

    def requests(
        self, last: int, *, prefix: str = "", target: str | None = None, failed: bool = False
    ) -> Sequence[RequestRecord]:
        """Return the latest requests, newest first, without their decisions and prompts."""
        sql = (
            f"SELECT {_BRIEF} FROM requests WHERE id >= ? AND id < ? "  # noqa: S608 - own words
            "AND (? IS NULL OR EXISTS (SELECT 1 FROM attempts WHERE request = id "
            "AND attempts.target = ?)) AND (NOT ? OR outcome != 'ok') ORDER BY id DESC LIMIT ?"
        )
        span = (prefix, f"{prefix}{{")
        rows = self._read(sql, (*span, target, target, failed, last))
        found = list(map(request_of, rows))
        if len(found) == last:
            span = (found[-1].id, span[1])
        found += self._unended(span, target, last)
        return sorted(found, key=lambda row: row.id, reverse=True)[:last]

    def _unended(
        self, span: tuple[str, str], target: str | None, last: int
    ) -> Iterator[RequestRecord]:
        """Yield the latest requests between two ids whose end was not written."""
        sql = (
            "SELECT DISTINCT request FROM attempts AS found WHERE request >= ? AND request < ? "
            "AND outcome IN (?, ?) AND NOT EXISTS (SELECT 1 FROM requests WHERE id = request) "
            "AND (? IS NULL OR EXISTS (SELECT 1 FROM attempts WHERE request = found.request "
            "AND target = ?)) ORDER BY request DESC LIMIT ?"
        )
        for (name,) in self._read(sql, (*span, *UNENDED, target, target, last)):
            yield unended(self.attempts(name))

    def request(self, request: str) -> RequestRecord | None:
        """Return one request in full."""
        rows = self._read(f"SELECT {REQUEST_COLUMNS} FROM requests WHERE id = ?", (request,))  # noqa: S608
        if rows:
            return request_of(rows[0])
        attempts = self.attempts(request)
        return unended(attempts) if attempts else None

    def attempts(self, request: str) -> Sequence[AttemptRecord]:
        """Return the attempts of a request, in order."""
        sql = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE request = ? ORDER BY number"  # noqa: S608
        return [attempt_of(row) for row in self._read(sql, (request,))]

    def holds(self, request: str) -> Mapping[int, Hold]:
        """Return what was reserved for the attempts of a request."""
        sql = "SELECT number, held, expires FROM attempts WHERE request = ? AND held IS NOT NULL"
        return {row[0]: Hold(*row[1:]) for row in self._read(sql, (request,))}

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _name(reservation: Reservation) -> tuple[str, int]:
    return reservation.attempt.request, reservation.attempt.number
