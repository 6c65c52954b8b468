"""Rules that are another one in other words, and rules that never change an order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from llmroute.catalog.model import Target
from llmroute.lab.analysis.conditions import Conditions
from llmroute.lab.domain.domain import Domain, policy_uses
from llmroute.lab.domain.situation import Situation
from llmroute.lab.domain.ties import leading, standing
from llmroute.lab.domain.uses import Path, expanded_paths
from llmroute.lab.proving.abstract import Seen, Space
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.engine.partition import estimate_key
from llmroute.policy.expressions.expression import Expression, field_paths
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.preferences import BUILT_IN, preference
from llmroute.policy.scoring.requirements import ignore
from llmroute.policy.scoring.rules import CompiledRule
from llmroute.policy.scoring.stages import reads_any
from llmroute.policy.source import PolicySource, Rule

__all__ = ["Fleet", "Known", "finite", "inert_rules", "reading", "same_rules", "winners"]

#: Combinations of one rule that are looked at, and decisions times targets of one policy.
_COMBINATIONS, _WORK = 1_000, 40_000
#: More targets than these are not enumerated.
_FEW = 24
#: Targets that are looked at before all others.
_GLANCE = 6
_OWN_ROOTS = frozenset({"@", "estimate", "live"})


class Fleet(NamedTuple):
    """The targets that are known, and what surrounds them.

    `open`: servers may add targets. `settings` is the data of `llmroute.yaml`.
    """

    targets: tuple[Target, ...]
    settings: Mapping[str, Any]
    now: datetime
    open: bool = False

    @property
    def inputs(self) -> Mapping[str, Any] | None:
        """The declared labels, None where metadata is open."""
        return self.settings.get("inputs")


def same_rules(source: PolicySource, conditions: Conditions) -> Iterator[tuple[Rule, Rule]]:
    """Yield each rule with the first before it that says the same in other words.

    Both have the same preference, and conditions that are written otherwise, but hold for the same
    requests and targets.
    """
    lets = {name: Expression(text) for name, text in source.let.items()}
    kept: dict[str, list[Rule]] = {}
    for rule in source.rules:
        alike = kept.setdefault(_said(rule.prefer), [])
        for other in alike:
            if _tree(other.when) != _tree(rule.when) and conditions.equivalent(
                other.when, rule.when, lets
            ):
                yield other, rule
                break
        alike.append(rule)


def _tree(text: str | None) -> Any:
    return Expression(text).tree if text else None


def _said(prefer: str | Mapping[str, Any]) -> str:
    """Return a text that is equal for preferences that are written alike."""
    written = isinstance(prefer, str) and prefer not in BUILT_IN
    return json.dumps(Expression(str(prefer)).tree if written else prefer, sort_keys=True)


#: Why rules give all targets the same points, by what they say; empty where they may not.
Known = dict[tuple[object, ...], str]


def inert_rules(
    source: PolicySource, fleet: Fleet, known: Known | None = None
) -> list[tuple[str, str]]:
    """Return the rules without which every order of targets is the same, and why.

    Only what is certain for every request, measurement and model that discovery may add. Rules
    of no weight, and fleets that stay one target, are left out. `known` is filled with what was
    found of rules, for other policies over the same fleet.
    """
    if len(fleet.targets) < 2 and not fleet.open:
        return []
    known = {} if known is None else known
    found, rest = [], []
    for rule in source.rules:
        if not rule.weight:
            continue
        key = (repr(rule.prefer), rule.when, *source.let.items())
        if key not in known:
            known[key] = _alike(rule, source, fleet)
        if known[key]:
            found.append((rule.name, known[key]))
        else:
            rest.append(rule.name)
    silent = _without_effect(source, fleet, rest)
    return [*found, *((name, "no order of targets depends on it") for name in silent)]


def _alike(rule: Rule, source: PolicySource, fleet: Fleet) -> str:
    """Say why a rule gives all targets the same points for each request; empty: it may not."""
    made = CompiledRule(rule, frozenset(source.let))
    if made.when is not None and _false_everywhere(rule, made, source, fleet):
        return "its condition holds for no target"
    read = {path for e in (made.local_when, made.prefer.expression) if e for path in _paths(e)}
    roots = {path[0] for path in read}
    if made.prefer.expression is None:
        free = made.local_when is None
        return _built_in(made, fleet) if free and not fleet.open else ""
    if not roots & {"target", *_OWN_ROOTS}:
        return "it reads nothing of a target"
    if fleet.open or roots & _OWN_ROOTS:
        return ""
    if made.stage == "load":
        same = _one(made.score({"target": target.view}, None) for target in fleet.targets)
    else:
        told = replace(rule, when=None) if made.gated else rule  # it holds for all or for none
        same = all(_same_points(told, source, some, fleet) for some in _growing(fleet.targets))
    return "it gives every target the same points" if same else ""


def _growing(targets: Sequence[Target]) -> Iterator[Sequence[Target]]:
    """Yield few targets, which mostly show a difference, then all."""
    if len(targets) > _GLANCE:
        yield targets[:_GLANCE]
    yield targets


def _paths(expression: Expression) -> Iterator[Path]:
    return iter(field_paths(expression.tree))


def _false_everywhere(rule: Rule, made: CompiledRule, source: PolicySource, fleet: Fleet) -> bool:
    """Whether a condition on targets alone holds for none of them."""
    if fleet.open or made.when is None or made.when_stage != "load":
        return False
    yes = replace(rule, prefer="`1`", weight=1000)
    return not any(CompiledRule(yes, frozenset(source.let)).fold(fleet.targets))


def _built_in(rule: CompiledRule, fleet: Fleet) -> str:
    """Say why a built-in preference has the same value for all targets."""
    subject, targets = rule.prefer.subject, fleet.targets
    if subject == "quality":
        tasks = {"", *(task for target in targets for task in target.quality.tasks)}
        if all(_one(target.quality.of(task) for target in targets) for task in tasks):
            return "all targets have the same quality, or none is known"
    if subject == "estimate":
        if all(target.price is None for target in targets):
            return "no target has a price"
        if _one(map(estimate_key, targets)):
            return "all targets cost the same"
    return ""


def _one(values: Iterable[object]) -> bool:
    """Whether all of some values are the same; there is at least one."""
    rest = iter(values)
    first = next(rest)
    return all(value == first for value in rest)


def _same_points(rule: Rule, source: PolicySource, targets: Sequence[Target], fleet: Fleet) -> bool:
    """Whether an expression gives the same points to some targets, whatever is asked."""
    only = reading(replace(source, require=(), rules=(rule,)))
    texts = [text for text in (rule.when, str(rule.prefer)) if text]
    lets = {name: Expression(text) for name, text in only.let.items()}
    paths = {path for text in texts for path in expanded_paths(Expression(text), lets)}
    uses = policy_uses(only, targets, scores=True)
    space = Space.of(uses, paths, targets, fleet.inputs)
    if space.why_not or space.own or space.size > _COMBINATIONS:
        return False
    policy = CompiledPolicy(only, ())
    seen: dict[int, tuple[int, Context]] = {}
    for candidate, context, _ in space.candidates(policy):
        points = _points(policy.rules[0], candidate, context)
        if seen.setdefault(id(context), (points, context))[0] != points:
            return False
    return True


def reading(source: PolicySource) -> PolicySource:
    """Return a policy without the names under `let` that it does not read."""
    texts = [t for r in source.require for t in (r.when, r.target) if t]
    texts += [t for r in source.rules for t in (r.when, r.prefer) if isinstance(t, str)]
    read = frozenset().union(*(Expression(text).roots for text in texts))
    let = {name: text for name, text in source.let.items() if reads_any(read, (name,))}
    return replace(source, let=let)


def _points(rule: CompiledRule, candidate: Seen, context: Context) -> int:
    if not rule.holds_for_request(context):
        return 0
    given = rule.contribution(candidate, context, ignore)
    return given.points if given else 0


def finite(source: PolicySource, fleet: Fleet) -> tuple[Situation, ...]:
    """Return cases that stand for all that a policy can be asked; empty where none are known to.

    That is where no rule varies with prices or measurements, nothing is drawn, and no targets may
    be added.
    """
    targets = fleet.targets
    if fleet.open or len(targets) > _FEW or not _settled(source, targets):
        return ()
    prefers = [preference(rule.prefer) for rule in source.rules if rule.weight]
    if any(item.subject in ("estimate", "live") for item in prefers):
        return ()
    domain = Domain.of([source], targets, fleet.settings or None, now=fleet.now)
    most = _WORK // (len(targets) * (len(source.rules) + 1))
    return tuple(domain.cases()) if domain.exhaustive(most) else ()


def _settled(source: PolicySource, targets: Sequence[Target]) -> bool:
    """Whether nothing is drawn, and ties are not broken by what varies continuously."""
    select = source.select
    if select.spread or select.explore:
        return False
    varying = {
        "latency": len(targets) > 1,
        "cost": any(target.price is not None for target in targets),
        "quality": any(target.quality.tasks for target in targets),
    }
    return not any(varying.get(name, False) for name in select.tie_break)


def winners(source: PolicySource, fleet: Fleet) -> frozenset[str] | None:
    """Return every target that some request without a `route` may choose, None if not known.

    Among equals the router may draw.
    """
    cases = finite(source, fleet)
    if not cases:
        return None
    policy = CompiledPolicy(source, fleet.targets)
    decisions = (decide(policy, case.request, case.around()) for case in cases)
    return frozenset(target.id for decision in decisions for target in leading(decision))


def _without_effect(source: PolicySource, fleet: Fleet, names: Sequence[str]) -> Sequence[str]:
    """Return the rules without which all targets stand the same in all of finitely many cases."""
    cases = finite(source, fleet) if names else ()
    if not cases:
        return ()
    whole = CompiledPolicy(source, fleet.targets)
    without = {name: _without(source, fleet, name) for name in names}
    for case in cases:
        order = standing(decide(whole, case.request, case.around()))
        for name, policy in tuple(without.items()):
            if standing(decide(policy, case.request, case.around())) != order:
                del without[name]
        if not without:
            break
    return tuple(without)


def _without(source: PolicySource, fleet: Fleet, name: str) -> CompiledPolicy:
    rules = tuple(rule for rule in source.rules if rule.name != name)
    return CompiledPolicy(replace(source, rules=rules), fleet.targets)
