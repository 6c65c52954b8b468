"""Conditions and values written in JMESPath, with the roots that each one needs.

Semantics are jmespath.py's own, null and truth rules included. Expressions are bounded in length
and depth, because a small one can ask for a lot of work or memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from jmespath import exceptions
from jmespath.functions import Functions

from llmroute.config.diagnostics import did_you_mean
from llmroute.policy.expressions.codegen import UnsupportedNode, compile_expression
from llmroute.policy.expressions.growth import MAX_GROWTH, growth, joins_by_data
from llmroute.policy.expressions.mistakes import mistake
from llmroute.policy.expressions.parsing import parse_expression
from llmroute.policy.expressions.places import Places, operands

__all__ = [
    "FAILURES",
    "FUNCTIONS",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "ROOTS",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "check_growth",
    "look_up",
    "truthy",
]

MAX_LENGTH = 256
MAX_DEPTH = 16
#: What may be called: JMESPath's own functions, none of which takes a regular expression.
FUNCTIONS = frozenset(
    {
        *("abs", "avg", "ceil", "contains", "ends_with", "floor", "join", "keys", "length", "map"),
        *("max", "max_by", "merge", "min", "min_by", "not_null", "reverse", "sort", "sort_by"),
        *("starts_with", "sum", "to_array", "to_number", "to_string", "type", "values"),
    }
)
#: Roots that exist in every scope; a policy's `let` adds its own names.
ROOTS = frozenset({"request", "facts", "target", "estimate", "live", "budget", "now"})

Node = Mapping[str, Any]
#: What jmespath.py raises on data of types or sizes that a function does not take.
FAILURES = (
    exceptions.JMESPathError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    TypeError,
    ValueError,
)


class ExpressionError(ValueError):
    """A text is no expression.

    `column` (0-based) and `length` are the place inside the text, `rule` names the kind of
    fault, `help` says what to write.
    """

    def __init__(
        self,
        message: str,
        column: int = 0,
        *,
        length: int = 1,
        rule: str = "expression-syntax",
        help: str | None = None,  # noqa: A002 - the finding's own name
    ) -> None:
        super().__init__(message)
        self.column = column
        self.length = length
        self.rule = rule
        self.help = help


class EvaluationError(ValueError):
    """An expression could not be evaluated on this request and target (a type error)."""


class Expression:
    """One compiled expression.

    `roots` are the names that it reads at top level; `@` alone reads all of them. It runs as
    Python code, `function`, which raises one of `FAILURES` where `evaluate` would raise;
    `interpreted` says why, where it could not be turned into any.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ExpressionError(
                f"the expression has {len(text)} characters; at most {MAX_LENGTH} are allowed: "
                "name parts of it under let"
            )
        self.text = text
        self._compiled = _parse(text)
        if _depth(self.tree) > MAX_DEPTH:
            raise ExpressionError(f"the expression nests deeper than {MAX_DEPTH} levels")
        _check_functions(self.tree, text)
        check_growth(self.tree)

    @cached_property
    def _made(self) -> tuple[Callable[[Any], Any], str | None]:
        try:
            return compile_expression(self.tree), None
        except UnsupportedNode as exc:
            return self._compiled.search, str(exc)

    @cached_property
    def function(self) -> Callable[[Any], Any]:
        """The expression as a function of a scope, made when it is first needed."""
        return self._made[0]

    @property
    def interpreted(self) -> str | None:
        """Why the expression is interpreted, None where it runs as Python code."""
        return self._made[1]

    @property
    def tree(self) -> Node:
        """The syntax tree, as jmespath's parser makes it."""
        tree: Node = self._compiled.parsed
        return tree

    @cached_property
    def roots(self) -> frozenset[str]:
        """The top-level names that the expression reads."""
        return frozenset(path[0] for path in field_paths(self.tree))

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Return the value on a scope (root → data).

        Raises:
            EvaluationError: a function met a value of a type that it does not take.

        """
        try:
            return self.function(scope)
        except FAILURES as exc:
            raise EvaluationError(_short(exc)) from exc

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def truthy(value: Any) -> bool:
    """JMESPath's truth: null, false, and empty text, lists and maps are false; 0 is true."""
    return bool(value) or not (value is None or value is False or value in ("", [], {}))


