"""One parsed file: its data, and where each piece of the data stands in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmroute.config.diagnostics import Diagnostic, Severity
from llmroute.config.source import Source, Span

__all__ = ["Document", "Node", "Place", "span_of"]


#: Where something stands: a span, or the parser's event, of which a span is made when asked for.
Place = Any
_NOTHING: dict[Any, Any] = {}


class Node:
    """Where one value stands: its span, its key's span, and the nodes of what is in it.

    Few places are ever asked for, so spans are made of the parser's events on demand. `partial`
    says that keys of a map were refused, so that one that seems missing may be among them.
    """

    __slots__ = ("children", "key_place", "partial", "place")

    def __init__(self, place: Place, children: dict[str | int, Node] | None = None) -> None:
        self.place = place
        self.key_place: Place = None
        self.partial = False
        self.children: Mapping[str | int, Node] = _NOTHING if children is None else children

    @property
    def span(self) -> Span:
        """The place of the value."""
        return span_of(self.place)

    @property
    def key(self) -> Span | None:
        """The place of its key, None in a list."""
        return None if self.key_place is None else span_of(self.key_place)


def span_of(place: Place) -> Span:
    """Return the span of a parser's event; spans are returned as they are."""
    if isinstance(place, Span):
        return place
    start, end = place.start_mark, place.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


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
        return (wants_key and node.key) or _first_line(node.span, self.source)

    def partial(self, path: Sequence[str | int]) -> bool:
        """Whether keys of the map at a data path were refused with what they held."""
        node, found = self._walk(path)
        return found and node.partial

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
