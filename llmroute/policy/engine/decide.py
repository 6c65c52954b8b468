"""From a compiled policy and a request to a decision; nothing is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from random import Random

from llmroute.catalog.build import Problem
from llmroute.policy.engine.bench import seated
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decision import Decision, Ranked, Ranking
from llmroute.policy.engine.search import Search
from llmroute.policy.facts.facts import Facts
from llmroute.policy.scoring.context import Context, Surroundings
from llmroute.policy.scoring.standing import IN_SERVICE
from llmroute.types import Request

__all__ = ["decide"]

#: A score in micro-points and a target's position.
_Scored = tuple[int, int]


def decide(
    policy: CompiledPolicy,
    request: Request,
    around: Surroundings,
    *,
    problems: Mapping[str, Problem] | None = None,
    random: Random | None = None,
    fingerprint: str = "",
    facts: Facts | None = None,
) -> Decision:
    """Rank the policy's targets for a request.

    `problems` maps provider names and target ids to why they cannot be used now. `random` is
    drawn from only among near ties and for exploration. `facts` are the request's, where they
    are known already.
    """
    context = Context(request, around, policy.reads, facts)
    standing, known = around.standing, problems or {}
    if standing is IN_SERVICE:
        search = Search(policy, context, known)
        scored, reason = _scored(search, random)
        return Decision(search, _ranking(search, scored), reason=reason, fingerprint=fingerprint)
    bench = seated(policy, context, {**standing.problems, **known}, random)
    search = bench.shown
    scored, reason = _scored(bench.search, random)
    ranking = _ranking(search, chain(scored, bench.behind))
    usual = None
    if bench.behind or bench.out:
        score, place = next(_scored(bench.everybody, None)[0])
        usual = Ranked(search, place, score)
    return Decision(
        search, ranking, reason=reason, fingerprint=fingerprint, bench=bench, usual=usual
    )


def _ranking(search: Search, scored: Iterable[_Scored]) -> Ranking:
    return Ranking(Ranked(search, place, score) for score, place in scored)


def _scored(search: Search, random: Random | None) -> tuple[Iterator[_Scored], str | None]:
    """Return the eligible targets in their order, and what moved it after scoring."""
    if search.context.request.route.order:
        return iter(_callers_order(search)), "the caller's order came first"
    first, reason = _first(search, random)
    return iter(()) if first is None else _after(search, first), reason


def _callers_order(search: Search) -> list[_Scored]:
    """Return everybody, those that the caller names first and in that order."""
    order = search.context.request.route.order

    def position(item: _Scored) -> int:
        target = search.policy.targets[item[1]]
        names = (target.id, target.provider.name)
        return min((i for i, name in enumerate(order) if name in names), default=len(order))

    return sorted(search.ordered(), key=position)


def _after(search: Search, first: _Scored) -> Iterator[_Scored]:
    yield first
    yield from (item for item in search.ordered() if item[1] != first[1])


def _first(search: Search, random: Random | None) -> tuple[_Scored | None, str | None]:
    """Return who goes first, and what else than score and tie-break decided it."""
    select = search.policy.source.select
    if random is not None and select.explore and random.random() < select.explore:
        everybody = list(search.ordered())
        if len(everybody) > 1:
            return _stalest(search, everybody), "exploring a stale target"
    near = search.near(select.spread if random is not None else 0)
    if len(near) < 2:
        return (near[0] if near else None), None
    if random is not None and any(search.live.facts[place].measured for _, place in near):
        reason = f"the less loaded of two among {len(near)} near ties"
        return _less_loaded(search, near, random), reason
    best = max(score for score, _ in near)
    tied = [place for score, place in near if score == best]
    return (best, search.first_tie(tied)), None


def _stalest(search: Search, everybody: Sequence[_Scored]) -> _Scored:
    return min(everybody, key=lambda item: search.live.facts[item[1]].observations)


def _less_loaded(search: Search, near: list[_Scored], random: Random) -> _Scored:
    """Draw two; the one with less load now goes first."""
    live, targets = search.context.around.live, search.policy.targets
    near.sort(key=lambda item: item[1])
    return min(random.sample(near, 2), key=lambda item: live.load(targets[item[1]]))
