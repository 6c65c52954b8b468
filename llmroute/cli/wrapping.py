"""Tables that fit a width: cells broken into lines, or rows written one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

__all__ = ["stacked", "wrapped"]

#: Blanks between two columns.
_GAP = 2
#: A word of up to so many characters widens its column rather than being broken.
_WORD = 36
#: Stands for a blank at which no line is broken.
_TIE = "\0"


def wrapped(
    headers: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[tuple[str, ...]]:
    """Break the cells of a table into lines; each line of a row becomes a row of its own.

    A line that begins with blanks is continued two further in. Where even single words do not
    fit the width, lines are longer.
    """
    columns = list(zip(headers, *rows, strict=True))
    widths = _widths(columns, width - _GAP * (len(headers) - 1))
    made: list[tuple[str, ...]] = []
    for row in rows:
        cells = [_lines(cell, size) for cell, size in zip(row, widths, strict=True)]
        made += zip_longest(*cells, fillvalue="")
    return made


def stacked(headers: Sequence[str], row: Sequence[str], width: int) -> list[str]:
    """Write a row as its first cell and, below it, the others with the names of their columns.

    Empty cells are left out; short ones stay on one line.
    """
    cells = zip(headers[1:], row[1:], strict=True)
    named = [f"{name}: {cell}" if name else cell for name, cell in cells if cell]
    tied = (cell.replace(" ", _TIE) if len(cell) <= _WORD else cell for cell in named)
    told = f"{_TIE}· ".join(tied)
    indent = " " * (_indent(row[0]) + 2)
    lines = wrap(
        told, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    return [row[0], *(line.replace(_TIE, " ") for line in lines)]


def _widths(columns: Sequence[Sequence[str]], space: int) -> list[int]:
    """Return the columns' widths: the widest gives way, but for its longest words."""
    widths = [max(map(len, column)) for column in columns]
    least = [max(min(max(map(_longest, column)), _WORD), len(column[0])) for column in columns]
    while sum(widths) > space:
        spare = [size if size > low else 0 for size, low in zip(widths, least, strict=True)]
        if not any(spare):
            break
        widths[spare.index(max(spare))] -= 1
    return widths


def _longest(cell: str) -> int:
    """Return the length of the longest word, with what it is indented by when it is continued."""
    indent = _indent(cell)
    return max((len(word) for word in cell.split()), default=0) + (indent + 2 if indent else 0)


def _indent(cell: str) -> int:
    return len(cell) - len(cell.lstrip())


def _lines(cell: str, width: int) -> list[str]:
    first = " " * _indent(cell)
    further = f"{first}  " if first else ""
    lines = wrap(
        cell.strip(),
        width,
        initial_indent=first,
        subsequent_indent=further,
        break_on_hyphens=False,
    )
    return lines or [""]
