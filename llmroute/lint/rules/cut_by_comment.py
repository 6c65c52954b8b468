"""A ` #` ends an unquoted expression in the middle.

Wrong:
    policy: example
    rules:
      - name: ticket
        weight: 1
        when: contains(request.tags, 'team #1')
        prefer: quality

Right:
    policy: example
    rules:
      - name: ticket
        weight: 1
        when: "contains(request.tags, 'team #1')"
        prefer: quality

Why: YAML takes a `#` after a space for the start of a comment. What is left is no expression; in
quotes the whole of it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.scalars import quoted
from llmroute.config.source import Span
from llmroute.lint.registry import Rule
from llmroute.policy.expressions.expression import Expression, ExpressionError
from llmroute.policy.scoring.preferences import BUILT_IN

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

_COMMENT = re.compile(r"\s+#")
_KEYS = {"require": ("when", "target"), "rules": ("when", "prefer")}
Path = tuple[str | int, ...]


def _check(project: Project) -> Iterator[Diagnostic]:
    own = project.workspace.settings
    for document in (*([own] if own else ()), *project.workspace.policies.values()):
        for path, text in _texts(document):
            if (span := _cut(document, path, text)) is not None:
                yield _finding(document, text, span)


def _texts(document: Document) -> Iterator[tuple[Path, str]]:
    for name, text in (document.data.get("let") or {}).items():
        yield ("let", name), text
    for section, keys in _KEYS.items():
        for index, item in enumerate(document.data.get(section) or ()):
            for key in keys:
                text = item.get(key)
                if isinstance(text, str) and text not in BUILT_IN:
                    yield (section, index, key), text


def _cut(document: Document, path: Path, text: str) -> Span | None:
    """Return the place of the `#` that cut an expression which does not parse."""
    place = document.place(path)
    line = document.source.line(place.line)
    comment = _COMMENT.match(line, place.end_col - 1)
    if place.line != place.end_line or comment is None or line[place.col - 1 :][:1] in "'\"|>":
        return None
    try:
        Expression(text)
    except ExpressionError:
        return Span(place.line, comment.end(), place.line, len(line.rstrip()) + 1)
    return None


def _finding(document: Document, text: str, span: Span) -> Diagnostic:
    rest = document.source.line(span.line)[span.col - 1 :].rstrip()
    message = "the expression is cut here: YAML takes ` #` for a comment"
    help_text = f"put the whole of it in quotes: {quoted(f'{text} {rest}')}"
    return document.source.finding(RULE.name, message, span, help=help_text)


RULE = Rule("cut-by-comment", "error", _check)
