"""Sums of spending by provider, model, target, tag, caller, policy or day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo

from llmroute.ledger.records import AttemptRecord
from llmroute.ledger.store import By, SpendRow

__all__ = ["day_of", "in_order", "sum_up"]


def day_of(at: float, zone: tzinfo) -> str:
    """Return the day of a moment in a time zone, as `2026-11-29`."""
    return datetime.fromtimestamp(at, zone).date().isoformat()


def sum_up(attempts: Iterable[AttemptRecord], by: By, zone: tzinfo) -> Sequence[SpendRow]:
    """Sum up attempts; one with several tags counts under each of them."""
    keys = _keys(by, zone)
    grouped: dict[str | None, list[AttemptRecord]] = {}
    for attempt in attempts:
        for key in keys(attempt):
            grouped.setdefault(key, []).append(attempt)
    return in_order((_row(key, rows) for key, rows in grouped.items()), by)


def in_order(rows: Iterable[SpendRow], by: By) -> Sequence[SpendRow]:
    """Put days in their order, and anything else by what it cost, the dearest first."""
    if by == "day":
        return sorted(rows, key=lambda row: row.key or "")
    return sorted(rows, key=lambda row: (-row.cost, -row.attempts, row.key or ""))


def _keys(by: By, zone: tzinfo) -> Callable[[AttemptRecord], Iterable[str | None]]:
    if by == "tag":
        return lambda attempt: dict.fromkeys(attempt.tags) or (None,)
    if by == "day":
        return lambda attempt: (day_of(attempt.at, zone),)
    if by == "all":
        return lambda _attempt: (None,)
    if by == "policy":
        return lambda attempt: (attempt.policy or None,)
    return lambda attempt: (getattr(attempt, by),)


def _row(key: str | None, rows: list[AttemptRecord]) -> SpendRow:
    return SpendRow(
        key,
        requests=len({row.request for row in rows}),
        attempts=len(rows),
        failed=sum(row.outcome != "ok" for row in rows),
        tokens_in=sum(row.tokens_in for row in rows),
        tokens_out=sum(row.tokens_out for row in rows),
        cached=sum(row.cached for row in rows),
        cost=sum(row.cost or 0 for row in rows),
        unknown=sum(row.cost is None for row in rows),
        estimated=sum(row.estimated for row in rows),
    )
