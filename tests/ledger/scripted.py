"""A store that fails as its script says, over one in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from llmroute.ledger.memory import MemoryStore
from llmroute.ledger.store import StoreError, StoreUnavailable


class ScriptedStore(MemoryStore):
    """`faults` are raised by the next transactions; `gone` by all; a closed `gate` holds them.

    `late` faults are raised after the changes were made: the answer got lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch = "one"
        self.gone = False
        self.faults: list[StoreError] = []
        self.late: list[StoreError] = []
        self.gate = Event()
        self.gate.set()
        self.transactions = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.gate.wait(10)
        self.transactions += 1
        self.available()
        if self.faults:
            raise self.faults.pop(0)
        before = copy.deepcopy(self.__dict__, {id(self.gate): self.gate})
        try:
            yield
        except BaseException:
            self.__dict__.update(before)
            raise
        if self.late:
            raise self.late.pop(0)

    def available(self) -> None:
        if self.gone:
            raise StoreUnavailable("the server is gone")

    def record(self, records):
        if any(getattr(item, "message", None) == "poison" for item in records):
            raise OverflowError("no column takes this")
        super().record(records)

    def counters(self, keys):
        self.available()
        return super().counters(keys)

    def remember(self) -> dict:
        """What a replica has at this moment."""
        parts = {
            name: self.__dict__[name] for name in ("_counters", "_open", "_attempts", "_requests")
        }
        return copy.deepcopy(parts)

    def fail_over(self, replica: dict) -> None:
        """Go on from what the replica had: another history."""
        self.__dict__.update(replica)
        self.epoch = "two"
