"""Rows 72 to 74 and 76 to 79: a ledger that cannot be written, seen by who asks for answers.

Every fault meets two routers over one store: under a hard budget a call must be refused, because
nobody can tell what is left; without one everything is served, and an alarm says what is wrong.
The ledger by itself, and kills during writes (row 75), are tested in tests/ledger/.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from llmroute import RouteFailed
from llmroute.ledger.budgets import budgets_of
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.sqlite import SqliteStore
from llmroute.ledger.store import Store, StoreConflict
from tests.faults.bench import PROMPT, Bench, Record, Seen
from tests.ledger.scripted import ScriptedStore

BUDGET = {"name": "all", "period": "month", "amount": 1, "hard": True}
#: Caps the answer, so that the most that it may cost is known.
CAPPED = {"max_tokens": 100}


def ledger_over(store: Store, *budgets: dict[str, object], wait: float = 1.0) -> Ledger:
    return Ledger(lambda: store, budgets_of(budgets), wait=wait)


def asked(bench: Bench, ledger: Ledger) -> Seen:
    """Ask a good server once, through a router with this ledger."""
    bench.options = {"ledger": ledger}
    bench.first(bench.good.url)
    try:
        return bench.ask(**CAPPED)
    finally:
        ledger.flush().wait(5)


def refused(seen: Seen, words: str) -> None:
    assert isinstance(seen.error, RouteFailed)
    assert seen.attempts == ()
    assert 'budget "all"' in str(seen.error)
    assert words in str(seen.error)


def served(seen: Seen, ledger: Ledger, kind: str, words: str) -> None:
    assert PROMPT in (seen.answered.text or "")
    alarm = next(alarm for alarm in ledger.alarms if alarm.kind == kind)
    assert words in alarm.message


class Full(SqliteStore):
    """A file on a disk without another free page."""

    def transaction(self) -> AbstractContextManager[None]:
        connection = self._database.connection()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return super().transaction()


def crowded(path: Path) -> None:
    """Let a ledger's pages be full, so that the next row needs a new one."""
    store = SqliteStore(path)
    with store.transaction():
        pass
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE filler (bytes BLOB)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(65536))")
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    assert free == 0


def both(
    bench: Bench, make: Callable[[], Store], words: str, kind: str = "unavailable", **options: float
) -> None:
    hard = ledger_over(make(), BUDGET, **options)
    refused(asked(bench, hard), words)
    hard.close()
    free = ledger_over(make(), **options)
    served(asked(bench, free), free, kind, words)
    free.close()


def test_row_72_disk_full(bench: Bench, record: Record, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    crowded(path)
    ledger = ledger_over(Full(path), BUDGET)
    for _ in range(200):  # until the last free bytes are used up
        seen = asked(bench, ledger)
        if seen.error is not None:
            break
    refused(seen, "full")
    free = ledger_over(Full(path))
    for _ in range(20):
        seen = asked(bench, free)
    served(seen, free, "unavailable", "full")
    told = "refused under a hard budget; else served, with an alarm"
    record(72, "disk full", "hard budgets refuse, others serve, alarm", told)


def test_row_73_database_locked(bench: Bench, record: Record, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = SqliteStore(path)
    with first.transaction():
        pass
    first.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    both(bench, lambda: SqliteStore(path, wait=0.1), "locked")
    assert time.monotonic() - began < 5
    other.execute("ROLLBACK")
    other.close()
    ledger = ledger_over(SqliteStore(path, wait=0.1), BUDGET)
    assert asked(bench, ledger).error is None
    told = "waited for 0.1 s, as was set; refused under a hard budget, else served, with an alarm"
    record(73, "database locked", "bounded wait", told)


def test_row_74_corrupt_database(bench: Bench, record: Record, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    ledger = ledger_over(SqliteStore(path), BUDGET)
    served(asked(bench, ledger), ledger, "corrupt", "ledger.db")
    aside = [item.name for item in tmp_path.iterdir() if "corrupt" in item.name]
    assert len(aside) == 1
    ledger.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (rows,) = connection.execute("SELECT count(*) FROM attempts").fetchone()
    assert rows == 1
    told = "set aside, a fresh one started, alarm; the call is served and written there"
    record(74, "corrupt database", "quarantined, a fresh one, alarm", told)


def gone() -> ScriptedStore:
    store = ScriptedStore()
    store.gone = True
    return store


def test_row_76_redis_gone(bench: Bench, record: Record) -> None:
    both(bench, gone, "the server is gone")
    soft = ledger_over(gone(), {**BUDGET, "hard": False})
    assert asked(bench, soft).error is None
    spent = soft.shares()["all"]
    assert 0 < spent < 0.01  # counted here, though nobody could be told
    told = "refused under a hard budget; a soft one counts here; served, with an alarm"
    record(76, "Redis gone (a scripted store)", "hard budgets refuse, else local share", told)


def test_row_77_redis_slow(bench: Bench, record: Record) -> None:
    store = ScriptedStore()
    store.gate.clear()
    ledger = ledger_over(store, BUDGET, wait=0.05)
    bench.options = {"ledger": ledger}
    bench.first(bench.good.url)
    began = time.monotonic()
    seen = bench.ask(**CAPPED)
    took = time.monotonic() - began
    store.gate.set()
    refused(seen, "0.05 s")
    # two targets, 50 ms each, and once the first look at what was spent
    assert took < 2.5
    told = "refused under a hard budget after 50 ms at each target"
    record(77, "Redis slow (a scripted store)", "50 ms at most, then as 76", told)


def test_row_78_failover_that_loses_writes(bench: Bench, record: Record) -> None:
    store = ScriptedStore()
    ledger = ledger_over(store, BUDGET)
    bench.options = {"ledger": ledger}
    bench.first(bench.good.url)
    replica = store.remember()
    costs = [bench.ask(**CAPPED).answered.cost for _ in range(3)]
    assert ledger.flush().wait(5)
    store.fail_over(replica)
    costs.append(bench.ask(**CAPPED).answered.cost)
    deadline = time.monotonic() + 5
    while (len(store._attempts) < 4 or store._open) and time.monotonic() < deadline:
        ledger.flush().wait(1)
        time.sleep(0.01)
    assert len(store._attempts) == 4
    (counter,) = store._counters.values()
    assert counter.spent == sum(cost * 10**9 for cost in costs if cost is not None)
    assert counter.reserved == 0
    told = "three lost calls written again, once; what is spent is right"
    record(78, "failover that loses writes (scripted)", "reconciled from the journal", told)


def test_row_79_postgresql_serialization_failure(bench: Bench, record: Record) -> None:
    store = ScriptedStore()
    store.faults = [StoreConflict("could not serialize access")] * 3
    ledger = ledger_over(store, BUDGET)
    assert asked(bench, ledger).error is None
    assert ledger.alarms == ()
    told = "three in a row are tried again, unnoticed; the call is served"
    record(79, "PostgreSQL serialization failure (scripted)", "bounded retry", told)
