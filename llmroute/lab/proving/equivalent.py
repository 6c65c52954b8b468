"""The claim that two policies have the same winners: `--equivalent OTHER`.

A difference that is found is certain. That there is none is said where the rules are the same, or
the same times a factor; where all cases are looked at; where the rules that differ move all
targets alike; or where each two targets keep their order in every region of requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from random import Random
from typing import Any

from llmroute.catalog.model import Target
from llmroute.lab.domain.domain import LEARNING, Domain, learns, policy_uses
from llmroute.lab.domain.hypothetical import Imagined, imagine
from llmroute.lab.domain.situation import Measured, Situation
from llmroute.lab.domain.ties import Standing, standing, varying_key
from llmroute.lab.domain.uses import Use
from llmroute.lab.proving.bounds import Bounds
from llmroute.lab.proving.claims import World
from llmroute.lab.proving.contest import Verdict
from llmroute.lab.proving.keys import differing_rules, requirement_keys, same_by_a_factor
from llmroute.lab.proving.orders import Orders, Side
from llmroute.lab.proving.reading import Region
from llmroute.lab.proving.result import Counterexample, Proof
from llmroute.lab.proving.witness import Builder, drawn_live, profiles, with_live
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.engine.decision import Decision
from llmroute.policy.source import PolicySource, Rule
from llmroute.types import Request

__all__ = ["prove_equivalent"]

#: Cases that are looked at where not all can be.
_SAMPLED = 5_000
#: Draws of measurements for two targets.
_DRAWN = 12


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
        self._flip: Counterexample | None = None

    def proof(self) -> Proof:
        """Return the answer."""
        if self._same_requirements and self._same_ties and self._same_rules:
            every = ("every request and every target: rules and requirements say the same",)
            return self._answer("proved", scope=every)
        found = self._difference()
        if found is not None:
            return self._answer("refuted", example=found)
        domain = self._domain((self._source, self._other))
        complete = domain.exhaustive(self._world.cases) and not self._imagining.why_not
        if complete and self._same_chance and self._same_order(domain):
            return self._answer("proved")
        return self._by_differing_rules(domain)

    @property
    def _same_rules(self) -> bool:
        """Whether the rules are the same, or have the same weights times a factor."""
        if not self._mine and not self._theirs:
            return True
        return not self._source.select.spread and same_by_a_factor(self._source, self._other)

    def _same_order(self, domain: Domain) -> bool:
        """Whether all targets that may be known stand in the same order for every request."""
        for _, mine, theirs in self._decisions(domain, self._every):
            if list(map(id, mine.targets)) != list(map(id, theirs.targets)):
                return False
            if not self._same_among_equals(standing(mine), standing(theirs)):
                return False
        return True

    def _same_among_equals(self, mine: Standing, theirs: Standing) -> bool:
        """Whether equals have the same order by both policies, whatever they cost or measure."""
        alike = [list(map(id, group)) for group in mine] == [list(map(id, g)) for g in theirs]
        keys = [policy.select.tie_break for policy in (self._source, self._other)]
        if alike and keys[0] == keys[1]:
            return True
        return not any(map(varying_key, (mine, theirs), keys))

    def _decisions(
        self, domain: Domain, targets: Sequence[Target]
    ) -> Iterator[tuple[Situation, Decision, Decision]]:
        """Yield each case with what either policy decides."""
        first, second = (CompiledPolicy(p, targets) for p in (self._source, self._other))
        whole = domain.exhaustive(self._world.cases)
        for case in domain.cases(self._world.cases if whole else _SAMPLED):
            mine, theirs = (decide(p, case.request, case.around()) for p in (first, second))
            yield case, mine, theirs

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
        for case, mine, theirs in self._decisions(domain, self._targets):
            if mine.targets != theirs.targets:
                return self._example(case, mine.targets, theirs.targets)
        return None

    def _example(
        self,
        case: Situation,
        mine: Sequence[Target],
        theirs: Sequence[Target],
        model: Imagined | None = None,
    ) -> Counterexample:
        """Return a case whose orders differ, narrowed so that the winners do."""
        pairs = zip(mine, theirs, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], pairs))
        ahead = [target.id for target in mine[:same]]
        won = [order[same].id if same < len(order) else None for order in (mine, theirs)]
        says = f"{won[0] or 'nobody'} wins; by {self._other.name} it is {won[1] or 'nobody'}"
        listing = (model.provider, model.data) if model else (None, None)
        return Counterexample(_ignoring(case, ahead), self._source.name, won[0], says, *listing)

    def _by_differing_rules(self, domain: Domain) -> Proof:
        """Compare scores over regions of requests; what both policies have cancels out."""
        if not self._same_requirements or not self._same_chance:
            what = "requirements" if not self._same_requirements else "select"
            why = (*_reasons(domain, self._world), f"the policies differ in {what}")
            return self._answer("undecided", why=why)
        unlisted = self._imagining.why_not
        verdict = self._by_orders()
        if self._flip is not None:
            return self._answer("refuted", example=self._flip)
        if learns(self._world.settings):
            return self._answer("undecided", why=(LEARNING,))
        if (verdict.closed or self._by_points()) and not unlisted:
            return self._answer("proved")
        return self._answer(
            "undecided", why=tuple(text for text in (verdict.why, *unlisted) if text)
        )

    def _by_points(self) -> bool:
        """Whether the rules that differ move all targets alike in all cases there are."""
        rest = [
            replace(source, require=(), rules=rules)
            for source, rules in ((self._source, self._mine), (self._other, self._theirs))
        ]
        own = self._domain(rest, needs=False)
        exact = self._same_ties and own.exhaustive(self._world.cases)
        return exact and self._same_points(rest, own)

    def _by_orders(self) -> Verdict:
        """Compare each two targets over regions of requests."""
        mine = self._side(self._source, self._other, self._mine)
        theirs = self._side(self._other, self._source, self._theirs)
        builder = Builder(mine.bounds.uses, self._world.now)

        def witness(region: Region, first: Target, second: Target) -> Situation | None:
            return self._flipped(builder, region, (first, second))

        return Orders(mine, theirs, witness).run()

    def _side(self, source: PolicySource, other: PolicySource, own: Sequence[Rule]) -> Side:
        world = self._world
        bounds = Bounds(source, self._every, world.now.date(), world.inputs, (other,))
        return Side(bounds, [r for r in bounds.rules if any(r.source is rule for rule in own)])

    def _flipped(
        self, builder: Builder, region: Region, pair: tuple[Target, Target]
    ) -> Situation | None:
        """Return a case of a region whose order is not the same by both policies."""
        models = [m for m in self._imagining.models if any(m.target is t for t in pair)]
        if len(models) > 1:
            return None
        targets = (*self._targets, *(model.target for model in models))
        first, second = (CompiledPolicy(p, targets) for p in (self._source, self._other))
        for profile in _measurements(pair):
            for case in builder.situations(region):
                tried = case if profile is None else with_live(case, profile)
                around = tried.around()
                mine = decide(first, tried.request, around).targets
                theirs = decide(second, tried.request, around).targets
                if mine != theirs:
                    model = models[0] if models else None
                    self._flip = self._example(tried, mine, theirs, model)
                    return tried
        return None

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


def _reasons(domain: Domain, world: World) -> tuple[str, ...]:
    found = list(domain.why_not)
    if domain.size > world.cases:
        found.append(f"{domain.size:,} cases are more than {world.cases:,}")
    return tuple(dict.fromkeys(found))


def _measurements(pair: tuple[Target, Target]) -> Iterator[Measured | None]:
    """Yield measurements that favour either of two targets, or none, or are drawn."""
    for target in pair:
        yield from profiles(target.id)
    random = Random(0)  # noqa: S311 - a fixed choice, the same every time
    for _ in range(_DRAWN):
        yield drawn_live([target.id for target in pair], random)


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
