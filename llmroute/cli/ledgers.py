"""What the commands that read the ledger share: opening it, spans of time, and money."""

from __future__ import annotations

import re
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from llmroute.catalog.cost import format_usd, nano_to_usd
from llmroute.errors import LlmrouteError, UsageError
from llmroute.ledger.records import LOST, PENDING

if TYPE_CHECKING:
    from datetime import tzinfo

    from llmroute.ledger.holds import Hold
    from llmroute.ledger.records import RequestRecord
    from llmroute.ledger.settings import LedgerSettings
    from llmroute.ledger.store import Store

__all__ = ["Books", "ended", "moment", "money", "open_books", "shown_time", "usd"]

_AGO = re.compile(r"([0-9]{1,6})([mhdw])\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Books:
    """The ledger of a workspace, open for reading; `store` is None where there is no file yet."""

    settings: LedgerSettings
    store: Store | None

    @property
    def empty(self) -> str:
        """What to say where nothing is recorded."""
        if self.settings.path is None:
            return (
                "nothing is recorded: there is no home folder for the ledger; "
                "write ledger: {path: FILE} to llmroute.yaml, or set HOME"
            )
        return (
            f"nothing is recorded yet in {self.settings.path}; "
            '`llmroute run "…"` and the routers of programs write it'
        )


@contextmanager
def open_books(args: Namespace) -> Iterator[Books]:
    """Open the ledger of the workspace of `--config`; no file is made.

    Raises:
        ConfigError: a file of the workspace is wrong.
        LlmrouteError: the ledger is off, or cannot be read.

    """
    from llmroute.config.workspace import find_root, load_workspace
    from llmroute.ledger.settings import ledger_settings, store_opener

    root = Path(args.config) if args.config else find_root()
    if not root.is_dir():
        raise UsageError(f"{root}: there is no such workspace folder")
    settings = ledger_settings(load_workspace(root))
    if not settings.enabled:
        raise LlmrouteError(
            f"the ledger is off, nothing is recorded; remove `ledger: false` from "
            f"{root / 'llmroute.yaml'} to turn it on"
        )
    if settings.path is None or not settings.path.exists():
        yield Books(settings, None)
        return
    store = store_opener(settings.path)()
    try:
        yield Books(settings, store)
    finally:
        store.close()


def ended(
    request: RequestRecord, holds: Mapping[int, Hold], now: float | None = None
) -> RequestRecord:
    """Return a request as lost where nobody can speak for it any more: what it held expired."""
    at = time.time() if now is None else now
    if request.outcome != PENDING or any(hold.expires >= at for hold in holds.values()):
        return request
    return replace(request, outcome=LOST)


def moment(text: str, zone: tzinfo, option: str, now: float | None = None) -> float:
    """Return a moment in UTC seconds: `7d` ago (m, h, d, w), or a date or time in the zone.

    Raises:
        UsageError: the text is neither.

    """
    here = datetime.fromtimestamp(time.time() if now is None else now, zone)
    try:
        if ago := _AGO.match(text):
            return (here - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).timestamp()
        full = f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text
        given = datetime.fromisoformat(full)
        return (given if given.tzinfo else given.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError) as exc:
        wanted = "write 7d, 12h, 2026-11, 2026-11-29 or 2026-11-29T14:00"
        raise UsageError(f"{option}: {text!r} is no time; {wanted}") from exc


def shown_time(at: float, zone: tzinfo, *, seconds: bool = False) -> str:
    """Write a moment for a person, in the workspace's time zone."""
    form = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(at, zone).strftime(form)


def money(nano: int | None) -> str:
    """Write nano-dollars for a person; `?` where nobody knows."""
    if nano is None:
        return "?"
    return "$0" if nano == 0 else format_usd(nano_to_usd(nano))


def usd(nano: int | None) -> str | None:
    """Write nano-dollars as USD in decimal text, exactly; None where nobody knows."""
    amount = nano_to_usd(nano)
    return None if amount is None else f"{amount:f}"
