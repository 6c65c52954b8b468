"""The file of the ledger when it is locked, full, corrupt, not ours, or replaced: rows 72 to 74."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmroute.ledger.budgets import Budget
from llmroute.ledger.holds import Key, Refusal, Reservation
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.sqlite import SqliteStore
from llmroute.ledger.store import StoreCorrupt, StoreUnavailable
from tests.ledger.making import NOON, attempt, charge, request, reservation

ROOT = Path(__file__).resolve().parents[2]
TEAM = Key("team", "2026-11")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(path, wait=0.1)
    yield made
    made.close()


def write(store: SqliteStore, at: float = NOON, **more: object) -> None:
    with store.transaction():
        store.record([request(at), attempt(at=at, **more)])


def ledger_of(path: Path, *budgets: Budget) -> Ledger:
    return Ledger(lambda: SqliteStore(path, wait=0.1), budgets, now=lambda: NOON)


def test_the_file_is_its_owner_s_alone(store, path):
    old = os.umask(0)
    try:
        write(store)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()} == {0o600}


def test_writes_are_on_the_disk_when_they_are_acknowledged(store, path):
    write(store)
    connection = store._database.connection()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("persist",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_locked_file_is_waited_for_so_long(store, path):  # row 73
    write(store)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"another process has locked it for 0\.1 s"):
        write(store, NOON + 1)
    assert 0.1 <= time.monotonic() - begun < 2.0
    other.execute("ROLLBACK")
    write(store, NOON + 1)
    assert len(store.requests(9)) == 2


def test_a_reader_delays_a_commit_and_does_not_break_it(store, path):
    write(store)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM requests").fetchone()
    with pytest.raises(StoreUnavailable):
        write(store, NOON + 1)
    reader.execute("ROLLBACK")
    assert len(store.requests(9)) == 1
    write(store, NOON + 1)
    assert len(store.requests(9)) == 2


LOCKER = """
import sqlite3, sys, time
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(0.05)
"""


def test_a_lock_that_ends_in_time_is_not_noticed(store, path):
    write(store)
    command = [sys.executable, "-c", LOCKER, str(path)]
    patient = SqliteStore(path, wait=30)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"locked\n"
        write(patient, NOON + 1)
    assert len(store.requests(9)) == 2
    patient.close()


def full(store: SqliteStore) -> None:
    """Let the file have no further page."""
    connection = store._database.connection()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_loses_nothing_that_was_there(store, path):  # row 72
    write(store)
    full(store)
    with pytest.raises(StoreUnavailable, match="the disk is full; make room"):
        for number in range(1, 200):
            full(store)
            write(store, NOON + number, message="x" * 400)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    write(store, NOON + 500)
    assert store.requests(1)[0].at == NOON + 500


FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from llmroute.ledger.budgets import Budget
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.sqlite import SqliteStore
from tests.ledger.making import NOON, attempt, request

path = Path(sys.argv[1])

async def main():
    ledger = Ledger(
        lambda: SqliteStore(path, wait=0.1),
        [Budget("team", "month", 10**9, hard=True, tag="held")],
        now=lambda: NOON,
    )
    assert await ledger.look()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, old[1]))
    served = [await ledger.settle(await ledger.reserve(attempt(at=NOON + n), 5, within=9),
              attempt(at=NOON + n, message="x" * 400, cost=3)) for n in range(60)]
    refused = await ledger.reserve(attempt(at=NOON + 100, tags=("held",)), 5, within=9)
    print(served.count(False) > 0, refused.reason, [a.kind for a in ledger.alarms])
    resource.setrlimit(resource.RLIMIT_FSIZE, old)
    await asyncio.sleep(0.3)
    held = await ledger.reserve(attempt(at=NOON + 101, tags=("held",)), 5, within=9)
    await ledger.release(held)
    ledger.close()

asyncio.run(main())
"""


def test_a_file_that_may_not_grow_refuses_hard_budgets_and_serves_the_rest(path):  # row 72
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "True store ['unavailable']\n", done.stderr
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        written = connection.execute("SELECT COUNT(*), SUM(cost) FROM attempts").fetchone()
    assert written == (60, 180)  # what waited was written when there was room


def test_a_file_that_cannot_be_written_says_so(path, monkeypatch):
    path.parent.mkdir()
    path.mkdir()
    store = SqliteStore(path, wait=0.1)
    with pytest.raises(StoreUnavailable, match="it cannot be opened; check the folder's mode"):
        write(store)


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    store = SqliteStore(tmp_path / "file" / "ledger.db", wait=0.1)
    with pytest.raises(
        StoreUnavailable, match=r"File exists; name another place under ledger\.path"
    ):
        write(store)


