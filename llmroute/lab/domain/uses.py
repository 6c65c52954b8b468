"""How expressions look at data: with what is each field compared, and where is that not told.

A condition can tell two values of a field apart only by what it does with the field. Here the
syntax tree is read for that: comparisons with constants, membership, prefixes, truth. Whatever
else is done with a field (`max_by`, arithmetic, a comparison with another field of the request)
is `opaque`: then no finite list of values is known to stand for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from jmespath.visitor import TreeInterpreter

from llmroute.catalog.model import Target
from llmroute.policy.expressions.expression import FAILURES, Expression, Node, field_paths

__all__ = ["How", "Path", "Use", "collect_uses", "conjuncts", "disjuncts", "expanded_paths"]

Path = tuple[str, ...]
#: What is done with a field. `equal` and `order`: compared with `literal`; `contains`: asked for
#: the member or part `literal`; `within`: is it a part of the text `literal`; `length`: its
#: length is compared with `literal`; `truth`: is it truthy; `opaque`: something else.
How = Literal[
    "contains", "ends", "equal", "length", "opaque", "order", "starts", "truth", "type", "within"
]


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that an expression does with one field; `text` is the whole expression."""

    path: Path
    how: How
    literal: Any
    text: str


def collect_uses(
    expressions: Iterable[Expression],
    lets: Mapping[str, Expression],
    targets: Sequence[Target] = (),
    *,
    as_condition: bool = True,
) -> list[Use]:
    """Return every use of a field in expressions, those under `let` followed.

    What reads `target` alone is a constant for each of `targets`; without any, fields of `target`
    are fields like others. Where not `as_condition`, the value itself matters, not its truth.
    """
    found: list[Use] = []
    for expression in expressions:
        reader = _Reader(expression.text, lets, targets, found)
        reader.walk(expression.tree, truth=as_condition)
    return found


def expanded_paths(expression: Expression, lets: Mapping[str, Expression]) -> Iterator[Path]:
    """Yield the fields that an expression reads, those that its names under `let` read included."""
    for path in field_paths(expression.tree):
        if path[0] in lets:
            yield from field_paths(lets[path[0]].tree)
        else:
            yield path


def conjuncts(node: Node) -> Iterator[Node]:
    """Yield the parts of `a && b && …`."""
    yield from _parts(node, "and_expression")


def disjuncts(node: Node) -> Iterator[Node]:
    """Yield the parts of `a || b || …`."""
    yield from _parts(node, "or_expression")


def _parts(node: Node, kind: str) -> Iterator[Node]:
    if node["type"] != kind:
        yield node
        return
    for child in node["children"]:
        yield from _parts(child, kind)


