"""jmespath's parser without its warning about text between backticks.

JEP-12 deprecates that form, and jmespath.py warns by `warnings.warn` where it meets one: under
`-W error` an exception in the middle of reading a file. Here the lint rule `backtick-text` tells
of it. Only the lexer differs, so nothing global changes and threads do not disturb one another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jmespath.exceptions import LexerError, ParseError
from jmespath.lexer import Lexer
from jmespath.parser import ParsedResult, Parser

__all__ = ["parse_expression", "tokenize"]


#: What the classes keep to themselves is named in no stubs.
_BaseLexer: Any = Lexer
_BaseParser: Any = Parser


class _Lexer(_BaseLexer):  # type: ignore[misc]
    """jmespath's lexer; a text between backticks is one without ado."""

    def _consume_literal(self) -> dict[str, Any]:
        start = self._position
        lexeme = self._consume_until("`").replace("\\`", "`")
        return {
            "type": "literal",
            "value": self._literal(lexeme, start),
            "start": start,
            "end": self._position - start,
        }

    def _literal(self, lexeme: str, start: int) -> Any:
        for text in (lexeme, f'"{lexeme.lstrip()}"'):
            try:
                return json.loads(text)
            except ValueError:
                continue
        raise LexerError(
            lexer_position=start,
            lexer_value=self._expression[start:],
            message=f"Bad token {lexeme}",
        )


class _Parser(_BaseParser):  # type: ignore[misc]
    """jmespath's parser over that lexer; the results are kept in jmespath's own bounded cache."""

    def _parse(self, expression: str) -> ParsedResult:
        self.tokenizer = tokenize(expression)
        self._tokens = list(self.tokenizer)
        self._index = 0
        tree = self._expression(binding_power=0)
        if self._current_token() != "eof":
            token = self._lookahead_token(0)
            message = f"Unexpected token: {token['value']}"
            raise ParseError(token["start"], token["value"], token["type"], message)
        return ParsedResult(expression, tree)


def parse_expression(text: str) -> ParsedResult:
    """Return what `jmespath.compile` does, and raise what it raises."""
    parsed: ParsedResult = _Parser().parse(text)
    return parsed


def tokenize(text: str) -> Iterator[dict[str, Any]]:
    """Yield the tokens of jmespath's lexer."""
    tokens: Iterator[dict[str, Any]] = _Lexer().tokenize(text)
    return tokens
