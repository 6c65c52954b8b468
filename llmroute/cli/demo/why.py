"""Why a target was chosen, in one phrase: what ruled others out, and what put it ahead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from llmroute.policy.engine.decision import Decision, Ranked

__all__ = ["why"]

#: Requirements that are named; they come sorted by how many targets they rule out.
_NAMED = 2


def why(decision: Decision) -> str:
    """Return the reason of a decision's first choice; it must have one."""
    return "; ".join([*_ruled_out(decision), *_ahead(decision)])


def _ruled_out(decision: Decision) -> Iterator[str]:
    counts = Counter(
        item.requirement for item in decision.rejections if item.origin != "availability"
    )
    for name, count in counts.most_common(_NAMED):
        yield f'"{name}" rules out {count}'


def _ahead(decision: Decision) -> Iterator[str]:
    if decision.reason:
        yield decision.reason
    elif len(decision.ranking) > 1:
        first, second = decision.ranking[:2]
        rule, points = _strongest(first, second)
        lead = _points(first.score - second.score)
        by = f', most by "{rule}" ({_points(points)})' if points > 0 else ""
        yield f"{lead} points ahead of {second.target.id}{by}"
    else:
        yield "nobody else is left"


def _points(micro: int) -> str:
    return f"{micro / 1_000_000:.2f}"


def _strongest(first: Ranked, second: Ranked) -> tuple[str, int]:
    """Return the rule that speaks most for the first against the second, and by how much."""
    other = {item.rule: item.points for item in second.contributions}
    leads = {c.rule: c.points - other.pop(c.rule, 0) for c in first.contributions}
    leads |= {rule: -points for rule, points in other.items()}
    rule = max(leads, key=lambda name: leads[name], default="")
    return rule, leads.get(rule, 0)
