"""Colour for explanations on a terminal."""

from __future__ import annotations

import re

from rich.text import Text

__all__ = ["styled_explanation"]

#: Pattern and style of what stands out; the first line that matches a whole-line pattern wins.
_LINES = (
    (re.compile(r"→ "), "bold green"),
    (re.compile(r"no target is eligible"), "bold red"),
    (re.compile(r"\d+\. "), "bold"),
    (re.compile(r"(rejected|then|could not be evaluated):"), "yellow"),
)
_PARTS = ((re.compile(r"█+"), "cyan"), (re.compile(r" → .*"), "green"))


def styled_explanation(text: str) -> Text:
    """Return an explanation with its headline, ranks, bars and advice coloured."""
    made = Text()
    for line in text.splitlines():
        made.append(_styled_line(line)).append("\n")
    made.right_crop(1)
    return made


def _styled_line(line: str) -> Text:
    whole = next((style for pattern, style in _LINES if pattern.match(line)), "")
    made = Text(line, style=whole)
    for pattern, style in _PARTS:
        made.highlight_regex(pattern, style)
    return made
