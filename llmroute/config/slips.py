"""Slips that the YAML parser notices only further on, or in the words of a grammar.

A quote inside quotes, a quote that is never closed, a comment in the middle of a text, a colon
without its space, a bracket too many: each is recognised by the text around the parser's mark and
told of where it was made.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from llmroute.config.comments import COMMENT, cut_message
from llmroute.config.compose import Composer
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.quoting import is_expression_place
from llmroute.config.scalars import quoted
from llmroute.config.source import Source, Span

__all__ = ["Mistake", "slip"]

_QUOTES = "'\""
_OPENERS = {"]": "[", "}": "{"}
#: What may follow a closing quote that ends a text: white space, and JMESPath's operators.
_BEHIND_TEXT = frozenset(" \t=!<>|&,.:[)]}#")
_UNSPACED = re.compile(r"(?P<key>[A-Za-z_][\w-]*):(?=[^\s/:])")
_FIRST_KEY = re.compile(r"\s*(?:- +)*[\w-]+\Z")
_ALONE = re.compile(r"(?P<before>\s*(?:- +)*)(?P<key>[A-Za-z_][\w-]*):[^\s/:](?!.*:\s)")
#: What may stand behind a whole text in flow style, and elsewhere.
_BEHIND_ITEM, _BEHIND_LINE = re.compile(r"\s*(?:[,}\]]|\Z)"), re.compile(r"\s*(?:\s#|\Z)")
#: So far behind its beginning the end of a text is looked for.
_REACH = 1000
_KEY_LINE = re.compile(r"\s*(?:- +)*[\w-]+:(?:\s|\Z)")
_NEXT_QUOTE = re.compile(r"\s*(?:- +)*[{\[]?\s*[\w-]+:\s+[\"']\Z")


class Mistake(NamedTuple):
    """A finding about the syntax, and what to blank before reading on.

    `repair` is (0-based line, start, end); None where the reading cannot go on.
    """

    finding: Diagnostic
    repair: tuple[int, int, int] | None


class _Last(NamedTuple):
    """The value that was read last, in the innermost collection that is open."""

    key: str | int
    span: Span
    opener: str
    expression: bool
    flow: bool
    indent: int


def slip(error: Any, composer: Composer, source: Source) -> Mistake | None:
    """Explain a parser's error (`yaml.MarkedYAMLError`) that is one of these slips."""
    mark, context_mark = error.problem_mark, error.context_mark
    problem, context = error.problem or "", error.context or ""
    if mark is None:
        return None
    if "quoted scalar" in context:
        return _in_quotes(problem, mark, context_mark, source)
    if "could not find expected ':'" in problem:
        return _unspaced(context_mark or mark, source)
    if "mapping values are not allowed" in problem:
        return _unspaced_above(mark, source)
    last = _last(composer, source)
    if last is None or "did not find expected" not in problem:
        return None
    found = _closed_later(last, mark, source) or _inner_quote(last, mark, source)
    return found or _commented(last, mark, source) or _stray(last, mark, source)


def _last(composer: Composer, source: Source) -> _Last | None:
    frame = composer.stack[-1] if composer.stack else None
    if frame is None or not frame.children or (frame.is_map and isinstance(frame.key, str)):
        return None
    key, node = next(reversed(frame.children.items()))
    span = node.span
    opener = source.line(span.line)[span.col - 1 : span.col]
    expression = is_expression_place([*composer.path()[:-1], key])
    return _Last(key, span, opener, expression, frame.flow, frame.mark.column)


def _in_quotes(problem: str, mark: Any, opening: Any, source: Source) -> Mistake | None:
    if "unknown escape" in problem:
        span = Span(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 3)
        message = "this is no escape that YAML knows"
        help_text = "write \\\\ for one backslash, or put the text in single quotes"
        finding = source.finding("yaml-syntax", message, span, help=help_text)
        return Mistake(finding, (mark.line, mark.column, mark.column + 2))
    if "unexpected" not in problem or opening is None:
        return None
    quote = source.line(opening.line + 1)[opening.column : opening.column + 1]
    return _never_closed(Span(opening.line + 1, opening.column + 1, 0, 0), quote, source)


def _never_closed(
    place: Span, quote: str, source: Source, message: str = "this quote is never closed"
) -> Mistake:
    span = Span(place.line, place.col, place.line, place.col + 1)
    help_text = f"add the closing quote; {_written(quote)}"
    return Mistake(source.finding("yaml-syntax", message, span, help=help_text), None)


def _written(quote: str) -> str:
    """Say how a quote stands inside quotes of its kind."""
    if quote == '"':
        return 'inside "…" a quote is written as \\"'
    return "inside '…' a quote is written twice"


