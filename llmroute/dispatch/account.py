"""What one request asks of the ledger, and what it tells it: money before calls, records after."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from llmroute.catalog.model import Target
from llmroute.ledger.holds import Refusal, Reservation
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.records import AttemptRecord, RequestRecord
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Request, Usage

__all__ = ["Account", "Refused"]


class Refused(Exception):  # noqa: N818 - the name says what happened
    """A hard budget does not allow a call; the message says which, and what is left of it."""


class Account:
    """One request's page in the ledger; `wall` is the time of day in seconds since 1970."""

    def __init__(self, ledger: Ledger, decision: Decision, wall: Callable[[], float]) -> None:
        self._ledger = ledger
        self._decision = decision
        self._wall = wall
        self._at = wall()
        self._calls = 0
        self.id = ledger.new_id() if ledger.enabled else ""

    async def reserve(self, target: Target, within: float) -> Reservation | None:
        """Hold the most that a call may cost; it ends within so many seconds.

        Raises:
            Refused: a hard budget does not allow it.

        """
        if not self._ledger.enabled:
            return None
        estimate = self._decision.estimate(target)
        record = self._record(target)
        held = await self._ledger.reserve(
            record, estimate.cost_max, estimate.uncached, within=max(within, 0.0)
        )
        if isinstance(held, Refusal):
            raise Refused(held.message)
        return held

    def settle(
        self, held: Reservation | None, attempt: Attempt, usage: Usage | None, nano: int | None
    ) -> None:
        """Write down how a call ended and what it cost; without usage nothing was spent."""
        if held is None:
            return
        record = replace(
            held.attempt,
            outcome=attempt.outcome,
            status=attempt.status,
            message=attempt.message,
            model=attempt.model,
            first_token=attempt.first_token,
            duration=attempt.duration,
        )
        if usage is None:
            self._ledger.release(held, record)
        else:
            self._ledger.settle(held, record.with_usage(usage, nano))

    def close(self, outcome: str, target: str | None) -> None:
        """Write down how the request ended, and who served it."""
        ledger, decision = self._ledger, self._decision
        if not ledger.enabled:
            return
        request, winner = decision.request, decision.winner
        ledger.record(
            RequestRecord(
                id=self.id,
                at=self._at,
                policy=decision.policy,
                outcome=outcome,
                winner=winner.id if winner else None,
                target=target,
                tags=request.tags,
                caller=request.user,
                task=request.task,
                fingerprint=decision.fingerprint,
                brief=decision.brief if ledger.decisions else None,
                prompt=_text(request) if ledger.prompts else None,
            )
        )

    def _record(self, target: Target) -> AttemptRecord:
        request, decision = self._decision.request, self._decision
        self._calls += 1
        return AttemptRecord(
            request=self.id,
            number=self._calls,
            at=self._wall(),
            provider=target.provider.name,
            target=target.id,
            policy=decision.policy,
            tags=request.tags,
            caller=request.user,
            fingerprint=decision.fingerprint,
        )


def _text(request: Request) -> str:
    """Return a request's messages as JSON, or what keeps them from being written so."""
    try:
        return json.dumps(request.messages, default=str)
    except (RecursionError, TypeError, ValueError) as exc:
        return f"the messages are no JSON: {exc}"
