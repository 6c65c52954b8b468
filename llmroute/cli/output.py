"""What commands write: text, JSON and tables on stdout, remarks on stderr.

`rich` is loaded only where a terminal reads along; everything else gets plain text.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from shutil import get_terminal_size
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["console", "dump", "is_terminal", "note", "say", "show", "table", "tolerant_streams"]


def tolerant_streams() -> None:
    """Let output whose encoding lacks a character show `?` instead of failing.

    A standard stream that the caller has closed is there again: writing to stdout fails as
    an `OSError`, what is written to stderr is lost.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _occupy()
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class _Closed(io.TextIOBase):
    """A standard output that is closed: nothing can be written."""

    def write(self, _text: str, /) -> int:
        raise OSError(errno.EBADF, "it is closed")

    def flush(self) -> None:
        raise OSError(errno.EBADF, "it is closed")


def _occupy() -> None:
    """Take the free numbers below 3, lest a file or socket that is opened later gets one."""
    number = os.open(os.devnull, os.O_RDWR)
    while number <= 2:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


def is_terminal(stream: IO[str]) -> bool:
    """Whether a person sees the stream on a terminal."""
    return stream.isatty()


def say(text: str = "", *, end: str = "\n") -> None:
    """Write to stdout at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a line to stderr at once; where nobody can read it, it is lost."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def dump(data: Any) -> None:
    """Write JSON to stdout, keys in the order given; no text in it can steer a terminal."""
    from llmroute.config.printing import to_json

    say(to_json(data))


def console(stream: IO[str]) -> Console:
    """Return a console on a stream; it colours only where that is a terminal."""
    from rich.console import Console

    width = get_terminal_size().columns  # 80 where a terminal says 0, of which rich makes nothing
    return Console(file=stream, highlight=False, soft_wrap=True, width=width)


def show(text: Text, stream: IO[str]) -> None:
    """Write styled text."""
    console(stream).print(text)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, wrap: bool = False) -> None:
    """Write a table to stdout: on a terminal one that fits it, aligned columns elsewhere.

    A terminal too narrow for the columns, even with long cells broken into lines, gets one block
    for each row. Elsewhere `wrap` breaks long cells too, for 80 columns (or `COLUMNS`).
    """
    from llmroute.cli.wrapping import stacked, wrapped

    names = [header.upper() for header in headers]
    seen, width = is_terminal(sys.stdout), get_terminal_size().columns
    lines = _aligned([names, *wrapped(headers, rows, width)]) if seen or wrap else []
    if not seen:
        say("\n".join(lines or _aligned([names, *rows])))
    elif max(map(len, lines)) <= width:
        _headed([lines])
    else:
        _headed([stacked(headers, row, width) for row in rows])


def _headed(blocks: Iterable[Sequence[str]]) -> None:
    """Write blocks of lines to the terminal, the first of each emphasised."""
    from rich.text import Text

    for first, *rest in blocks:
        show(Text(first, "bold"), sys.stdout)
        for line in rest:
            say(line)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
