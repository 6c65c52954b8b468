"""Doing something again whenever files change: what `lint --watch` and `test --watch` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from llmroute.cli.output import note
from llmroute.errors import LlmrouteError, UsageError

__all__ = ["watch"]

#: Changes so close to each other are one; so long until it is seen that there is none. In ms.
_TOGETHER, _TURN = 200, 100
#: Folders of a workspace; files count only just in them and in the workspace's own.
_PARTS = ("providers.d", "policies", "protocols.d")


def watch(paths: Sequence[Path], act: Callable[[], int]) -> int:
    """Act, and again after every change of a YAML file, until interrupted.

    `paths` are files, which are watched with their folders since editors replace a file rather
    than write to it, folders, and workspaces. Changes are seen from before the first action on:
    none that is made meanwhile is lost. What was wrong may be right after the next change, so
    that errors are told and do not end the watch.

    Raises:
        UsageError: a path does not exist (any more), or watchfiles is not installed.

    """
    changes = _changes()
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"{missing[0]}: there is no such file or folder")
    while folders := _folders(paths):
        for number, changed in enumerate(changes(folders)):
            if _folders(paths) != folders:
                break  # watch the others too
            if changed:
                note(f"\nllmroute: changed: {_named(changed)}")
            if changed or number == 0:
                _acted(act)
    raise UsageError("there is nothing left to watch")


def _changes() -> Callable[[Iterable[Path]], Iterator[set[tuple[Any, str]]]]:
    """Return what yields sets of changes of folders: an empty one at once, and now and then."""
    try:
        from watchfiles import watch as watched
    except ImportError as exc:
        message = "--watch needs the package watchfiles: pip install 'llmroute[watch]'"
        raise UsageError(message) from exc
    return lambda folders: watched(
        *folders,
        watch_filter=_counts,
        debounce=_TOGETHER,
        rust_timeout=_TURN,
        yield_on_timeout=True,
        recursive=False,
    )


def _folders(paths: Iterable[Path]) -> frozenset[Path]:
    own = {path if path.is_dir() else path.absolute().parent for path in paths}
    inner = {folder / part for folder in own for part in _PARTS}
    return frozenset(folder for folder in own | inner if folder.is_dir())


def _counts(_change: object, path: str) -> bool:
    return path.endswith((".yaml", ".yml"))


def _named(changed: Iterable[tuple[object, str]]) -> str:
    from llmroute.policy.explaining.wording import clean

    return ", ".join(sorted({clean(Path(name).name) for _, name in changed}))


def _acted(act: Callable[[], int]) -> None:
    try:
        act()
    except LlmrouteError as exc:
        note(f"llmroute: {exc}")
    sys.stdout.flush()
    note("llmroute: watching for changes; Ctrl-C ends it")
