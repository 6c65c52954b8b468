"""What a policy reads of a request and a target, and which values it can have in a region.

A **region** stands for many requests: it says for each field which values it may still have, and
holds a box of sizes. Where no list of values covers what an expression does with a field, that
expression counts as unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from itertools import pairwise, product
from math import ceil, floor
from typing import Any, NamedTuple

from llmroute.catalog.cost import NANO, Price
from llmroute.catalog.model import Target
from llmroute.lab.domain.domain import policy_uses
from llmroute.lab.domain.needs import TOLD, meets, needs_of
from llmroute.lab.domain.uses import Path, Use, expanded_paths
from llmroute.lab.domain.values import kind_of, representatives
from llmroute.lab.proving.sizes import Bill, Box, Range, bill, counted, most_allowed, outputs
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.expressions.expression import Expression
from llmroute.policy.scoring.requirements import CompiledRequire
from llmroute.policy.scoring.rules import CompiledRule
from llmroute.policy.source import PolicySource

__all__ = ["ASKED", "TASK", "Chosen", "Reading", "Region", "expressions_of"]

#: The task that facts tell, and the one that the caller names.
TASK: Path = ("facts", "task")
ASKED: Path = ("request", "task")
#: Fields that the box of a region determines.
_SIZES = frozenset({("facts", "tokens"), ("request", "max_tokens")})
#: Combinations of one expression's values beyond which it counts as unknown.
_MOST = 4_096
#: Bills that are kept at a time.
_KEPT = 20_000


class Region(NamedTuple):
    """What requests are meant: the values that fields may have, their sizes, who served before."""

    values: Mapping[Path, tuple[Any, ...]]
    box: Box
    served: str | None = None


class Chosen:
    """Chosen values of some fields; equal where they are the same, 1 and true being different."""

    __slots__ = ("_key", "values")

    def __init__(self, paths: Sequence[Path], values: Sequence[Any]) -> None:
        self.values: Mapping[Path, Any] = dict(zip(paths, values, strict=True))
        self._key = repr(tuple(self.values.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chosen) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


class Reading:
    """What one policy reads over some targets; `others` are more policies whose reading is added.

    `today` is the day at which prices hold, `inputs` the declared labels. `family` is the
    tokenizer that boxes are counted by.
    """

    def __init__(
        self,
        source: PolicySource,
        targets: Sequence[Target],
        today: date,
        inputs: Mapping[str, Any] | None = None,
        others: Sequence[PolicySource] = (),
    ) -> None:
        self.source = source
        self.targets = tuple(targets)
        self.family = "generic"
        self.policy = CompiledPolicy(source, self.targets)
        self.rules = [rule for rule in self.policy.rules if rule.source.weight]
        self.requirements = [part.requirement for part in self.policy.requirements]
        self._today, self._inputs = today, inputs
        self._sources = (source, *others)
        self._uses: dict[str, list[Use]] = defaultdict(list)
        for policy in self._sources:
            for use in policy_uses(policy, self.targets, scores=True):
                self._uses[use.text].append(use)
        self.unknown = {text for text in self._uses if self._is_unknown(text)}
        self.literals: dict[Path, tuple[float, ...]] = {}
        self.values = dict(self._dimensions())
        self._read: dict[str, frozenset[Path]] = {}
        self._bills: dict[tuple[int, str, Box], Bill | None] = {}

    @cached_property
    def needs(self) -> Mapping[Path, str]:
        """A request's needs, and what of a target meets each."""
        others = needs_of(self.targets)
        return {**TOLD, **{("needs", name): name for name in others}}

    # What is read

    def _is_unknown(self, text: str) -> bool:
        """Whether no list of values covers what an expression does with some field."""
        grouped: dict[Path, list[Use]] = defaultdict(list)
        for use in self._uses[text]:
            grouped[use.path].append(use)
        return any(not self._covered(path, found) for path, found in grouped.items())

    def _covered(self, path: Path, uses: Sequence[Use]) -> bool:
        if path[0] == "target":
            return True
        kind = kind_of(path, self._inputs)
        if kind is None:
            return False
        opaque = any(use.how == "opaque" for use in uses)
        if path in _SIZES or path[0] == "estimate":
            return not opaque
        return not representatives(kind, uses).why_not

    def _dimensions(self) -> Iterator[tuple[Path, tuple[Any, ...]]]:
        grouped: dict[Path, list[Use]] = defaultdict(list)
        for text, uses in self._uses.items():
            if text not in self.unknown:
                for use in uses:
                    grouped[use.path].append(use)
        self._add_tasks(grouped)
        self._join_tasks(grouped)
        for path, uses in sorted(grouped.items()):
            if path[0] == "target":
                continue
            if path in _SIZES or path[0] == "estimate":
                numbers = {u.literal for u in uses if _is_number(u.literal)}
                self.literals[path] = tuple(sorted(numbers))
            elif kind := kind_of(path, self._inputs):
                yield path, representatives(kind, uses).values
        for path, name in self.needs.items():
            if path not in grouped and len({meets(t, name) for t in self.targets}) > 1:
                yield path, (False, True)

    def _add_tasks(self, grouped: dict[Path, list[Use]]) -> None:
        if any(rule.prefer == "quality" for source in self._sources for rule in source.rules):
            known = dict.fromkeys(name for t in self.targets for name in t.quality.tasks)
            uses = [Use(TASK, "equal", name, "quality") for name in known]
            if uses or TASK in grouped:
                grouped[TASK] += uses

    @staticmethod
    def _join_tasks(grouped: dict[Path, list[Use]]) -> None:
        """Give the caller's task and that of the facts the same values, so that they compare."""
        if TASK not in grouped or ASKED not in grouped:
            return
        told = [Use(TASK, "equal", name, "facts.task") for name in ("code", "chat")]
        joined = [*grouped[TASK], *grouped[ASKED], *told]
        grouped[TASK], grouped[ASKED] = joined, joined

    @property
    def shared(self) -> dict[Path, tuple[Any, ...]]:
        """The fields that are the same for all targets, with their values."""
        return {path: v for path, v in self.values.items() if path[0] != "live"}

    @property
    def uses(self) -> Mapping[Path, Sequence[Use]]:
        """What is done with each field, where that is known."""
        found: dict[Path, list[Use]] = defaultdict(list)
        for text, uses in self._uses.items():
            for use in uses if text not in self.unknown else ():
                found[use.path].append(use)
        return found

    @property
    def measured(self) -> bool:
        """Whether anything that is measured makes a difference."""
        paths = (use.path for uses in self._uses.values() for use in uses)
        return any(path[0] == "live" for path in paths) or any(
            rule.prefer.subject == "live" for rule in self.rules
        )

    def reads(self, part: CompiledRule | CompiledRequire) -> frozenset[Path]:
        """Return the fields that a rule or requirement reads."""
        found: set[Path] = set()
        for expression in expressions_of(part):
            found |= self._paths(expression)
        if isinstance(part, CompiledRule) and part.prefer.name == "quality":
            found |= {TASK} & self.values.keys()
        return frozenset(found)

    def _paths(self, expression: Expression) -> frozenset[Path]:
        if expression.text not in self._read:
            paths = expanded_paths(expression, self.policy.lets)
            self._read[expression.text] = frozenset(
                path[:2] if path[:2] != ("request", "metadata") else path for path in paths
            )
        return self._read[expression.text]

    def sized(self, part: CompiledRule | CompiledRequire) -> bool:
        """Whether it can be told better for a smaller box."""
        if isinstance(part, CompiledRule) and part.prefer.name in ("price", "cost"):
            return True
        return any(path in _SIZES or path[0] == "estimate" for path in self.reads(part))

    # Values in a region

    def _choices(self, part: CompiledRule | CompiledRequire, region: Region) -> Iterator[Chosen]:
        """Yield every combination of the shared values that a rule or requirement reads."""
        paths = sorted(self.reads(part))
        shared = [path for path in paths if path in _SIZES or self._is_shared(path)]
        options = [self._options(path, region) for path in shared]
        for values in product(*options):
            yield Chosen(shared, values)

    def _is_shared(self, path: Path) -> bool:
        return path in self.values and path[0] != "live"

    def _options(self, path: Path, region: Region) -> tuple[Any, ...]:
        if path == ("request", "max_tokens"):
            box = region.box
            if box.least is None or box.most is None:
                return (None,)
            return self._points(path, (box.least, box.most), whole=True)
        if path == ("facts", "tokens"):
            return self._points(path, self.tokens(region.box, "generic"), whole=True)
        return region.values.get(path) or self.values[path]

    def tokens(self, box: Box, family: str) -> Range:
        """Return the range of a box's tokens as a tokenizer family counts them."""
        return counted(box, self.family, family) or (box.low, box.high)

    def _points(self, path: Path, span: Range, *, whole: bool) -> tuple[Any, ...]:
        """Return numbers of a range, one for each interval between the literals."""
        low, high = span
        inside = [n for n in self.literals.get(path, ()) if low <= n <= high]
        near = {n + e for mark in inside for n in (floor(mark), ceil(mark)) for e in (-1, 0, 1)}
        marks: list[float] = sorted({low, high, *inside, *(near if whole else ())})
        if not whole:
            marks += [(a + b) / 2 for a, b in pairwise(marks)]
        kept = (n for n in marks if low <= n <= high)
        return tuple(int(n) if whole else n for n in kept if not whole or n == int(n))

    def _own(self, part: Any, target: Target, region: Region) -> list[Chosen]:
        """Return every combination of what is read of one target: its estimate, its state."""
        read = self.reads(part)
        paths = sorted(p for p in read if p in self.literals or p in self.values)
        paths = [path for path in paths if path[0] in ("estimate", "live")]
        options = [
            self._estimates(path, target, region) if path[0] == "estimate" else self.values[path]
            for path in paths
        ]
        return [Chosen(paths, values) for values in product(*options)]

    def _estimates(self, path: Path, target: Target, region: Region) -> tuple[Any, ...]:
        box, name = region.box, path[1]
        if name == "tokens_in":
            return self._points(path, self.tokens(box, target.tokenizer), whole=True)
        if name == "tokens_out":
            low, high, _ = outputs(target, box)
            return self._points(path, (low, high), whole=True)
        cost = self._cost(name, target, box)
        return (None,) if cost is None else self._points(path, cost, whole=False)

    def _cost(self, name: str, target: Target, box: Box) -> Range | None:
        """Return the range of `estimate.cost` or `cost_max` in USD."""
        known = self._bill(target, box)
        if known is None:
            return None
        if name == "cost":
            low, high = known.cost
            if known.exact is not None and known.exact.cost is not None:
                low = high = known.exact.cost
            return low / NANO, high / NANO
        allowed = most_allowed(target, box)
        if allowed is None:
            return None
        into, price = self.tokens(box, target.tokenizer), known.price
        ends = {price.nano(int(x), int(y)) for x in self._steps(price, into) for y in allowed}
        return min(ends) / NANO, max(ends) / NANO

    def _steps(self, price: Price, into: Range) -> list[float]:
        inside = (e for t in price.tiers[1:] for e in (t.above, t.above + 1))
        return [*into, *(e for e in inside if into[0] <= e <= into[1])]

    def _bill(self, target: Target, box: Box) -> Bill | None:
        key = (id(target), self.family, box)
        if key not in self._bills:
            if len(self._bills) > _KEPT:
                self._bills.clear()
            tokens = counted(box, self.family, target.tokenizer)
            self._bills[key] = bill(target, box, tokens, self._today)
        return self._bills[key]

    def cheaper(self, first: Target, second: Target, box: Box) -> tuple[int, int]:
        """Return the least and the most of 1, 0 or -1: the first costs less, the same or more."""
        mine, theirs = self._bill(first, box), self._bill(second, box)
        if mine is None or theirs is None:
            sign = (mine is not None) - (theirs is not None)
            return sign, sign
        if mine.exact is not None and theirs.exact is not None:
            gap = (theirs.exact.cost or 0) - (mine.exact.cost or 0)
            return _sign(gap), _sign(gap)
        if mine.corners and theirs.corners:
            pairs = zip(mine.corners, theirs.corners, strict=True)
            gaps = [other - own for (own, _), (other, _) in pairs]
            return _weak(min(gaps)), -_weak(-max(gaps))
        # What is not more before rounding is not more after it; a nano-dollar survives it.
        low, high = theirs.cost[0] - mine.cost[1], theirs.cost[1] - mine.cost[0]
        return _sign(low) if low else 0, _sign(high) if high else 0

    def choices(self, part: Any, region: Region) -> list[Chosen]:
        """Return the combinations of shared values, one that reads nothing where too many."""
        size = 1
        for path in self.reads(part):
            if path in _SIZES or self._is_shared(path):
                size *= len(self._options(path, region))
        return list(self._choices(part, region)) if size <= _MOST else []


def expressions_of(part: CompiledRule | CompiledRequire) -> list[Expression]:
    """Return the expressions of a rule or requirement."""
    if isinstance(part, CompiledRequire):
        return list(part.expressions)
    return [e for e in (part.when, part.prefer.expression) if e is not None]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _weak(gap: float) -> int:
    """Return the least sign that a gap before rounding can have after it."""
    return 1 if gap > 1 else 0 if gap >= 0 else -1
