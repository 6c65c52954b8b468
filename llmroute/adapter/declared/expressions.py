"""Expressions of declared protocols: JMESPath, compiled to Python, with a few functions more.

The functions are pure: they turn text into data or back, which JMESPath cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jmespath import exceptions
from jmespath.functions import Functions

from llmroute.adapter.jsontext import JsonError, compact, parse
from llmroute.config.diagnostics import did_you_mean
from llmroute.policy.expressions.codegen import UnsupportedNode, generate_source
from llmroute.policy.expressions.expression import (
    FUNCTIONS as JMESPATH,
)
from llmroute.policy.expressions.expression import (
    ExpressionError,
    Node,
    check_growth,
    field_chains,
)
from llmroute.policy.expressions.mistakes import mistake
from llmroute.policy.expressions.parsing import parse_expression
from llmroute.policy.expressions.places import Places
from llmroute.policy.expressions.runtime import HELPERS

__all__ = ["FUNCTIONS", "WireExpression", "compiled"]

_MAX_LENGTH = 400
_MAX_DEPTH = 24
Evaluate = Callable[[Any], Any]


def _after(text: Any, mark: Any) -> Any:
    """Return the part of a text behind the last mark in it; the whole text without one."""
    if not isinstance(text, str) or not isinstance(mark, str) or not mark:
        return text
    return text.rpartition(mark)[2]


def _from_json(text: Any) -> Any:
    """Return what a JSON text says, null where it is none."""
    try:
        return parse(text) if isinstance(text, str) else None
    except JsonError:
        return None


def _to_json(value: Any) -> Any:
    return compact(value)


#: Functions beyond JMESPath's own: name → function and its number of arguments.
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int]] = {
    "after": (_after, 2),
    "from_json": (_from_json, 1),
    "to_json": (_to_json, 1),
}


@dataclass(frozen=True, slots=True)
class WireExpression:
    """One compiled expression; `evaluate` takes the scope and returns the value."""

    text: str
    tree: Node
    evaluate: Evaluate

    @property
    def chains(self) -> list[tuple[Node, ...]]:
        """The nodes of every chain of field names that starts at the scope."""
        return list(field_chains(self.tree))

    @property
    def roots(self) -> set[str]:
        """The names that are read of the scope itself; `@` stands for all of it."""
        return {chain[0].get("value", "@") for chain in self.chains}

    @property
    def names(self) -> set[str]:
        """Every field name that occurs anywhere in it."""
        return {node["value"] for node in _nodes(self.tree) if node["type"] == "field"}


def compiled(text: str) -> WireExpression:
    """Compile an expression.

    Raises:
        ExpressionError: it is none, or calls a function that does not exist.

    """
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(
            f"the expression has {len(text)} characters; at most {_MAX_LENGTH} are allowed"
        )
    parsed = _parsed(text)
    tree: Node = parsed.parsed
    _check_calls(tree, text)
    _check_negations(tree, text)
    check_growth(tree)
    return WireExpression(text, tree, _function(tree))


def _parsed(text: str) -> Any:
    try:
        parsed = parse_expression(text)
    except exceptions.JMESPathError as exc:
        found = mistake(text, exc)
        raise ExpressionError(
            found.message, found.column, length=found.length, rule=found.rule, help=found.help
        ) from exc
    except RecursionError as exc:
        raise ExpressionError("the expression nests too deeply") from exc
    if _depth(parsed.parsed) > _MAX_DEPTH:
        raise ExpressionError(f"the expression nests deeper than {_MAX_DEPTH} levels")
    return parsed


def _depth(node: Any) -> int:
    children = node.get("children", ()) if isinstance(node, Mapping) else ()
    return 1 + max((_depth(child) for child in children), default=0)


def _function(tree: Node) -> Evaluate:
    """Return the code of a tree; calls go to the functions of this module first."""
    try:
        source, constants = generate_source(tree)
        namespace: dict[str, Any] = {**HELPERS, **constants, "_call": _call}
        exec(compile(source, "<expression>", "exec"), namespace)  # noqa: S102 - see codegen
    except (UnsupportedNode, SyntaxError, RecursionError, MemoryError) as exc:
        raise ExpressionError(f"the expression is too large: {exc}") from exc
    function: Evaluate = namespace["main"]
    return function


def _call(name: str, arguments: list[Any]) -> Any:
    if name in FUNCTIONS:
        return FUNCTIONS[name][0](*arguments)
    return HELPERS["_call"](name, arguments)


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            yield from _nodes(child)


def _check_calls(tree: Node, text: str) -> None:
    for node in _nodes(tree):
        if node["type"] != "function_expression":
            continue
        if problem := _problem(node["value"], len(node["children"])):
            token = Places(tree, text).token(node)
            raise ExpressionError(
                problem[1],
                token.start,
                length=token.end - token.start,
                rule=problem[0],
                help=problem[2],
            )


#: Nodes that go on from their first child.
_LEADING = frozenset(
    {
        *("subexpression", "index_expression", "projection", "value_projection"),
        *("filter_projection", "flatten"),
    }
)


def _check_negations(tree: Node, text: str) -> None:
    """Refuse `!a.b`, which in JMESPath is `(!a).b`: always null."""
    for node in _nodes(tree):
        if node["type"] not in _LEADING or node["children"][0]["type"] != "not_expression":
            continue
        places = Places(tree, text)
        start, end = places.span(node)
        mark = places.before(node["children"][0], "not")
        begin = mark.start if mark else start
        raise ExpressionError(
            f"`!` negates {places.source(node['children'][0])} only",
            begin,
            length=end - begin,
            rule="negation-scope",
            help=f"write !({text[start:end]})",
        )


def _problem(name: str, given: int) -> tuple[str, str, str | None] | None:
    """Return rule, message and help where a call is wrong."""
    own, known = FUNCTIONS.get(name), Functions.FUNCTION_TABLE
    if own is None and name not in JMESPATH:
        every = sorted({*JMESPATH, *FUNCTIONS})
        hint = did_you_mean(name, every) or f"functions are {', '.join(every)}"
        return "unknown-function", f'there is no function "{name}"', hint
    if own is not None:
        least, most = own[1], own[1]
    else:
        signature = known[name]["signature"]
        variadic = bool(signature and signature[-1].get("variadic"))
        least, most = len(signature), given if variadic else len(signature)
    if least <= given <= most:
        return None
    return "function-arity", f"{name}() takes {least} arguments, not {given}", None
