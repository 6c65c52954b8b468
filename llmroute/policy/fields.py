"""Which fields an expression may read, and the findings where it reads another.

The tree below is the documentation of the roots: `None` marks a value, `ANY` a map whose keys
the user chooses, a dict a map with known keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmroute.catalog.model import Capabilities, Limits
from llmroute.config.diagnostics import did_you_mean
from llmroute.policy.expressions.expression import Expression, ExpressionError, Node, field_chains
from llmroute.policy.expressions.places import Places
from llmroute.policy.facts.facts import FACTS

__all__ = ["FIELDS", "Finding", "Scope", "check_expression"]

ANY: dict[str, Any] = {"*": None}

#: Every field of every root, as expressions see it.
FIELDS: Mapping[str, Any] = {
    "request": {
        "messages": None,
        "tools": None,
        "tool_choice": None,
        "parallel_tool_calls": None,
        "response_format": None,
        "max_tokens": None,
        "temperature": None,
        "top_p": None,
        "stop": None,
        "seed": None,
        "reasoning_effort": None,
        "user": None,
        "stream": None,
        "tags": None,
        "metadata": ANY,
        "task": None,
    },
    "facts": dict.fromkeys(FACTS),
    "target": {
        "id": None,
        "provider": None,
        "model": None,
        "upstream": None,
        "locality": None,
        "context_window": None,
        "max_output": None,
        "capabilities": dict.fromkeys(Capabilities.names()),
        "specializations": None,
        "quality": ANY,
        "cost": dict.fromkeys(("input", "output", "cache_read", "cache_write", "per_request")),
        "limits": dict.fromkeys(Limits.__dataclass_fields__),
        "typical_output": None,
        "parameters": None,
        "discovered": None,
    },
    "estimate": dict.fromkeys(("tokens_in", "tokens_out", "cost", "cost_max")),
    "live": dict.fromkeys(
        ("first_token", "tokens_per_second", "success", "headroom", "in_flight", "loaded")
    ),
    "budget": ANY,
    "now": dict.fromkeys(("hour", "weekday")),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an expression; `column` and `length` are 0-based inside its text."""

    rule: str
    message: str
    help: str | None = None
    column: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be read at one place of a policy.

    `roots` are the built-in roots, `names` those defined under `let`, `metadata` the declared
    labels (None: open); `beside` names of `let` that exist but cannot be read here.
    """

    roots: Collection[str]
    names: Collection[str] = ()
    metadata: Collection[str] | None = None
    beside: Collection[str] = ()


def check_expression(text: str, scope: Scope) -> list[Finding]:
    """Return the syntax error of an expression, or every field that it cannot read."""
    try:
        tree = Expression(text).tree
    except ExpressionError as exc:
        help_text = exc.help or _HELP
        return [Finding(exc.rule, str(exc), help_text, exc.column, exc.length)]
    known = _Known(scope)
    faulty = [(chain, depth) for chain in field_chains(tree) if (depth := known.fault(chain)) >= 0]
    if not faulty:
        return []
    places, compared = Places(tree, text), _compared(tree)
    found = [
        _Reader(scope, places).finding(chain[: depth + 1], compared=id(chain[0]) in compared)
        for chain, depth in faulty
    ]
    return sorted(found, key=lambda finding: finding.column)


_HELP = "see jmespath.org: text in 'single quotes', numbers and true in `backticks`"
_METADATA = ("request", "metadata")
_CONSTANTS = frozenset({"true", "false", "null", "True", "False", "None", "none"})


class _Known:
    """The fields that one scope knows."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def fault(self, chain: Sequence[Node]) -> int:
        """Return the place in a chain of the first name that is not known, -1 if all are."""
        root = chain[0].get("value", "@")
        if root == "@" or root in self._scope.names:
            return -1
        if root not in self._scope.roots:
            return 0
        for depth, node in enumerate(chain[1:], start=1):
            tree = self.tree([step["value"] for step in chain[:depth]])
            if not isinstance(tree, Mapping) or "*" in tree:
                return -1
            if node["value"] not in tree:
                return depth
        return -1

    def tree(self, path: Sequence[str]) -> Any:
        """Return what is known at a path of known names."""
        tree: Any = FIELDS
        for depth, name in enumerate(path):
            tree = tree[name]
            if depth == 1 and tuple(path[:2]) == _METADATA and self._scope.metadata is not None:
                tree = dict.fromkeys(self._scope.metadata)
        return tree


