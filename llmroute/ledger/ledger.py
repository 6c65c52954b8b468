"""What dispatch asks of the ledger: money before a call, its end after it, and a record of both.

::

    held = await ledger.reserve(attempt, estimate.cost_max, estimate.cost, within=deadline)
    if isinstance(held, Refusal):
        ...  # held.message says which budget, what is left, and until when
    ledger.settle(held, attempt.with_usage(usage, cost))     # or ledger.release(held, attempt)

Ends are queued where they are said, not where they are awaited, so that a generator that is
closed can say them too. Nothing here blocks an event loop. Where no hard budget matches, reserving
does not wait either.

Where the store fails, hard budgets refuse, everything else is served, `alarms` says what is wrong,
and what could not be written is written when the store is back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from random import Random
from weakref import finalize

from llmroute.ledger.alarms import Alarm, Alarms
from llmroute.ledger.budgets import Budget
from llmroute.ledger.counts import Allowance, Counts
from llmroute.ledger.holds import Charge, Refusal, Reservation
from llmroute.ledger.operations import Operation, hold, note, release, settle, tell
from llmroute.ledger.records import AttemptRecord, RequestIds
from llmroute.ledger.store import Record, Store
from llmroute.ledger.waiting import Written, finished
from llmroute.ledger.writer import Limits, Pace, Writer

__all__ = ["MARGIN", "Ledger"]

#: Seconds that a reservation outlives its request's deadline.
MARGIN = 60.0
#: Seconds after which the counters are looked at again, for what other processes spend.
_FRESH = 1.0


class Ledger:
    """Records what was asked and spent, and holds budgets; one for all threads and event loops.

    Without `open_store` it is off: nothing is recorded, and there are no budgets. `zone` is that
    of the budgets' periods. `wait` bounds in seconds how long a call waits for the store. `keep` is
    for how many seconds records are kept, None for ever; at most `queue` of them wait. `prompts`
    and `decisions` say what the records of requests should hold. One that nobody holds any more
    closes by itself.
    """

    def __init__(
        self,
        open_store: Callable[[], Store] | None,
        budgets: Sequence[Budget] = (),
        *,
        zone: tzinfo = UTC,
        wait: float = 5.0,
        keep: float | None = None,
        prompts: bool = False,
        decisions: bool = True,
        queue: int = 10_000,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Random | None = None,
    ) -> None:
        self.prompts, self.decisions = prompts, decisions
        self.budgets = tuple(budgets) if open_store is not None else ()
        self.enabled = open_store is not None
        self._alarms = Alarms(now)
        self._counts = Counts(self.budgets, zone, now)
        self._zone, self._wait, self._now, self._clock = zone, wait, now, clock
        self._ids = RequestIds(now)
        self._looked = -_FRESH
        self._looking: Written | None = None
        self._writer: Writer | None = None
        if open_store is not None:
            pace = Pace(now, clock, sleep, random or Random())  # noqa: S311 - it spreads load
            limits = Limits(queue, keep)
            self._writer = Writer(open_store, self._counts, self._alarms, pace, limits)
            finalize(self, self._writer.end).atexit = False

    def new_id(self) -> str:
        """Return the id of a new request; ids sort by time."""
        return self._ids.next()

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What went wrong, counted by kind, the newest first."""
        return self._alarms.latest()

    def matching(self, attempt: AttemptRecord) -> tuple[Budget, ...]:
        """Return the budgets that an attempt counts against."""
        who = (attempt.provider, attempt.target, attempt.tags, attempt.caller, attempt.policy)
        return tuple(budget for budget in self.budgets if budget.matches(*who))

    async def reserve(
        self,
        attempt: AttemptRecord,
        amount: int | None,
        estimate: int | None = None,
        *,
        within: float,
    ) -> Reservation | Refusal:
        """Hold money for an attempt, in every budget that it counts against or in none.

        `amount` is the most that it may cost and `estimate` what it probably will, in nano-dollars;
        None where the price is unknown, which hard budgets refuse; 0 fits into every budget, and
        waits for no store. In `within` seconds the attempt is over, so that no store is waited for
        longer, and a reservation that nobody settles or releases is settled at its estimate after
        that and a margin.
        """
        charges = tuple(b.charge(attempt.at, self._zone) for b in self.matching(attempt))
        if not charges:
            return Reservation(attempt)
        held = _reservation(attempt, amount, estimate, self._now() + within + MARGIN, charges)
        hard = next((charge for charge in charges if charge.hard), None)
        if hard is not None and amount is None:
            return Refusal(hard.key.budget, "price", hard.limit, hard.until)
        if hard is None or not held.hard:
            self._post(hold(held))
            return held
        return await self._held(held, hard, min(self._wait, within))

    async def _held(self, held: Reservation, hard: Charge, wait: float) -> Reservation | Refusal:
        """Wait for the store's word, and without one leave nothing held behind."""
        operation = hold(held)
        if not self._post(operation, needed=False):
            return _unknown(hard, "too much waits for the store, or the ledger is closed")
        try:
            answered = await finished(operation.outcome, wait)
        except BaseException:
            self._call_off(operation, held)
            raise
        if not answered:
            self._call_off(operation, held)
            told = f"the ledger did not answer within {wait:.3g} s"
            self._alarms.note("slow", told)
            return _unknown(hard, told)
        error = operation.outcome.exception()
        if error is not None:
            return _unknown(hard, str(error))
        refused: Refusal | None = operation.outcome.result()
        return refused or held

    def _call_off(self, operation: Operation, held: Reservation) -> None:
        if not operation.outcome.cancel():
            self._post(release(held, None))

    def settle(self, held: Reservation, attempt: AttemptRecord) -> Written:
        """Say what an attempt cost (`attempt.cost`; None: nobody knows), and record it.

        It is queued at once; awaiting it waits until it is durable.
        """
        return self._end(held, settle(held, attempt) if held.charges else note([attempt]))

    def release(self, held: Reservation, attempt: AttemptRecord | None = None) -> Written:
        """Say that an attempt cost nothing, and record it if it was made; as `settle`."""
        if held.charges:
            return self._end(held, release(held, attempt))
        return self._end(held, note([replace(attempt, cost=0)])) if attempt else Written()

    def _end(self, held: Reservation, operation: Operation) -> Written:
        if self._post(operation, needed=bool(held.charges)):
            return Written(operation.outcome)
        return Written(done=self._dropped(1))

    def record(self, *records: Record) -> bool:
        """Record requests, and attempts that no money was reserved for; never waits.

        Prompts and decisions are left out where the workspace does not want them.
        Where too much waits already they are dropped, and an alarm counts them: False.
        """
        kept = [self._allowed(record) for record in records]
        return self._post(note(kept), needed=False) or self._dropped(len(records))

    def _allowed(self, record: Record) -> Record:
        """Leave out what the workspace does not want to be kept."""
        if isinstance(record, AttemptRecord):
            return record
        wanted = record if self.decisions else replace(record, decision=None, brief=None)
        return wanted if self.prompts else replace(wanted, prompt=None)

    def _dropped(self, count: int) -> bool:
        """Count what is not written; True where nothing was to be."""
        if self.enabled:
            text = "records were dropped: too many wait for the store, or the ledger is closed"
            self._alarms.note("dropped", text, count)
        return not self.enabled

    def _post(self, operation: Operation, *, needed: bool = True) -> bool:
        return self._writer is not None and self._writer.post(operation, needed=needed)

    def shares(self) -> Mapping[str, float]:
        """Return which share of each budget is spent or reserved; never waits.

        Other processes' spending is in it after a second at most; before the first look at the
        store (see `look`) there is only this process's own.
        """
        self._refresh()
        return self._counts.shares()

    def allowances(self) -> Mapping[str, Allowance]:
        """Return what is left of each hard budget, and until when; from the same figures."""
        self._refresh()
        return self._counts.allowances()

    def _refresh(self) -> None:
        if self.budgets and self._clock() - self._looked >= _FRESH:
            self.look()

    def look(self) -> Written:
        """Look at the store's counters; wait for it where the first figures must be right."""
        if not self.budgets:
            return Written()
        self._looked = self._clock()
        return self._told()

    def _told(self) -> Written:
        operation = tell()
        return Written(operation.outcome) if self._post(operation) else Written(done=False)

    def flush(self) -> Written:
        """Return the end of all that was asked before."""
        return self._told() if self.enabled else Written()

    def end(self) -> None:
        """Take no more, and close the store once everything is written; does not wait for it."""
        if self._writer is not None:
            self._writer.end()

    def close(self, timeout: float = 10.0) -> bool:
        """Write what waits and close the store; False where `timeout` seconds were too few."""
        return self._writer is None or self._writer.close(timeout)


def _reservation(
    attempt: AttemptRecord,
    amount: int | None,
    estimate: int | None,
    expires: float,
    charges: tuple[Charge, ...],
) -> Reservation:
    most = max(amount or 0, 0)
    guess = most if estimate is None else min(max(estimate, 0), most)
    return Reservation(attempt, most, guess, expires, charges, priced=amount is not None)


def _unknown(charge: Charge, detail: str) -> Refusal:
    return Refusal(charge.key.budget, "store", charge.limit, charge.until, detail=detail)
