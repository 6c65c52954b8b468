"""The thread that owns the store: it gathers what was asked and writes it in one transaction.

While one transaction is on its way to the disk the next one fills, so that many calls share the
time of one. Where the store fails, what can wait goes to the journal, and the store is left alone
for a moment before it is tried again.
"""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from threading import Condition, Thread
from typing import Any

from llmroute.ledger.alarms import Alarms
from llmroute.ledger.counts import Counts
from llmroute.ledger.forking import ForkGuard
from llmroute.ledger.holds import Counter, Key
from llmroute.ledger.journal import Journal
from llmroute.ledger.operations import Operation, upkeep
from llmroute.ledger.store import Store, StoreConflict, StoreCorrupt, StoreError

__all__ = ["Limits", "Pace", "Writer"]

#: Changes in one transaction.
_BATCH = 256
#: Written changes that are remembered, for a store that turns out to have lost them.
_REMEMBERED = 500
#: How often a conflict is tried again; the pauses are random, up to these seconds, doubled each
#: time.
_TRIES, _PAUSE, _LONGEST = 6, 0.005, 0.1
#: Seconds until a store that failed is tried again; doubled each time, up to the second figure.
_REST, _LONGEST_REST = 0.2, 5.0
#: Seconds that the end of a process waits for what is not written yet.
_AT_EXIT = 10.0
#: Seconds between two looks for what expired and for what is too old to keep.
_UPKEEP = 30.0


@dataclass(frozen=True)
class Pace:
    """Time and chance as the writer knows them; tests bring their own.

    `now` is UTC in seconds, `clock` monotonic, `sleep` in seconds.
    """

    now: Callable[[], float]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Random


@dataclass(frozen=True)
class Limits:
    """At most `queue` operations wait; records are kept for `keep` seconds, None for ever."""

    queue: int
    keep: float | None = None