class _Reader(_Known):
    """Says what is wrong with a name that is not known, at its place."""

    def __init__(self, scope: Scope, places: Places) -> None:
        super().__init__(scope)
        self._places = places

    def finding(self, chain: Sequence[Node], *, compared: bool) -> Finding:
        """Return what is wrong with the last name of a chain."""
        if len(chain) > 1:
            rule, message, help_text = self._field([node["value"] for node in chain])
        elif compared or self._places.token(chain[0]).kind == "quoted_identifier":
            rule, message, help_text = self._text(chain[0])
        else:
            rule, message, help_text = self._root(chain[0]["value"])
        start, end = self._places.span(chain[-1])
        return Finding(rule, message, help_text, start, end - start)

    def _root(self, root: str) -> tuple[str, str, str]:
        known = {*self._scope.roots, *self._scope.names}
        listed = ", ".join(sorted(known))
        if root in FIELDS:
            return "unknown-field", f"{root} cannot be read here", f"here these can: {listed}"
        if root in self._scope.beside:
            message = f'"{root}" is defined under let, and these names cannot read one another'
            return "unknown-field", message, f"write out here what {root} stands for"
        quoted = f"text is written in quotes: '{root}'; roots are {listed}"
        help_text = did_you_mean(root, known) or quoted
        return "unknown-field", f'"{root}" is not known', help_text

    def _text(self, node: Node) -> tuple[str, str, str]:
        """Explain a word that stands where a value is compared: it reads a field that is not."""
        word = node["value"]
        if word in FIELDS or word in self._scope.beside:
            return self._root(word)
        if self._places.token(node).kind == "quoted_identifier":
            message = f'"{word}" in double quotes is a field in JMESPath, and there is none'
            return "double-quotes", message, f"text is written in single quotes: '{word}'"
        meant = did_you_mean(word, {*self._scope.roots, *self._scope.names}) or self._home(word)
        if word in _CONSTANTS:
            value = "null" if word in ("None", "none") else word.lower()
            message = f'"{word}" is not known: {word} is read as a field, which is always null'
            return "bare-word", message, f"write `{value}` in backticks"
        message = f'"{word}" is not known: a bare word is read as a field, which is always null'
        help_text = f"text is written in quotes: '{word}'"
        return "bare-word", message, f"{help_text}; or {meant}" if meant else help_text

    def _home(self, word: str) -> str | None:
        """Return the field that has a word for its name, where one root alone has such a field."""
        homes = [root for root in sorted(self._scope.roots) if word in FIELDS.get(root, ())]
        return f'did you mean "{homes[0]}.{word}"?' if len(homes) == 1 else None

    def _field(self, path: Sequence[str]) -> tuple[str, str, str]:
        parent, name, tree = ".".join(path[:-1]), path[-1], self.tree(path[:-1])
        message = f'{parent} has no field "{name}"'
        if tuple(path[:2]) == _METADATA:
            message = f'"{name}" is not declared under inputs of llmroute.yaml'
        listed = f"it has {', '.join(sorted(tree)) or 'none'}"
        words = sorted(name.split("_"))
        turned = next((known for known in tree if sorted(known.split("_")) == words), name)
        return "unknown-field", message, did_you_mean(turned, tree) or listed


def _compared(node: Node) -> set[int]:
    """Return the names that are compared, or given to a function beside another argument."""
    return {id(child) for child in _operands(node) if child["type"] == "field"}


def _operands(node: Node) -> Iterator[Node]:
    children = [child for child in node.get("children", ()) if isinstance(child, Mapping)]
    if node["type"] == "comparator":
        yield from children
    elif node["type"] == "function_expression":
        yield from children[1:]
    elif node["type"] == "multi_select_list":
        yield from children
    for child in children:
        yield from _operands(child)
