"""A decision in short, to be kept: cheap to make, and enough to say later why it was made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llmroute.policy.engine.itemise import rejections_of
from llmroute.policy.engine.search import Search

if TYPE_CHECKING:
    from llmroute.policy.engine.decision import Decision, Ranked

__all__ = ["brief"]

#: Ranked targets that are itemised, those that are named with their score, and rejections.
_ITEMISED, _NAMED, _REJECTED = 3, 20, 50


def brief(decision: Decision, search: Search) -> dict[str, Any]:
    """Return plain data like `Decision.to_dict`, of the first of each list alone.

    `left_out` counts the rest. Targets that can serve the request are not looked at for reasons
    against them, which is most of what `to_dict` costs.
    """
    ranking = decision.ranking
    shown = [ranking[place] for place in range(min(len(ranking), _NAMED))]
    rejected = list(_rejected(search))
    return {
        "policy": decision.policy,
        "winner": decision.winner.id if decision.winner else None,
        "ranking": [_ranked(item, place) for place, item in enumerate(shown)],
        "rejections": rejected[:_REJECTED],
        "facts": dict(decision.facts),
        "notes": dict(sorted(search.context.notes.items())),
        **({"reason": decision.reason} if decision.reason else {}),
        **({"behind": dict(decision.behind)} if decision.behind else {}),
        "fingerprint": decision.fingerprint,
        "left_out": {
            "ranking": len(ranking) - len(shown),
            "rejections": max(len(rejected) - _REJECTED, 0),
        },
    }


def _ranked(item: Ranked, place: int) -> dict[str, Any]:
    if place < _ITEMISED:
        return item.to_dict()
    return {"target": item.target.id, "score": item.score, "estimate": item.estimate.view}


def _rejected(search: Search) -> Iterator[dict[str, str]]:
    for place in range(len(search.policy.targets)):
        if not search.eligible(place):
            yield from (item.to_dict() for item in rejections_of(search, place))
