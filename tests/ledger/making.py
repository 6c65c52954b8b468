"""Budgets, attempts and reservations for tests of the ledger, in round figures."""

from __future__ import annotations

from typing import Any

from llmroute.ledger.holds import Charge, Key, Reservation
from llmroute.ledger.records import AttemptRecord, RequestRecord, first_id

#: 2026-11-29 12:00 UTC.
NOON = 1_795_953_600.0
#: When November ends, in UTC.
DECEMBER = 1_796_083_200.0


def attempt(number: int = 1, *, at: float = NOON, request: str | None = None, **more: Any):
    """An attempt at `acme/large`; each second has one request."""
    given = {"provider": "acme", "target": "acme/large", "policy": "balanced", **more}
    return AttemptRecord(request or first_id(at), number, at, **given)


def request(at: float = NOON, **more: Any) -> RequestRecord:
    return RequestRecord(first_id(at), at, **{"policy": "balanced", **more})


def charge(limit: int, *, name: str = "team", hard: bool = True, period: str = "2026-11") -> Charge:
    return Charge(Key(name, period), limit, hard, DECEMBER)


def reservation(
    amount: int, *charges: Charge, at: float = NOON, expires: float = NOON + 660, **more: Any
) -> Reservation:
    estimate = more.pop("estimate", amount)
    return Reservation(attempt(at=at, **more), amount, estimate, expires, charges)
