"""Where the nodes of a syntax tree stand in an expression's text.

jmespath's trees carry no positions. Names and literals come in a tree in the order in which they
stand in the text, so walking both side by side gives each its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from llmroute.policy.expressions.parsing import tokenize

__all__ = ["Places", "Token", "operands", "tokens_of"]

Node = Mapping[str, Any]

_NAMES = frozenset({"unquoted_identifier", "quoted_identifier"})
#: Nodes that one token stands for, with the token's possible types.
_LEAVES: Mapping[str, frozenset[str]] = {
    "field": _NAMES,
    "function_expression": _NAMES,
    "key_val_pair": _NAMES,
    "literal": frozenset({"literal"}),
    "current": frozenset({"current"}),
}
_KINDS = frozenset().union(*_LEAVES.values())


class Token(NamedTuple):
    """One token: its type in jmespath's words, and its 0-based place; `end` is just behind it."""

    kind: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of an expression that parses, without the one for the end."""
    raw = [(token["type"], token["start"]) for token in tokenize(text)]
    return [
        Token(kind, start, len(text[:following].rstrip()))
        for (kind, start), (_, following) in pairwise(raw)
    ]


class Places:
    """The places of the nodes of one tree."""

    def __init__(self, tree: Node, text: str) -> None:
        self.tokens = tokens_of(text)
        self._text = text
        self._leaf: dict[int, Token] = {}
        self._span: dict[int, tuple[int, int]] = {}
        leaves = iter([token for token in self.tokens if token.kind in _KINDS])
        self._walk(tree, leaves)

    def _walk(self, node: Node, leaves: Iterator[Token]) -> tuple[int, int]:
        span = _NOWHERE
        if node["type"] in _LEAVES:
            token = next(leaves)
            self._leaf[id(node)] = token
            span = (token.start, token.end)
        for child in operands(node):
            start, end = self._walk(child, leaves)
            span = (min(span[0], start), max(span[1], end))
        if node["type"] == "function_expression":
            span = (span[0], self._closed(span[1]))
        self._span[id(node)] = span
        return span

    def _closed(self, end: int) -> int:
        """Return where the parenthesis ends that closes a call whose arguments end before it."""
        depth = 0
        for token in self.tokens:
            if token.start < end:
                continue
            depth += (token.kind == "lparen") - (token.kind == "rparen")
            if token.kind == "rparen" and depth <= 0:
                return token.end
        return end

    def token(self, node: Node) -> Token:
        """Return the token of a name (of a function, too), a literal or `@`."""
        return self._leaf[id(node)]

    def span(self, node: Node) -> tuple[int, int]:
        """Return start and end of a node, from its first name or literal to its last."""
        start, end = self._span[id(node)]
        return (start, end) if start < end else (0, len(self._text))

    def source(self, node: Node) -> str:
        """Return the text of a node."""
        start, end = self.span(node)
        return self._text[start:end]

    def before(self, node: Node, kind: str) -> Token | None:
        """Return the last token of a kind before a node."""
        start = self.span(node)[0]
        found = [token for token in self.tokens if token.kind == kind and token.start < start]
        return found[-1] if found else None


#: The span of a node without names and literals: it widens no other.
_NOWHERE = (1 << 30, 0)


def operands(node: Node) -> Sequence[Node]:
    """Return a node's children in the order of the text (a filter's condition comes second)."""
    children = [child for child in node.get("children", ()) if isinstance(child, Mapping)]
    if node["type"] == "filter_projection":
        left, right, condition = children
        return [left, condition, right]
    return children
