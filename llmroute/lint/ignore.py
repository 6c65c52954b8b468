"""Findings that a file says to be meant: `# llmroute: ignore[RULE] reason`.

The comment stands on the finding's line, or alone on the lines above it; it covers the whole of a
text that begins on that line. Several rules are separated by commas. A reason is demanded, and
what makes a file unloadable cannot be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from llmroute.config.diagnostics import Diagnostic, did_you_mean
from llmroute.config.document import Document, Node
from llmroute.config.source import Span

__all__ = ["Ignore", "IgnoreFindings", "ignores", "settle"]

_COMMENT = re.compile(
    r"(?:(?<=\s)|^)#\s*llmroute:\s*ignore\b\s*(?:\[([^\]\n]*)\])?[ \t:]*(.*?)\s*$"
)
_MARK = "llmroute:"
#: Findings that depend on the machine, tables of other packages included: their absence says
#: nothing about the comment.
_OF_MACHINE = frozenset(
    {"file-writable", "model-retired", "price-drift", "secret-unset", "variable-unset"}
)


class Ignore(NamedTuple):
    """One comment: the rules that it names, and the lines that it covers (1-based, inclusive)."""

    document: Document
    place: Span
    rules: tuple[str, ...]
    reason: str
    first: int
    last: int
    alone: bool

    def covers(self, item: Diagnostic) -> bool:
        """Whether a finding stands where the comment counts; one without a reason never does."""
        here = item.file == self.document.label and self.first <= item.line <= self.last
        return here and bool(self.reason) and item.rule in self.rules

    def removal(self) -> Span:
        """Return the place of the comment with the white space that it leaves behind."""
        line, col, _, end = self.place
        if self.alone:
            return Span(line, 1, line + 1, 1)
        before = self.document.source.line(line)[: col - 1]
        return Span(line, len(before.rstrip()) + 1, line, end)


class IgnoreFindings(NamedTuple):
    """What is needed to judge the comments themselves.

    `known` gives all rules, `skipped` are those that were not run now; `unused` tells whether
    comments that ignore nothing are reported.
    """

    known: Callable[[], Iterable[str]]
    skipped: Collection[str]
    unused: bool


def settle(
    documents: Iterable[Document],
    loading: Sequence[Diagnostic],
    ruled: Sequence[Diagnostic],
    judge: IgnoreFindings,
) -> list[Diagnostic]:
    """Leave out the findings that files say to be meant, and add those about such comments.

    `loading` are findings of reading the files, whose errors stay; `ruled` those of the rules.
    """
    comments = [item for document in documents for item in ignores(document)]
    if not comments:
        return [*loading, *ruled]
    used: set[tuple[int, str]] = set()
    kept = [item for item in loading if item.severity == "error" or not _met(item, comments, used)]
    kept += [item for item in ruled if not _met(item, comments, used)]
    errors = {(item.file, item.line, item.rule) for item in loading if item.severity == "error"}
    for number, comment in enumerate(comments):
        spent = {rule for at, rule in used if at == number}
        kept += _about(comment, spent, judge, errors)
    return kept


def _met(item: Diagnostic, comments: Sequence[Ignore], used: set[tuple[int, str]]) -> bool:
    found = {(n, item.rule) for n, comment in enumerate(comments) if comment.covers(item)}
    used |= found
    return bool(found)


def _about(
    comment: Ignore,
    spent: Collection[str],
    judge: IgnoreFindings,
    errors: Collection[tuple[str, int, str]],
) -> Iterator[Diagnostic]:
    known = set(judge.known())
    unknown = [rule for rule in comment.rules if rule not in known]
    if unknown or not comment.rules:
        yield _unknown(comment, unknown, known)
    elif not comment.reason:
        yield _finding(
            comment,
            "ignore-reason",
            "this comment gives no reason, so it ignores nothing",
            f"write why: # llmroute: ignore[{', '.join(comment.rules)}] BECAUSE…",
        )
    elif judge.unused:
        yield from _unused(comment, spent, judge)
    else:
        yield from _in_vain(comment, errors)


def _unknown(comment: Ignore, unknown: Sequence[str], known: Collection[str]) -> Diagnostic:
    if not unknown:
        message = "this comment names no rule, so it ignores nothing"
        return _finding(comment, "ignore-unknown", message, "write ignore[RULE] and why")
    hint = did_you_mean(unknown[0], known) or "`llmroute lint --rules` lists them"
    return _finding(comment, "ignore-unknown", f"there is no rule `{unknown[0]}`", hint)


def _unused(comment: Ignore, spent: Collection[str], judge: IgnoreFindings) -> Iterator[Diagnostic]:
    unjudged = {*judge.skipped, *_OF_MACHINE}
    idle = [rule for rule in comment.rules if rule not in spent and rule not in unjudged]
    if not idle:
        return
    message = f"there is no finding of {' or '.join(idle)} here to ignore"
    found = _finding(comment, "ignore-unused", message, "remove it")
    whole = len(idle) == len(comment.rules)
    yield found.with_fix("", comment.removal()) if whole else found


def _in_vain(comment: Ignore, errors: Collection[tuple[str, int, str]]) -> Iterator[Diagnostic]:
    lines = range(comment.first, comment.last + 1)
    label = comment.document.label
    for rule in comment.rules:
        if any((label, line, rule) in errors for line in lines):
            message = f"{rule} makes the file unloadable here, which cannot be ignored"
            yield _finding(comment, "ignore-unused", message, "mend what it found")


def _finding(comment: Ignore, rule: str, message: str, help_text: str) -> Diagnostic:
    source = comment.document.source
    return source.finding(rule, message, comment.place, help=help_text, severity="warning")


def ignores(document: Document) -> Iterator[Ignore]:
    """Yield every such comment of a file; text that only looks like one is left alone."""
    if _MARK not in document.text:
        return
    scalars = list(_scalars(document.root))
    ends = _ends(scalars)
    lines = document.source.lines
    for number, line in enumerate(lines, start=1):
        found = _COMMENT.search(line) if _MARK in line else None
        if found is None or _within(number, found.start() + 1, scalars, document):
            continue
        alone = not line[: found.start()].strip()
        first = _next_line(lines, number) if alone else number
        names = tuple(name.strip() for name in (found[1] or "").split(",") if name.strip())
        place = Span(number, found.start() + 1, number, len(line.rstrip()) + 1)
        yield Ignore(document, place, names, found[2], first, ends.get(first, first), alone)


def _next_line(lines: Sequence[str], number: int) -> int:
    """Return the 1-based number of the next line that is no comment, this one if there is none."""
    for later in range(number, len(lines)):
        text = lines[later].strip()
        if not text.startswith("#"):
            return later + 1
    return number


def _scalars(node: Node) -> Iterator[Span]:
    if not node.children:
        yield node.span
    for child in node.children.values():
        if child.key:
            yield child.key
        yield from _scalars(child)


def _ends(scalars: Iterable[Span]) -> Mapping[int, int]:
    """Return the last line of the longest text that begins on a line."""
    found: dict[int, int] = {}
    for span in scalars:
        last = span.end_line - (span.end_col == 1 and span.end_line > span.line)
        found[span.line] = max(found.get(span.line, 0), last)
    return found


def _within(line: int, col: int, scalars: Iterable[Span], document: Document) -> bool:
    """Whether a place belongs to a text; the first line of a block text holds none of it."""
    for span in scalars:
        if not (span.line, span.col) <= (line, col) < (span.end_line, span.end_col):
            continue
        opener = document.source.line(span.line)[span.col - 1 : span.col]
        if not (opener in "|>" and line == span.line):
            return True
    return False
