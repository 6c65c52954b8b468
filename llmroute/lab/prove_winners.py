"""Claims about who wins: `--reachable TARGET` and `--equivalent OTHER`.

Who wins depends on scores, and scores on prices and measurements, which vary continuously. So a
case that is found is certain, and that there is none can be said only where every rule is exact,
or where the policies differ in exact rules only: equal rules add the same points on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from llmroute.catalog.model import Target
from llmroute.lab.domain import Domain, policy_uses
from llmroute.lab.domain_situation import EVERY, Measured, Situation
from llmroute.lab.domain_uses import Use
from llmroute.lab.hypothetical import Imagined, imagine
from llmroute.lab.prove_claims import World, prove_claim
from llmroute.lab.prove_keys import differing_rules, requirement_keys
from llmroute.lab.prove_result import Counterexample, Proof
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.engine.decision import Decision
from llmroute.policy.source import PolicySource
from llmroute.types import Request

__all__ = ["prove_equivalent", "prove_reachable"]

#: Targets up to this number are each tried as the one that served a conversation.
_FEW = 8
_BEST = {"first_token": 0.01, "tokens_per_second": 10_000.0, "success": 1.0, "headroom": 1.0}
_WORST = {"first_token": 600.0, "tokens_per_second": 0.0, "success": 0.0, "headroom": 0.0}
_FAST = {**_BEST, "in_flight": 0, "loaded": True}
_SLOW = {**_WORST, "in_flight": 100, "loaded": False}
#: Cases that are looked at where not all can be: at first, for a set of measurements, and then.
_GLANCE, _SAMPLED = 200, 5_000


def prove_reachable(source: PolicySource, target_id: str, world: World) -> Proof:
    """Return whether some request makes a target the winner; `proved` comes with one."""
    proof = Proof(
        source.name,
        f"--reachable {target_id}",
        "undecided",
        scope=("without a route, every known target usable, no draws",),
    )
    barred = prove_claim(source, "never", f"target.id == '{target_id}'", world)
    if barred.outcome == "proved":
        why = barred.vacuous or "its requirements let the target through for no request"
        return replace(proof, outcome="refuted", why=(why,))
    worlds = list(_worlds_with(target_id, world))
    for targets, model in worlds:
        found = _winning(source, target_id, targets, world)
        if found is not None:
            listing = (model.provider, model.data) if model else (None, None)
            example = Counterexample(found, source.name, target_id, f"{target_id} wins", *listing)
            return replace(proof, outcome="proved", example=example)
    return _not_found(proof, source, world, known=worlds[0][1] is None)


def _not_found(proof: Proof, source: PolicySource, world: World, *, known: bool) -> Proof:
    """Say that no request exists, if all were looked at, or why it is not known."""
    none = "no request was found that makes it the winner"
    if not known:
        return replace(proof, why=(none, "what a server may list of it is tried, not covered"))
    domain = Domain.of([source], world.catalog.targets, world.settings, now=world.now)
    drawn = ["select.spread or explore draws among targets"] if _draws(source) else []
    if drawn or not domain.exhaustive(world.cases):
        return replace(proof, why=(none, *_reasons(domain, world), *drawn))
    why = (f"another target wins each of {domain.size:,} cases, which stand for all",)
    return replace(proof, outcome="refuted", why=why)


def _draws(source: PolicySource) -> bool:
    return bool(source.select.spread or source.select.explore)


def _worlds_with(
    target_id: str, world: World
) -> Iterator[tuple[tuple[Target, ...], Imagined | None]]:
    """Yield the known targets, or, where the target is not known, each way it may be listed."""
    known = world.catalog.targets
    if world.catalog.target(target_id) is not None:
        yield known, None
        return
    for model in imagine(world.catalog, (), [target_id]).models:
        if model.target.id == target_id:
            yield (*known, model.target), model


def _winning(
    source: PolicySource, target_id: str, targets: tuple[Target, ...], world: World
) -> Situation | None:
    domain = Domain.of([source], targets, world.settings, now=world.now)
    policy = CompiledPolicy(source, targets)
    narrow = _narrowed(domain, target_id) if len(targets) > _FEW else domain
    for most in (_GLANCE, _SAMPLED):
        for profile in _profiles(target_id):
            for case in narrow.cases(most if profile else max(most, _whole(narrow, world, most))):
                tried = case if profile is None else _with_live(case, profile)
                winner = decide(policy, tried.request, tried.around()).winner
                if winner is not None and winner.id == target_id:
                    return tried
    return None


def _whole(domain: Domain, world: World, most: int) -> int:
    """Return how many cases to look at where the answer may be that there is none."""
    return world.cases if most > _GLANCE and domain.exhaustive(world.cases) else most


def _narrowed(domain: Domain, target_id: str) -> Domain:
    """Leave out that other targets served the conversation before."""
    dimensions = tuple(
        replace(d, values=(None, target_id)) if d.name == "served" else d for d in domain.dimensions
    )
    return replace(domain, dimensions=dimensions)


def _profiles(target_id: str) -> Iterator[Measured | None]:
    """Yield measurements that favour a target as far as possible, after none at all."""
    yield None
    for mine, others in ((_FAST, _SLOW), (_SLOW, _FAST), (_FAST, _FAST), (_SLOW, _SLOW)):
        yield Measured({EVERY: others, target_id: mine})


def _with_live(case: Situation, profile: Measured) -> Situation:
    choices = (*case.choices, ("live", "as stated"))
    view = Measured(profile.values, case.served)
    return replace(case, live=profile.values, view=view, choices=choices)


def _reasons(domain: Domain, world: World) -> tuple[str, ...]:
    found = list(domain.why_not)
    if domain.size > world.cases:
        found.append(f"{domain.size:,} cases are more than {world.cases:,}")
    return tuple(dict.fromkeys(found))


def prove_equivalent(source: PolicySource, other: PolicySource, world: World) -> Proof:
    """Return whether two policies have the same winner for every request and every `route`.

    That is, whether they put the eligible targets in the same order.
    """
    return _Pair(source, other, world).proof()


class _Pair:
    """Works on two policies."""

    def __init__(self, source: PolicySource, other: PolicySource, world: World) -> None:
        self._source, self._other, self._world = source, other, world
        self._targets = world.catalog.targets
        self._imagining = imagine(world.catalog, _target_uses(source, other))
        models = (model.target for model in self._imagining.models)
        #: The known targets, and those that discovery may add.
        self._every = (*self._targets, *models)
        self._mine, self._theirs = differing_rules(source, other)

    def proof(self) -> Proof:
        """Return the answer."""
        if self._same_requirements and not self._mine and not self._theirs and self._same_ties:
            every = ("every request and every target: rules and requirements are the same",)
            return self._answer("proved", scope=every)
        found = self._difference()
        if found is not None:
            return self._answer("refuted", example=found)
        domain = self._domain((self._source, self._other))
        complete = domain.exhaustive(self._world.cases) and not self._imagining.why_not
        if complete and self._same_chance and self._same_order(domain):
            return self._answer("proved")
        return self._by_differing_rules(domain)

    def _same_order(self, domain: Domain) -> bool:
        """Whether all targets that may be known stand in the same order for every request."""
        if len(self._every) == len(self._targets):
            return True
        for _, mine, theirs in self._orders(domain, self._every):
            if list(map(id, mine)) != list(map(id, theirs)):
                return False
        return True

    def _orders(
        self, domain: Domain, targets: Sequence[Target]
    ) -> Iterator[tuple[Situation, tuple[Target, ...], tuple[Target, ...]]]:
        """Yield each case with the order of the eligible targets by either policy."""
        first, second = (CompiledPolicy(p, targets) for p in (self._source, self._other))
        whole = domain.exhaustive(self._world.cases)
        for case in domain.cases(self._world.cases if whole else _SAMPLED):
            mine, theirs = (decide(p, case.request, case.around()) for p in (first, second))
            yield case, mine.targets, theirs.targets

    @property
    def _same_requirements(self) -> bool:
        return requirement_keys(self._source) == requirement_keys(self._other)

    @property
    def _same_ties(self) -> bool:
        return self._source.select == self._other.select

    @property
    def _same_chance(self) -> bool:
        """Whether draws among near ties and exploration are the same, or there are none."""
        mine, theirs = self._source.select, self._other.select
        return (mine.spread, mine.explore) == (theirs.spread, theirs.explore)

    def _domain(self, sources: Sequence[PolicySource], *, needs: bool = True) -> Domain:
        world = self._world
        return Domain.of(sources, self._every, world.settings, now=world.now, needs=needs)

    def _difference(self) -> Counterexample | None:
        """Return a case in which another target wins, perhaps with a `route` that ignores some."""
        domain = self._domain((self._source, self._other))
        for case, mine, theirs in self._orders(domain, self._targets):
            if mine == theirs:
                continue
            pairs = zip(mine, theirs, strict=False)
            same = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], pairs))
            ahead = [target.id for target in mine[:same]]
            won = [order[same].id if same < len(order) else None for order in (mine, theirs)]
            says = f"{won[0] or 'nobody'} wins; by {self._other.name} it is {won[1] or 'nobody'}"
            return Counterexample(_ignoring(case, ahead), self._source.name, won[0], says)
        return None

    def _by_differing_rules(self, domain: Domain) -> Proof:
        """Compare what only one of the policies has; what both have cancels out."""
        why = [*_reasons(domain, self._world), *self._imagining.why_not]
        if not self._same_requirements or not self._same_ties:
            what = "requirements" if not self._same_requirements else "select"
            why.append(f"the policies differ in {what}")
            return self._answer("undecided", why=tuple(why))
        rest = [
            replace(source, require=(), rules=rules)
            for source, rules in ((self._source, self._mine), (self._other, self._theirs))
        ]
        own = self._domain(rest, needs=False)
        if not own.exhaustive(self._world.cases):
            why += _reasons(own, self._world)
        elif self._imagining.why_not:
            pass
        elif self._same_points(rest, own):
            return self._answer("proved")
        else:
            why.append("the rules that differ give other points, though no other winner was found")
        return self._answer("undecided", why=tuple(why))

    def _same_points(self, rest: Sequence[PolicySource], domain: Domain) -> bool:
        """Whether the rules that differ move every target by as much as every other."""
        policies = [CompiledPolicy(source, self._every) for source in rest]
        for case in domain.cases(self._world.cases):
            scores = [_scores(decide(p, case.request, case.around())) for p in policies]
            if len({scores[0][name] - scores[1][name] for name in scores[0]}) > 1:
                return False
        return True

    def _answer(self, outcome: Any, **more: Any) -> Proof:
        known = (
            f"{len(self._targets)} known targets and {len(self._imagining.models)} imagined ones"
        )
        more.setdefault("scope", (f"every request and route; {known}; no draws",))
        notes = [*self._notes()] if outcome == "proved" else []
        claim = f"--equivalent {self._other.name}"
        return Proof(self._source.name, claim, outcome, notes=tuple(notes), **more)

    def _notes(self) -> Iterator[str]:
        if self._source.fallback != self._other.fallback:
            yield "the same order, but `fallback` differs"


def _ignoring(case: Situation, ahead: Sequence[str]) -> Situation:
    """Return the case with targets left out by the caller's `route`."""
    if not ahead:
        return case
    request = Request.of(case.request, route={"ignore": list(ahead)})
    return replace(case, request=request, choices=(*case.choices, ("route.ignore", list(ahead))))


def _scores(decision: Decision) -> Mapping[int, int]:
    return {id(ranked.target): ranked.score for ranked in decision.ranking}


def _target_uses(*sources: PolicySource) -> list[Use]:
    """Return what policies do with fields of `target`, quality included where a rule prefers it."""
    found = [use for source in sources for use in policy_uses(source, (), scores=True)]
    if any(rule.prefer == "quality" for source in sources for rule in source.rules):
        found.append(Use(("target", "quality"), "truth", None, "quality"))
    return found