def _closed_later(last: _Last, mark: Any, source: Source) -> Mistake | None:
    """Recognise a quote that the opening quote of a value further down has closed."""
    span = last.span
    if last.opener not in _QUOTES or not span.line < span.end_line == mark.line + 1:
        return None
    if not _NEXT_QUOTE.match(source.line(span.end_line)[: span.end_col - 1]):
        return None
    message = f"this quote is closed by the one that opens a text in line {span.end_line}"
    return _never_closed(span, last.opener, source, message)


def _inner_quote(last: _Last, mark: Any, source: Source) -> Mistake | None:
    """Recognise a quote that was meant as part of the text: `'it's'`."""
    span, line = last.span, source.line(mark.line + 1)
    at_end = (span.end_line, span.end_col) == (mark.line + 1, mark.column + 1)
    if last.opener not in _QUOTES or span.line != span.end_line or not at_end:
        return None
    if line[mark.column : mark.column + 1] in _BEHIND_TEXT:
        return None
    start = span.col - 1
    end = _meant_end(line, start, last)
    message = f"the text ends at the quote in column {mark.column}, and more follows"
    help_text = _written(last.opener)
    text = line[start:end]
    if last.expression and len(text) > 1 and text[-1] == text[0]:
        help_text += f"; write {last.key}: {quoted(text[1:-1])}"
    place = Span(span.line, span.col, span.line, mark.column + 1)
    finding = source.finding("yaml-syntax", message, place, help=help_text)
    return Mistake(finding, (mark.line, start, end))


def _meant_end(line: str, start: int, last: _Last) -> int:
    """Return where a text with quotes inside quotes was meant to end."""
    behind = _BEHIND_ITEM if last.flow else _BEHIND_LINE
    for end in range(start + 2, min(len(line), start + _REACH) + 1):
        text = line[start:end]
        whole = text[-1] == last.opener and text.count("(") == text.count(")")
        if whole and behind.match(line, end):
            return end
    return len(line.rstrip())


def _commented(last: _Last, mark: Any, source: Source) -> Mistake | None:
    """Recognise a text over several lines that a comment ends at the first of them."""
    span = last.span
    line = source.line(span.line)
    comment = COMMENT.match(line, span.end_col - 1)
    if comment is None or last.opener in "'\"|>[{" or span.line != span.end_line:
        return None
    between = source.lines[span.line : mark.line]
    if mark.line < span.line or any(text.strip()[:1] not in ("", "#") for text in between):
        return None
    follows = source.line(mark.line + 1)
    if not last.flow and (mark.column <= last.indent or _KEY_LINE.match(follows)):
        return None
    place = Span(span.line, comment.end(), span.line, len(line.rstrip()) + 1)
    help_text = "put the whole of it in quotes, without the comment"
    if last.expression and not last.flow:
        text = f"{line[span.col - 1 : span.end_col - 1]} {follows.strip()}"
        help_text += f": {last.key}: {quoted(text)}"
    message = cut_message(expression=last.expression)
    return Mistake(source.finding("cut-by-comment", message, place, help=help_text), None)


def _stray(last: _Last, mark: Any, source: Source) -> Mistake | None:
    """Recognise a closing bracket that closes nothing."""
    char = source.line(mark.line + 1)[mark.column : mark.column + 1]
    if char not in _OPENERS or last.flow or last.expression:
        return None
    message = f"this `{char}` closes nothing: no `{_OPENERS[char]}` is open here"
    help_text = "remove it, or put the whole value in quotes where it belongs to a text"
    span = Span(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)
    return Mistake(source.finding("yaml-syntax", message, span, help=help_text), None)


def _unspaced(mark: Any, source: Source) -> Mistake:
    """Explain a line that should have been `key: value`; it begins at the mark."""
    line = source.line(mark.line + 1)
    found = _UNSPACED.match(line, mark.column)
    if found:
        return _space_lacks(found["key"], mark.line, mark.column, source)
    span = Span(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)
    message = "this line is neither a `key: value` nor the continuation of one"
    help_text = "write `key: value` with a space after the colon, or mend the indentation"
    return Mistake(source.finding("yaml-syntax", message, span, help=help_text), None)


def _unspaced_above(mark: Any, source: Source) -> Mistake | None:
    """Recognise the first key of a map without its space: its text goes on to the next line."""
    before = source.line(mark.line + 1)[: mark.column]
    found = _ALONE.match(source.line(mark.line))
    if found is None or not _FIRST_KEY.match(before):
        return None
    if len(before) - len(before.lstrip()) < len(found["before"]):
        return None
    return _space_lacks(found["key"], mark.line - 1, len(found["before"]), source)


def _space_lacks(key: str, line: int, column: int, source: Source) -> Mistake:
    """Name the key only: the value may be a secret."""
    span = Span(line + 1, column + 1, line + 1, column + len(key) + 2)
    message = f"`{key}:` is no key without a space behind its colon"
    help_text = f"put a space behind `{key}:`"
    return Mistake(source.finding("yaml-syntax", message, span, help=help_text), None)
