"""From a compiled policy and a request to a decision; nothing is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from llmroute.catalog.build import Problem
from llmroute.policy.compiled import CompiledPolicy, CompiledRule
from llmroute.policy.context import Candidate, Context, Surroundings
from llmroute.policy.decision import Decision, Ranked
from llmroute.policy.requirements import Rejection, caller_rejections, need_rejections
from llmroute.policy.source import Select
from llmroute.types import Request

__all__ = ["decide"]

#: Facts shown with every decision; the others only where the policy read them.
_SHOWN_FACTS = frozenset({"tokens", "tools", "images", "json_schema", "task"})
_LAST = float("inf")


def decide(
    policy: CompiledPolicy,
    request: Request,
    around: Surroundings,
    *,
    problems: Mapping[str, Problem] | None = None,
    random: Random | None = None,
    fingerprint: str = "",
) -> Decision:
    """Rank the policy's targets for a request.

    `problems` maps provider names and target ids to why they cannot be used now. `random` is
    drawn from only among near ties and for exploration.
    """
    context = Context(request, around, policy.fact_names)
    rules = policy.bind(context)
    candidates = {target.id: Candidate(target, context) for target in policy.targets}
    rejections: list[Rejection] = []
    eligible: list[Ranked] = []
    for candidate in candidates.values():
        reasons = _rejections(policy, candidate, context, problems or {})
        if reasons:
            rejections += reasons
        else:
            eligible.append(_ranked(rules, candidate, context))
    rejections += _without_targets(policy, problems or {}, request)
    select = policy.source.select
    eligible.sort(key=_sort_key(select, candidates))
    ranking, reason = _ordered(eligible, request, select, candidates, random)
    return Decision(
        policy=policy.source.name,
        ranking=tuple(ranking),
        rejections=tuple(rejections),
        facts=context.facts.view(_SHOWN_FACTS | policy.fact_names),
        fallback=policy.source.fallback,
        fingerprint=fingerprint,
        notes=context.notes,
        reason=reason,
    )


def _rejections(
    policy: CompiledPolicy,
    candidate: Candidate,
    context: Context,
    problems: Mapping[str, Problem],
) -> list[Rejection]:
    target = candidate.target
    found: list[Rejection] = []
    problem = problems.get(target.id) or problems.get(target.provider.name)
    if problem:
        found.append(Rejection(target.id, "usable", "availability", problem.reason, problem.help))
    found += caller_rejections(candidate, context)
    found += need_rejections(candidate, context)
    checked = (requirement.check(candidate, context) for requirement in policy.requirements)
    return found + [rejection for rejection in checked if rejection]


def _without_targets(
    policy: CompiledPolicy, problems: Mapping[str, Problem], request: Request
) -> Iterator[Rejection]:
    """Yield the providers that are out and have not even told their models."""
    known = {target.provider.name for target in policy.targets}
    only = request.route.only
    for name, problem in problems.items():
        asked = not only or any(item.split("/", 1)[0] == name for item in only)
        if "/" not in name and name not in known and asked:
            yield Rejection(name, "usable", "availability", problem.reason, problem.help)


def _ranked(rules: Sequence[CompiledRule], candidate: Candidate, context: Context) -> Ranked:
    parts = (rule.contribution(candidate, context) for rule in rules)
    made = tuple(part for part in parts if part is not None)
    return Ranked(candidate.target, sum(c.points for c in made), made, candidate.estimate)


def _sort_key(
    select: Select, candidates: Mapping[str, Candidate]
) -> Callable[[Ranked], tuple[float | str, ...]]:
    keys = [_TIE_BREAKS[name] for name in (*select.tie_break, "target")]

    def key(item: Ranked) -> tuple[float | str, ...]:
        candidate = candidates[item.target.id]
        return (-item.score, *(measure(item, candidate) for measure in keys))

    return key


def _by_cost(item: Ranked, candidate: Candidate) -> float:  # noqa: ARG001 - one signature
    return _LAST if item.estimate.cost is None else item.estimate.cost


def _by_latency(item: Ranked, candidate: Candidate) -> float:  # noqa: ARG001
    return candidate.live.first_token


def _by_quality(item: Ranked, candidate: Candidate) -> float:  # noqa: ARG001
    return -(item.target.quality.default or 0.0)


def _by_target(item: Ranked, candidate: Candidate) -> str:  # noqa: ARG001
    return item.target.id


_TIE_BREAKS: Mapping[str, Callable[[Ranked, Candidate], float | str]] = {
    "cost": _by_cost,
    "latency": _by_latency,
    "quality": _by_quality,
    "target": _by_target,
}


def _ordered(
    eligible: list[Ranked],
    request: Request,
    select: Select,
    candidates: Mapping[str, Candidate],
    random: Random | None,
) -> tuple[list[Ranked], str | None]:
    if request.route.order:
        return _callers_order(eligible, request.route.order), "the caller's order came first"
    if random is None or len(eligible) < 2:
        return eligible, None
    if select.explore and random.random() < select.explore:
        return _first(eligible, _stalest(eligible, candidates)), "exploring a stale target"
    return _spread(eligible, select.spread, candidates, random)


def _callers_order(eligible: Sequence[Ranked], order: Sequence[str]) -> list[Ranked]:
    def position(item: Ranked) -> int:
        names = (item.target.id, item.target.provider.name)
        return min((i for i, name in enumerate(order) if name in names), default=len(order))

    return sorted(eligible, key=position)


def _stalest(eligible: Sequence[Ranked], candidates: Mapping[str, Candidate]) -> Ranked:
    return min(eligible, key=lambda item: candidates[item.target.id].live.observations)


def _spread(
    eligible: list[Ranked], spread: int, candidates: Mapping[str, Candidate], random: Random
) -> tuple[list[Ranked], str | None]:
    """Draw two of the near ties; the one with less load goes first. Needs measurements."""
    near = [item for item in eligible if eligible[0].score - item.score <= spread]
    if len(near) < 2 or not any(candidates[i.target.id].live.measured for i in near):
        return eligible, None
    drawn = random.sample(near, 2)
    best = min(drawn, key=lambda item: candidates[item.target.id].live.load)
    return _first(eligible, best), f"the less loaded of two among {len(near)} near ties"


def _first(eligible: Sequence[Ranked], first: Ranked) -> list[Ranked]:
    return [first, *(item for item in eligible if item is not first)]
