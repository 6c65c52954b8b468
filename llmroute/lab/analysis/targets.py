"""Targets that no policy ever chooses: not let through, or always behind another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from llmroute.catalog.cost import Price
from llmroute.catalog.model import Target
from llmroute.lab.analysis.requires import barred
from llmroute.lab.analysis.rules import Fleet, winners
from llmroute.lab.domain.needs import TOLD, meets, needs_of
from llmroute.policy.engine.partition import estimate_key, target_key
from llmroute.policy.expressions.expression import field_paths
from llmroute.policy.scoring.estimate import expected_output
from llmroute.policy.scoring.preferences import MICRO
from llmroute.policy.scoring.requirements import CompiledRequire
from llmroute.policy.scoring.rules import CompiledRule, points
from llmroute.policy.source import PolicySource

__all__ = ["Never", "never_chosen"]

#: Targets that are tried as one that is always ahead, the most promising first.
_AHEAD = 8


class Never(NamedTuple):
    """A target that is never chosen; `reasons` has for each policy why not."""

    target: Target
    barred: bool
    reasons: Mapping[str, str]


def never_chosen(sources: Sequence[PolicySource], fleet: Fleet) -> tuple[Never, ...]:
    """Return the targets that no policy chooses, whatever is asked and measured.

    Without a `route`, every known target usable. Targets of servers that are asked for models
    are left out, as what is listed may change them.
    """
    if not sources:
        return ()
    left = {t.id: t for t in fleet.targets if t.provider.discover is None}
    out: dict[str, dict[str, str]] = {name: {} for name in left}
    in_order = sorted(sources, key=lambda source: len(source.require))
    for source in in_order:
        reasons = _Reasons(source, fleet).of(tuple(left.values()))
        left = {name: target for name, target in left.items() if name in reasons}
        for name in left:
            out[name][source.name] = reasons[name]
        if not left:
            return ()
    never = set(left)
    for source in in_order:
        never &= {target.id for target in barred(source, [left[name] for name in never], fleet)}
    return tuple(Never(left[name], name in never, out[name]) for name in left)


class _Reasons:
    """Why one policy never chooses targets."""

    def __init__(self, source: PolicySource, fleet: Fleet) -> None:
        names = frozenset(source.let)
        self._source, self._fleet = source, fleet
        self._rules = tuple(CompiledRule(rule, names) for rule in source.rules if rule.weight)
        self._requires = tuple(CompiledRequire(item, names) for item in source.require)
        tasks = (task for target in fleet.targets for task in target.quality.tasks)
        self._tasks = tuple(dict.fromkeys(("", *tasks)))
        self._measured = sum(_reach(rule) for rule in self._rules if _varies(rule))
        self._rows: dict[str, dict[str, list[int]]] = {}

    def of(self, targets: Sequence[Target]) -> dict[str, str]:
        """Return the reason for each of some targets that is never chosen."""
        found = {
            target.id: f'the requirements of "{self._source.name}" never let it through'
            for target in barred(self._source, targets, self._fleet)
        }
        rest = [target for target in targets if target.id not in found]
        return found | dict(self._behind(rest))

    def _behind(self, targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
        if self._source.select.explore or not targets:
            return
        won = winners(self._source, self._fleet)
        for target in targets:
            if won is not None:
                if target.id not in won:
                    yield target.id, f'under "{self._source.name}" others are always ahead'
            elif ahead := self._ahead_of(target):
                yield target.id, f'under "{self._source.name}" {ahead.id} is always ahead'

    def _ahead_of(self, target: Target) -> Target | None:
        """Return a target that is ahead of another for every request, if one is found fast."""
        needed = self._measured + self._source.select.spread
        if sum(map(_reach, filter(_listed, self._rules))) <= needed:
            return None
        mine = self._plain(target)
        for score, other in self._promising:
            if score - mine <= needed:
                return None
            if other.provider.discover is None and self._lead(other, target):
                return other
        return None

    @cached_property
    def _promising(self) -> Sequence[tuple[int, Target]]:
        """The targets with the most points that are known beforehand, and these points."""
        scored = [(self._plain(target), target) for target in self._fleet.targets]
        return sorted(scored, key=lambda item: -item[0])[:_AHEAD]

    def _plain(self, target: Target) -> int:
        """Return the points of a target for a request without a task that meets no condition."""
        return sum(self._points(rule, target)[0] for rule in self._rules if _listed(rule))

    def _points(self, rule: CompiledRule, target: Target) -> list[int]:
        """Return a rule's points for each task."""
        row = self._rows.setdefault(rule.source.name, {})
        if target.id not in row:
            tasks = self._tasks if rule.stage == "task" else ("",)
            row[target.id] = [rule.fold((target,), task)[0] for task in tasks]
        return row[target.id]

    def _lead(self, ahead: Target, target: Target) -> bool:
        """Whether one target is eligible whenever another is, and then always ahead of it."""
        if not _can_all(ahead, target) or not all(
            _passes_too(item, ahead, target) for item in self._requires
        ):
            return False
        least = sum(self._least(rule, ahead, target) for rule in self._rules)
        return least > self._source.select.spread

    def _least(self, rule: CompiledRule, ahead: Target, target: Target) -> int:
        """Return what a rule gives one target more than another, at the least."""
        least = self._least_active(rule, ahead, target)
        return min(least, 0) if rule.gated else least

    def _least_active(self, rule: CompiledRule, ahead: Target, target: Target) -> int:
        if rule.stage in ("load", "task"):
            both = zip(self._points(rule, ahead), self._points(rule, target), strict=True)
            return min(mine - theirs for mine, theirs in both)
        if rule.stage == "request":
            return 0
        if _varies(rule):
            return -_reach(rule)
        if rule.prefer.subject == "estimate" and rule.local_when is None:
            cheap, dear = (ahead, target) if rule.source.weight > 0 else (target, ahead)
            return 0 if _never_dearer(cheap, dear, rule.source.weight < 0) else -_reach(rule)
        return 0 if _same(rule, ahead, target) else -_reach(rule)


