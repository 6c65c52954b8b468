"""Conditions and values written in JMESPath, with the roots that each one needs.

Semantics are jmespath.py's own, null and truth rules included. Expressions are bounded in length
and depth, because a small one can ask for a lot of work or memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import jmespath
from jmespath import exceptions
from jmespath.functions import Functions

from llmroute.config.diagnostics import did_you_mean
from llmroute.policy.codegen import UnsupportedNode, compile_expression

__all__ = [
    "FAILURES",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "ROOTS",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "truthy",
]

MAX_LENGTH = 256
MAX_DEPTH = 16
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
    """A text is no expression; `column` is 0-based inside the text."""

    def __init__(self, message: str, column: int = 0) -> None:
        super().__init__(message)
        self.column = column


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
        self.interpreted: str | None = None
        try:
            self.function = compile_expression(self.tree)
        except UnsupportedNode as exc:
            self.function, self.interpreted = self._compiled.search, str(exc)

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
        return jmespath.compile(text)
    except exceptions.LexerError as exc:
        raise ExpressionError(f"unexpected {exc.token_value!r}", exc.lexer_position) from exc
    except exceptions.IncompleteExpressionError as exc:
        raise ExpressionError("the expression ends too early", max(len(text) - 1, 0)) from exc
    except exceptions.ParseError as exc:
        raise ExpressionError(f"unexpected {exc.token_value!r}", exc.lex_position) from exc
    except exceptions.JMESPathError as exc:
        raise ExpressionError(_short(exc)) from exc
    except RecursionError as exc:
        raise ExpressionError(f"the expression nests deeper than {MAX_DEPTH} levels") from exc


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
    kind, children = node["type"], node.get("children", [])
    if kind in ("current", "identity"):
        yield ("@",)
    elif kind == "field":
        yield (node["value"],)
    elif kind in _CHAINED:
        yield from _chained(children, children[1:] if kind == "subexpression" else ())
    elif kind not in ("literal", "expref"):
        for child in children:
            yield from field_paths(child)


def _chained(children: Sequence[Node], steps: Sequence[Node]) -> Iterator[tuple[str, ...]]:
    """Follow the fields that lead on from the first child; nothing else is at top level."""
    paths = list(field_paths(children[0]))
    if len(paths) != 1 or not _leads_on(children[0]):
        yield from paths
        return
    first = paths[0]
    for child in steps:
        if child["type"] == "field":
            first = (*first, child["value"])
            continue
        if child["type"] in _CHAINED and _leads_on(child):
            first = (*first, *next(field_paths(child)))
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


def _check_functions(node: Node, text: str) -> None:
    if node["type"] == "function_expression":
        _check_call(node["value"], len(node["children"]), text)
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            _check_functions(child, text)


def _check_call(name: str, given: int, text: str) -> None:
    known = Functions.FUNCTION_TABLE
    column = max(text.find(f"{name}("), 0)
    if name not in known:
        hint = did_you_mean(name, known) or f"functions are {', '.join(sorted(known))}"
        raise ExpressionError(f'there is no function "{name}"; {hint}', column)
    signature = known[name]["signature"]
    wanted, variadic = len(signature), bool(signature and signature[-1].get("variadic"))
    if given < wanted or (given > wanted and not variadic):
        least = "at least " if variadic else ""
        raise ExpressionError(f"{name}() takes {least}{wanted} arguments, not {given}", column)
