"""Claims about who wins: `--reachable TARGET`.

A case that is found is certain. That there is none is shown by bounds on the scores over regions
of requests, or, where those do not tell, by looking at all cases where these stand for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llmroute.catalog.model import Target
from llmroute.lab.domain.domain import LEARNING, Domain, learns
from llmroute.lab.domain.hypothetical import Imagined, imagine
from llmroute.lab.domain.situation import Situation
from llmroute.lab.domain.ties import leading
from llmroute.lab.proving.bounds import Bounds
from llmroute.lab.proving.claims import World, prove_claim
from llmroute.lab.proving.contest import REGIONS, Contest, Verdict
from llmroute.lab.proving.reading import Region
from llmroute.lab.proving.result import Counterexample, Proof
from llmroute.lab.proving.witness import Builder, profiles, with_live
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.source import PolicySource

__all__ = ["prove_reachable"]

#: Targets up to this number are each tried as the one that served a conversation.
_FEW = 8
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
        found = _winning(source, target_id, targets, world, (_GLANCE,))
        if found is not None:
            return _shown(proof, found, target_id, model)
    if worlds[0][1] is not None:
        return _if_listed(proof, source, target_id, worlds, world)
    target = next(t for t in world.catalog.targets if t.id == target_id)
    verdict = contest(source, target, world)
    if verdict.found is not None:
        return _shown(proof, verdict.found, target_id, None)
    if verdict.closed:
        return _beaten(proof, source, target, world, verdict)
    found = _winning(source, target_id, world.catalog.targets, world, (_SAMPLED,))
    if found is not None:
        return _shown(proof, found, target_id, None)
    return _not_found(proof, source, target, world, verdict)


def contest(
    source: PolicySource, target: Target, world: World, margin: int | None = None
) -> Verdict:
    """Look for a request that makes a known target win, in regions of all requests.

    With a `margin` a rival is ahead only by more points than that, else by `tie_break`, too.
    """
    policy = CompiledPolicy(source, world.catalog.targets)
    bounds = Bounds(source, world.catalog.targets, world.now.date(), world.inputs)
    builder = Builder(bounds.uses, world.now)

    def witness(region: Region) -> Situation | None:
        for profile in profiles(target.id) if bounds.measured else (None,):
            for case in builder.situations(region):
                tried = case if profile is None else with_live(case, profile)
                winner = decide(policy, tried.request, tried.around()).winner
                if winner is not None and winner.id == target.id:
                    return tried
        return None

    return Contest(bounds, target, witness, margin=margin).run(min(world.cases, REGIONS))


def _shown(proof: Proof, found: Situation, target_id: str, model: Imagined | None) -> Proof:
    listing = (model.provider, model.data) if model else (None, None)
    example = Counterexample(found, proof.policy, target_id, f"{target_id} wins", *listing)
    return replace(proof, outcome="proved", example=example)


def _if_listed(
    proof: Proof,
    source: PolicySource,
    target_id: str,
    worlds: Sequence[tuple[tuple[Target, ...], Imagined | None]],
    world: World,
) -> Proof:
    """Look longer for a request that makes a model win which a server may list."""
    for targets, model in worlds:
        found = _winning(source, target_id, targets, world, (_SAMPLED,))
        if found is not None:
            return _shown(proof, found, target_id, model)
    why = "what a server may list of it is tried, not covered"
    return replace(proof, why=(_NONE, why))


_NONE = "no request was found that makes it the winner"


def _beaten(
    proof: Proof, source: PolicySource, target: Target, world: World, verdict: Verdict
) -> Proof:
    """Say that the target cannot win; where a draw is left, that this is not known."""
    ahead = "another target is ahead of it for every request, whatever is measured"
    if learns(world.settings):
        return replace(proof, why=(f"{ahead}; but {LEARNING}",))
    if source.select.explore:
        return replace(proof, why=(f"{ahead}; but select.explore draws among all",))
    if not contest(source, target, world, source.select.spread).closed:
        return replace(proof, why=(f"{ahead}; but not always by enough that no draw is made",))
    looked = f"{verdict.regions:,} region{'s' if verdict.regions > 1 else ''} of requests"
    return replace(proof, outcome="refuted", why=(f"{ahead} ({looked})",))


def _not_found(
    proof: Proof, source: PolicySource, target: Target, world: World, verdict: Verdict
) -> Proof:
    """Say that no request exists, if all were looked at, or why it is not known."""
    domain = Domain.of([source], world.catalog.targets, world.settings, now=world.now)
    if source.select.explore:
        return replace(proof, why=(_NONE, verdict.why, "select.explore draws among all"))
    if not domain.exhaustive(world.cases):
        return replace(proof, why=(_NONE, verdict.why))
    policy = CompiledPolicy(source, world.catalog.targets)
    for case in domain.cases(world.cases):
        if target in leading(decide(policy, case.request, case.around())):
            return replace(proof, why=(_NONE, verdict.why, "a draw among equals may choose it"))
    why = (f"another target wins each of {domain.size:,} cases, which stand for all",)
    return replace(proof, outcome="refuted", why=why)


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
    source: PolicySource,
    target_id: str,
    targets: tuple[Target, ...],
    world: World,
    rounds: Sequence[int],
) -> Situation | None:
    domain = Domain.of([source], targets, world.settings, now=world.now)
    policy = CompiledPolicy(source, targets)
    narrow = _narrowed(domain, target_id) if len(targets) > _FEW else domain
    for most in rounds:
        for profile in profiles(target_id):
            for case in narrow.cases(most if profile else max(most, _whole(narrow, world, most))):
                tried = case if profile is None else with_live(case, profile)
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
