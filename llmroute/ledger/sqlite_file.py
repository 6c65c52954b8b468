"""The file of the SQLite ledger: opened, found changed, and set aside where it is broken.

Several processes share it. A process that finds it broken puts a new one in its place, and the
others notice that the path leads to another file now. The journal is a rollback journal, because
SQLite before 3.51.3 can lose writes to a race in WAL mode, and the SQLite is the one that Python
came with; docs/ledger.md has the figures behind its modes.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmroute.ledger.sqlite_fresh import create, replace_corrupt
from llmroute.ledger.sqlite_rows import APPLICATION, VERSION
from llmroute.ledger.store import StoreConflict, StoreCorrupt, StoreError, StoreUnavailable

__all__ = ["Database"]

_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_HINTS = {
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_READONLY: "it cannot be written; check its mode and its file system",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the folder's mode and its file system",
    sqlite3.SQLITE_IOERR: "reading or writing failed; check the disk and its quota",
}

#: Device and number of a file, None where there is none: another file has others.
_Identity = tuple[int, int] | None


class Database:
    """One connection to the file at `path`; `wait` is how long to wait for other processes.

    `now` is UTC in seconds; `sleep`, in seconds, and `chance`, 0..1, make the pauses between
    tries.
    """

    def __init__(
        self,
        path: Path,
        wait: float,
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        chance: Callable[[], float],
    ) -> None:
        self.path = path
        self.epoch = ""
        self._wait, self._now = wait, now
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._connection: sqlite3.Connection | None = None
        self._identity: _Identity = None

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Say in the ledger's words what SQLite or the file system refused.

        A file that is corrupt has been set aside when this raises `StoreCorrupt`.
        """
        try:
            yield
        except sqlite3.Error as exc:
            code = getattr(exc, "sqlite_errorcode", None)
            if code is None:
                raise
            identity = self._identity
            self.close()
            raise self._meaning(exc, code, identity) from exc
        except OSError as exc:
            self.close()
            hint = "name another place under ledger.path"
            raise StoreUnavailable(f"the ledger {self.path}: {exc.strerror}; {hint}") from exc

    def _meaning(self, exc: sqlite3.Error, code: int, identity: _Identity) -> StoreError:
        kind = code & 0xFF
        if kind in _CORRUPT:
            return StoreCorrupt(self._set_aside(str(exc), identity))
        if code == sqlite3.SQLITE_READONLY_DBMOVED:
            return StoreConflict(f"the ledger {self.path} was replaced by another file")
        if kind in _BUSY:
            hint = f"another process has locked it for {self._wait:g} s"
        else:
            hint = _HINTS.get(kind, "SQLite refused")
        return StoreUnavailable(f"the ledger {self.path}: {hint} ({exc})")

    def connection(self) -> sqlite3.Connection:
        """Return the connection: in a transaction its own, else to what the path leads to now."""
        if self._connection is not None and self._connection.in_transaction:
            return self._connection
        if self._connection is not None and self._identity != _identity(self.path):
            self.close()
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Execute a statement inside the open transaction."""
        return self.connection().execute(sql, values)

    def define(self, name: str, function: Callable[[float], str]) -> None:
        """Let statements of the open transaction use a function of one number."""
        self.connection().create_function(name, 1, function, deterministic=True)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection is not None and self._connection.in_transaction

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of the file, and let nobody write meanwhile."""
        if self.in_transaction:
            yield
            return
        with self.errors():
            connection = self.connection()
            connection.execute("BEGIN")
            try:
                self._patiently(connection, "SELECT 1 FROM ledger")
                yield
            finally:
                _rollback(connection)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Change the file in one transaction, on the disk when this ends, or not at all."""
        with self.errors():
            connection = self.connection()
            self._patiently(connection, "BEGIN IMMEDIATE")
            try:
                yield
                self._patiently(connection, "COMMIT")
            except BaseException:
                _rollback(connection)
                raise

    def _patiently(self, connection: sqlite3.Connection, sql: str) -> None:
        """Execute a statement; try again while another process has the file, for `wait` seconds.

        SQLite's own waiting doubles its pauses, and under eight writers some wait for seconds;
        short pauses at random are fairer.
        """
        limit = self._clock() + self._wait
        while True:
            try:
                connection.execute(sql)
            except sqlite3.OperationalError as exc:
                busy = getattr(exc, "sqlite_errorcode", 0) & 0xFF in _BUSY
                if not busy or self._clock() >= limit:
                    raise
                self._sleep(0.0002 + 0.003 * self._chance())
            else:
                return

    def _open(self) -> sqlite3.Connection:
        self._make()
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        self._identity = _identity(self.path)
        try:
            for pragma in ("journal_mode = PERSIST", "synchronous = FULL", "foreign_keys = OFF"):
                self._patiently(connection, f"PRAGMA {pragma}")
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make(self) -> None:
        """Make the file, for its owner alone, and its folder."""
        if not self.path.exists():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables where the file is new; refuse one that is no ledger."""
        self._patiently(connection, "BEGIN IMMEDIATE")
        try:
            if not _number(connection, "SELECT COUNT(*) FROM sqlite_master"):
                create(connection)
            self._check(connection)
            (self.epoch,) = connection.execute(
                "SELECT value FROM ledger WHERE key = 'epoch'"
            ).fetchone()
        except BaseException:
            _rollback(connection)
            raise
        self._patiently(connection, "COMMIT")

    def _check(self, connection: sqlite3.Connection) -> None:
        if _number(connection, "PRAGMA application_id") != APPLICATION:
            what = "it is another program's database; name another file under ledger.path"
            raise StoreUnavailable(f"the ledger {self.path}: {what}")
        version = _number(connection, "PRAGMA user_version")
        if version != VERSION:
            what = (
                f"its tables have version {version}, and this llmroute knows {VERSION}; update it"
            )
            raise StoreUnavailable(f"the ledger {self.path}: {what}")

    def _set_aside(self, what: str, broken: _Identity) -> str:
        """Put a new file in the place of the one that is corrupt; return what was done."""
        stamp = f"{datetime.fromtimestamp(self._now(), UTC):%Y%m%dT%H%M%S}"
        aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}-{os.getpid()}")
        head = f"the ledger {self.path} is corrupt ({what})"
        with _alone(self.path):
            if broken != _identity(self.path):
                return f"{head}: another process has set it aside"
            saved = "go on" if replace_corrupt(self.path, aside) else "could not be read"
        return f"{head}: set aside as {aside.name}, the counters of budgets {saved}"

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._identity = None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time set a file aside.

    Where there is no `fcntl` (Windows), a file that another process has open cannot be renamed.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    number = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _identity(path: Path) -> _Identity:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _number(connection: sqlite3.Connection, sql: str) -> int:
    (number,) = connection.execute(sql).fetchone()
    return int(number)


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
