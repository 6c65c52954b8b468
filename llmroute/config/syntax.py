"""What a YAML syntax error means in the words of the file, and how to read on behind it.

The parser stops at its first syntax error. Where the place of the mistake is known, such as an
expression that lacks its quotes, the text is mended in a copy (character for character, so that
no position moves) and read again, which finds the next problem too.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from llmroute.config.compose import MAX_DEPTH, Composer, CutShort, Frame
from llmroute.config.document import span_of
from llmroute.config.quoting import (
    QUOTE_REASONS,
    is_expression_place,
    opens_flow,
    quote_help,
    quote_message,
    segment_end,
)
from llmroute.config.scalars import quoted
from llmroute.config.slips import Mistake, slip
from llmroute.config.source import Source, Span

__all__ = ["Mistake", "cut_short", "explain"]

#: (words of the parser's problem, message, help); the first that fits is taken.
_TEXTS = (
    (
        "mapping values are not allowed",
        "this `:` makes a second key out of what already is a value",
        "put the value in quotes, or align the line with its neighbours",
    ),
    (
        "did not find expected key",
        "this does not fit what stands before it",
        "align the key with the keys above it, or put the whole value above in quotes",
    ),
    (
        "did not find expected '-' indicator",
        "this stands where the next `- ` of a list is expected",
        "align it with the list's items, or put it before or after the list",
    ),
    (
        "did not find expected node content",
        "a value cannot begin here",
        "put the value in quotes, or remove the stray character",
    ),
    (
        "block sequence entries are not allowed",
        "`-` begins a list, which cannot stand here",
        "begin the list on a new line, or put the value in quotes",
    ),
    (
        "did not find expected <document start>",
        "the file's content ends before this line",
        "indent the line if it belongs to what stands above, or put that text in quotes",
    ),
    (
        "mapping keys are not allowed",
        "`?` begins a key, which cannot stand here",
        "write `key: value`, or put the value in quotes",
    ),
    (
        "found unexpected ':'",
        "a `:` inside […] or {…} needs a space behind it",
        "write `key: value`, or put the text in quotes",
    ),
    (
        "indentation indicator",
        "the digit behind `|` or `>` is not an indentation from 1 to 9",
        "remove the digit, or put the whole value in quotes",
    ),
    (
        "invalid Unicode character escape",
        "this escape is no character",
        "write the character itself, or \\U with its 8 hexadecimal digits",
    ),
    (
        "hexdecimal",
        "this escape is incomplete",
        "write \\u with 4 hexadecimal digits, or use single quotes instead",
    ),
)
_RESERVED = "`@%"
_BLOCK = ("|", ">")
_CLOSERS = {"[": "]", "{": "}"}
_KEY_BEFORE = re.compile(r"(?<![\w-])(?P<key>[\w-]+)\s*:\s+(?P<brackets>[\[{]*)\Z")


class _Place(NamedTuple):
    """Where the value that cannot be read starts (0-based), and its key."""

    line: int
    column: int
    key: str | int | None
    expression: bool


def cut_short(signal: CutShort, source: Source) -> Mistake:
    """Explain an expression in flow style that was ended by its own comma or bracket."""
    place = _Place(signal.line, signal.column, signal.key, expression=True)
    return _must_quote(place, source, in_flow=True)


def explain(error: Any, composer: Composer, source: Source) -> Mistake:
    """Explain a parser's error, given what had been read when it came.

    `error` is a `yaml.MarkedYAMLError`; its marks are 0-based.
    """
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return _plain(source, Span(1, 1, 1, 2), f"this is not YAML: {error.problem}", None)
    if "nesting depth" in (error.problem or ""):  # libyaml has a limit of its own, some levels on
        message = f"lists and maps are nested more than {MAX_DEPTH} deep"
        return _plain(source, _at(mark), message, "write it flatter", "yaml-depth")
    text = source.line(mark.line + 1)
    if "\t" in text[: _indent(text)] and mark.column <= _indent(text):
        return _tab(source, mark.line)
    if found := slip(error, composer, source):
        return found
    in_flow = any(frame.flow for frame in composer.stack)
    place = (
        _open_expression(composer)
        or _by_text(error.context_mark or mark, composer, source)
        or _value(mark, composer, source)
    )
    if place is not None and place.expression and "quoted scalar" not in (error.context or ""):
        return _must_quote(place, source, in_flow=in_flow)
    return _in_words(error, mark, place, source, in_flow=in_flow)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" \t"))


def _tab(source: Source, line: int) -> Mistake:
    """All tabs of indentation are one mistake; the repair blanks them all (see `yaml`)."""
    text = source.line(line + 1)
    start = text.index("\t")
    more = sum("\t" in other[: _indent(other)] for other in source.lines[line + 1 :])
    message = "a tab indents this line; YAML takes spaces only"
    also = f"; {more} more below" if more else ""
    span = Span(line + 1, start + 1, line + 1, _indent(text) + 1)
    finding = source.finding(
        "yaml-tab", message + also, span, help="replace each tab by two spaces"
    )
    return Mistake(finding, (line, start, start))


def _open_expression(composer: Composer) -> _Place | None:
    """Find the outermost `[` or `{` that is open where an expression belongs."""
    for depth, frame in enumerate(composer.stack):
        if frame.expression is not None:
            key = composer.stack[depth - 1].step
            return _Place(frame.mark.line, frame.mark.column, key, expression=True)
    return None


def _by_text(mark: Any, composer: Composer, source: Source) -> _Place | None:
    """Find the expression by the text before it.

    Inside `[…]` and `{…}` the scanner runs ahead of the parser, so that its errors come before
    the keys around them were read.
    """
    section = composer.stack[0].step if composer.stack else None
    key = _KEY_BEFORE.search(source.line(mark.line + 1)[: mark.column])
    if section is None or key is None or (len(composer.stack) == 1 and key["key"] == section):
        return None
    path = [section, key["key"]] if section == "let" else [section, 0, key["key"]]
    if not is_expression_place(path):
        return None
    return _Place(mark.line, key.start("brackets"), key["key"], expression=True)


def _value(mark: Any, composer: Composer, source: Source) -> _Place | None:
    """Find the value in which the error lies: after the last key, or the last one read."""
    if not composer.stack or not composer.stack[-1].is_map:
        return None
    frame, path = composer.stack[-1], composer.path()
    if isinstance(frame.key, str) and frame.key_place is not None:
        return _after_key(frame, mark, source, expression=is_expression_place(path))
    if not frame.children:
        return None
    key, node = next(reversed(frame.children.items()))
    if node.span.line != mark.line + 1:
        return None
    expression = is_expression_place([*path[:-1], key])
    return _Place(mark.line, node.span.col - 1, key, expression=expression)


def _after_key(frame: Frame, mark: Any, source: Source, *, expression: bool) -> _Place | None:
    span = span_of(frame.key_place)
    if span.end_line != mark.line + 1:
        return None
    text = source.line(span.end_line)
    colon = text.find(":", span.end_col - 1)
    rest = text[colon + 1 :]
    start = colon + 1 + len(rest) - len(rest.lstrip())
    if colon < 0 or start >= len(text):
        return None
    return _Place(mark.line, start, frame.key, expression=expression)


def _must_quote(place: _Place, source: Source, *, in_flow: bool) -> Mistake:
    line = source.line(place.line + 1)
    in_flow = in_flow or opens_flow(line[: place.column])
    end = segment_end(line, place.column, in_flow=in_flow)
    text = line[place.column : end]
    span = Span(place.line + 1, place.column + 1, place.line + 1, end + 1)
    message = quote_message(text, expression=place.expression)
    finding = source.finding("yaml-quote", message, span, help=quote_help(text, place.key))
    return Mistake(finding, (place.line, place.column, end))


def _in_words(
    error: Any, mark: Any, place: _Place | None, source: Source, *, in_flow: bool
) -> Mistake:
    context = error.context or ""
    if "character that cannot start" in (error.problem or ""):
        return _reserved(mark, place, source, in_flow=in_flow)
    if "tag" in context or "tag" in (error.problem or ""):
        return _indicator("yaml-tag", "tag", error.context_mark or mark, source, in_flow=in_flow)
    if "directive" in context:
        help_text = "remove the line; a comment begins with `#`"
        return _plain(source, _at(mark), "YAML directives are not accepted", help_text)
    if "alias" in context or "anchor" in context:
        kind = "alias" if "alias" in context else "anchor"
        return _indicator("yaml-alias", kind, error.context_mark or mark, source, in_flow=in_flow)
    opener = error.context_mark and source.line(error.context_mark.line + 1)
    opener = opener[error.context_mark.column :][:1] if opener else ""
    if "line break" in (error.problem or "") and opener in _BLOCK:
        message = f"after `{opener}` the text begins on the next line"
        help_text = "put the text on the next line, or put the whole value in quotes"
        return _plain(source, _at(mark), message, help_text)
    if "flow" in context and opener in _CLOSERS:
        return _unclosed(error, mark, opener, source)
    return _known(error, mark, source)


def _reserved(mark: Any, place: _Place | None, source: Source, *, in_flow: bool) -> Mistake:
    char = source.line(mark.line + 1)[mark.column : mark.column + 1]
    if char and char in _RESERVED:
        key = place.key if place and place.column == mark.column else None
        at = _Place(mark.line, mark.column, key, expression=False)
        return _must_quote(at, source, in_flow=in_flow)
    if char == "\t":
        return _plain(source, _at(mark), "a tab cannot stand here", "use spaces", rule="yaml-tab")
    return _plain(source, _at(mark), f"no value can begin with {char!r}", "put it in quotes")


def _indicator(rule: str, kind: str, mark: Any, source: Source, *, in_flow: bool) -> Mistake:
    line = source.line(mark.line + 1)
    in_flow = in_flow or opens_flow(line[: mark.column])
    end = segment_end(line, mark.column, in_flow=in_flow)
    text = line[mark.column : end]
    reason = QUOTE_REASONS.get(text[:1], f"this reads as a YAML {kind}")
    span = Span(mark.line + 1, mark.column + 1, mark.line + 1, end + 1)
    message = f"{reason}, and none is accepted"
    finding = source.finding(rule, message, span, help=f"write {quoted(text)} if text is meant")
    return Mistake(finding, (mark.line, mark.column, end))


def _unclosed(error: Any, mark: Any, opener: str, source: Source) -> Mistake:
    closer = _CLOSERS[opener]
    message = (
        f"the `{opener}` opened here is not closed: "
        f"expected `,` or `{closer}` at {mark.line + 1}:{mark.column + 1}"
    )
    help_text = f"add `{closer}`; quote a value that holds `,` `[` `]` `{{` or `}}`"
    return _plain(source, _at(error.context_mark), message, help_text)


def _known(error: Any, mark: Any, source: Source) -> Mistake:
    problem = error.problem or ""
    for words, message, help_text in _TEXTS:
        if words in problem:
            return _plain(source, _at(mark), message, help_text)
    return _plain(source, _at(mark), f"this is not YAML: {problem}", None)


def _at(mark: Any) -> Span:
    return Span(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)


def _plain(
    source: Source, span: Span, message: str, help_text: str | None, rule: str = "yaml-syntax"
) -> Mistake:
    return Mistake(source.finding(rule, message, span, help=help_text), None)
