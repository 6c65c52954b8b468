"""Compile a JMESPath syntax tree to a Python function.

Each node becomes one Python expression over `v`, the current value; what runs on another value
(the right side of a pipe or projection, a filter's condition, `&x`) becomes a function of its own.
Only the `repr` of plain literals enters the source; every other constant is bound by name, so no
text of an expression can become code. Reference for the meaning: jmespath.py's `TreeInterpreter`.

Data are what JSON gives (subclasses and other mappings included). Objects whose `__eq__` calls
them equal to null, true or false without being those are outside this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from llmroute.policy.expressions.runtime import FAST, HELPERS

__all__ = ["UnsupportedNode", "compile_expression", "generate_source"]

Node = Mapping[str, Any]

_MAX_TEXT = 64
_MAX_INT = 2**53
#: Parentheses that may nest in one Python expression before it is moved to its own function
#: (CPython's parser refuses 200).
_MAX_NESTING = 24
_ORDERING = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


class UnsupportedNode(Exception):  # noqa: N818 - it is a reason to interpret, not a failure
    """The tree has a construct that the compiler does not know; interpret it instead."""


#: What is known of a value before it exists. flag: a boolean or null; number: exactly int or
#: float; other: text, list, map or null; plain: flag or other; any: nothing.
_Kind = Literal["any", "flag", "number", "other", "plain"]
#: Kinds for which Python's truth is JMESPath's.
_SAME_TRUTH = frozenset({"flag", "other", "plain"})
_LITERAL_KINDS: Mapping[type, _Kind] = {
    **dict.fromkeys((type(None), bool), "flag"),
    **dict.fromkeys((int, float), "number"),
    **dict.fromkeys((str, list, dict), "other"),
}


@dataclass(frozen=True, slots=True)
class _Code:
    """A Python expression; `nesting` counts its parentheses.

    `fields` is the number of steps if it is a chain of field names from `v`; `literal` holds the
    value if it is one.
    """

    text: str
    kind: _Kind = "any"
    nesting: int = 0
    fields: int | None = None
    literal: tuple[Any] | None = None


_VALUE: Final = _Code("v", fields=0)
#: Tests for a literal as the second argument: name → Python, and when it may be used, given the
#: subject, its name afterwards and the literal.
_TESTS = {
    "contains": ("{2} in {1}", "type({0}) is list or type({1}) is str"),
    "starts_with": ("{1}.startswith({2})", "type({0}) is str"),
    "ends_with": ("{1}.endswith({2})", "type({0}) is str"),
}


def compile_expression(tree: Node) -> Callable[[Any], Any]:
    """Return the function of the root value that a syntax tree stands for.

    It returns and raises what `jmespath` does (JMESPathError, TypeError, ValueError).

    Raises:
        UnsupportedNode: the tree has a construct that the compiler does not know.

    """
    source, constants = generate_source(tree)
    namespace: dict[str, Any] = {**HELPERS, **constants}
    try:
        exec(compile(source, "<expression>", "exec"), namespace)  # noqa: S102 - see the module
    except (SyntaxError, RecursionError, MemoryError) as exc:
        raise UnsupportedNode(f"the expression is too large to compile: {exc}") from exc
    function: Callable[[Any], Any] = namespace["main"]
    return function


def generate_source(tree: Node) -> tuple[str, dict[str, Any]]:
    """Return the Python source of a tree and its constants; raises as compile_expression does."""
    generator = _Generator()
    try:
        generator.write_main(tree)
    except (LookupError, TypeError, ValueError, RecursionError) as exc:
        raise UnsupportedNode(f"the tree is malformed or too deep: {exc}") from exc
    return "\n".join(generator.functions), generator.constants


class _Generator:
    """Collects the functions and constants of one expression."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.constants: dict[str, Any] = {}
        self._names = 0
        self._known: dict[int, str] = {}
        self._loops: dict[int, str] = {}
        self._trusting = False
        self._trusted = 0

    def write_main(self, tree: Node) -> None:
        """Write `main(v)`.

        Fields of the root, and fields of those, are first read without asking whether there is
        a map: where there is none, AttributeError leads to the cautious form.
        """
        self._trusting = True
        trusting = self._visit(tree, _VALUE)
        self._trusting = False
        if not self._trusted:
            self.functions.append(f"def main(v):\n return {trusting.text}")
            return
        cautious = self._function(tree)
        self.functions.append(
            f"def main(v):\n try:\n  return {trusting.text}\n"
            f" except AttributeError:\n  pass\n return {cautious}(v)"
        )

    def _name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _constant(self, value: Any) -> str:
        """Return source for a constant: its repr if it is a plain literal, else a bound name."""
        if _is_plain(value):
            return f"({value!r})" if type(value) in (int, float) else repr(value)
        name = self._name("c")
        self.constants[name] = value
        return name

    def _function(self, node: Node) -> str:
        """Return the name of the function of `v` that computes a node."""
        if id(node) not in self._known:
            trusting, self._trusting = self._trusting, False
            self._known[id(node)] = self._define(self._visit(node, _VALUE).text)
            self._trusting = trusting
        return self._known[id(node)]

    def _define(self, text: str) -> str:
        name = self._name("f")
        self.functions.append(f"def {name}(v):\n return {text}")
        return name

    def _visit(self, node: Node, source: _Code) -> _Code:
        """Return the code of a node whose current value is `source`."""
        code = self._write(node, source)
        if code.nesting > _MAX_NESTING:
            return _Code(f"{self._define(code.text)}(v)", code.kind, 1)
        return code

    def _write(self, node: Node, source: _Code) -> _Code:
        kind = node["type"]
        step = _STEPS.get(kind)
        if step is not None:
            return step(self, node, source)
        whole = _WHOLES.get(kind)
        if whole is None:
            raise UnsupportedNode(f"node of type {kind!r}")
        if source is not _VALUE:
            return _Code(f"{self._function(node)}({source.text})", nesting=source.nesting + 1)
        return whole(self, node)

    # Nodes that use the current value once.

    def identity(self, _node: Node, source: _Code) -> _Code:
        return source

    def sequence(self, node: Node, source: _Code) -> _Code:
        for child in node["children"]:
            source = self._visit(child, source)
        return source

    def field(self, node: Node, source: _Code) -> _Code:
        name = self._constant(node["value"])
        steps = None if source.fields is None else source.fields + 1
        if self._trusting and steps is not None and steps <= 2:
            self._trusted += 1
            return _Code(f"{source.text}.get({name})", fields=steps)
        first, again = self._twice(source)
        text = f"({again}.get({name}) if type({first}) is dict else _field({again}, {name}))"
        return _Code(text, nesting=source.nesting + 3, fields=steps)

    def index(self, node: Node, source: _Code) -> _Code:
        return _wrapped("_index", source, self._constant(node["value"]), kind="any")

    def cut(self, node: Node, source: _Code) -> _Code:
        return _wrapped("_slice", source, self._constant(slice(*node["children"])))

    def flatten(self, node: Node, source: _Code) -> _Code:
        return _wrapped("_flatten", self._visit(node["children"][0], source))

    def projection(self, node: Node, source: _Code) -> _Code:
        base, right, *rest = node["children"]
        of_map = node["type"] == "value_projection"
        helper = "_values_of" if of_map else "_items"
        items = _wrapped(helper, self._visit(base, source))
        if not rest and right["type"] in ("identity", "current"):
            return _wrapped("_present", items)
        name = self._loops.get(id(node)) or self._loop(right, *rest)
        self._loops[id(node)] = name
        return _Code(f"{name}({items.text})", "other", items.nesting + 1)

    def _loop(self, right: Node, condition: Node | None = None) -> str:
        """Write the function that collects what is not null, and return its name."""
        trusting, self._trusting = self._trusting, False
        test = "True" if condition is None else self._condition(condition)
        result = self._visit(right, _VALUE).text
        self._trusting = trusting
        name = self._name("f")
        self.functions.append(
            f"def {name}(items):\n if items is None:\n  return None\n kept = []\n"
            f" for v in items:\n  if {test}:\n   r = {result}\n"
            f"   if r is not None:\n    kept.append(r)\n return kept"
        )
        return name

    # Nodes that use the current value any number of times; here it is always `v`.

    def literal(self, node: Node) -> _Code:
        value = node["value"]
        return _Code(
            self._constant(value), _LITERAL_KINDS.get(type(value), "any"), literal=(value,)
        )

    def select_list(self, node: Node) -> _Code:
        codes = [self._visit(child, _VALUE) for child in node["children"]]
        inside = ", ".join(code.text for code in codes)
        return _Code(f"(None if v is None else [{inside}])", "other", _deepest(codes) + 2)

    def select_dict(self, node: Node) -> _Code:
        pairs = [
            (self._constant(child["value"]), self._visit(child["children"][0], _VALUE))
            for child in node["children"]
        ]
        inside = ", ".join(f"{key}: {code.text}" for key, code in pairs)
        nesting = _deepest([code for _, code in pairs]) + 2
        return _Code(f"(None if v is None else {{{inside}}})", "other", nesting)

    def reference(self, node: Node) -> _Code:
        return _Code(f"_Expression({self._function(node['children'][0])})", nesting=1)

    def either(self, node: Node) -> _Code:
        """Write `a || b` and `a && b`: the value of the side that decides."""
        left, right = (self._visit(child, _VALUE) for child in node["children"])
        kind: _Kind = "plain" if {left.kind, right.kind} <= _SAME_TRUTH else "any"
        kind, nesting = left.kind if left.kind == right.kind else kind, _deepest([left, right]) + 3
        is_or = node["type"] == "or_expression"
        if left.kind in _SAME_TRUTH:
            word = "or" if is_or else "and"
            return _Code(f"({left.text} {word} {right.text})", kind, nesting)
        test, name = self._truth(left)
        yes, no = (name, right.text) if is_or else (right.text, name)
        return _Code(f"({yes} if {test} else {no})", kind, nesting)

    def not_expression(self, node: Node) -> _Code:
        (child,) = node["children"]
        code = self._visit(child, _VALUE)
        if code.kind in _SAME_TRUTH:
            return _Code(f"(not {code.text})", "flag", code.nesting + 1)
        first, again = self._twice(code)
        text = f"(not {first} and ({again} is None or {again} is False or _negated({again})))"
        return _Code(text, "flag", code.nesting + 3)

    def comparator(self, node: Node) -> _Code:
        left, right = (self._visit(child, _VALUE) for child in node["children"])
        operator = node["value"]
        if operator == "eq":
            text = self._equality(left, right)
        elif operator == "ne":
            text = f"(not {self._equality(left, right)})"
        else:
            text = self._ordering(operator, left, right)
        return _Code(text, "flag", _deepest([left, right]) + 4)

    def _equality(self, left: _Code, right: _Code) -> str:
        if left.literal and not right.literal:
            left, right = right, left
        if right.literal and not left.literal and right.kind != "any":
            return self._equal_to_literal(left, right, right.literal[0])
        if "other" in (left.kind, right.kind):
            return f"({left.text} == {right.text})"
        return f"_equals({left.text}, {right.text})"

    def _equal_to_literal(self, left: _Code, right: _Code, value: Any) -> str:
        if right.kind == "flag":
            return f"({left.text} is {right.text})"
        if right.kind == "number" and value in (0, 1):
            first, again = self._twice(left)
            return f"({first} == {right.text} and {again} is not {bool(value)})"
        return f"({left.text} == {right.text})"

    def _ordering(self, operator: str, left: _Code, right: _Code) -> str:
        symbol = _ORDERING[operator]
        if left.kind == right.kind == "number":
            return f"({left.text} {symbol} {right.text})"
        if right.kind == "number" and right.literal:
            first, again = self._twice(left)
            number = f"{again} {symbol} {right.text}"
            other = f"_{operator}({again}, {right.text})"
            return f"({number} if type({first}) is int or type({again}) is float else {other})"
        return f"_{operator}({left.text}, {right.text})"

    def call(self, node: Node) -> _Code:
        name, children = node["value"], node["children"]
        if name == "map" and len(children) == 2 and children[0]["type"] == "expref":
            function = self._function(children[0]["children"][0])
            return _wrapped("_map", self._visit(children[1], _VALUE), function)
        if name in _TESTS and [child["type"] for child in children[1:]] == ["literal"]:
            inline = self._literal_test(name, children[0], children[1]["value"])
            if inline is not None:
                return inline
        codes = [self._visit(child, _VALUE) for child in children]
        inside, nesting = ", ".join(code.text for code in codes), _deepest(codes) + 2
        helper, kind = FAST.get((name, len(codes))) or FAST.get((name, -1), ("", "any"))
        if helper:
            return _Code(f"{helper}({inside})", kind, nesting)
        return _Code(f"_call({self._constant(name)}, [{inside}])", nesting=nesting)

    def _literal_test(self, name: str, subject: Node, wanted: Any) -> _Code | None:
        """Write `contains(x, 'a')`, `starts_with(x, 'a')` and `ends_with(x, 'a')` inline."""
        if name != "contains" and type(wanted) is not str:
            return None
        code, literal = self._visit(subject, _VALUE), self._constant(wanted)
        names = (*self._twice(code), literal)
        fast, check = (part.format(*names) for part in _TESTS[name])
        text = f"({fast} if {check} else _{name}({names[1]}, {literal}))"
        return _Code(text, "flag", code.nesting + 3)

    def _condition(self, node: Node) -> str:
        """Return source whose Python truth is the JMESPath truth of a node on `v`."""
        code = self._visit(node, _VALUE)
        return code.text if code.kind in _SAME_TRUTH else self._truth(code)[0]

    def _truth(self, code: _Code) -> tuple[str, str]:
        """Return a test of JMESPath's truth, and the value's name after the test."""
        first, name = self._twice(code)
        other = f"{name} is not None and {name} is not False and _is_true({name})"
        return f"({first} or ({other}))", name

    def _twice(self, code: _Code) -> tuple[str, str]:
        """Return source that evaluates code and a name for the value from then on."""
        if code.text == "v":
            return "v", "v"
        name = self._name("t")
        return f"({name} := {code.text})", name


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return bool(-_MAX_INT <= value <= _MAX_INT)
    if kind is float:
        return math.isfinite(value)
    return value is None or kind is bool or (kind is str and len(value) <= _MAX_TEXT)