def corrupt(path: Path, offset: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * (path.stat().st_size - offset))


@pytest.mark.parametrize("offset", [0, 100])
def test_a_corrupt_file_is_set_aside_and_a_new_one_begun(store, path, offset):  # row 74
    write(store)
    first = store.epoch
    corrupt(path, offset)
    store.close()
    with pytest.raises(
        StoreCorrupt, match=r"is corrupt .*set aside as ledger\.db\.corrupt-.*could not"
    ):
        write(store, NOON + 1)
    write(store, NOON + 1)
    assert [row.at for row in store.requests(9)] == [NOON + 1]
    assert store.epoch != first
    (aside,) = path.parent.glob("ledger.db.corrupt-*[0-9]")
    assert aside.read_bytes()[offset : offset + 50] == b"\xff" * 50


def corrupt_requests(path: Path) -> None:
    """Break the pages of one table; the others stay readable."""
    with sqlite3.connect(path) as raw:
        (page,) = raw.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'requests'"
        ).fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_budgets_go_on_where_they_can_still_be_read(store, path):
    write(store)
    spent, held = (reservation(30 * n, charge(100), at=NOON + n) for n in (1, 2))
    for item in (spent, held):
        with store.transaction():
            assert store.reserve(item) is None
    with store.transaction():
        store.settle(spent, replace(spent.attempt, cost=20))
    first = store.epoch
    corrupt_requests(path)
    store.close()  # what it has in memory is not read again
    with pytest.raises(StoreCorrupt, match="the counters of budgets go on"):
        write(store, NOON + 3)
    assert store.counters([TEAM])[TEAM] == (20, 60)
    assert store.epoch == first
    with store.transaction():
        assert store.reserve(reservation(30, charge(100), at=NOON + 4)).left == 20
        store.settle(held, replace(held.attempt, cost=50))
    assert store.counters([TEAM])[TEAM] == (70, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(path.parent.glob("*.new-*"))


async def test_after_a_corrupt_file_the_ledger_goes_on_and_rewrites_what_it_knows(path):
    ledger = ledger_of(path, Budget("team", "month", 100, hard=True))
    first = await ledger.reserve(attempt(), 60, 50, within=60)
    assert await ledger.settle(first, replace(first.attempt, cost=40))
    corrupt(path)
    second = await ledger.reserve(attempt(at=NOON + 1), 30, within=60)
    assert isinstance(second, Reservation)
    assert await ledger.flush()
    assert ledger.shares() == {"team": 0.7}
    assert [alarm.kind for alarm in ledger.alarms] == ["lost", "corrupt"]
    third = await ledger.reserve(attempt(at=NOON + 2), 31, within=60)
    assert isinstance(third, Refusal)
    assert ledger.close()


def test_two_processes_that_find_it_corrupt_set_it_aside_once(path):
    first, second = (SqliteStore(path, wait=0.1) for _ in range(2))
    for store in (first, second):
        write(store)
    corrupt(path)
    old = sqlite3.DatabaseError("read from the old file")
    old.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    with pytest.raises(StoreCorrupt, match="another process has set it aside"):
        with second._database.errors():
            with pytest.raises(StoreCorrupt, match=r"set aside as ledger\.db"):
                write(first, NOON + 1)
            write(first, NOON + 2)
            raise old
    write(second, NOON + 3)
    assert len(list(path.parent.glob("ledger.db.corrupt-*[0-9]"))) == 1
    assert [row.at for row in first.requests(9)] == [NOON + 3, NOON + 2]


def test_a_file_that_another_took_the_place_of_is_followed(store, path):
    write(store)
    first = store.epoch
    path.rename(path.with_name("elsewhere.db"))
    write(store, NOON + 1)
    assert store.epoch != first
    assert [row.at for row in store.requests(9)] == [NOON + 1]


def test_another_program_s_database_is_left_alone(store, path):
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE photos (name)")
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="another program's database"):
        write(store)
    assert path.read_bytes() == before


def test_a_newer_ledger_is_left_alone(store, path):
    write(store)
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 2")
    store.close()
    with pytest.raises(StoreUnavailable, match=r"its tables have version 2.*update it"):
        write(store, NOON + 1)


def test_a_failed_change_leaves_nothing_of_itself(store):
    held = reservation(60, charge(100))
    with pytest.raises(RuntimeError), store.transaction():
        store.reserve(held)
        raise RuntimeError
    assert store.counters([TEAM])[TEAM] == (0, 0)
    assert store.attempts(held.attempt.request) == []