def _field_path(node: Node) -> Path | None:
    """Return the names of `a.b.c`, None for anything else."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    parts: list[str] = []
    for child in node["children"]:
        path = _field_path(child)
        if path is None:
            return None
        parts += path
    return tuple(parts)


class _Reader:
    """Reads one expression."""

    def __init__(
        self,
        text: str,
        lets: Mapping[str, Expression],
        targets: Sequence[Target],
        found: list[Use],
    ) -> None:
        self._text = text
        self._lets = lets
        self._targets = targets
        self._found = found

    def walk(self, node: Node, *, truth: bool) -> None:
        """Note what a node does with each field that it reads."""
        if self._constant(node):
            return
        path = _field_path(node)
        if path is not None:
            self._read(path, truth=truth)
            return
        kind = node["type"]
        if kind == "comparator":
            self._compare(node)
        elif kind == "not_expression":
            self.walk(node["children"][0], truth=True)
        elif kind in ("and_expression", "or_expression"):
            for child in node["children"]:
                self.walk(child, truth=truth)
        elif kind == "function_expression":
            self._call(node)
        elif kind == "subexpression" and node["children"][0]["type"] == "not_expression":
            self.walk(node["children"][0], truth=False)  # `!a.b` is `(!a).b`
        else:
            self._opaque(node)

    def _read(self, path: Path, *, truth: bool) -> None:
        if path[0] not in self._lets:
            self._note(path, "truth" if truth else "opaque")
        elif len(path) == 1:
            self.walk(self._lets[path[0]].tree, truth=truth)
        else:
            self._opaque(self._lets[path[0]].tree)

    def _compare(self, node: Node) -> None:
        left, right = node["children"]
        how: How = "equal" if node["value"] in ("eq", "ne") else "order"
        for subject, other in ((left, right), (right, left)):
            if self._constant(other):
                self._subject(subject, how, self._values(other))
                return
        self.walk(left, truth=False)
        self.walk(right, truth=False)

    def _subject(self, node: Node, how: How, literals: Sequence[Any]) -> None:
        """Note a comparison of a node's value with constants."""
        path, kind = _field_path(node), node["type"]
        children = node.get("children", ())
        called = node["value"] if kind == "function_expression" else ""
        if path is not None:
            self._subject_path(path, how, literals)
        elif called in ("length", "type") and _field_path(children[0]):
            self._inside(children[0], "length" if called == "length" else "type", literals)
        elif (called == "not_null" or kind == "or_expression") and self._defaulted(children):
            self.walk(children[0], truth=True)
            self._subject(children[0], how, literals)
        else:
            self.walk(node, truth=False)

    def _defaulted(self, children: Sequence[Node]) -> bool:
        """Whether the first is a field and the others, which stand in for it, are constants."""
        return _field_path(children[0]) is not None and all(map(self._constant, children[1:]))

    def _subject_path(self, path: Path, how: How, literals: Sequence[Any]) -> None:
        if path[0] not in self._lets:
            self._note_all(path, how, literals)
        elif len(path) == 1:
            self._subject(self._lets[path[0]].tree, how, literals)
        else:
            self._opaque(self._lets[path[0]].tree)

    def _inside(self, node: Node, how: How, literals: Sequence[Any]) -> None:
        path = _field_path(node)
        if path is None:
            self.walk(node, truth=False)
        elif path[0] in self._lets:
            self._opaque(self._lets[path[0]].tree)
        else:
            self._note_all(path, how, literals)

    def _call(self, node: Node) -> None:
        name, children = node["value"], node["children"]
        if name in _TEXTUAL and self._constant(children[1]):
            self._inside(children[0], _TEXTUAL[name], self._values(children[1]))
        elif name in _TEXTUAL and self._constant(children[0]):
            self._part_of(children[1], self._values(children[0]))
        else:
            for child in children:
                self.walk(child, truth=False)

    def _part_of(self, node: Node, wholes: Sequence[Any]) -> None:
        """Note `contains(constant, field)`: one of a list, or a part of a text."""
        for whole in wholes:
            if isinstance(whole, list):
                self._inside(node, "equal", whole)
            else:
                self._inside(node, "within", [whole])

    def _opaque(self, node: Node) -> None:
        for path in field_paths(node):
            if path[0] in self._lets:
                self._opaque(self._lets[path[0]].tree)
            elif path[0] != "target" or not self._targets:
                self._note(path, "opaque")
        for literal in _literals(node):
            for path in field_paths(node):
                if path[0] not in self._lets:
                    self._note(path, "opaque", literal)

    def _constant(self, node: Node) -> bool:
        """Whether a node has one value for each target, whatever is asked."""
        roots = {path[0] for path in field_paths(node)} if node["type"] != "expref" else {"@"}
        return roots <= ({"target"} if self._targets else set())

    def _values(self, node: Node) -> list[Any]:
        """Return the values of a constant node; where it fails it has none."""
        if not any(field_paths(node)):
            return self._value(node, {})
        found: list[Any] = []
        for target in self._targets:
            found += [v for v in self._value(node, {"target": target.view}) if v not in found]
        return found

    def _value(self, node: Node, scope: Mapping[str, Any]) -> list[Any]:
        try:
            return [TreeInterpreter().visit(cast("Any", node), scope)]
        except FAILURES:
            return []

    def _note_all(self, path: Path, how: How, literals: Sequence[Any]) -> None:
        for literal in literals:
            self._note(path, how, literal)
        if not literals:
            self._note(path, "truth")

    def _note(self, path: Path, how: How, literal: Any = None) -> None:
        if len(path) == 1 and how == "truth" and path[0] in _NEVER_EMPTY:
            return
        self._found.append(Use(path, how, literal, self._text))


#: Roots that are maps with fields, whatever is asked.
_NEVER_EMPTY = frozenset({"estimate", "facts", "live", "now", "request", "target"})
_TEXTUAL: Mapping[str, How] = {"contains": "contains", "ends_with": "ends", "starts_with": "starts"}


def _literals(node: Node) -> Iterator[Any]:
    if node["type"] == "literal":
        yield node["value"]
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            yield from _literals(child)
