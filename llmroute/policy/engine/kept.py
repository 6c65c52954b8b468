"""A bounded memory of what was computed, for several threads."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Kept"]


Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


class Kept(Generic[Key, Row]):
    """Rows by key; of more than `most` the oldest is forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[Key, Row] = {}
        self._lock = Lock()

    def row(self, key: Key, make: Callable[[], Row]) -> Row:
        """Return the row of a key, made where it is not known."""
        row = self._rows.get(key)
        if row is None:
            row = make()
            self.keep(key, row)
        return row

    def keep(self, key: Key, row: Row) -> None:
        """Remember a row."""
        with self._lock:
            self._rows[key] = row
            if len(self._rows) > self._most:
                del self._rows[next(iter(self._rows))]

    def items(self) -> list[tuple[Key, Row]]:
        """Return every key with its row, the oldest first."""
        with self._lock:
            return list(self._rows.items())

    def __len__(self) -> int:
        return len(self._rows)
