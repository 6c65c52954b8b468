"""Which fields an expression may read, and the findings where it reads another.

The tree below is the documentation of the roots: `None` marks a value, `ANY` a map whose keys
the user chooses, a dict a map with known keys.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from llmroute.catalog.model import Capabilities, Limits
from llmroute.config.diagnostics import did_you_mean
from llmroute.policy.expression import Expression, ExpressionError, field_paths
from llmroute.policy.facts import FACTS

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
    labels (None: open).
    """

    roots: Collection[str]
    names: Collection[str] = ()
    metadata: Collection[str] | None = None


def check_expression(text: str, scope: Scope) -> list[Finding]:
    """Return the syntax error of an expression, or every field that it cannot read."""
    try:
        expression = Expression(text)
        paths = sorted(set(field_paths(expression.tree)))
    except ExpressionError as exc:
        help_text = "see jmespath.org: text in 'single quotes', numbers and true in `backticks`"
        return [Finding("expression-syntax", str(exc), help_text, exc.column, 1)]
    findings = (_check_path(text, path, scope) for path in paths)
    return [finding for finding in findings if finding]


def _check_path(text: str, path: tuple[str, ...], scope: Scope) -> Finding | None:
    root = path[0]
    if root == "@" or root in scope.names:
        return None
    if root not in scope.roots:
        return _unknown_root(text, path, scope)
    tree: Any = FIELDS[root]
    if root == "request" and scope.metadata is not None:
        tree = {**tree, "metadata": dict.fromkeys(scope.metadata)}
    for depth, name in enumerate(path[1:], start=1):
        if not isinstance(tree, Mapping) or "*" in tree:
            return None
        if name not in tree:
            return _unknown_field(text, path[: depth + 1], tree)
        tree = tree[name]
    return None


def _unknown_root(text: str, path: tuple[str, ...], scope: Scope) -> Finding:
    root, known = path[0], {*scope.roots, *scope.names}
    if root in FIELDS:
        message = f"{root} cannot be read here"
        help_text = f"here these can: {', '.join(sorted(known))}"
    else:
        message = f'"{root}" is not known'
        quoted = f"text is written in quotes: '{root}'"
        help_text = did_you_mean(root, known) or f"{quoted}; roots are {', '.join(sorted(known))}"
    return _finding(text, message, help_text, root)


def _unknown_field(text: str, path: tuple[str, ...], tree: Mapping[str, Any]) -> Finding:
    parent, name = ".".join(path[:-1]), path[-1]
    declared = path[:2] == ("request", "metadata")
    message = f'{parent} has no field "{name}"'
    if declared:
        message = f'"{name}" is not declared under inputs of llmroute.yaml'
    listed = f"it has {', '.join(sorted(tree)) or 'none'}"
    return _finding(text, message, did_you_mean(name, tree) or listed, name)


def _finding(text: str, message: str, help_text: str, word: str) -> Finding:
    column = max(text.find(word), 0)
    return Finding("unknown-field", message, help_text, column, len(word))
