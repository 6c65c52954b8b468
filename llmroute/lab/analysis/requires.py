"""Requirements that another one makes superfluous, and those that no target meets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmroute.catalog.model import Target
from llmroute.lab.analysis.conditions import Conditions
from llmroute.lab.analysis.rules import Fleet, reading
from llmroute.lab.domain.domain import policy_uses
from llmroute.lab.domain.uses import Path, expanded_paths
from llmroute.lab.proving.abstract import Seen, Space, passes
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.partition import target_key
from llmroute.policy.expressions.expression import Expression, field_paths, truthy
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.requirements import CompiledRequire
from llmroute.policy.scoring.stages import reads_any
from llmroute.policy.source import PolicySource, Require

__all__ = ["barred", "subsuming", "unmet"]

#: Combinations that are looked at, and targets that are looked at before all others.
_COMBINATIONS, _FIRST = 5_000, 3
#: Classes of targets beyond which nothing is said of a policy.
_CLASSES = 64


def subsuming(source: PolicySource, place: int, conditions: Conditions) -> Require | None:
    """Return a requirement that rejects everybody whom the one at a place rejects.

    Of two that reject the same, the first is kept. The workspace's own are never superfluous:
    they hold for other policies, too.
    """
    item = source.require[place]
    if item.origin == "workspace":
        return None
    lets = {name: Expression(text) for name, text in source.let.items()}
    for number, other in enumerate(source.require):
        if number == place or not conditions.subsumed(item, other, lets):
            continue
        if number < place or not conditions.subsumed(other, item, lets):
            return other
    return None


def unmet(
    source: PolicySource,
    place: int,
    fleet: Fleet,
    conditions: Conditions,
    adding: Sequence[str] = (),
) -> Mapping[Path, Any] | None:
    """Return a request that a requirement is about, if no target ever meets it; else None.

    The request is told by the fields that matter. `adding` are the providers that may get more
    targets.
    """
    item = source.require[place]
    if _met_plainly(item, source, fleet):
        return None
    only = reading(replace(source, require=(item,), rules=()))
    lets = {name: Expression(text) for name, text in source.let.items()}
    if adding and conditions.meetable(item, lets, adding):
        return None
    found: Mapping[Path, Any] | None = None
    for targets in (fleet.targets[:_FIRST], fleet.targets):
        found = _unmet(only, targets, fleet.inputs)
        if found is None:
            return None
    return found


def _met_plainly(item: Require, source: PolicySource, fleet: Fleet) -> bool:
    """Whether some target passes, where passing depends on nothing but the target."""
    made = CompiledRequire(item, frozenset(source.let))
    asks_target = made.when_stage == "request" or made.when is None
    return asks_target and made.target_stage == "load" and any(made.fold(fleet.targets))


def _unmet(
    only: PolicySource, targets: Sequence[Target], inputs: Mapping[str, Any] | None
) -> Mapping[Path, Any] | None:
    space = _space(only, targets, inputs)
    if space is None:
        return None
    policy = CompiledPolicy(only, ())
    part, found = policy.requirements[0], None
    for seen, context, values in space.candidates(policy):
        if not part.requirement.demanded(context) or not _asked(
            part.requirement.when, seen, context
        ):
            continue
        if passes(part, seen, context):
            return None
        shown = {path: value for path, value in values.items() if path in space.shared}
        found = shown if found is None else found
    return found


def _asked(when: Expression | None, seen: Seen, context: Context) -> bool:
    """Whether a requirement's condition holds for a target; one that fails counts as true."""
    if when is None or reads_any(when.roots, context.failed):
        return True
    try:
        return truthy(when.evaluate(seen.scope))
    except ValueError:
        return True


def _space(
    source: PolicySource, targets: Sequence[Target], inputs: Mapping[str, Any] | None
) -> Space | None:
    """Return all that a policy's requirements read, None where it is too much or not certain."""
    lets = {name: Expression(text) for name, text in source.let.items()}
    texts = [text for item in source.require for text in (item.when, item.target) if text]
    paths = {path for text in texts for path in expanded_paths(Expression(text), lets)}
    uses = policy_uses(source, targets, scores=False)
    space = Space.of(uses, paths, targets, inputs)
    return None if space.why_not or space.size > _COMBINATIONS else space


def barred(source: PolicySource, targets: Sequence[Target], fleet: Fleet) -> Sequence[Target]:
    """Return those of some targets that a policy's requirements let through for no request.

    Requirements over estimates are not looked at: the others may bar a target by themselves.
    """
    told = tuple(item for item in source.require if not _roots(item) & {"@", "estimate"})
    bare = reading(replace(source, require=told, rules=()))
    read = {path for item in told for path in _read(item)}
    classes: dict[Hashable, list[Target]] = defaultdict(list)
    for target in targets if told else ():
        classes[target_key(target, read), target.capabilities].append(target)
    if len(classes) > _CLASSES:
        return ()
    policy = CompiledPolicy(bare, ())
    found = (alike for alike in classes.values() if _barred(bare, policy, alike[0], fleet))
    return tuple(target for alike in found for target in alike)


def _barred(bare: PolicySource, policy: CompiledPolicy, target: Target, fleet: Fleet) -> bool:
    space = _space(bare, (target,), fleet.inputs)
    return space is not None and not any(
        all(passes(part, seen, context) for part in policy.requirements)
        for seen, context, _ in space.candidates(policy)
    )


def _read(item: Require) -> Iterator[Path]:
    for text in (item.when, item.target):
        for path in field_paths(Expression(text).tree) if text else ():
            if path[0] == "target":
                yield path


def _roots(item: Require) -> frozenset[str]:
    return Expression(item.target).roots | Expression(item.when or "`true`").roots
