"""Targets with the same points: who is first among them may vary with what no case varies.

Cases stand for all requests as far as points go. Among equals the cheaper one may be first for one
size of a prompt and not for another, the faster one by what is measured; and where something is
measured, the router draws among those that are equally good.
"""

from __future__ import annotations

from itertools import groupby

from llmroute.catalog.model import Target
from llmroute.policy.engine.decision import Decision
from llmroute.policy.engine.partition import estimate_key

__all__ = ["Standing", "leading", "standing", "varying_key"]

#: Eligible targets in their order, those with the same points together.
Standing = tuple[tuple[Target, ...], ...]


def standing(decision: Decision) -> Standing:
    """Return how the eligible targets stand, the best first."""
    groups = groupby(decision.ranking, key=lambda ranked: ranked.score)
    return tuple(tuple(ranked.target for ranked in group) for _, group in groups)


def leading(decision: Decision) -> tuple[Target, ...]:
    """Return the targets that no other has more points than, or may be drawn instead of."""
    found: list[Target] = []
    least = None
    for ranked in decision.ranking:
        least = ranked.score - decision.source.select.spread if least is None else least
        if ranked.score < least:
            break
        found.append(ranked.target)
    return tuple(found)


def varying_key(found: Standing, tie_break: tuple[str, ...]) -> str | None:
    """Return what orders equals and varies with sizes or measurements; None where nothing does."""
    for equals in found:
        for key in tie_break if len(equals) > 1 else ():
            if key == "latency" or (key == "cost" and _cross(equals)):
                return key
            if key == "target":
                break
    return None


def _cross(targets: tuple[Target, ...]) -> bool:
    """Whether one of some targets may cost less for one request, and another for another."""
    priced = {estimate_key(target) for target in targets if target.price is not None}
    return len(priced) > 1
