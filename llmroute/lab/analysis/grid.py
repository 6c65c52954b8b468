"""Every combination of values that the fields in some conditions can have.

Each field takes one value of every class that the conditions tell apart, apart from all others:
more combinations than requests and targets have. So what holds for all of them always holds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from jmespath.visitor import TreeInterpreter

from llmroute.catalog.model import Capabilities
from llmroute.lab.domain.uses import Path, Use, collect_uses
from llmroute.lab.domain.values import Kind, kind_of, representatives
from llmroute.policy.expressions.expression import FAILURES, Expression, Node, truthy
from llmroute.policy.scoring.stages import reads_any

__all__ = ["Grid", "Kinds", "Piece", "Scope", "truth"]

#: Combinations of one grid beyond which nothing is said.
_MOST = 4096


class Piece(Expression):
    """A node of an expression as an expression of its own; few evaluations are interpreted."""

    def __init__(self, node: Node, text: str) -> None:
        self.text = text
        self._compiled = SimpleNamespace(parsed=node)
        self._asked = 0

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Return the value; raises one of `FAILURES`."""
        self._asked += 1
        if self._asked <= _FEW:
            return TreeInterpreter().visit(cast("Any", self.tree), scope)
        return self.function(scope)


#: Evaluations from which on a piece is worth compiling.
_FEW = 24


class Scope(NamedTuple):
    """One combination: the roots, and the names under `let` that cannot be evaluated."""

    roots: Mapping[str, Any]
    failed: frozenset[str]


def truth(expression: Expression, scope: Scope) -> bool | None:
    """Return whether a condition holds, None where it cannot be evaluated."""
    if scope.failed and reads_any(expression.roots, scope.failed):
        return None
    try:
        return truthy(expression.evaluate(scope.roots))
    except FAILURES:
        return None


class Kinds:
    """What the fields of requests can be, given the labels that are declared."""

    def __init__(self, inputs: Mapping[str, Any] | None) -> None:
        self._inputs = inputs
        self._known: dict[Path, Kind | None] = {}

    def of(self, path: Path) -> Kind | None:
        """Return what a field can be, None where that is not described."""
        if path not in self._known:
            self._known[path] = kind_of(path, self._inputs)
        return self._known[path]


@dataclass(frozen=True)
class Grid:
    """The fields that conditions read, with their values; fields of `target` are free, too."""

    values: Mapping[Path, tuple[Any, ...]]
    lets: Mapping[str, Expression]

    @classmethod
    def of(
        cls,
        expressions: Sequence[Expression],
        lets: Mapping[str, Expression],
        kinds: Kinds,
        providers: Sequence[str] = (),
    ) -> Grid | None:
        """Build it; None where no list of values is known to stand for all, or it is too long.

        `providers` are the only ones whose targets are looked at, where there are any.
        """
        read = {
            name: lets[name] for e in expressions for name in lets if reads_any(e.roots, (name,))
        }
        values = _values(collect_uses(expressions, lets), kinds, providers)
        if values is None or prod(map(len, values.values())) > _MOST:
            return None
        return cls(values, read)

    def scopes(self) -> Iterator[Scope]:
        """Yield every combination, the plainest first."""
        for chosen in product(*self.values.values()):
            yield self._bound(_tree(zip(self.values, chosen, strict=True)))

    def _bound(self, roots: dict[str, Any]) -> Scope:
        known, failed = dict(roots), set()
        for name, expression in self.lets.items():
            try:
                known[name] = expression.function(roots)
            except FAILURES:
                known[name] = None
                failed.add(name)
        return Scope(known, frozenset(failed))


def _values(
    uses: Iterable[Use], kinds: Kinds, providers: Sequence[str]
) -> Mapping[Path, tuple[Any, ...]] | None:
    grouped: dict[Path, list[Use]] = defaultdict(list)
    for use in uses:
        grouped[use.path].append(use)
    found: dict[Path, tuple[Any, ...]] = {}
    for path, mine in grouped.items():
        kind = _of_target(path, providers) if path[0] == "target" else kinds.of(path)
        if kind is None:
            return None
        chosen = representatives(kind, mine)
        if chosen.why_not:
            return None
        found[path] = chosen.values
    return found


def _of_target(path: Path, providers: Sequence[str]) -> Kind | None:
    if path == ("target", "provider") and providers:
        return Kind(frozenset(), closed=tuple(providers))
    return _TARGET.get(path[1:]) or (_NUMBERED.get(path[1]) if len(path) == 3 else None)


def _tree(values: Iterable[tuple[Path, Any]]) -> dict[str, Any]:
    """Return nested maps of values by their paths."""
    found: dict[str, Any] = {}
    for path, value in values:
        place = found
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
    return found


_TEXT, _LIST = Kind(frozenset({"text"})), Kind(frozenset({"list"}))
_SIZE = Kind(frozenset({"null", "int"}), 1)
_FLAG = Kind(frozenset(), closed=(False, True))
#: What the fields of a target can be, whatever is declared or discovered.
_TARGET: Mapping[Path, Kind] = {
    **{(name,): _TEXT for name in ("id", "provider", "model", "upstream")},
    ("locality",): Kind(frozenset(), closed=("local", "cloud")),
    ("discovered",): _FLAG,
    **{(name,): _SIZE for name in ("context_window", "max_output", "typical_output")},
    ("parameters",): Kind(frozenset({"null", "int", "float"}), 0),
    ("specializations",): _LIST,
    **{("capabilities", name): _FLAG for name in Capabilities.names()},
    ("limits", "pool"): Kind(frozenset({"null", "text"})),
}
#: What any field of these maps can be.
_NUMBERED: Mapping[str, Kind] = {
    "quality": Kind(frozenset({"null", "int", "float"}), 0, 1),
    "cost": Kind(frozenset({"null", "int", "float"}), 0),
    "limits": Kind(frozenset({"null", "int", "float"}), 0, math.inf),
}