class Writer:
    """Carries out operations in the order in which they came; `post` may be called anywhere."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        counts: Counts,
        alarms: Alarms,
        pace: Pace,
        limits: Limits,
    ) -> None:
        self._open_store, self._counts, self._alarms = open_store, counts, alarms
        self._pace, self._limits = pace, limits
        self._inherited: list[Store] = []
        self._store: Store | None = None
        self._guard = ForkGuard(self._begin)
        self._begin()

    def _begin(self) -> None:
        """Begin with nothing to do and no store; in a fork, whose parent goes on with its own."""
        if self._store is not None:
            self._inherited.append(self._store)  # neither used nor closed here
        self._counts.forget()
        self._journal = Journal(self._limits.queue, _REMEMBERED)
        self._queue: deque[Operation] = deque()
        self._wake = Condition()
        self._thread: Thread | None = None
        self._closing = False
        self._store = None
        self._epoch: str | None = None
        self._fault: StoreError | None = None
        self._rest, self._rested = _REST, 0.0
        self._upkeep_at = 0.0

    def post(self, operation: Operation, *, needed: bool = True) -> bool:
        """Queue an operation; False where it is refused, for too much waits or all is closed.

        What is `needed` (the end of a reservation) is queued even so.
        """
        with self._wake:
            if self._closing or (len(self._queue) >= self._limits.queue and not needed):
                return False
            self._counts.asked(operation)
            self._queue.append(operation)
            if self._thread is None:
                self._start()
            self._wake.notify()
        return True

    def _start(self) -> None:
        """Begin the thread; what it has left is written when the process ends."""
        self._thread = Thread(target=self._run, name="llmroute-ledger", daemon=True)
        self._thread.start()
        atexit.register(self.close, _AT_EXIT)

    def end(self) -> None:
        """Take no more, write what waits and close the store; does not wait for it."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def close(self, timeout: float) -> bool:
        """Write what waits and close the store; False where that takes longer."""
        atexit.unregister(self.close)
        self.end()
        thread = self._thread
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self) -> None:
        while self._wait():
            self._turn()
        self._rested = 0.0  # a last try
        self._again()
        if len(self._journal):
            text = f"the process ends, and {len(self._journal)} changes could not be written"
            self._alarms.note("dropped", f"{text}: {self._fault}", len(self._journal))
        if self._store is not None:
            self._store.close()
        atexit.unregister(self.close)

    def _wait(self) -> bool:
        """Wait for work; False where there is none left and no more will come."""
        with self._wake:
            while not self._queue and not self._closing:
                pause = (
                    max(self._rested - self._pace.clock(), 0.001) if len(self._journal) else None
                )
                if not self._wake.wait(pause) and pause is not None:
                    return True
            return bool(self._queue)

    def _turn(self) -> None:
        """Serve what waits, and what is due besides."""
        if len(self._journal):
            self._again()
        with self._wake:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH))]
        batch = [item for item in batch if self._begins(item)]
        if batch:
            self._serve([*self._upkeep(), *batch])

    def _begins(self, operation: Operation) -> bool:
        """Whether somebody still wants it; from now on it cannot be called off."""
        if operation.outcome.set_running_or_notify_cancel():
            return True
        self._counts.landed([operation], None)
        return False

    def _serve(self, batch: Sequence[Operation]) -> None:
        try:
            results = self._written(batch, [item.do for item in batch])
        except StoreError as exc:
            self._failed(batch, exc)
        except Exception as exc:  # noqa: BLE001 - one record that no store takes stops no other
            self._one_by_one(batch, exc)
        else:
            for item, result in zip(batch, results, strict=True):
                if result is None:
                    self._journal.wrote(item)
                item.outcome.set_result(result)

    def _one_by_one(self, batch: Sequence[Operation], error: Exception) -> None:
        if len(batch) > 1:
            for item in batch:
                self._serve([item])
            return
        self._counts.landed(batch, None)
        self._alarms.note("failed", f"a record could not be written: {error!r}")
        batch[0].outcome.set_exception(error)

    def _written(self, batch: Sequence[Operation], acts: Sequence[Callable[[Store], Any]]) -> Any:
        """Carry out a batch in one transaction; a conflict is tried again, as is a broken file."""
        if self._fault is not None and self._pace.clock() < self._rested:
            raise self._fault
        for attempt in range(_TRIES):
            try:
                with self._guard:
                    return self._transact(batch, acts)
            except StoreCorrupt as exc:
                self._alarms.note("corrupt", str(exc))
                last: StoreError = exc
            except StoreConflict as exc:
                last = exc
                self._pace.sleep(self._pace.random.uniform(0, min(_PAUSE * 2**attempt, _LONGEST)))
        if isinstance(last, StoreConflict):
            self._alarms.note("conflict", str(last))
        raise last

    def _transact(self, batch: Sequence[Operation], acts: Sequence[Callable[[Store], Any]]) -> Any:
        store = self._opened()
        if not any(item.changes for item in batch):
            results = [act(store) for act in acts]
            known = self._known(store)
        else:
            with store.transaction():
                results = [act(store) for act in acts]
                known = self._known(store)
        self._fault, self._rest = None, _REST
        self._counts.landed(batch, known)
        for item in batch:
            item.delta = 0
        self._watch(store)
        return results

    def _known(self, store: Store) -> Mapping[Key, Counter] | None:
        keys = self._counts.keys()
        return store.counters(keys) if keys else None

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _watch(self, store: Store) -> None:
        """Where the store goes on from another history, let the journal be written again."""
        before, self._epoch = self._epoch, store.epoch
        if before in (None, store.epoch):
            return
        count = self._journal.doubt()
        text = "the store's history is another one than before: what is known here"
        self._alarms.note("lost", f"{text}, {count} changes, is written again")

    def _failed(self, batch: Sequence[Operation], error: StoreError) -> None:
        """Let what can wait wait, and refuse the rest."""
        if error is not self._fault and not isinstance(error, StoreConflict):
            self._alarms.note("unavailable", str(error))
            self._fault = error
            self._rested = self._pace.clock() + self._rest * (0.5 + self._pace.random.random() / 2)
            self._rest = min(self._rest * 2, _LONGEST_REST)
        for item in batch:
            self._put_off(item)
            if item.instead is not None or item.again is None:
                item.outcome.set_exception(error)
            else:
                item.outcome.set_result(error)

    def _put_off(self, operation: Operation) -> None:
        if operation.instead is not None or operation.again is None:
            self._counts.landed([operation], None)
        kept = operation.instead or operation
        if kept.again is None:
            return
        gone = self._journal.keep(kept)
        if gone is not None:
            self._counts.landed([gone], None)
            self._alarms.note("dropped", "too many changes wait for the store; the oldest is gone")

    def _again(self) -> None:
        """Write what waits in the journal, oldest first, as long as the store takes it."""
        while batch := self._journal.waiting(_BATCH):
            if not self._repeated(batch):
                return

    def _repeated(self, batch: Sequence[Operation]) -> bool:
        """Write changes again; False where the store fails."""
        try:
            self._written(batch, [item.again for item in batch if item.again is not None])
        except StoreError as exc:
            self._failed([], exc)
            return False
        except Exception as exc:  # noqa: BLE001 - see _serve
            if len(batch) > 1:
                return all(self._repeated([item]) for item in batch)
            self._alarms.note("failed", f"a record could not be written: {exc!r}")
            self._counts.landed(batch, None)
        for item in batch:
            self._journal.wrote(item)
        return True

    def _upkeep(self) -> list[Operation]:
        """Return what is due: settling what expired, forgetting what is old."""
        clock = self._pace.clock()
        if clock < self._upkeep_at:
            return []
        self._upkeep_at = clock + _UPKEEP
        return [upkeep(self._pace.now(), self._limits.keep)]
