"""A new ledger file, with what can still be read of the budgets in a corrupt one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from llmroute.ledger.sqlite_rows import APPLICATION, CREATE, VERSION

__all__ = ["create", "replace_corrupt"]

_Rows = list[tuple[Any, ...]]


def create(connection: sqlite3.Connection, epoch: str | None = None) -> None:
    """Make the tables in the open transaction."""
    for statement in CREATE.split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO ledger VALUES ('epoch', ?)", (epoch or uuid4().hex,))
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def replace_corrupt(path: Path, aside: Path) -> bool:
    """Put a new file in the place of a corrupt one, which is kept as `aside`, in one step.

    Where all counters of budgets and all open reservations can still be read, they go on in the new
    file, and so does its epoch: True. Else the new file is empty.
    """
    fresh = path.with_name(f"{path.name}.new-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        saved = _fill(fresh, path)
        with suppress(FileNotFoundError):  # first: an old journal must never meet the new file
            _journal(path).rename(_journal(aside))
        _keep(path, aside)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
        _journal(fresh).unlink(missing_ok=True)
    return saved


def _fill(fresh: Path, broken: Path) -> bool:
    try:
        epoch, counters, pending = _readable(broken)
    except sqlite3.Error:
        epoch, counters, pending = None, [], []
    with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        create(connection, epoch)
        _insert(connection, "counters", counters)
        _insert(connection, "attempts", pending)
        connection.execute("COMMIT")
    return epoch is not None


def _readable(broken: Path) -> tuple[str, _Rows, _Rows]:
    address = f"{broken.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        (epoch,) = connection.execute("SELECT value FROM ledger WHERE key = 'epoch'").fetchone()
        counters = connection.execute("SELECT * FROM counters").fetchall()
        pending = connection.execute("SELECT * FROM attempts WHERE outcome = 'pending'").fetchall()
    return epoch, counters, pending


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - own words


def _keep(path: Path, aside: Path) -> None:
    try:
        aside.hardlink_to(path)
    except OSError:  # a file system without links: for a moment there is no file
        path.rename(aside)


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")
