"""Doing something again whenever files change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from llmroute.cli.output import note
from llmroute.errors import LlmrouteError, UsageError

__all__ = ["watch"]

#: Changes so close to each other are one, in milliseconds.
_TOGETHER = 200


def watch(paths: Sequence[Path], act: Callable[[], int]) -> int:
    """Act at once, and again after every change of a YAML file, until interrupted.

    Files are watched with their folders, since editors replace a file rather than write to it.
    Returns what the last action returned, should the watch ever end.

    Raises:
        UsageError: a path does not exist, or watchfiles is not installed.

    """
    try:
        from watchfiles import watch as changes
    except ImportError as exc:
        message = "--watch needs watchfiles, which is not installed"
        raise UsageError(f"{message}: pip install 'llmroute[watch]'") from exc
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"{missing[0]}: there is no such file or folder")
    folders = {path if path.is_dir() else path.absolute().parent for path in paths}
    code = _acted(act)
    note("llmroute: watching for changes; stop with Ctrl-C")
    filtered = changes(*folders, watch_filter=_counts, debounce=_TOGETHER)
    for _ in filtered:
        note("llmroute: a file has changed")
        code = _acted(act)
    return code


def _counts(_change: object, path: str) -> bool:
    return path.endswith((".yaml", ".yml"))


def _acted(act: Callable[[], int]) -> int:
    """Act; an error is told, and does not end the watch."""
    try:
        code = act()
    except LlmrouteError as exc:
        note(f"llmroute: {exc}")
        code = 1
    sys.stdout.flush()
    return code
