"""The text of one file, and findings made from places in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from llmroute.config.diagnostics import Diagnostic, Severity
from llmroute.config.redact import LONG, secret_spans

__all__ = ["Source", "Span"]

_BREAK = re.compile(r"\r\n|\r|\n")


class Span(NamedTuple):
    """A place: 1-based line and character column, the end just behind it."""

    line: int
    col: int
    end_line: int
    end_col: int


@dataclass(frozen=True)
class Source:
    """A file's text, split into lines as YAML 1.2 splits them, under the name to show."""

    label: str
    text: str
    lines: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", _BREAK.split(self.text))

    def line(self, number: int) -> str:
        """Return a line's text by its 1-based number; empty beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def finding(
        self,
        rule: str,
        message: str,
        span: Span,
        *,
        help: str | None = None,  # noqa: A002 - the field's own name
        severity: Severity = "error",
    ) -> Diagnostic:
        """Make a finding about a place; what may be a secret on its line is masked everywhere."""
        text = self.line(span.line)
        masked = text
        for start, end in secret_spans(self.lines, span.line - 1, span.col) if text else ():
            secret, masked = text[start:end], masked[:start] + "*" * (end - start) + masked[end:]
            message = _without(message, secret)
            help = _without(help, secret) if help else help  # noqa: A001
        return Diagnostic(
            rule=rule,
            severity=severity,
            file=self.label,
            line=span.line,
            col=span.col,
            message=_printable(message),
            help=_printable(help) if help else help,
            end_line=span.end_line,
            end_col=span.end_col,
            source=masked if len(masked) <= LONG else None,
        )


def _without(text: str, secret: str) -> str:
    """Mask a secret in a text, its beginning too where the text was cut short behind it."""
    head, *tails = text.replace(secret, "***").split("…")
    made = head
    for tail in tails:
        sizes = range(min(len(secret), len(made)), 0, -1)
        shown = next((size for size in sizes if made.endswith(secret[:size])), 0)
        made = f"{made[: len(made) - shown]}***…{tail}" if shown else f"{made}…{tail}"
    return made


def _printable(text: str) -> str:
    """Show control characters as a mark: a message must not steer a terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
