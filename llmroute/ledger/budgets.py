"""Budgets as the workspace declares them: what counts against each, and its periods.

A period is a day or month of the workspace's time zone, from one midnight to another by that
zone's own calendar: a day with a change of the clock has 23 or 25 hours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal

from llmroute.catalog.cost import NANO
from llmroute.ledger.holds import Charge, Key

__all__ = ["Budget", "Period", "budgets_of"]


@dataclass(frozen=True, slots=True)
class Period:
    """One day or month: its key (`2026-11-29`, `2026-11`), first and last moment (UTC seconds)."""

    key: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit of money in nano-dollars for each period; a hard one refuses, a soft one reports.

    The scope's keys must all hold; without any, everything counts.
    """

    name: str
    period: Literal["day", "month"]
    amount: int
    hard: bool = False
    tag: str | None = None
    provider: str | None = None
    target: str | None = None
    caller: str | None = None
    policy: str | None = None
    _periods: dict[tzinfo, Period] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Budget:
        """Build it from an entry of `budgets:`."""
        amount = int((Decimal(str(data["amount"])) * NANO).to_integral_value())
        scope = data.get("scope", {})
        return cls(data["name"], data["period"], amount, data.get("hard", False), **scope)

    def matches(
        self, provider: str, target: str, tags: Collection[str], caller: str | None, policy: str
    ) -> bool:
        """Whether an attempt counts against the budget."""
        return (
            (self.tag is None or self.tag in tags)
            and self.provider in (None, provider)
            and self.target in (None, target)
            and self.caller in (None, caller)
            and self.policy in (None, policy)
        )

    def period_at(self, at: float, zone: tzinfo) -> Period:
        """Return the period that a moment (UTC seconds) belongs to."""
        known = self._periods.get(zone)
        if known is None or not known.start <= at < known.end:
            known = self._periods[zone] = _period(self.period, at, zone)
        return known

    def charge(self, at: float, zone: tzinfo) -> Charge:
        """Return what an attempt at that moment counts against."""
        period = self.period_at(at, zone)
        return Charge(Key(self.name, period.key), self.amount, self.hard, period.end)


def budgets_of(entries: Iterable[Mapping[str, Any]]) -> tuple[Budget, ...]:
    """Build the budgets of a workspace's `budgets:`."""
    return tuple(map(Budget.of, entries))


def _period(kind: Literal["day", "month"], at: float, zone: tzinfo) -> Period:
    day = datetime.fromtimestamp(at, zone).date()
    if kind == "day":
        return Period(day.isoformat(), _begin(day, zone), _begin(day + timedelta(days=1), zone))
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Period(f"{day:%Y-%m}", _begin(first, zone), _begin(following, zone))


def _begin(day: date, zone: tzinfo) -> float:
    """Return the first moment of a day.

    Where the clocks go back over midnight, that is the earlier of the two; where they go forward
    over it, the moment of the change.
    """
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
