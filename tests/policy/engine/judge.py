"""Judging a decision of the engine by the reference evaluator, whatever is read of it first."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from llmroute.policy import CompiledPolicy, Decision, decide
from llmroute.policy.engine.reference import Outcome, reference
from tests.policy.strategies import Case, Turn

__all__ = [
    "READINGS",
    "assert_rejections",
    "assert_same",
    "check",
    "decided",
    "expected",
    "in_turn",
    "scores",
    "winner_first",
]


def decided(compiled: CompiledPolicy, turn: Turn, random: Random | None = None) -> Decision:
    request, around, problems = turn
    return decide(compiled, request, around, problems=problems, random=random)


def expected(case: Case, turn: Turn) -> Outcome:
    request, around, problems = turn
    return reference(case.source, case.targets, request, around, problems)


def scores(items: Any) -> list[tuple[str, int]]:
    return [(item.target.id, item.score) for item in items]


# Ways to read a decision: what is produced lazily must not depend on what is asked first.


def winner_first(decision: Decision, wanted: Outcome) -> None:
    winner = decision.winner
    assert winner is (wanted.ranking[0].target if wanted.ranking else None)


def in_turn(decision: Decision, wanted: Outcome) -> None:
    ranking = iter(decision.ranking)
    for item in wanted.ranking:
        found = next(ranking)
        assert (found.target.id, found.score) == (item.target.id, item.score)
    assert next(ranking, None) is None


def by_index(decision: Decision, wanted: Outcome) -> None:
    ranking, order = decision.ranking, scores(wanted.ranking)
    assert bool(ranking) is bool(order)
    for place in (1, 0, -1):
        if len(order) > 1:
            assert scores([ranking[place]]) == [order[place]]
    assert scores(ranking[1:3]) == order[1:3]
    assert len(ranking) == len(order)
    with pytest.raises(IndexError):
        ranking[len(order)]


def as_data(decision: Decision, wanted: Outcome) -> None:
    data = decision.to_dict()
    assert [(r["target"], r["score"]) for r in data["ranking"]] == scores(wanted.ranking)
    assert data["winner"] == (wanted.ranking[0].target.id if wanted.ranking else None)
    assert {r["target"] for r in data["rejections"]} == set(wanted.rejected)


def rejections_first(decision: Decision, wanted: Outcome) -> None:
    assert_rejections(decision, wanted)


READINGS = (winner_first, in_turn, by_index, as_data, rejections_first)


def assert_rejections(decision: Decision, wanted: Outcome) -> None:
    found: dict[str, list[str]] = {}
    for item in decision.rejections:
        found.setdefault(item.target, []).append(item.requirement)
    assert {name: sorted(unmet) for name, unmet in found.items()} == {
        name: sorted(unmet) for name, unmet in wanted.rejected.items()
    }
    for name, unmet in wanted.rejected.items():
        assert sorted(item.requirement for item in decision.rejected(name)) == sorted(unmet)


def assert_same(decision: Decision, wanted: Outcome, case: Case, turn: Turn) -> None:
    """Everything that a decision says, whatever was read of it before."""
    assert scores(decision.ranking) == scores(wanted.ranking)
    assert [t.id for t in decision.targets] == [item.target.id for item in wanted.ranking]
    weights = {rule.name: rule.weight for rule in case.source.rules}
    for found, item in zip(decision.ranking, wanted.ranking, strict=True):
        assert {c.rule: c.points for c in found.contributions} == item.points
        assert [c.rule for c in found.contributions] == list(item.points)
        assert sum(c.points for c in found.contributions) == found.score
        for part in found.contributions:
            assert part.weight == weights[part.rule]
            assert 0 <= part.value <= 1_000_000
            assert part.points == round(Fraction(part.weight * part.value, 1000))
        assert found.estimate == item.estimate
    assert_rejections(decision, wanted)


def check(compiled: CompiledPolicy, case: Case, turn: Turn, readings: Sequence[Any]) -> Outcome:
    wanted = expected(case, turn)
    for read in readings:
        decision = decided(compiled, turn)
        read(decision, wanted)
        assert_same(decision, wanted, case, turn)
    return wanted
