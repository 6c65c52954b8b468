"""A small static typing of expressions: what each node of a syntax tree can give.

It follows jmespath.py: a field of what is no object is null, `&&` and `||` give one of their
operands, an ordering comparison of what has no order is null. Types are upper bounds: what they
leave out cannot happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from llmroute.lint.jsontypes import ANY, KINDS, NULL, Type, literal_type, union
from llmroute.lint.project import Placed, Project
from llmroute.lint.roots import roots
from llmroute.policy.expressions.expression import Expression
from llmroute.policy.expressions.places import Places, operands

__all__ = ["Typed", "each", "is_text", "typed", "walk"]

Node = Mapping[str, Any]
_FALSY = KINDS - {"number"}
_BOOLEAN = Type(frozenset({"boolean"}))
_NUMBER = Type(frozenset({"number"}), low=None)
_COUNT = Type(frozenset({"number"}), low=0)
_TEXT = Type(frozenset({"string"}))
_KIND_NAMES = Type(frozenset({"string"}), values=tuple(sorted(KINDS)))
_ARRAY = Type(frozenset({"array"}))
_OBJECT = Type(frozenset({"object"}))
#: What functions give whose result does not depend on their arguments.
_RESULTS: Mapping[str, Type] = {
    **dict.fromkeys(("abs", "ceil", "floor", "sum"), _NUMBER),
    "length": _COUNT,
    **dict.fromkeys(("avg", "to_number"), _NUMBER.or_null()),
    **dict.fromkeys(("contains", "starts_with", "ends_with"), _BOOLEAN),
    **dict.fromkeys(("join", "to_string"), _TEXT),
    "type": _KIND_NAMES,
    "keys": Type(frozenset({"array"}), items=_TEXT),
    **dict.fromkeys(("values", "map"), _ARRAY),
    **dict.fromkeys(("max", "min"), Type(frozenset({"number", "string", "null"}))),
    "merge": _OBJECT,
}
#: The method that types a node, by the node's type.
_METHODS: Mapping[str, str] = {
    **dict.fromkeys(("current", "identity"), "_same"),
    **dict.fromkeys(("subexpression", "index_expression", "pipe"), "_chain"),
    **dict.fromkeys(("projection", "filter_projection"), "_projection"),
    "value_projection": "_values",
    "field": "_field",
    "literal": "_literal",
    "index": "_index",
    "slice": "_slice",
    "flatten": "_flatten",
    "and_expression": "_both",
    "or_expression": "_either",
    "not_expression": "_not",
    "comparator": "_compare",
    "multi_select_list": "_list",
    "multi_select_dict": "_map",
    "function_expression": "_call",
}


def is_text(node: Node) -> bool:
    """Whether a node is a literal text."""
    return node["type"] == "literal" and isinstance(node["value"], str)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all in it, in the order of the text."""
    yield node
    for child in operands(node):
        yield from walk(child)


