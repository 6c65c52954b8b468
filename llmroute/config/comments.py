"""Texts that a ` #` cuts: YAML takes it for the start of a comment where they are not quoted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmroute.config.scalars import quoted
from llmroute.config.source import Span

if TYPE_CHECKING:
    from llmroute.config.diagnostics import Diagnostic
    from llmroute.config.document import Document

__all__ = ["COMMENT", "comment_behind", "cut_finding", "cut_message"]

COMMENT = re.compile(r"\s+#")


def cut_message(*, expression: bool) -> str:
    """Say that a comment ends a text too early."""
    return (
        f"the {'expression' if expression else 'text'} is cut here: YAML takes ` #` for a comment"
    )


def comment_behind(document: Document, path: Sequence[str | int]) -> Span | None:
    """Return the place of the comment behind an unquoted text of one line, None without one."""
    place = document.place(path)
    line = document.source.line(place.line)
    comment = COMMENT.match(line, place.end_col - 1)
    if place.line != place.end_line or comment is None or line[place.col - 1 :][:1] in "'\"|>":
        return None
    return Span(place.line, comment.end(), place.line, len(line.rstrip()) + 1)


def cut_finding(document: Document, whole: str, comment: Span) -> Diagnostic:
    """Make the finding about an expression that a comment has cut; `whole` is what was meant."""
    help_text = f"put the whole of it in quotes: {quoted(whole)}"
    message = cut_message(expression=True)
    return document.source.finding("cut-by-comment", message, comment, help=help_text)
