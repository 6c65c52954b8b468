"""What a process remembers of its own changes, to say it again where the store lost it.

Changes that failed wait here until the store is back. Those that were written are kept for a
while too: a store that took over from a broken one may not have them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from llmroute.ledger.operations import Operation

__all__ = ["Journal"]


class Journal:
    """The latest change of each name: at most `size` that wait, and `written` that were written.

    It belongs to the writer's thread.
    """

    def __init__(self, size: int, written: int) -> None:
        self._size = size
        self._most_written = written
        self._waiting: dict[Hashable, Operation] = {}
        self._written: dict[Hashable, Operation] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def wrote(self, operation: Operation) -> None:
        """Remember a change that the store confirmed."""
        if operation.again is None:
            return
        self._waiting.pop(operation.name, None)
        self._written.pop(operation.name, None)
        self._written[operation.name] = operation
        if len(self._written) > self._most_written:
            del self._written[next(iter(self._written))]

    def keep(self, operation: Operation) -> Operation | None:
        """Keep a change that could not be written; return the oldest where there are too many.

        It takes the place of an earlier one of its name, and what that one was worth.
        """
        earlier = self._waiting.pop(operation.name, None)
        if earlier is not None:
            operation.delta += earlier.delta
        self._waiting[operation.name] = operation
        if len(self._waiting) > self._size:
            return self._waiting.pop(next(iter(self._waiting)))
        return None

    def waiting(self, count: int) -> Sequence[Operation]:
        """Return the oldest changes that wait."""
        return list(self._waiting.values())[:count]

    def doubt(self) -> int:
        """Let everything that was written wait again, first; return how much that is."""
        count = len(self._written)
        self._waiting = {**self._written, **self._waiting}
        self._written = {}
        return count