class Typed:
    """One expression with the type of each of its nodes."""

    def __init__(self, expression: Expression, scope: Mapping[str, Type]) -> None:
        self.text = expression.text
        self.tree: Node = expression.tree
        self._types: dict[int, Type] = {}
        self._currents: dict[int, Type] = {}
        self._visit(self.tree, Type(frozenset({"object"}), fields=scope))

    @cached_property
    def places(self) -> Places:
        """Where the nodes stand."""
        return Places(self.tree, self.text)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, in the order of the text."""
        return tuple(walk(self.tree))

    def type(self, node: Node) -> Type:
        """Return what a node can give."""
        return self._types.get(id(node), ANY)

    def current(self, node: Node) -> Type:
        """Return the value that a node is evaluated on."""
        return self._currents.get(id(node), ANY)

    def _visit(self, node: Node, current: Type) -> Type:
        self._currents[id(node)] = current
        made: Type = getattr(self, _METHODS.get(node["type"], "_unknown"))(node, current)
        self._types[id(node)] = made
        return made

    def _unknown(self, node: Node, current: Type) -> Type:
        for child in operands(node):
            self._visit(child, current)
        return ANY

    def _same(self, _node: Node, current: Type) -> Type:
        return current

    def _field(self, node: Node, current: Type) -> Type:
        return current.field(node["value"])

    def _literal(self, node: Node, _current: Type) -> Type:
        return literal_type(node["value"])

    def _chain(self, node: Node, current: Type) -> Type:
        for child in node["children"]:
            current = self._visit(child, current)
        return current

    def _index(self, _node: Node, current: Type) -> Type:
        return current.element().or_null()

    def _slice(self, _node: Node, current: Type) -> Type:
        return _listed(current, current.items)

    def _flatten(self, node: Node, current: Type) -> Type:
        inner = self._visit(node["children"][0], current)
        items = inner.items
        flat = items and (items.items if items.kinds == {"array"} else items)
        return _listed(inner, flat if flat and "array" not in flat.kinds else None)

    def _projection(self, node: Node, current: Type) -> Type:
        left, right = node["children"][:2]
        base = self._visit(left, current)
        element = base.element() if "array" in base.kinds else ANY
        for condition in node["children"][2:]:
            self._visit(condition, element)
        return _listed(base, self._visit(right, element).without_null())

    def _values(self, node: Node, current: Type) -> Type:
        left, right = node["children"]
        base = self._visit(left, current)
        fields = list((base.fields or {}).values()) + ([base.rest] if base.rest else [])
        element = union(fields) if base.fields is not None else ANY
        made = Type(frozenset({"array"}), items=self._visit(right, element).without_null())
        return made if base.kinds == {"object"} else made.or_null()

    def _both(self, node: Node, current: Type) -> Type:
        left, right = (self._visit(child, current) for child in node["children"])
        kinds = left.kinds & _FALSY
        return union((Type(kinds, values=left.values), right)) if kinds else right

    def _either(self, node: Node, current: Type) -> Type:
        left, right = (self._visit(child, current) for child in node["children"])
        return union((left.without_null(), right)) if left.known else right

    def _not(self, node: Node, current: Type) -> Type:
        self._visit(node["children"][0], current)
        return _BOOLEAN

    def _compare(self, node: Node, current: Type) -> Type:
        left, right = (self._visit(child, current) for child in node["children"])
        if node["value"] in ("eq", "ne"):
            return _BOOLEAN
        ordered = {"number", "string"}
        return _BOOLEAN if left.kinds | right.kinds <= ordered else _BOOLEAN.or_null()

    def _list(self, node: Node, current: Type) -> Type:
        items = union([self._visit(child, current) for child in node["children"]])
        made = Type(frozenset({"array"}), items=items)
        return made.or_null() if current.nullable else made

    def _map(self, node: Node, current: Type) -> Type:
        fields = {}
        for pair in node["children"]:
            fields[pair["value"]] = self._visit(pair["children"][0], current)
        made = Type(frozenset({"object"}), fields=fields)
        return made.or_null() if current.nullable else made

    def _call(self, node: Node, current: Type) -> Type:
        arguments = node["children"]
        plain = [self._visit(a, current) if a["type"] != "expref" else ANY for a in arguments]
        element = next((t.element() for t in plain if "array" in t.known and not t.open), ANY)
        for argument in arguments:
            if argument["type"] == "expref":
                self._visit(argument["children"][0], element)
        return _result(node["value"], plain)


def _listed(base: Type, items: Type | None) -> Type:
    if "array" not in base.kinds:
        return NULL
    made = Type(frozenset({"array"}), items=items)
    return made if base.kinds == {"array"} else made.or_null()


def _result(name: str, arguments: Sequence[Type]) -> Type:
    if name == "not_null" and arguments:
        *first, last = arguments
        return union([*(t.without_null() for t in first if t.known), last])
    if name in ("sort", "reverse") and arguments:
        return arguments[0].without_null()
    if name == "to_array" and arguments:
        return Type(frozenset({"array"}))
    return _RESULTS.get(name, ANY)


#: What was worked out of each project, while it lives: rules share it.
_KNOWN: WeakKeyDictionary[Project, tuple[tuple[Placed, Typed], ...]] = WeakKeyDictionary()


def each(project: Project) -> Sequence[tuple[Placed, Typed]]:
    """Return every expression of a project with its types, worked out once."""
    if project not in _KNOWN:
        _KNOWN[project] = tuple(_typed(project))
    return _KNOWN[project]


def typed(text: str, inputs: Mapping[str, Any] | None = None, **lets: str) -> Typed:
    """Type one expression on its own, with names under `let`."""
    scope = roots(inputs)
    return Typed(Expression(text), {**scope, **_lets(lets, scope)})


def _typed(project: Project) -> Iterator[tuple[Placed, Typed]]:
    scope = roots(project.inputs)
    names: dict[str | None, Mapping[str, Type]] = {None: scope}
    for name, source in project.sources.items():
        names[name] = {**scope, **_lets(source.let, scope)}
    for item in project.expressions():
        yield item, Typed(item.expression, names[item.policy])


def _lets(texts: Mapping[str, str], scope: Mapping[str, Type]) -> Mapping[str, Type]:
    made = {}
    for name, text in texts.items():
        one = Typed(Expression(text), scope)
        made[name] = one.type(one.tree)
    return made
