"""Claims about every eligible pair of request and target: `--never` and `--always`.

Only requirements make a target ineligible, so rules are not looked at. `never E` is put to the
engine as one more requirement, `when: E, target: false`, and `always E` as `target: E`: the claim
holds where the requirement rejects nobody whom the policy lets through. A claim that cannot be
evaluated counts as broken, because requirements fail closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, cast

from jmespath.visitor import TreeInterpreter

from llmroute.catalog.build import Catalog
from llmroute.catalog.model import Target
from llmroute.lab.domain.domain import Domain, learns, policy_uses
from llmroute.lab.domain.hypothetical import Imagined, Imagining, imagine
from llmroute.lab.domain.situation import Situation
from llmroute.lab.domain.uses import Path, collect_uses, conjuncts, disjuncts, expanded_paths
from llmroute.lab.proving.abstract import Space, passes
from llmroute.lab.proving.result import Counterexample, Proof
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.expressions.expression import FAILURES, Expression, Node, field_paths, truthy
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.stages import REQUEST_ROOTS
from llmroute.policy.source import PolicySource, Require, Select

__all__ = ["CASES", "COMBINATIONS", "Kind", "World", "prove_claim"]

Kind = Literal["always", "never"]
#: Concrete cases and abstract combinations that are looked at, at most.
CASES, COMBINATIONS = 100_000, 1_000_000
_CLAIM = "the claim"


@dataclass(frozen=True)
class World:
    """What a claim is about besides the policy: the catalogue, settings and the present moment."""

    catalog: Catalog
    settings: Mapping[str, Any]
    now: datetime
    cases: int = CASES
    combinations: int = COMBINATIONS

    @property
    def inputs(self) -> Mapping[str, Any] | None:
        """The declared labels, None where metadata is open."""
        return self.settings.get("inputs")


def prove_claim(source: PolicySource, kind: Kind, text: str, world: World) -> Proof:
    """Return whether a claim holds for every request and every target that is eligible for it."""
    return _Prover(source, kind, text, world).proof()


class _Prover:
    """Works on one claim."""

    def __init__(self, source: PolicySource, kind: Kind, text: str, world: World) -> None:
        self._name, self._kind, self._text, self._world = source.name, kind, text, world
        claim = Require(_CLAIM, text) if kind == "always" else Require(_CLAIM, "`false`", text)
        select = Select(tie_break=("target",))
        self._bare = replace(source, rules=(), select=select)
        self._claimed = replace(self._bare, require=(*source.require, claim))
        self._lets = {name: Expression(let) for name, let in source.let.items()}
        self._premise = _Premise(kind, Expression(text), frozenset(self._lets))

    @cached_property
    def _imagining(self) -> Imagining:
        conditions = [t for r in self._claimed.require for t in (r.when, r.target) if t]
        uses = collect_uses(map(Expression, conditions), self._lets)
        return imagine(self._world.catalog, uses)

    @cached_property
    def _targets(self) -> tuple[Target, ...]:
        known = self._world.catalog.targets
        return (*known, *(model.target for model in self._imagining.models))

    @cached_property
    def _space(self) -> Space:
        uses = policy_uses(self._claimed, self._targets, scores=False)
        conditions = [t for r in self._claimed.require for t in (r.when, r.target) if t]
        paths = {p for t in conditions for p in expanded_paths(Expression(t), self._lets)}
        learning = learns(self._world.settings)
        return Space.of(uses, paths, self._targets, self._world.inputs, learning=learning)

    @cached_property
    def _domain(self) -> Domain:
        world = self._world
        sources, extra = [self._claimed], (self._text,)
        return Domain.of(sources, self._targets, world.settings, extra, now=world.now, scores=False)

    def proof(self) -> Proof:
        """Return the answer."""
        space, imagining = self._space, self._imagining
        covered = not (space.why_not or imagining.why_not)
        tally = self._tally() if covered and space.size <= self._world.combinations else None
        if tally is not None and not tally.broken:
            return self._proved(tally)
        found, complete = self._search()
        if found is not None:
            return self._answer("refuted", example=found)
        if complete and not imagining.why_not:
            return self._proved(tally)
        return self._answer("undecided", why=self._reasons(tally))

    def _tally(self) -> _Tally:
        """Look at every combination of values."""
        tally, policy = _Tally(), CompiledPolicy(self._claimed, self._targets)
        *parts, claim = policy.requirements
        for seen, context, values in self._space.candidates(policy):
            tally.combinations += 1
            premise = self._premise.holds(seen.scope)
            tally.premise |= premise
            tally.subject |= self._premise.about(seen.target)
            if all(passes(part, seen, context) for part in parts):
                tally.eligible = True
                tally.both |= premise
                if not tally.broken and not passes(claim, seen, context):
                    tally.broken = _told(values, seen.target)
        return tally

    def _search(self) -> tuple[Counterexample | None, bool]:
        """Look for a request that breaks the claim; also whether all were looked at."""
        bare = CompiledPolicy(self._bare, self._targets)
        claimed = CompiledPolicy(self._claimed, self._targets)
        for case in self._domain.cases(self._world.cases):
            kept = {id(t) for t in decide(claimed, case.request, case.around()).targets}
            for target in decide(bare, case.request, case.around()).targets:
                if id(target) not in kept:
                    return self._example(case, target), True
        return None, self._domain.exhaustive(self._world.cases)

    def _example(self, case: Situation, target: Target) -> Counterexample:
        model = next((m for m in self._imagining.models if m.target is target), None)
        return _counterexample(case, self._name, target, self._says(case, target), model)

    def _says(self, case: Situation, target: Target) -> str:
        """Return what the claim is there, in words."""
        claimed = CompiledPolicy(self._claimed, (target,))
        notes = decide(claimed, case.request, case.around()).notes
        failed = next((note for note in notes if _CLAIM in note), None)
        if failed:
            return f"{target.id} is eligible, and the claim cannot be evaluated: {failed}"
        holds = "holds" if self._kind == "never" else "does not hold"
        return f"{target.id} is eligible, and {self._text} {holds}"

    def _proved(self, tally: _Tally | None) -> Proof:
        vacuous = tally.vacuous(self._kind) if tally else None
        if vacuous is None:
            vacuous = self._unrealised()
        return self._answer("proved", vacuous=vacuous)

    def _unrealised(self) -> str | None:
        """Say that no request meets the claim's premise, where all were looked at."""
        policy, eligible = CompiledPolicy(self._reading, self._targets), False
        for case in self._domain.cases(self._world.cases):
            winner = decide(policy, case.request, case.around()).winner
            if winner is None:
                continue
            eligible = True
            context = Context(case.request, case.around(), policy.reads)
            policy.bind(context)
            if self._premise.holds(context.request_scope):
                return None
        if not self._domain.exhaustive(self._world.cases):
            return None
        if not eligible:
            return "no target is eligible for any request"
        return "no request for which a target is eligible meets the claim's premise"

    @property
    def _reading(self) -> PolicySource:
        """The policy without the claim, with all that the claim reads in its scope."""
        reading = Require(_CLAIM, f"`true` || ({self._text})")
        return replace(self._bare, require=(*self._bare.require, reading))

    def _answer(self, outcome: Any, **more: Any) -> Proof:
        known = len(self._world.catalog.targets)
        counts = {"targets": known, "imagined": len(self._imagining.models)}
        counts |= {"combinations": self._space.size, "cases": self._domain.size}
        scope = ("every request, route and live state; every fallback",)
        claim = f"--{self._kind} {self._text}"
        return Proof(self._name, claim, outcome, counts=counts, scope=scope, **more)

    def _reasons(self, tally: _Tally | None) -> tuple[str, ...]:
        found = [*self._space.why_not, *self._domain.why_not, *self._imagining.why_not]
        if self._space.size > self._world.combinations:
            found.append(
                f"{self._space.size:,} combinations are more than {self._world.combinations:,}"
            )
        if self._domain.size > self._world.cases:
            found.append(f"{self._domain.size:,} cases are more than {self._world.cases:,}")
        if tally and tally.broken:
            found.append(f"no request was found for this combination: {tally.broken}")
        return tuple(dict.fromkeys(found))


