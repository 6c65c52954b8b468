"""What a workspace says of its ledger: `ledger:`, `budgets:` and `timezone:` of `llmroute.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from llmroute.config.durations import seconds
from llmroute.config.state import state_folder
from llmroute.config.workspace import Workspace
from llmroute.ledger.budgets import Budget, budgets_of
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.store import Store, StoreUnavailable

__all__ = ["LedgerSettings", "ledger_settings", "open_ledger", "store_opener"]

_DAY = 86_400.0
#: Seconds that a call waits at most: for a file (2 for other processes, and then for the disk), and
#: for a store elsewhere.
_FILE_WAIT, _REMOTE_WAIT = 5.0, 0.05


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """The ledger of a workspace.

    `path` is the file; None where there is no folder for it. `keep` is for how many seconds
    records are kept, `wait` how long a call waits for the store; None: not said.
    """

    path: Path | None
    budgets: tuple[Budget, ...] = ()
    zone: tzinfo = UTC
    keep: float = 400 * _DAY
    wait: float | None = None
    prompts: bool = False
    decisions: bool = True
    enabled: bool = True


def ledger_settings(workspace: Workspace) -> LedgerSettings:
    """Read the settings of a checked workspace."""
    data: Mapping[str, Any] = workspace.settings.data if workspace.settings else {}
    declared = data.get("ledger", True)
    zone = _zone(data.get("timezone"))
    if declared is False:
        return LedgerSettings(None, zone=zone, enabled=False)
    declared = {} if declared is True else declared
    return LedgerSettings(
        _path(workspace, declared.get("path")),
        budgets_of(data.get("budgets", ())),
        zone,
        _kept(declared["keep"]) if "keep" in declared else 400 * _DAY,
        seconds(declared["wait"]) if "wait" in declared else None,
        declared.get("prompts", False),
        declared.get("decisions", True),
    )


def open_ledger(workspace: Workspace, **options: Any) -> Ledger:
    """Return the ledger of a workspace; nothing is opened before it is needed.

    Options are those of `Ledger`: clocks, and `open_store` for another store than a file.
    """
    settings = ledger_settings(workspace)
    if not settings.enabled:
        return Ledger(None)
    given = {
        "zone": settings.zone,
        "wait": settings.wait or (_REMOTE_WAIT if "open_store" in options else _FILE_WAIT),
        "keep": settings.keep,
        "prompts": settings.prompts,
        "decisions": settings.decisions,
        "open_store": store_opener(settings.path),
    }
    return Ledger(budgets=settings.budgets, **{**given, **options})


def store_opener(path: Path | None) -> Callable[[], Store]:
    """Return what opens the file; SQLite is loaded then."""

    def opened() -> Store:
        if path is None:
            what = "there is no home folder for the ledger; write ledger: {path: FILE}"
            raise StoreUnavailable(what)
        from llmroute.ledger.sqlite import SqliteStore

        return SqliteStore(path)

    return opened


def _path(workspace: Workspace, declared: str | None) -> Path | None:
    if declared is None:
        folder = state_folder(workspace.environment)
        return None if folder is None else folder / "ledger.db"
    home = workspace.environment.get("HOME")
    if declared.startswith("~/") and home:
        return Path(home) / declared[2:]
    return workspace.root.absolute() / declared


def _kept(text: str) -> float:
    """Return a time such as `400d` in seconds."""
    return int(text.removesuffix("d")) * _DAY


def _zone(name: str | None) -> tzinfo:
    if name in (None, "UTC"):
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(str(name))
