"""Printing findings for people, with colour on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["render", "summary"]

_COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def summary(found: Sequence[Diagnostic]) -> str:
    """Return how many findings of each severity there are, in words, and how many can be fixed."""
    counts = Counter(item.severity for item in found)
    parts = [
        f"{counts[severity]} {severity}{'s' if counts[severity] != 1 else ''}"
        for severity in ("error", "warning", "note")
        if counts[severity]
    ]
    fixable = sum(item.fix is not None for item in found)
    rest = f"; `llmroute lint --fix` mends {fixable} of them" if fixable else ""
    return (", ".join(parts) or "no findings") + rest


def render(found: Sequence[Diagnostic], stream: IO[str]) -> None:
    """Write findings and their number to a stream; coloured where it is a terminal."""
    if stream.isatty():
        _render_styled(found, stream)
        return
    for item in found:
        stream.write(f"{item}\n")
    stream.write(f"{summary(found)}\n")


def _render_styled(found: Sequence[Diagnostic], stream: IO[str]) -> None:
    from rich.console import Console

    console = Console(file=stream, highlight=False, soft_wrap=True)
    for item in found:
        console.print(_styled(item))
    console.print(summary(found), style="bold")


def _styled(item: Diagnostic) -> Text:
    from rich.text import Text

    head, *rest = str(item).split("\n")
    made = Text(head, style="bold")
    made.highlight_words([f"[{item.rule}]", f"{item.severity}:"], _COLOURS[item.severity])
    for line in rest:
        made.append("\n").append(line, style=_line_style(line, item.severity))
    return made


def _line_style(line: str, severity: str) -> str:
    if "= help:" in line:
        return "green"
    return _COLOURS[severity] if line.rstrip().endswith("^") else "dim"
