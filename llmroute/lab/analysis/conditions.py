"""Conditions, and pieces of them, that hold for every request or for none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from llmroute.lab.analysis.grid import Grid, Kinds, Piece, Scope, truth
from llmroute.lab.domain.uses import Path, conjuncts, disjuncts
from llmroute.policy.expressions.expression import Expression, Node, field_paths
from llmroute.policy.source import Require

__all__ = ["Conditions", "Constant"]

_BOOLEAN = frozenset({"and_expression", "comparator", "not_expression", "or_expression"})
_JOINED = frozenset({"and_expression", "or_expression"})
Lets = Mapping[str, Expression]


class Constant(NamedTuple):
    """A piece of a condition that has one truth; `parts` are what it takes to see that.

    Of `a && b` that is false these exclude each other, of `a || b` that is true they leave out
    nothing; there are at least two parts, or none where the piece shows it by itself.
    """

    node: Node
    value: bool
    parts: tuple[Node, ...] = ()


class Conditions:
    """Answers about conditions, given the labels that are declared; it keeps what it found."""

    def __init__(self, inputs: Mapping[str, Any] | None) -> None:
        self.inputs = inputs
        self._kinds = Kinds(inputs)
        self._known: dict[tuple[str, ...], bool] = {}
        self._expressions: dict[str, Expression] = {}
        self._truths: dict[tuple[str, ...], bool | None] = {}

    def always(self, node: Node, lets: Lets) -> bool | None:
        """Return the one truth that a node has, None where it varies, fails or is not certain."""
        piece = Piece(node, "")
        key = self._key("is", (piece,), lets)
        if key not in self._truths:
            self._truths[key] = self._one_truth(piece, lets)
        return self._truths[key]

    def _one_truth(self, piece: Piece, lets: Lets) -> bool | None:
        grid = Grid.of([piece], lets, self._kinds)
        found: bool | None = None
        for number, scope in enumerate(grid.scopes() if grid else ()):
            value = truth(piece, scope)
            if value is None or (number and value is not found):
                return None
            found = value
        return found

    def exclude(self, nodes: Sequence[Node], lets: Lets) -> bool:
        """Whether never all of some conditions hold."""
        return self._nodes("exclude", nodes, lets, lambda seen: False in seen)

    def exhaust(self, nodes: Sequence[Node], lets: Lets) -> bool:
        """Whether always one of some conditions holds."""
        return self._nodes("exhaust", nodes, lets, lambda seen: True in seen)

    def equivalent(self, one: str | None, other: str | None, lets: Lets) -> bool:
        """Whether two rules' conditions hold for the same requests and targets."""
        mine, theirs = (self._parsed(text or "`true`") for text in (one, other))
        if not _read(mine.tree, lets) & _read(theirs.tree, lets):
            return False
        return self._holds("same", [mine, theirs], lets, lambda s: bool(s[0]) == bool(s[1]))

    def subsumed(self, item: Require, by: Require, lets: Lets) -> bool:
        """Whether a requirement rejects nobody whom another does not reject."""
        texts = (item.when, item.target, by.when, by.target)
        parts = [self._parsed(text or "`true`") for text in texts]

        if self._apart(parts, lets):
            return False

        def held(seen: Sequence[bool | None]) -> bool:
            mine, theirs = (seen[n] is not False and not seen[n + 1] for n in (0, 2))
            return theirs or not mine

        return self._holds("subsumed", parts, lets, held)

    def _parsed(self, text: str) -> Expression:
        """Return an expression, parsed once: rules and requirements are compared in pairs."""
        known = self._expressions.get(text)
        if known is None:
            known = self._expressions[text] = Expression(text)
        return known

    def _apart(self, parts: Sequence[Expression], lets: Lets) -> bool:
        """Whether what a requirement asks says nothing of when another one holds, or asks what."""
        mine = _read(parts[0].tree, lets) | _read(parts[1].tree, lets)
        theirs = [_read(part.tree, lets) for part in parts[2:] if part.roots]
        if not any(read and not mine & read for read in theirs):
            return False
        if not all(self._varies(part.tree, lets) for part in parts if part.roots):
            return False
        asked = parts[:2]
        return not self._holds("idle", asked, lets, lambda seen: seen[0] is False or bool(seen[1]))

    def meetable(self, item: Require, lets: Lets, providers: Sequence[str]) -> bool:
        """Whether some target of these providers might meet a requirement that is demanded."""
        parts = [Expression(text or "`true`") for text in (item.when, item.target)]

        def unmet(seen: Sequence[bool | None]) -> bool:
            return not (seen[0] is not False and seen[1])

        return not self._holds("unmet", parts, lets, unmet, providers)

    def _nodes(
        self, name: str, nodes: Sequence[Node], lets: Lets, held: Callable[[Any], bool]
    ) -> bool:
        return self._holds(name, [Piece(node, "") for node in nodes], lets, held)

    def _holds(
        self,
        question: str,
        expressions: Sequence[Expression],
        lets: Lets,
        held: Callable[[list[bool | None]], bool],
        providers: Sequence[str] = (),
    ) -> bool:
        """Whether something is certain of the truths of expressions, whatever their fields are."""
        key = (*self._key(question, expressions, lets), *providers)
        if key not in self._known:
            grid = Grid.of(expressions, lets, self._kinds, providers)
            found = grid is not None and all(held(_seen(expressions, s)) for s in grid.scopes())
            self._known[key] = found
        return self._known[key]

    def _key(self, question: str, expressions: Sequence[Expression], lets: Lets) -> tuple[str, ...]:
        roots = frozenset().union(*(expression.roots for expression in expressions))
        named = (f"{n}={let.text}" for n, let in lets.items() if n in roots or "@" in roots)
        return (question, *(repr(expression.tree) for expression in expressions), "", *named, "")

    def constants(self, tree: Node, lets: Lets, *, values: bool = False) -> Iterator[Constant]:
        """Yield the largest pieces of a condition that have one truth, or what makes them so.

        Left out are literals, names under `let` that are such themselves, and, in an expression
        whose value is used and not its truth (`values`), what is no comparison.
        """
        if self._explained(tree, lets):
            return
        found = None if values and tree["type"] in _JOINED else self._truth(tree, lets)
        if found is not None:
            yield from self._blamed(tree, found, lets)
        elif tree["type"] in _BOOLEAN and tree["type"] != "comparator":
            for child in tree["children"]:
                yield from self.constants(child, lets, values=values and tree["type"] in _JOINED)

    def _truth(self, node: Node, lets: Lets) -> bool | None:
        if node["type"] in _JOINED:
            first, second = (_read(child, lets) for child in node["children"])
            if not first & second and all(self._varies(n, lets) for n in node["children"]):
                return None  # neither says anything of the other
        told = node["type"] in _BOOLEAN or node["type"] == "function_expression"
        return self.always(node, lets) if told else None

    def _varies(self, node: Node, lets: Lets) -> bool:
        return any(field_paths(node)) and self.always(node, lets) is None

    def _explained(self, node: Node, lets: Lets) -> bool:
        """Whether nothing is to be said: nothing is read, or the fault is that of a `let`."""
        roots = {path[0] for path in field_paths(node)}
        constant = (self.always(lets[name].tree, lets) for name in roots if name in lets)
        return not roots or any(value is not None for value in constant)

    def _blamed(self, node: Node, value: bool, lets: Lets) -> Iterator[Constant]:
        kind, wanted = (conjuncts, "and_expression") if not value else (disjuncts, "or_expression")
        if node["type"] != wanted:
            yield Constant(node, value)
            return
        parts = tuple(kind(node))
        alone = [part for part in parts if self.always(part, lets) is value]
        if alone:
            for part in alone:
                if not self._explained(part, lets):
                    yield from self._blamed(part, value, lets)
            return
        together = self.exhaust if value else self.exclude
        pairs = (pair for pair in combinations(parts, 2) if together(pair, lets))
        yield Constant(node, value, next(pairs, parts))


def _read(node: Node, lets: Lets) -> frozenset[Path]:
    """Return the fields that a node reads, those of names under `let` included."""
    found = set()
    for path in field_paths(node):
        found |= set(field_paths(lets[path[0]].tree)) if path[0] in lets else {path}
    return frozenset(found)


def _seen(expressions: Sequence[Expression], scope: Scope) -> list[bool | None]:
    return [truth(expression, scope) for expression in expressions]
