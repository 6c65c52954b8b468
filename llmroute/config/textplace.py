"""Where a piece of a text stands in the file, however YAML writes the text.

Quotes, escapes, folded and literal blocks and texts over several lines change nothing but white
space and escapes, so the characters that are no white space stand in the file in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from llmroute.config.source import Span

if TYPE_CHECKING:
    from llmroute.config.diagnostics import Diagnostic
    from llmroute.config.document import Document

__all__ = ["narrowed", "piece_of"]

_CODED = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.?))|(.)")
_DOUBLED = re.compile(r"()()()()('(?=')|.)")
#: Escapes of one character that stand for themselves; the others are white space or control.
_PLAIN = frozenset("\"\\/'")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(?:#.*)?\Z")


class _Mark(NamedTuple):
    char: str
    line: int
    col: int
    end: int


def narrowed(
    found: Diagnostic,
    document: Document,
    path: Sequence[str | int],
    piece: tuple[str, int, int | None],
) -> Diagnostic:
    """Point a finding about the text at a path to a piece of it.

    `piece` is the text, where the piece begins in it (0-based, in characters) and how long it is
    (None: to the end of its line). A piece that cannot be found in the file leaves the finding
    where it is.
    """
    node = document.root
    for step in path:
        node = node.children[step]
    span = piece_of(document.source.lines, node.span, *piece)
    if span is None:
        return found
    return document.source.finding(
        found.rule, found.message, span, help=found.help, severity=found.severity
    )


def piece_of(
    lines: Sequence[str], span: Span, text: str, start: int, length: int | None
) -> Span | None:
    """Return the place of `text[start:start + length]`, None where it cannot be told.

    `span` is the place of the whole scalar, `text` its value. What stands on several lines is
    cut to the first; without `length` the piece reaches to the end of its line.
    """
    before = len("".join(text[:start].split()))
    wanted = "".join(text[start : None if length is None else start + max(length, 1)].split())
    begin, last = None, None
    for number, (mark, char) in enumerate(zip_longest(_marks(lines, span), "".join(text.split()))):
        if mark is None or mark.char != char:
            return None
        if begin is None and number >= before:
            begin = last = mark
        if begin and number < before + len(wanted) and mark.line == begin.line:
            last = mark
    return Span(begin.line, begin.col, begin.line, last.end) if begin and last else None


def _marks(lines: Sequence[str], span: Span) -> Iterator[_Mark]:
    """Yield each character of a scalar that is no white space, with its place in the file."""
    opener = lines[span.line - 1][span.col - 1 : span.col]
    pattern = {'"': _CODED, "'": _DOUBLED}.get(opener)
    block = _HEADER.match(lines[span.line - 1], span.col - 1) is not None
    for number in range(span.line + block, span.end_line + 1):
        line = lines[number - 1] if number <= len(lines) else ""
        first = span.col - 1 + (pattern is not None) if number == span.line else 0
        end = len(line)
        if number == span.end_line:
            end = span.end_col - 1 - (pattern is not None)
        yield from _of_line(line, number, (first, end), pattern)


def _of_line(
    line: str, number: int, part: tuple[int, int], pattern: re.Pattern[str] | None
) -> Iterator[_Mark]:
    start, end = part
    if pattern is None:
        for col in range(start, end):
            if not line[col].isspace():
                yield _Mark(line[col], number, col + 1, col + 2)
        return
    while start < end:
        found = pattern.match(line, start, end)
        if found is None:
            return
        stop = found.end() + (pattern is _DOUBLED and found[0] == "'")
        char = _decoded(found)
        if not char.isspace():
            yield _Mark(char, number, start + 1, stop + 1)
        start = stop


def _decoded(found: re.Match[str]) -> str:
    """Return the character that is meant; white space for escapes of white space."""
    code = found[1] or found[2] or found[3]
    if code:
        return chr(int(code, 16))
    if found[5] is not None:
        return found[5]
    return found[4] if found[4] in _PLAIN and found[4] else " "
