"""Applying edits to a file's text; whatever they do not name stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from llmroute.config.diagnostics import Edit

__all__ = ["apply", "compatible"]

#: As YAML 1.2 ends lines.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_BOM = "\ufeff"


def compatible(edits: Iterable[Edit]) -> list[Edit]:
    """Return edits of one file in its order, without those that overlap an earlier one."""
    kept: list[Edit] = []
    for edit in sorted(dict.fromkeys(edits), key=lambda edit: edit[1:5]):
        if not kept or _end(kept[-1]) < _start(edit) or _adjoin(kept[-1], edit):
            kept.append(edit)
    return kept


def _start(edit: Edit) -> tuple[int, int]:
    return edit.line, edit.col


def _end(edit: Edit) -> tuple[int, int]:
    return edit.end_line, edit.end_col


def _adjoin(earlier: Edit, later: Edit) -> bool:
    """Whether an edit begins just where another ends, and neither only inserts."""
    whole = all(_start(edit) != _end(edit) for edit in (earlier, later))
    return whole and _end(earlier) == _start(later)


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with compatible edits made; a byte order mark is no column."""
    mark = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    starts = [match.start() for match in _LINE.finditer(body)]
    made, last = [mark], 0
    for edit in compatible(edits):
        start = _offset(body, starts, edit.line, edit.col)
        end = _offset(body, starts, edit.end_line, edit.end_col)
        made += [body[last:start], edit.text]
        last = max(end, start)
    return "".join([*made, body[last:]])


def _offset(body: str, starts: list[int], line: int, col: int) -> int:
    if line > len(starts):
        return len(body)
    return min(starts[line - 1] + col - 1, len(body))
