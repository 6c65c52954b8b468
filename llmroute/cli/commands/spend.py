"""`llmroute spend`: what was spent, on what, and what is left of budgets."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NamedTuple

from llmroute.cli.ledgers import Books, moment, money, open_books, shown_time, usd
from llmroute.cli.output import dump, say, table
from llmroute.cli.parser import Commands
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from datetime import tzinfo

    from llmroute.ledger.holds import Charge
    from llmroute.ledger.store import SpendRow

__all__ = ["add"]

_BY = ("provider", "model", "target", "tag", "caller", "policy", "day")
_FORMATS = ("table", "csv", "json", "plot")
_HEADERS = ("requests", "attempts", "failed", "tokens in", "tokens out", "cost", "share", "unknown")
_COLUMNS = ("requests", "attempts", "failed", "tokens_in", "tokens_out", "cached")
#: Columns of the longest bar, where the terminal leaves so many, and at least.
_BAR, _LEAST_BAR = 40, 8
#: Columns that cost, share and the gaps take beside a name and its bar.
_BESIDE_BAR = 23


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "spend",
        _run,
        "Show what was spent, on what, and what is left of budgets",
        [
            "llmroute spend",
            "llmroute spend --by tag --since 7d",
            "llmroute spend --by day --since 2026-11 --until 2026-12 --format plot",
            "llmroute spend --by caller --format csv > november.csv",
        ],
    )
    parser.add_argument("--by", choices=_BY, default="target", help="what to sum up by (target)")
    parser.add_argument("--since", metavar="TIME", default="30d", help="7d, 12h, or a date (30d)")
    parser.add_argument("--until", metavar="TIME", help="the same, or a date: before it (now)")
    parser.add_argument("--format", choices=_FORMATS, help="the form; --json is --format json")


def _run(args: Namespace) -> int:
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} exclude each other; give one of them")
    form = "json" if args.json else args.format or "table"
    with open_books(args) as books:
        report = _Report(books, args)
    if form == "json":
        dump(report.record())
    elif form == "csv":
        _csv(report)
    else:
        _told(report, form)
    return 0


class _Report:
    """The figures of one span of time."""

    def __init__(self, books: Books, args: Namespace) -> None:
        zone, now = books.settings.zone, time.time()
        self.books, self.by, self.zone = books, args.by, zone
        self.since = moment(args.since, zone, "--since", now)
        self.until = moment(args.until, zone, "--until", now) if args.until else now + 1
        if self.since >= self.until:
            raise UsageError("--since is not before --until; exchange them")
        span = (self.since, self.until, zone)
        self.rows: Sequence[SpendRow] = books.store.spend(args.by, *span) if books.store else ()
        whole = books.store.spend("all", *span) if books.store else ()
        self.total: SpendRow | None = whole[0] if whole else None
        self.budgets = list(_budgets(books, now))

    def share(self, row: SpendRow) -> float:
        """Return a row's part of all known costs."""
        return row.cost / self.total.cost if self.total and self.total.cost else 0.0

    def record(self) -> dict[str, Any]:
        """Return plain data; money is USD as decimal text, times are UTC in seconds."""
        total = {} if self.total is None else _figures(self.total)
        return {
            "by": self.by,
            "since": self.since,
            "until": self.until,
            "rows": [{self.by: row.key, **_figures(row)} for row in self.rows],
            "total": total or None,
            "budgets": [item.record() for item in self.budgets],
        }


def _figures(row: SpendRow) -> dict[str, Any]:
    counts = {name: getattr(row, name) for name in _COLUMNS}
    return {**counts, "cost": usd(row.cost), "unknown": row.unknown, "estimated": row.estimated}


def _budgets(books: Books, now: float) -> Iterator[_Line]:
    zone = books.settings.zone
    charges = [budget.charge(now, zone) for budget in books.settings.budgets]
    keys = [charge.key for charge in charges]
    known = books.store.counters(keys) if books.store and keys else {}
    for charge in charges:
        yield _Line(charge, *known.get(charge.key, (0, 0)))


