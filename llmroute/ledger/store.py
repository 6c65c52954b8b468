"""What every store of the ledger does, whatever keeps it: a file, memory, or a server.

A store belongs to one thread. Its changes are atomic and isolated from those of other processes:
two reservations never pass a limit together. Every change may come twice, because a writer that
heard no answer says it again; names make it count once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal, Protocol

from llmroute.errors import LlmrouteError
from llmroute.ledger.holds import Counter, Hold, Key, Refusal, Reservation
from llmroute.ledger.records import AttemptRecord, RequestRecord

__all__ = [
    "By",
    "Record",
    "SpendRow",
    "Store",
    "StoreConflict",
    "StoreCorrupt",
    "StoreError",
    "StoreUnavailable",
]

#: What spending can be summed by.
By = Literal["provider", "model", "target", "tag", "caller", "policy", "day", "all"]

Record = AttemptRecord | RequestRecord


class StoreError(LlmrouteError):
    """The store did not do what it was asked; the message says why and what to do."""


class StoreUnavailable(StoreError):  # noqa: N818 - reads as what happened
    """Nobody answers in time, or nothing can be written: gone, locked, full, read-only."""


class StoreConflict(StoreError):  # noqa: N818 - reads as what happened
    """Another process was faster (a serialization failure): nothing was done, try again."""


class StoreCorrupt(StoreError):  # noqa: N818 - reads as what happened
    """What the store holds cannot be read."""


@dataclass(frozen=True, slots=True)
class SpendRow:
    """The sum of the attempts of one provider, model, tag, …; `key` is None where it has none.

    `cost` adds up the known costs in nano-dollars, `unknown` counts the attempts without one, and
    `estimated` those whose tokens or cost are estimates.
    """

    key: str | None
    requests: int = 0
    attempts: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    cost: int = 0
    unknown: int = 0
    estimated: int = 0


class Store(Protocol):
    """The durable side of the ledger.

    `epoch` names the history that the store continues; it changes where writes may have been
    lost (a failover, a new file), and then the writer says again what it still knows.
    """

    @property
    def epoch(self) -> str:
        """Name the history that the store continues."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Make all changes inside durable together, or none of them.

        Raises:
            StoreUnavailable: nothing can be written.
            StoreConflict: another process was faster.
            StoreCorrupt: the store cannot be read.

        """
        ...

    def reserve(self, reservation: Reservation, *, forced: bool = False) -> Refusal | None:
        """Hold an amount in all budgets that it counts against, or in none of them.

        A hard budget refuses where spent, reserved and the amount together pass its limit; forced
        (it was held before, and lost) it does not.

        Raises:
            ValueError: an attempt of that name has ended already.

        """
        ...

    def settle(self, reservation: Reservation, attempt: AttemptRecord) -> None:
        """Take what the attempt cost as spent, and record it; without a cost, the estimate."""
        ...

    def release(self, reservation: Reservation, attempt: AttemptRecord | None) -> None:
        """Give the money back; record the attempt, if there was one."""
        ...

    def record(self, records: Iterable[Record]) -> None:
        """Write records that are not there yet."""
        ...

    def sweep(self, now: float) -> int:
        """Settle what expired before `now` at its estimate; return how many that were."""
        ...

    def prune(self, before: float) -> int:
        """Forget records of requests before a time; return how many attempts that were."""
        ...

    def counters(self, keys: Iterable[Key]) -> Mapping[Key, Counter]:
        """Return what the budgets have spent and reserved; zeros where nothing was."""
        ...

    def spend(self, by: By, since: float, until: float, zone: tzinfo) -> Sequence[SpendRow]:
        """Sum up the attempts of the requests in a span of time, the dearest first.

        A request with several tags counts under each; by `all` there is one row, if any. Days are
        those of the zone, in order.
        """
        ...

    def requests(
        self, last: int, *, prefix: str = "", target: str | None = None, failed: bool = False
    ) -> Sequence[RequestRecord]:
        """Return the latest requests, newest first, without their decisions and prompts.

        `prefix` of their id, `target` that served or was tried, `failed`: without an answer. Those
        that reserved money and whose end was not written are among them (`records.unended`).
        """
        ...

    def request(self, request: str) -> RequestRecord | None:
        """Return one request in full."""
        ...

    def attempts(self, request: str) -> Sequence[AttemptRecord]:
        """Return the attempts of a request, in order."""
        ...

    def holds(self, request: str) -> Mapping[int, Hold]:
        """Return what was reserved for the attempts of a request, by their numbers."""
        ...

    def close(self) -> None:
        """Give back what the store holds open."""
        ...
