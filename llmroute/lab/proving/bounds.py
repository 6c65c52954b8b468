"""Bounds on what each rule gives one target more than another, for many requests at once.

For a rule, a region and two targets, every combination of the values that the rule reads is
evaluated by the engine's own expressions; money is bounded over the box (`prove_sizes`);
measurements may be anything, for each target apart from the others. Rules are bounded one by one,
so that what a rule gives both targets cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from llmroute.catalog.model import Target
from llmroute.lab.proving.abstract import Seen, bound_context, tree_of
from llmroute.lab.proving.reading import TASK, Chosen, Reading, Region, expressions_of
from llmroute.lab.proving.sizes import Bill, Range, difference, fold
from llmroute.policy.expressions.expression import EvaluationError, Expression, truthy
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.preferences import MICRO, expression_micro
from llmroute.policy.scoring.requirements import CompiledRequire, ignore
from llmroute.policy.scoring.rules import CompiledRule, points
from llmroute.policy.scoring.stages import reads_any

__all__ = ["Bounds", "Gap"]

#: Combinations of one target's values beyond which they count as unknown; scenes kept at a time.
_MOST, _KEPT = 4_096, 20_000
_OF_TARGET = frozenset({"@", "estimate", "live", "target"})


class Gap(NamedTuple):
    """How many points one target has more than another: at least, and at least at best.

    `least` holds for the whole region, `hope` is what could be left of it for some part of it.
    """

    least: float
    hope: float


class _Given(NamedTuple):
    """What a rule gives one target: whether its condition may and must hold, and its points."""

    may: bool
    must: bool
    low: int
    high: int


class Bounds(Reading):
    """Bounds over one policy's reading; what was worked out is kept."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._given: dict[Any, Any] = {}
        self._contexts: dict[Chosen, Context] = {}

    # Requirements

    def meets(
        self, part: CompiledRequire, target: Target, region: Region, given: Chosen
    ) -> tuple[bool, bool]:
        """Return whether a target may and must meet a requirement, for given shared values."""
        texts = {expression.text for expression in expressions_of(part)}
        if texts & self.unknown:
            return True, False
        own = tuple(self._own(part, target, region))
        if len(own) > _MOST:
            return True, False
        key = (id(part), id(target), given, own)
        if key not in self._given:
            found = [self._passes(part, target, given, mine) for mine in own]
            self._given[key] = any(found), all(found)
        may, must = self._given[key]
        return may, must

    def _passes(self, part: CompiledRequire, target: Target, given: Chosen, mine: Chosen) -> bool:
        context, seen = self._scene(target, given, mine)
        return not part.demanded(context) or part.passes(seen, context, ignore)

    def _scene(self, target: Target, given: Chosen, mine: Chosen) -> tuple[Context, Seen]:
        """Return a context and a candidate with chosen values."""
        if given not in self._contexts:
            if len(self._contexts) > _KEPT:
                self._contexts.clear()
            self._contexts[given] = bound_context(given.values, self.policy)
        context = self._contexts[given]
        scope = {**context.request_scope, **tree_of(mine.values), "target": target.view}
        return context, Seen(target, context, scope)

    # Rules

    def gap(self, rule: CompiledRule, first: Target, second: Target, region: Region) -> Gap:
        """Return how many more points a rule gives the first target, whatever is measured."""
        if first is second or self.alike(rule):
            return Gap(0.0, 0.0)
        widest = float(rule.most - rule.least)
        if any(expression.text in self.unknown for expression in expressions_of(rule)):
            return Gap(-widest, -widest)
        choices = self.choices(rule, region)
        if not choices:
            return Gap(-widest, widest)
        gaps = [self._single(rule, first, second, region, given) for given in choices]
        return Gap(min(g.least for g in gaps), max(g.hope for g in gaps))

    def alike(self, part: CompiledRule | CompiledRequire) -> bool:
        """Whether it reads nothing of a target, and is the same for all of them."""
        built_in = isinstance(part, CompiledRule) and part.prefer.expression is None
        return not built_in and not part.roots & _OF_TARGET

    def _single(
        self, rule: CompiledRule, first: Target, second: Target, region: Region, given: Chosen
    ) -> Gap:
        mine = self._points_of(rule, first, region, given)
        theirs = self._points_of(rule, second, region, given)
        least, hope = float(mine.low - theirs.high), float(mine.low - theirs.high)
        if rule.prefer.name in ("price", "cost"):
            if mine.must and theirs.must:
                low, high = self._money_gap(rule, first, second, region)
                return Gap(max(least, low), high)
            return Gap(least, float(mine.high - theirs.low))
        if any(path[0] == "estimate" for path in self.reads(rule)):
            hope = float(mine.high - theirs.low)
        return Gap(least, hope)

    def _money_gap(
        self, rule: CompiledRule, first: Target, second: Target, region: Region
    ) -> Range:
        weight = rule.source.weight
        bills = [self._bill(target, region.box) for target in (first, second)]
        if bills[0] is None or bills[1] is None:
            ranges = [self._worth(rule, known) for known in bills]
            return float(ranges[0][0] - ranges[1][1]), float(ranges[0][1] - ranges[1][0])
        low, high = difference(rule.prefer, bills[0], bills[1])
        ends = sorted((low * weight / 1000, high * weight / 1000))
        off = 0 if weight % 1000 == 0 else 1
        # Rounding keeps order: what has no lower value has no fewer points.
        least = ends[0] if ends[0] == 0 or not off else ends[0] - off
        most = ends[1] if ends[1] == 0 or not off else ends[1] + off
        return (max(least, 0.0) if ends[0] >= 0 else least), (
            min(most, 0.0) if ends[1] <= 0 else most
        )

    def _worth(self, rule: CompiledRule, known: Bill | None) -> tuple[int, int]:
        """Return the least and the most points for money, an unknown price being the worst."""
        weight = rule.source.weight
        micro = fold(rule.prefer, known)
        if micro is None:
            value = points(weight, MICRO if weight < 0 else 0)
            return value, value
        low, high = sorted(points(weight, int(value)) for value in micro)
        return low, high

    def _points_of(
        self, rule: CompiledRule, target: Target, region: Region, given: Chosen
    ) -> _Given:
        own = self._own(rule, target, region)
        if len(own) > _MOST:
            return _Given(True, False, rule.least, rule.most)
        found = [self._point(rule, target, region, given, mine) for mine in own]
        may = any(holds for holds, _, _ in found)
        must = all(holds for holds, _, _ in found)
        return _Given(may, must, min(f[1] for f in found), max(f[2] for f in found))

    def _point(
        self, rule: CompiledRule, target: Target, region: Region, given: Chosen, mine: Chosen
    ) -> tuple[bool, int, int]:
        """Return whether a rule's condition holds, and the range of its points."""
        key = (id(rule), id(target), given, mine)
        if key not in self._given:
            self._given[key] = self._evaluated(rule, target, given, mine)
        holds, low, high = self._given[key]
        if holds and rule.prefer.subject == "estimate":
            low, high = self._worth(rule, self._bill(target, region.box))
        elif holds and rule.prefer.subject == "affinity":
            low = high = points(rule.source.weight, MICRO if region.served == target.id else 0)
        return holds, low, high

    def _evaluated(
        self, rule: CompiledRule, target: Target, given: Chosen, mine: Chosen
    ) -> tuple[bool, int, int]:
        context, seen = self._scene(target, given, mine)
        weight, prefer = rule.source.weight, rule.prefer
        if not _holds(rule.when, seen.scope, context):
            return False, 0, 0
        if prefer.expression is not None:
            micro = _value(prefer.expression, seen.scope, context)
        elif prefer.subject == "quality":
            known = prefer.micro((target.quality, given.values.get(TASK, "")))
            micro = (MICRO if weight < 0 else 0) if known is None else known
        else:
            return True, rule.least, rule.most
        return True, points(weight, micro), points(weight, micro)


def _holds(when: Expression | None, scope: Mapping[str, Any], context: Context) -> bool:
    if when is None or reads_any(when.roots, context.failed):
        return when is None
    try:
        return truthy(when.evaluate(scope))
    except EvaluationError:
        return False


def _value(expression: Expression, scope: Mapping[str, Any], context: Context) -> int:
    if reads_any(expression.roots, context.failed):
        return 0
    try:
        return expression_micro(expression.evaluate(scope))
    except EvaluationError:
        return 0
