"""Targets that are out of service, at one decision: who sits out, and who comes after the others.

A target out by an open circuit sits out while at least half of the targets that could serve the
request stay in, one out by a rate limit while anybody else can serve it. Otherwise they come after
the others: circuits by measured success, then limits by when they end. A target that has just
returned is drawn to come after the others too, so that its share grows slowly; it is in all the
same. Those that a limit holds are neither in nor out where circuits are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from llmroute.catalog.build import Problem
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.search import Search
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.standing import Outage

__all__ = ["Bench", "seated"]

#: A score in micro-points and a target's position.
_Scored = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Bench:
    """Who is not among the first.

    `search` finds those in service, `everybody` the others too; `shown` explains the decision,
    `behind` being eligible in it, with `why` by target id. `out` are those who sit out, best first,
    with their outage.
    """

    search: Search
    everybody: Search
    shown: Search
    behind: tuple[_Scored, ...] = ()
    why: Mapping[str, str] | None = None
    out: tuple[tuple[_Scored, Outage], ...] = ()


def seated(
    policy: CompiledPolicy,
    context: Context,
    problems: Mapping[str, Problem],
    random: Random | None,
) -> Bench:
    """Work out who sits out of a decision; `problems` are those that nothing here softens."""
    standing = context.around.standing
    everybody = Search(policy, context, problems)
    waits = policy.source.fallback.on_limit == "wait"
    outages = {
        name: outage for name, outage in standing.out.items() if not waits or outage.kind != "limit"
    }
    slow = _drawn(standing.ramping, random, outages)
    search = everybody
    if outages or slow:
        search = Search(policy, context, {**problems, **outages, **slow})
    out, returning = _scored_of(everybody, outages), _scored_of(everybody, slow)
    behind = [*returning, *_called_all_the_same(search, outages, out, len(returning))]
    every = out | returning
    left = {name: outage for name, outage in outages.items() if name not in behind}
    return Bench(
        search=search,
        everybody=everybody,
        shown=Search(policy, context, {**problems, **left}) if behind or slow else search,
        behind=tuple(every[name] for name in behind),
        why={name: _why(outages.get(name)) for name in behind},
        out=tuple(sorted(((out[n], o) for n, o in left.items() if n in out), key=_best_first)),
    )


def _called_all_the_same(
    search: Search, outages: Mapping[str, Outage], out: Mapping[str, _Scored], returning: int
) -> list[str]:
    """Return who does not sit out, since too few others are left; in the order of their turn.

    `search` finds those in service but for so many that are `returning`.
    """
    circuits = [name for name in out if outages[name].kind == "circuit"]
    if len(circuits) > returning and not search.at_least(len(circuits) - returning):
        return sorted(circuits, key=lambda name: _failing(search, name, out[name]))
    if returning or search.at_least(1):
        return []
    limits = (name for name in out if outages[name].kind == "limit")
    return sorted(limits, key=lambda name: outages[name].until)


def _drawn(
    ramping: Mapping[str, float], random: Random | None, outages: Mapping[str, Outage]
) -> dict[str, Problem]:
    """Draw who of those that have just returned leaves this request to others."""
    if random is None:
        return {}
    held = Problem("it has just returned and takes only a share of the requests for now", "")
    return {
        name: held
        for name, share in ramping.items()
        if name not in outages and random.random() >= share
    }


def _scored_of(search: Search, names: Iterable[str]) -> dict[str, _Scored]:
    """Return the scores of those who could serve the request, by id, best first."""
    places = search.policy.table.places
    scored = [(search.score(places[name]), places[name], name) for name in names if name in places]
    scored = [item for item in scored if search.eligible(item[1])]
    scored.sort(key=lambda item: (-item[0], item[2]))
    return {name: (score, place) for score, place, name in scored}


def _failing(search: Search, name: str, scored: _Scored) -> tuple[float, int, str]:
    """Order open circuits: those that fail least first."""
    return -search.live.facts[scored[1]].success, -scored[0], name


def _best_first(item: tuple[_Scored, Outage]) -> tuple[int, int]:
    (score, place), _ = item
    return -score, place


def _why(outage: Outage | None) -> str:
    if outage is None:
        return "it has just returned and leaves most requests to others for now"
    if outage.kind == "circuit":
        return f"{outage.reason}; too few others are left to leave it out"
    return f"{outage.reason}; nobody else is left"