def _parse(text: str) -> Any:
    try:
        return parse_expression(text)
    except exceptions.JMESPathError as exc:
        found = mistake(text, exc)
        raise ExpressionError(
            found.message, found.column, length=found.length, rule=found.rule, help=found.help
        ) from exc
    except RecursionError as exc:
        raise ExpressionError(f"the expression nests deeper than {MAX_DEPTH} levels") from exc


def check_growth(tree: Node) -> None:
    """Refuse an expression whose result could be many times its data.

    Raises:
        ExpressionError: with what to write instead.

    """
    times = growth(tree)
    if times > MAX_GROWTH:
        raise ExpressionError(
            f"the expression may hold its data {times:,} times; at most {MAX_GROWTH} are allowed",
            help="repeat less in [...] and {...}, and write out less with to_string()",
        )
    if joins_by_data(tree):
        message = "join() with a computed text between the parts may grow without bound"
        raise ExpressionError(message, help="write that text in quotes: join(', ', ...)")


def _short(exc: Exception) -> str:
    return str(exc).split("\n", 1)[0]


def _depth(node: Any) -> int:
    if not isinstance(node, Mapping):
        return 0
    return 1 + max((_depth(child) for child in node.get("children", ())), default=0)


def field_paths(node: Node) -> Iterator[tuple[str, ...]]:
    """Yield every chain of field names that starts at the top level, e.g. `("target", "id")`.

    What a projection, filter or expression reference reads of each element is left out.
    """
    for chain in field_chains(node):
        yield tuple(step.get("value", "@") for step in chain)


def look_up(value: Any, path: Sequence[str]) -> Any:
    """Return what stands at a chain of field names, None where nothing does."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def field_chains(node: Node) -> Iterator[tuple[Node, ...]]:
    """Yield the nodes of every chain of `field_paths`; `@` is a chain of its own."""
    kind, children = node["type"], node.get("children", [])
    if kind in ("current", "identity", "field"):
        yield (node,)
    elif kind in _CHAINED:
        yield from _chained(children, children[1:] if kind == "subexpression" else ())
    elif kind not in ("literal", "expref"):
        for child in children:
            yield from field_chains(child)


def _chained(children: Sequence[Node], steps: Sequence[Node]) -> Iterator[tuple[Node, ...]]:
    """Follow the fields that lead on from the first child; nothing else is at top level."""
    if children[0]["type"] != "field":
        yield from field_chains(children[0])
        return
    first: tuple[Node, ...] = (children[0],)
    for child in steps:
        if child["type"] == "field":
            first = (*first, child)
            continue
        if child["type"] in _CHAINED and _leads_on(child):
            first = (*first, *next(field_chains(child)))
        break
    yield first


def _leads_on(node: Node) -> bool:
    """Whether a node is a field or a chain that begins with one."""
    while node["type"] in _CHAINED:
        node = node["children"][0]
    return bool(node["type"] == "field")


#: Nodes whose later children are evaluated on the result of the first, not at top level.
_CHAINED = frozenset(
    {
        "subexpression",
        "index_expression",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
        "pipe",
    }
)


def _check_functions(tree: Node, text: str) -> None:
    for node in _calls(tree):
        problem = _call_problem(node["value"], len(node["children"]))
        if problem:
            rule, message, help_text = problem
            token = Places(tree, text).token(node)
            raise ExpressionError(
                message, token.start, length=token.end - token.start, rule=rule, help=help_text
            )


def _calls(node: Node) -> Iterator[Node]:
    """Yield the function calls of a tree in the order of the text."""
    if node["type"] == "function_expression":
        yield node
    for child in operands(node):
        yield from _calls(child)


def _call_problem(name: str, given: int) -> tuple[str, str, str | None] | None:
    """Return the rule, the message and the help where a call is wrong."""
    known = Functions.FUNCTION_TABLE
    if name not in FUNCTIONS:
        hint = did_you_mean(name, FUNCTIONS) or f"functions are {', '.join(sorted(FUNCTIONS))}"
        return "unknown-function", f'there is no function "{name}"', hint
    signature = known[name]["signature"]
    wanted, variadic = len(signature), bool(signature and signature[-1].get("variadic"))
    if given < wanted or (given > wanted and not variadic):
        least = "at least " if variadic else ""
        message = f"{name}() takes {least}{wanted} arguments, not {given}"
        return "function-arity", message, f"write {name}({_shape(signature)})"
    return None


def _shape(signature: Sequence[Mapping[str, Any]]) -> str:
    """Write what a function takes: `array|string, any`."""
    return ", ".join("|".join(part["types"]) or "any" for part in signature)
