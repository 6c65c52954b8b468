"""`llmroute log`: which requests there were, and why each went where it went."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llmroute.cli.ledgers import Books, ended, money, open_books, shown_time, usd
from llmroute.cli.output import dump, say, table
from llmroute.cli.parser import Commands
from llmroute.errors import UsageError
from llmroute.ledger.records import PENDING, UNENDED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmroute.ledger.holds import Hold
    from llmroute.ledger.records import AttemptRecord, RequestRecord
    from llmroute.ledger.store import Store

__all__ = ["add"]

_FORMATS = ("table", "csv", "json")
_HEADERS = ("request", "time", "outcome", "target", "policy", "attempts", "cost", "took")
_ID = re.compile(r"[0-9a-z]{1,26}\Z")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "log",
        _run,
        "List past requests, or show one: its attempts, and why it went where it went",
        [
            "llmroute log --last 50",
            "llmroute log --failed --target openai/gpt-6-sol",
            "llmroute log 01kb7w3xq4",
            "llmroute log 01kb7w3xq4 --json | jq .attempts",
        ],
    )
    parser.add_argument("id", metavar="ID", nargs="?", help="a request's id, or its beginning")
    parser.add_argument("--last", metavar="N", type=_count, default=20, help="so many (20)")
    parser.add_argument("--target", metavar="TARGET", help="only requests that it was asked")
    parser.add_argument("--failed", action="store_true", help="only those without an answer")
    parser.add_argument("--format", choices=_FORMATS, help="the form; --json is --format json")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise UsageError(f"--last: {text!r} is no number of requests; write --last 20")
    return int(text)


def _run(args: Namespace) -> int:
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} exclude each other; give one of them")
    form = "json" if args.json else args.format or "table"
    with open_books(args) as books:
        return _one(books, args.id, form) if args.id else _list(books, args, form)


def _list(books: Books, args: Namespace, form: str) -> int:
    store = books.store
    found: Sequence[RequestRecord] = ()
    if store is not None:
        found = store.requests(args.last, target=args.target, failed=args.failed)
        found = [ended(item, store.holds(item.id)) for item in found]
    if args.failed:
        found = [item for item in found if item.outcome != PENDING]
    listed = [(item, store.attempts(item.id)) for item in found] if store else []
    if form == "json":
        dump([_record(item, rows, store.holds(item.id)) for item, rows in listed if store])
    elif form == "csv":
        _csv(listed)
    elif listed:
        table(_HEADERS, [_row(item, attempts, books) for item, attempts in listed])
    else:
        narrowed = args.failed or args.target
        say("no request is like that" if store and narrowed else books.empty)
    return 0


def _one(books: Books, wanted: str, form: str) -> int:
    if form == "csv":
        raise UsageError("one request has no CSV; use --format json")
    if books.store is None:
        raise UsageError(books.empty)
    found = books.store.request(_full_id(books.store, wanted.lower()))
    if found is None:
        raise UsageError(f"there is no request {wanted!r}; `llmroute log` lists them")
    attempts, holds = books.store.attempts(found.id), books.store.holds(found.id)
    found = ended(found, holds)
    if form == "json":
        data = _record(found, attempts, holds)
        dump({**data, "decision": found.decision, "prompt": found.prompt})
        return 0
    from llmroute.cli.past import told

    for line in told(found, attempts, holds, books.settings.zone):
        say(line)
    return 0


def _full_id(store: Store, wanted: str) -> str:
    """Return the id that begins so.

    Raises:
        UsageError: there is none, or more than one.

    """
    found = store.requests(2, prefix=wanted) if _ID.match(wanted) else ()
    if not found:
        raise UsageError(f"there is no request {wanted!r}; `llmroute log` lists them")
    if len(found) > 1:
        raise UsageError(f"several requests begin with {wanted}; write more of the id")
    return found[0].id


def _row(item: RequestRecord, attempts: Sequence[AttemptRecord], books: Books) -> tuple[str, ...]:
    from llmroute.policy.explaining.wording import clean

    return (
        item.id,
        shown_time(item.at, books.settings.zone, seconds=True),
        clean(item.outcome),
        clean(item.target or "-"),
        clean(item.policy),
        str(len(attempts)),
        money(_cost(attempts)),
        "-" if item.outcome in UNENDED else f"{_took(item, attempts):.2f} s",
    )


def _took(item: RequestRecord, attempts: Sequence[AttemptRecord]) -> float:
    """Return the seconds until the last call ended: those side by side count once, waits too."""
    ends = [attempt.at + attempt.duration for attempt in attempts]
    return max(max(ends, default=item.at) - item.at, 0.0)


def _cost(attempts: Sequence[AttemptRecord]) -> int | None:
    """Return what a request cost; None where the cost of an attempt is not known."""
    costs = [attempt.cost for attempt in attempts]
    return None if None in costs else sum(cost or 0 for cost in costs)


def _record(
    item: RequestRecord, attempts: Sequence[AttemptRecord], holds: Mapping[int, Hold]
) -> dict[str, Any]:
    """Return plain data; money is USD as decimal text, times are UTC in seconds."""
    data = asdict(item)
    del data["decision"], data["brief"], data["prompt"]
    reserved = {number: usd(hold.amount) for number, hold in holds.items()}
    rows = [
        {**asdict(row), "cost": usd(row.cost), "reserved": reserved.get(row.number)}
        for row in attempts
    ]
    return {**data, "cost": usd(_cost(attempts)), "attempts": rows}


def _csv(listed: list[tuple[RequestRecord, Sequence[AttemptRecord]]]) -> None:
    import csv
    import io

    names = ("id", "at", "outcome", "winner", "target", "policy", "task", "caller", "tags")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*names, "attempts", "cost_usd"))
    for item, attempts in listed:
        data = {**asdict(item), "tags": " ".join(item.tags)}
        writer.writerow((*(data[name] for name in names), len(attempts), usd(_cost(attempts))))
    say(text.getvalue(), end="")
