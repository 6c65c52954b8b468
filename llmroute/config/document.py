"""One parsed file: its data, and where each piece of the data stands in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmroute.config.diagnostics import Diagnostic, Severity
from llmroute.config.source import Source, Span

__all__ = ["Document", "Node"]


class Node:
    """Where one value stands: its span, its key's span, and the nodes of what is in it."""

    __slots__ = ("children", "key", "span")

    def __init__(self, span: Span, key: Span | None = None) -> None:
        self.span = span
        self.key = key
        self.children: dict[str | int, Node] = {}


@dataclass(frozen=True)
class Document:
    """A parsed YAML file.

    `data` is plain data (treat it as read-only: a workspace is an immutable snapshot), `label`
    the file's name as messages show it, `root` the marks of the data's places.
    """

    path: Path
    label: str
    text: str = field(repr=False)
    data: Any
    root: Node = field(repr=False, compare=False)
    source: Source = field(repr=False, compare=False)

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Span:
        """Return the span of the value at a data path, or of its key.

        A path that leads nowhere gives the place of its nearest existing parent: the parent's
        key where it has one. An empty value (`key:` and nothing behind it) gives its key.
        """
        node, found = self._walk(path)
        wants_key = key or not found or _empty(node.span)
        return node.key if wants_key and node.key else _first_line(node.span, self.source)

    def _walk(self, path: Sequence[str | int]) -> tuple[Node, bool]:
        node = self.root
        for step in path:
            child = node.children.get(step)
            if child is None:
                return node, False
            node = child
        return node, True

    def diagnostic(
        self,
        rule: str,
        message: str,
        path: Sequence[str | int] = (),
        *,
        key: bool = False,
        help: str | None = None,  # noqa: A002 - the field's own name
        severity: Severity = "error",
    ) -> Diagnostic:
        """Make a finding about the value (or key) at a data path."""
        span = self.place(path, key=key)
        return self.source.finding(rule, message, span, help=help, severity=severity)


def _empty(span: Span) -> bool:
    return span[:2] == span[2:]


def _first_line(span: Span, source: Source) -> Span:
    """Cut a place of many lines to its first: that is what an excerpt can show."""
    if span.line == span.end_line:
        return span
    end = len(source.line(span.line).rstrip()) + 1
    return Span(span.line, span.col, span.line, max(end, span.col + 1))