class _Tally:
    """What came up among all combinations."""

    def __init__(self) -> None:
        self.combinations = 0
        self.eligible = self.premise = self.both = self.subject = False
        self.broken = ""

    def vacuous(self, kind: Kind) -> str | None:
        """Say why a claim that holds says nothing."""
        if not self.eligible:
            return "no target is eligible for any request"
        if not self.premise:
            return "no request meets the claim's premise"
        if not self.both:
            return "no target is eligible where the claim's premise is met"
        if kind == "never" and not self.subject:
            return "no target is one that the claim is about"
        return None


class _Premise:
    """The part of a claim that says for which requests it is made.

    Of `never a && b` that is the conditions on the request alone, of `always a || b` their
    opposite.
    """

    def __init__(self, kind: Kind, claim: Expression, lets: frozenset[str]) -> None:
        parts = list(conjuncts(claim.tree) if kind == "never" else disjuncts(claim.tree))
        self._wanted = kind == "never"
        self._parts = [part for part in parts if _reads_only(part, REQUEST_ROOTS | lets)]
        own = [part for part in parts if _reads_only(part, frozenset({"target"}))]
        self._of_target = own if kind == "never" else []

    def holds(self, scope: Mapping[str, Any]) -> bool:
        """Whether the claim is made about a request."""
        return all(_true(part, scope) is self._wanted for part in self._parts)

    def about(self, target: Target) -> bool:
        """Whether the claim is about a target."""
        return all(_true(part, {"target": target.view}) for part in self._of_target)


def _reads_only(node: Node, roots: frozenset[str]) -> bool:
    read = {path[0] for path in field_paths(node)}
    return bool(read) and read <= roots


def _true(node: Node, scope: Mapping[str, Any]) -> bool:
    try:
        return truthy(TreeInterpreter().visit(cast("Any", node), scope))
    except FAILURES:
        return False


def _counterexample(
    case: Situation, policy: str, target: Target, says: str, model: Imagined | None
) -> Counterexample:
    if model is None:
        return Counterexample(case, policy, target.id, says)
    return Counterexample(case, policy, target.id, says, model.provider, model.data)


def _told(values: Mapping[Path, Any], target: Target) -> str:
    said = ", ".join(f"{'.'.join(path)} = {value!r}" for path, value in values.items())
    return f"{said or 'any request'} at {target.id}"
