"""Checking all combinations of field values, whether or not a request brings them about.

Every field that requirements and a claim read takes each of its representative values, apart from
all others: more combinations than requests can have, so what holds for them holds for all
requests. What fails may fail only for a combination that no request has; that is for the concrete
cases to tell.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from math import prod
from typing import Any

from llmroute.catalog.cost import NANO, Price
from llmroute.catalog.model import Target
from llmroute.lab.domain.uses import Path, Use
from llmroute.lab.domain.values import kind_of, representatives
from llmroute.policy.engine.compiled import CompiledPolicy, RequirePart
from llmroute.policy.engine.partition import target_key
from llmroute.policy.scoring.context import Candidate, Context, Reads, Surroundings
from llmroute.policy.scoring.estimate import expected_output
from llmroute.policy.scoring.live import Priors
from llmroute.types import Request

__all__ = ["Seen", "Space", "bound_context", "passes", "tree_of"]

_OF_TARGET = frozenset({"estimate", "live"})
_NOTHING = Reads.of((), frozenset(), frozenset())
_PLAIN = Request.of("x")
_AROUND = Surroundings(datetime(2026, 1, 1, tzinfo=UTC), Priors())
#: A fact that is needed of a target, and the capability that meets it.
_NEEDS = (
    (("facts", "tools"), "tools"),
    (("facts", "images"), "vision"),
    (("facts", "json_schema"), "json_schema"),
    (("request", "stream"), "streaming"),
)


class Seen(Candidate):
    """A target with the roots that were chosen for it."""

    __slots__ = ("_chosen",)

    def __init__(self, target: Target, context: Context, chosen: Mapping[str, Any]) -> None:
        super().__init__(target, context)
        self._chosen = chosen

    @property
    def scope(self) -> Mapping[str, Any]:
        """The chosen roots."""
        return self._chosen


def passes(part: RequirePart, candidate: Candidate, context: Context) -> bool:
    """Whether a target meets a requirement, by the engine's own evaluation."""
    requirement = part.requirement
    return not requirement.demanded(context) or requirement.passes(candidate, context)


@dataclass(frozen=True)
class Space:
    """The fields that are read with their values, and the targets that differ in what is read."""

    shared: Mapping[Path, tuple[Any, ...]]
    own: Mapping[Path, tuple[Any, ...]]
    targets: tuple[Target, ...]
    why_not: tuple[str, ...]
    #: Whether estimates follow what targets counted, so that no file limits an answer's length.
    learning: bool = False

    @classmethod
    def of(
        cls,
        uses: Sequence[Use],
        paths: Collection[Path],
        targets: Sequence[Target],
        inputs: Mapping[str, Any] | None,
        *,
        learning: bool = False,
    ) -> Space:
        """Build the space of what is read: `uses` of the request, `paths` of everything."""
        grouped: dict[Path, list[Use]] = defaultdict(list)
        for use in uses:
            grouped[use.path].append(use)
        values: dict[Path, tuple[Any, ...]] = {}
        why_not = []
        for path, found in sorted(grouped.items()):
            if path[0] == "target":
                continue
            if (kind := kind_of(path, inputs)) is None:
                why_not.append(f"{'.'.join(path)} is read as a whole in {found[0].text!r}")
                continue
            chosen = representatives(kind, found)
            values[path] = chosen.values
            why_not += [chosen.why_not] if chosen.why_not else []
        shared = {path: v for path, v in values.items() if path[0] not in _OF_TARGET}
        own = {path: v for path, v in values.items() if path[0] in _OF_TARGET}
        return cls(shared, own, _classes(targets, paths), tuple(why_not), learning)

    @property
    def size(self) -> int:
        """The number of combinations."""
        every = (*self.shared.values(), *self.own.values())
        return prod(map(len, every)) * len(self.targets)

    def candidates(
        self, policy: CompiledPolicy
    ) -> Iterator[tuple[Seen, Context, Mapping[Path, Any]]]:
        """Yield every combination as a candidate with its context, names under `let` evaluated."""
        for values in product(*self.shared.values()):
            given = dict(zip(self.shared, values, strict=True))
            context = bound_context(given, policy)
            for target in self.targets:
                if not _able(target, given):
                    continue
                for mine in product(*self._possible(target)):
                    own = dict(zip(self.own, mine, strict=True))
                    scope = {**context.request_scope, **tree_of(own), "target": target.view}
                    yield Seen(target, context, scope), context, {**given, **own}

    def _possible(self, target: Target) -> list[tuple[Any, ...]]:
        """Return the values that each field of an estimate can have at a target."""
        usual = math.inf if self.learning else expected_output(target, None)
        return [
            tuple(_within(values, target, path[1], usual)) if path[0] == "estimate" else values
            for path, values in self.own.items()
        ]


def bound_context(given: Mapping[Path, Any], policy: CompiledPolicy) -> Context:
    """Return a context whose fields have chosen values, names under `let` evaluated."""
    context = Context(_PLAIN, _AROUND, _NOTHING)
    roots: dict[str, Any] = {"request": {}, "facts": {}, "budget": {}, "now": {}}
    context.request_scope = {**roots, **tree_of(given)}
    policy.bind(context)
    return context


def tree_of(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Return nested maps of values by their paths."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        place = found
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
    return found


def _able(target: Target, given: Mapping[Path, Any]) -> bool:
    return all(getattr(target.capabilities, able) or not given.get(path) for path, able in _NEEDS)


def _within(values: Sequence[Any], target: Target, name: str, usual: float) -> Iterator[Any]:
    """Yield the values that are not beyond what fits the target's window and caps.

    `usual` is the longest answer, in tokens, that is ever expected. A value stands for the
    interval from the one before it, and is left out if all of that is.
    """
    most = _most(target, name, usual)
    below = -math.inf
    for value in values:
        if value is None:
            if name == "cost_max" or target.price is None or _dated(target.price):
                yield value
        elif target.price is not None or not name.startswith("cost"):
            if value <= most or below < most:
                yield value
            below = value


def _dated(price: Price) -> bool:
    return price.valid_from is not None or price.valid_until is not None


def _most(target: Target, name: str, usual: float) -> float:
    """Return what no estimate of an eligible request exceeds: tokens, or money in USD."""
    tokens = math.inf if target.longest_prompt is None else target.longest_prompt
    if name == "tokens_in":
        return tokens
    if name == "tokens_out":
        return usual
    allowed = usual if name == "cost" else math.inf
    if name == "cost_max" and target.max_output is not None:
        allowed = max(usual, target.max_output)
    price = target.price
    if price is None:
        return math.inf
    pico = _times(tokens, max(rates.input for rates in price.tiers))
    pico += _times(allowed, max(rates.output for rates in price.tiers))
    return (pico / 1000 + price.per_request + 1) / NANO if pico or price.per_request else 0.0


def _times(tokens: float, rate: int) -> float:
    return tokens * rate if rate else 0.0


def _classes(targets: Sequence[Target], read: Collection[Path]) -> tuple[Target, ...]:
    """Return one of the targets that are alike in all that is read of them."""
    paths = {path for path in read if path[0] == "target"}
    priced = any(path[0] in ("@", "estimate") for path in read)
    found: dict[Any, Target] = {}
    for target in targets:
        able = tuple(getattr(target.capabilities, name) for _, name in _NEEDS)
        key: Any = (repr(target.view), repr(target.price)) if priced else target_key(target, paths)
        found.setdefault((key, able), target)
    return tuple(found.values())