class _Line(NamedTuple):
    """One budget in its present period."""

    charge: Charge
    spent: int
    reserved: int

    @property
    def left(self) -> int:
        return max(self.charge.limit - self.spent - self.reserved, 0)

    def record(self) -> dict[str, Any]:
        return {
            "name": self.charge.key.budget,
            "period": self.charge.key.period,
            "hard": self.charge.hard,
            "spent": usd(self.spent),
            "reserved": usd(self.reserved),
            "limit": usd(self.charge.limit),
            "left": usd(self.left),
            "until": self.charge.until,
        }

    def cells(self, zone: tzinfo) -> tuple[str, ...]:
        limit, used = self.charge.limit, self.spent + self.reserved
        return (
            "hard" if self.charge.hard else "soft",
            *map(money, (self.spent, self.reserved, limit, self.left)),
            f"{used / limit if limit else 1.0:.1%}",
            shown_time(self.charge.until, zone),
        )


def _csv(report: _Report) -> None:
    import csv
    import io

    text = io.StringIO()
    names = [report.by, *_COLUMNS, "cost_usd", "unknown", "estimated"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in report.rows:
        writer.writerow(["" if row.key is None else row.key, *_figures(row).values()])
    say(text.getvalue(), end="")


def _told(report: _Report, form: str) -> None:
    until = shown_time(report.until, report.zone)
    say(f"{shown_time(report.since, report.zone)} to {until}, by {report.by}")
    say()
    if report.total is None:
        say(
            report.books.empty if report.books.store is None else "no model was called in this time"
        )
    else:
        (_plot if form == "plot" else _table)(report)
        _remarks(report.total)
    _show_budgets(report)


def _table(report: _Report) -> None:
    from llmroute.policy.explaining.wording import clean

    rows = [(clean(_name(row)), *_cells(row, report.share(row))) for row in report.rows]
    if report.total and len(rows) > 1:
        rows.append(("total", *_cells(report.total, 1.0)))
    table((report.by, *_HEADERS), rows)


def _name(row: SpendRow) -> str:
    return "(none)" if row.key is None else row.key


def _cells(row: SpendRow, share: float) -> tuple[str, ...]:
    counts = (row.requests, row.attempts, row.failed, row.tokens_in, row.tokens_out)
    unknown = f"{row.unknown:,}" if row.unknown else ""
    return (*(f"{count:,}" for count in counts), money(row.cost), f"{share:.1%}", unknown)


def _plot(report: _Report) -> None:
    from llmroute.policy.explaining.wording import clean

    most = max((row.cost for row in report.rows), default=0)
    longest = max((len(clean(_name(row))) for row in report.rows), default=0)
    size = max(_LEAST_BAR, min(_BAR, get_terminal_size().columns - longest - _BESIDE_BAR))
    rows = []
    for row in report.rows:
        bar = "█" * round(size * row.cost / most) if most else ""
        share = f"{report.share(row):.1%}"
        rows.append((clean(_name(row)), bar or ("▏" if row.cost else ""), money(row.cost), share))
    table((report.by, "", "cost", "share"), rows)


def _remarks(total: SpendRow) -> None:
    attempts = _counted(total.attempts, "attempt")
    say()
    say(f"{money(total.cost)} for {_counted(total.requests, 'request')} in {attempts}")
    if total.estimated:
        share = total.estimated / total.attempts
        what = f"estimated: {total.estimated:,} of {attempts} ({share:.1%})"
        say(f"{what}, where the provider did not say")
    if total.unknown:
        say(f"unknown: the cost of {_counted(total.unknown, 'attempt')}, which is in no sum")


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _show_budgets(report: _Report) -> None:
    if not report.budgets:
        return
    from llmroute.policy.explaining.wording import clean

    rows = [(clean(item.charge.key.budget), *item.cells(report.zone)) for item in report.budgets]
    say()
    table(("budget", "kind", "spent", "reserved", "limit", "left", "used", "until"), rows)