def _wrapped(function: str, source: _Code, *more: str, kind: _Kind = "other") -> _Code:
    return _Code(f"{function}({', '.join((source.text, *more))})", kind, source.nesting + 1)


def _deepest(codes: Sequence[_Code]) -> int:
    return max((code.nesting for code in codes), default=0)


#: Writers of nodes that use the current value once, by node type.
_STEPS: Final[Mapping[str, Callable[[_Generator, Node, _Code], _Code]]] = {
    **dict.fromkeys(("current", "identity"), _Generator.identity),
    **dict.fromkeys(("subexpression", "index_expression", "pipe"), _Generator.sequence),
    **dict.fromkeys(("projection", "value_projection", "filter_projection"), _Generator.projection),
    "field": _Generator.field,
    "index": _Generator.index,
    "slice": _Generator.cut,
    "flatten": _Generator.flatten,
}
#: Writers of the others, whose current value is `v`.
_WHOLES: Final[Mapping[str, Callable[[_Generator, Node], _Code]]] = {
    **dict.fromkeys(("or_expression", "and_expression"), _Generator.either),
    "literal": _Generator.literal,
    "multi_select_list": _Generator.select_list,
    "multi_select_dict": _Generator.select_dict,
    "expref": _Generator.reference,
    "not_expression": _Generator.not_expression,
    "comparator": _Generator.comparator,
    "function_expression": _Generator.call,
}
