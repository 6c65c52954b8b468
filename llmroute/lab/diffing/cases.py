"""Two sides of a change, and the requests that can tell them apart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from llmroute.catalog.model import Endpoint, Provider, Target
from llmroute.lab.domain.domain import Dimension, Domain
from llmroute.lab.domain.situation import Situation
from llmroute.lab.proving.keys import differing_rules, requirement_keys
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.engine.decision import Decision
from llmroute.policy.inputs import check_inputs
from llmroute.policy.source import PolicySource

__all__ = ["Side", "joint_domain", "same_meaning"]

Inputs = Mapping[str, Any] | None
#: Sizes of prompts in tokens at which prices are compared, beside those that the domain tries.
_SIZES = (300, 1_000, 5_000, 10_000, 20_000, 100_000, 200_000)
_NOWHERE = Endpoint("http", "openai-chat")


@dataclass(frozen=True)
class Side:
    """One state: a policy, the targets that it chooses among, the labels that requests may carry.

    `inputs` are those of `llmroute.yaml`, None where metadata is open.
    """

    source: PolicySource
    targets: tuple[Target, ...]
    inputs: Inputs = None

    @cached_property
    def _policy(self) -> CompiledPolicy:
        return CompiledPolicy(self.source, self.targets)

    def decide(self, case: Situation) -> Decision:
        """Decide a case; every target is taken to be usable.

        Raises:
            UsageError: the request carries a label that this side does not take.

        """
        request = check_inputs(case.request, self.inputs)
        return decide(self._policy, request, case.around())


def same_meaning(old: Side, new: Side) -> bool:
    """Whether two sides decide alike by what they say: nothing that matters differs."""
    one, other = old.source, new.source
    if old.inputs != new.inputs or one.select != other.select:
        return False
    if requirement_keys(one) != requirement_keys(other) or any(differing_rules(one, other)):
        return False
    return list(map(_decisive, old.targets)) == list(map(_decisive, new.targets))


def _decisive(target: Target) -> Target:
    """Leave out what no decision depends on: where the provider is reached, and its file."""
    owner = target.provider
    bare = Provider(owner.name, owner.locality, _NOWHERE, limits=owner.limits)
    return replace(target, provider=bare)


def joint_domain(old: Side, new: Side, now: datetime, limit: int) -> Domain:
    """Return the requests that either side can tell apart.

    Where there are more than `limit`, dimensions of few values come first, so that as many of
    them as possible are varied together in the cases that are looked at.
    """
    targets = _distinct((*old.targets, *new.targets))
    labels = _differing(old.inputs, new.inputs)
    settings = {"inputs": _merged(old.inputs, new.inputs, labels)}
    read = _reading(labels, old.inputs, new.inputs)
    domain = Domain.of([old.source, new.source], targets, settings, read, now=now)
    dimensions = [_plainest_first(dimension, labels) for dimension in domain.dimensions]
    if any(_weighs_money(side) for side in (old, new)):
        dimensions = [_more_sizes(dimension) for dimension in dimensions]
    domain = replace(domain, dimensions=tuple(dimensions))
    if domain.size > limit:
        dimensions.sort(key=lambda dimension: len(dimension.values))
    return replace(domain, dimensions=tuple(dimensions))


def _weighs_money(side: Side) -> bool:
    """Whether points vary with what a request costs, so that sizes of prompts are sampled."""
    rules = (rule.prefer for rule in side.source.rules if rule.weight)
    return any(p == "price" or (not isinstance(p, str) and "cost" in p) for p in rules)


def _more_sizes(dimension: Dimension) -> Dimension:
    """Sample prompts of more sizes."""
    if dimension.name != "input_tokens":
        return dimension
    sizes = sorted({*_SIZES, *(size for size in dimension.values if size is not None)})
    return replace(dimension, values=(None, *sizes))


def _distinct(targets: Iterable[Target]) -> tuple[Target, ...]:
    found: dict[str, list[Target]] = {}
    for target in targets:
        known = found.setdefault(target.id, [])
        if all(_decisive(other) != _decisive(target) for other in known):
            known.append(target)
    return tuple(target for same in found.values() for target in same)


def _plainest_first(dimension: Dimension, labels: Iterable[str]) -> Dimension:
    """Give each value once; a label that only one side takes is absent at first."""
    values = list(dimension.values)
    if dimension.name == "served":
        values = list(dict.fromkeys(values))
    if dimension.name.removeprefix("request.metadata.") in labels and None in values:
        values = [None, *(value for value in values if value is not None)]
    return replace(dimension, values=tuple(values))


def _differing(old: Inputs, new: Inputs) -> tuple[str, ...]:
    """Return the labels that the sides declare differently."""
    one, other = old or {}, new or {}
    return tuple(name for name in {**one, **other} if one.get(name) != other.get(name))


def _merged(old: Inputs, new: Inputs, labels: Iterable[str]) -> Inputs:
    """Return declarations that let through what either side takes."""
    if old is None or new is None:
        return None
    made = {name: rule for name, rule in {**old, **new}.items() if name not in labels}
    return made | {name: _either(old.get(name), new.get(name)) for name in labels}


def _either(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Mapping[str, Any]:
    rules = [rule for rule in (old, new) if rule is not None]
    if all("enum" in rule for rule in rules):
        return {"enum": list(_members(rules))}
    kinds = {rule.get("type") for rule in rules}
    kind = kinds.pop() if len(kinds) == 1 else None
    return {"type": kind} if kind else {}


def _members(rules: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    seen: set[str] = set()
    for rule in rules:
        for value in rule.get("enum", ()):
            if (key := json.dumps(value)) not in seen:
                seen.add(key)
                yield value


def _reading(labels: Iterable[str], *sides: Inputs) -> Iterator[str]:
    """Yield conditions that tell apart the values of labels that are declared differently."""
    for name in labels:
        rules = [side[name] for side in sides if side and name in side]
        field = f"request.metadata.{json.dumps(name)}"
        yield field
        for value in _members(rules):
            literal = json.dumps(value).replace("`", "\\`")
            yield f"{field} == `{literal}`"
