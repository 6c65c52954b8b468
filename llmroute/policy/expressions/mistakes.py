"""What was probably meant where a text is no JMESPath: quotes, numbers, operators of others."""

from __future__ import annotations

import re
from typing import NamedTuple

from jmespath import exceptions

__all__ = ["Mistake", "mistake"]

#: Operators and words of other languages, with what JMESPath has for them.
_OPERATORS = {
    "=": "write == to compare",
    "and": "write && for and",
    "or": "write || for or",
    "in": "write contains(LIST, VALUE)",
    "is": "write == to compare",
    "like": "write starts_with(…), ends_with(…) or contains(…)",
    "+": "there is no arithmetic; compare with a number that you worked out",
    "-": "there is no arithmetic; compare with a number that you worked out",
    "*": "there is no arithmetic; compare with a number that you worked out",
    "/": "there is no arithmetic; compare with a number that you worked out",
    "%": "there is no arithmetic; compare with a number that you worked out",
    "?": "there is no `?:`; write two rules, or CONDITION && VALUE || OTHER",
}
_NEGATION = "write !(…) for not"
_GENERAL = "see jmespath.org: text in 'single quotes', numbers and true in `backticks`"
_NUMBER = re.compile(r"-?(?:[0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_][\w./:@+-]*")
#: What stands before a value: the start, an operator, an opening bracket or a comma.
_BEFORE_VALUE = re.compile(r"(?:^|[=!<>]=|[<>&|(,!?:]|[\[{])\s*\Z")
_COMPARED = re.compile(r"(?:[=!<>]=|[<>,])\s*\Z")
_NAMES = {"'": "quote '", '"': 'quote "', "`": "backtick"}


class Mistake(NamedTuple):
    """Why a text is no expression: the rule's name, words, and the place inside the text."""

    rule: str
    message: str
    column: int
    length: int = 1
    help: str = _GENERAL


def mistake(text: str, exc: exceptions.JMESPathError) -> Mistake:
    """Return what is wrong with a text that jmespath does not parse."""
    if isinstance(exc, exceptions.LexerError):
        return _unread(text, exc)
    if isinstance(exc, exceptions.IncompleteExpressionError):
        return _incomplete(text)
    if isinstance(exc, exceptions.ParseError):
        column = min(exc.lex_position, max(len(text) - 1, 0))
        return _unquoted(text, column) or _unexpected(text, column, str(exc.token_value))
    return Mistake("expression-syntax", str(exc).split("\n", 1)[0], 0, len(text))


def _unread(text: str, exc: exceptions.LexerError) -> Mistake:
    column, shown = exc.lexer_position, str(exc.token_value)
    if text[column : column + 1] in _NAMES and "Unclosed" in str(exc.message):
        mark = _NAMES[text[column]]
        help_text = f"close it behind the text; a {mark} that belongs to the text is written \\{{}}"
        help_text = help_text.format(text[column])
        message = f"the {mark} that opens here is not closed"
        return Mistake("unclosed-quote", message, column, len(text) - column, help_text)
    if text[column : column + 1] == "`":
        return _bad_literal(text, column)
    unquoted = _unquoted(text, column)
    if unquoted:
        return unquoted
    return Mistake(
        "expression-syntax",
        f"unexpected {shown[:1] or text[column : column + 1]!r}",
        column,
        1,
        _OPERATORS.get(shown[:1], _GENERAL),
    )


def _bad_literal(text: str, column: int) -> Mistake:
    end = text.find("`", column + 1) + 1 or len(text)
    message = f"{text[column:end]} is no JSON value"
    help_text = 'between backticks stands JSON: a number, true, false, null, ["a"] or {}'
    return Mistake("expression-syntax", message, column, end - column, help_text)


def _incomplete(text: str) -> Mistake:
    column = max(len(text.rstrip()) - 1, 0)
    opened = text.count("(") - text.count(")")
    message = "the expression ends too early"
    help_text = "close the parenthesis" if opened > 0 else "write what should stand behind"
    if opened <= 0:
        help_text = f"{help_text} {text.split()[-1]}" if text.split() else _GENERAL
    return Mistake("expression-syntax", message, column, 1, help_text)


def _unquoted(text: str, column: int) -> Mistake | None:
    """Recognise a number without backticks, or a text with `-` or `/` in it without quotes."""
    for match in _WORD.finditer(text):
        start, end = match.span()
        plain = re.fullmatch(r"[\w.]*", match[0])
        if start < column < end and not plain and _COMPARED.search(text[:start]):
            message = f"{match[0]} is text without quotes"
            help_text = f"write '{match[0]}'"
            return Mistake("bare-word", message, start, end - start, help_text)
    number = _NUMBER.match(text, column)
    if number is None or not _BEFORE_VALUE.search(text[:column]):
        return None
    message = f"the number {number[0]} stands without backticks"
    help_text = f"write `{number[0].replace('_', '')}`"
    if number[0].startswith((".", "-.")):
        help_text = f"write `{number[0].replace('.', '0.')}`"
    return Mistake("bare-number", message, column, len(number[0]), help_text)


def _unexpected(text: str, column: int, shown: str) -> Mistake:
    before = re.search(r"\bnot\s+\Z", text[:column])
    if before:
        message, start = "unexpected 'not'", before.start()
        return Mistake("expression-syntax", message, start, 3, _NEGATION)
    known = _OPERATORS.get(shown) or _OPERATORS.get(text[column : column + 1], _GENERAL)
    return Mistake("expression-syntax", f"unexpected {shown!r}", column, max(len(shown), 1), known)