def _reach(rule: CompiledRule) -> int:
    return abs(points(rule.source.weight, MICRO))


def _listed(rule: CompiledRule) -> bool:
    """Whether a rule always applies and its points are known beforehand."""
    return rule.stage in ("load", "task") and not rule.gated


def _varies(rule: CompiledRule) -> bool:
    """Whether a rule reads what is measured of a target, or where a conversation was."""
    expressions = (rule.local_when, rule.prefer.expression)
    roots = {root for e in expressions if e for root in e.roots}
    return rule.prefer.subject in ("live", "affinity") or bool(roots & {"@", "live"})


def _same(rule: CompiledRule, one: Target, other: Target) -> bool:
    """Whether a rule cannot tell two targets apart."""
    expressions = [e for e in (rule.local_when, rule.prefer.expression) if e]
    paths = {path for e in expressions for path in field_paths(e.tree)}
    if rule.prefer.subject == "quality":
        paths.add(("target", "quality"))
    of_target = {path for path in paths if path[0] == "target"}
    priced = rule.prefer.subject == "estimate" or any(path[0] == "estimate" for path in paths)
    alike = target_key(one, of_target) == target_key(other, of_target)
    return alike and (not priced or estimate_key(one) == estimate_key(other))


def _passes_too(item: CompiledRequire, ahead: Target, target: Target) -> bool:
    """Whether a requirement that lets a target through lets another through, too."""
    if item.roots & {"@", "live"}:
        return False
    if item.stage == "load":
        mine, theirs = item.fold((ahead, target))
        return mine or not theirs
    paths = {path for e in item.expressions for path in field_paths(e.tree)}
    of_target = {path for path in paths if path[0] == "target"}
    if any(path[0] == "estimate" for path in paths) and estimate_key(ahead) != estimate_key(target):
        return False
    return target_key(ahead, of_target) == target_key(target, of_target)


def _can_all(ahead: Target, target: Target) -> bool:
    """Whether one target can do whatever another can that requests need."""
    needs = (*TOLD.values(), *needs_of((ahead, target)))
    if any(meets(target, need) and not meets(ahead, need) for need in needs):
        return False
    if ahead.longest_prompt is not None and ahead.tokenizer != target.tokenizer:
        return False
    limits = (
        (ahead.context_window, target.context_window),
        (ahead.longest_prompt, target.longest_prompt),
        (ahead.max_output, target.max_output),
    )
    return all(m is None or (theirs is not None and m >= theirs) for m, theirs in limits)


def _never_dearer(cheap: Target, dear: Target, unknown_is_cheap: bool) -> bool:
    """Whether no request is expected to cost more at one target than at another.

    A price that is unknown counts as the highest, or, for a rule that takes points away from
    what is cheap, as the lowest.
    """
    if cheap.price is None or dear.price is None:
        known = cheap if unknown_is_cheap else dear
        return known.price is None
    if cheap.tokenizer != dear.tokenizer or _dated(cheap.price) or _dated(dear.price):
        return False
    told = ["max_tokens" in target.wire.reject for target in (cheap, dear)]
    usual = expected_output(cheap, None) == expected_output(dear, None)
    return usual and told[0] == told[1] and _rates_below(cheap.price, dear.price)


def _dated(price: Price) -> bool:
    return price.valid_from is not None or price.valid_until is not None


def _rates_below(cheap: Price, dear: Price) -> bool:
    steps = {0, *(tier.above + 1 for price in (cheap, dear) for tier in price.tiers)}
    both = [(cheap.rates(step), dear.rates(step)) for step in steps]
    below = all(mine.input <= other.input and mine.output <= other.output for mine, other in both)
    return below and cheap.per_request <= dear.per_request
