"""Who sits out of a decision and who comes after the others, against a naive way to say it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from llmroute.catalog.build import Problem
from llmroute.policy import CompiledPolicy, Decision, PolicySource
from llmroute.policy.scoring.live import LiveFacts
from llmroute.policy.scoring.standing import Outage, Standing
from llmroute.policy.source import Fallback, Rule
from llmroute.types import Request, Route
from tests.build import target
from tests.policy import strategies
from tests.policy.engine.judge import decided, expected
from tests.policy.strategies import NOON, Case, Live, Turn

SETTINGS = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)


class Half(Random):
    """Draws one half, so that those whose share is larger are in."""

    def random(self) -> float:
        return 0.5


@dataclass(frozen=True)
class Wanted:
    front: list[str]
    behind: list[str]
    benched: list[str]
    first: str | None


def naive(case: Case, turn: Turn, draws: bool) -> Wanted:
    """Say who is where, by counting."""
    request, around, known = turn
    standing, live = around.standing, around.live
    problems = {**standing.problems, **known}
    ranking = expected(case, (request, around, problems)).ranking
    order = [item.target.id for item in ranking]
    score = {item.target.id: item.score for item in ranking}
    success = {item.target.id: live.of(item.target).success for item in ranking}
    place = {
        t.id: number for number, t in enumerate(CompiledPolicy(case.source, case.targets).targets)
    }
    waits = case.source.fallback.on_limit == "wait"

    def kind(name: str) -> str:
        found = standing.out.get(name)
        if found and not (waits and found.kind == "limit"):
            return found.kind
        return "slow" if draws and standing.ramping.get(name, 1.0) <= 0.5 else "fit"

    groups = {k: [n for n in order if kind(n) == k] for k in ("fit", "slow", "circuit", "limit")}
    behind = sorted(groups["slow"], key=lambda n: (-score[n], n))
    inside = len(groups["fit"]) + len(groups["slow"])
    if inside < len(groups["circuit"]):
        behind += sorted(groups["circuit"], key=lambda n: (-success[n], -score[n], n))
    if not groups["fit"] and not behind:
        ordered = sorted(groups["limit"], key=lambda n: (-score[n], n))
        behind += sorted(ordered, key=lambda n: standing.out[n].until)
    away = [n for n in groups["circuit"] + groups["limit"] if n not in behind]
    away.sort(key=lambda n: (-score[n], place[n]))
    return Wanted(groups["fit"], behind, away, order[0] if order else None)


def standing(rng: Random, case: Case) -> Standing:
    ill = rng.choice((0.1, 0.4, 0.7, 1.0))
    out, ramping = {}, {}
    for made in (*case.targets, target("gone/1")):
        if rng.random() < ill:
            kind = rng.choice(("circuit", "circuit", "limit"))
            out[made.id] = Outage(f"{made.id} is out", "wait", kind, float(rng.randint(1, 3)))
        elif rng.random() < 0.3:
            ramping[made.id] = rng.choice((0.1, 0.4, 0.9))
    problems = {}
    if rng.random() < 0.2:
        problems[rng.choice(("p0", case.targets[0].id))] = Problem("refused", "renew it")
    return Standing(out, problems, ramping)


def ids(items) -> list[str]:
    return [item.target.id for item in items]


def assert_consistent(decision: Decision, case: Case) -> None:
    """Every target is ranked or rejected, and the parts of a decision fit together."""
    ranked = ids(decision.ranking)
    rejected = {item.target for item in decision.rejections}
    known = {t.id for t in case.targets}
    assert len(ranked) == len(set(ranked))
    assert set(ranked) | (rejected & known) == known
    assert not set(ranked) & rejected
    assert set(decision.behind) <= set(ranked)
    assert ranked[len(ranked) - len(decision.behind) :] == list(decision.behind)
    for item, outage in decision.benched:
        (reason,) = decision.rejected(item.target.id)
        assert (reason.requirement, reason.reason) == ("usable", outage.reason)
    data = decision.to_dict()
    assert [item["target"] for item in data["ranking"]] == ranked
    assert data.get("behind", {}) == decision.behind
    assert data["winner"] == (ranked[0] if ranked else None)


@SETTINGS
@given(st.randoms(use_true_random=False), st.booleans())
def test_who_is_out_behind_and_in_is_as_the_naive_way_says(rng, draws):
    case = strategies.case(rng)
    fallback = Fallback(on_limit=rng.choice(("spill", "spill", "wait")))
    case = replace(case, source=replace(case.source, fallback=fallback))
    request, around, known = case.turns[0]
    turn = (request, replace(around, standing=standing(rng, case)), known)
    decision = decided(CompiledPolicy(case.source, case.targets), turn, Half(1) if draws else None)
    wanted = naive(case, turn, draws)
    front = ids(decision.ranking)[: len(wanted.front)]
    if draws:
        assert sorted(front) == sorted(wanted.front)
    else:
        assert front == wanted.front
        usual = decision.usual_first
        assert (usual.target.id if usual else None) == wanted.first
    assert ids(decision.ranking)[len(front) :] == wanted.behind
    assert [item.target.id for item, _ in decision.benched] == wanted.benched
    assert_consistent(decision, case)


@SETTINGS
@given(st.randoms(use_true_random=False))
def test_who_cannot_serve_is_rejected_for_that_alone(rng):
    """Being held back after an outage is no reason where another one is."""
    case = strategies.case(rng)
    request, around, known = case.turns[0]
    held = Standing(ramping={t.id: 0.0 for t in case.targets})
    wanted = expected(case, case.turns[0]).rejected
    turn = (request, replace(around, standing=held), known)
    decision = decided(CompiledPolicy(case.source, case.targets), turn, Half(1))
    found = {name: [item.requirement for item in decision.rejected(name)] for name in wanted}
    assert {name: sorted(unmet) for name, unmet in found.items()} == {
        name: sorted(unmet) for name, unmet in wanted.items()
    }
    assert_consistent(decision, case)


FLEET = tuple(target(f"a/{number}", price=(1, 1)) for number in range(6))
RULES = tuple(Rule(f"r{n}", 1000 * (6 - n), f"target.id == 'a/{n}'") for n in range(6))


def outages(kinds: str, until: str = "111111") -> dict[str, Outage]:
    """Draw a picture: `c` an open circuit, `l` a limit, `-` in service."""
    words = {"c": "circuit", "l": "limit"}
    return {
        f"a/{n}": Outage("out", "wait", words[kind], float(until[n]))
        for n, kind in enumerate(kinds)
        if kind != "-"
    }


def placed(kinds: str, *, until: str = "111111", success: str = "", **fallback) -> Decision:
    facts = {
        f"a/{n}": LiveFacts(1, 50, int(share) / 10, measured=True)
        for n, share in enumerate(success)
    }
    around = replace(strategies.surroundings(Random(1), Live(facts)), budgets={})
    around = replace(around, now=NOON, standing=Standing(outages(kinds, until)))
    source = PolicySource("p", rules=RULES, fallback=Fallback(**fallback))
    return decided(CompiledPolicy(source, FLEET), (Request.of("hi"), around, {}))


def numbers(items) -> str:
    return "".join(item.target.id[2:] for item in items)


@pytest.mark.parametrize(
    ("kinds", "ranked", "behind"),
    [
        ("------", "012345", ""),
        ("c-----", "12345", ""),
        ("ccc---", "345", ""),  # half stay in
        ("cccc--", "450123", "0123"),  # fewer than half: they come after the others
        ("cccccc", "012345", "012345"),
        ("l-----", "12345", ""),
        ("lllll-", "5", ""),  # anybody else is left
        ("llllll", "012345", "012345"),
        ("ccclll", "012", "012"),  # the circuits are better than to wait for a limit
        ("cllll-", "5", ""),
    ],
)
def test_circuits_exclude_while_half_stay_in_and_limits_while_anybody_does(kinds, ranked, behind):
    decision = placed(kinds)
    assert numbers(decision.ranking) == ranked
    assert "".join(name[2:] for name in decision.behind) == behind
    assert_consistent(decision, Case(decision.source, FLEET, ()))


def test_open_circuits_are_ordered_by_measured_success_and_limits_by_their_end():
    assert numbers(placed("cccccc", success="123321").ranking) == "231405"
    assert numbers(placed("llllll", until="321321").ranking) == "251403"


def test_a_policy_that_waits_leaves_limited_targets_in_their_place():
    decision = placed("l-c---", on_limit="wait")
    assert numbers(decision.ranking) == "01345"
    assert decision.behind == {}


def test_reasons_say_until_when_and_why_they_are_called_all_the_same():
    assert placed("cccccc").behind["a/0"] == "out; too few others are left to leave it out"
    assert placed("llllll").behind["a/0"] == "out; nobody else is left"
    (reason,) = placed("c-----").rejected("a/0")
    assert (reason.reason, reason.help) == ("out", "wait")


def test_targets_that_return_take_their_share_of_requests():
    """Of 2,000 requests a share of 0.3 is 600; 4 standard deviations are 82."""
    around = replace(strategies.surroundings(Random(1), Live()), now=NOON)
    around = replace(around, standing=Standing(ramping={"a/0": 0.3}))
    compiled, rng = CompiledPolicy(PolicySource("p", rules=RULES), FLEET), Random(7)
    turn = (Request.of("hi"), around, {})
    winners = [decided(compiled, turn, rng).winner.id for _ in range(2000)]
    assert set(winners) == {"a/0", "a/1"}
    assert abs(winners.count("a/0") - 600) < 82
    assert decided(compiled, turn).winner.id == "a/0", "without chance nothing is drawn"


@pytest.mark.parametrize("route", [Route(), Route(max_cost=1.0)])
def test_more_targets_may_return_than_have_open_circuits(route):
    around = replace(strategies.surroundings(Random(1), Live()), now=NOON)
    held = Standing(outages("c-----"), ramping={f"a/{n}": 0.0 for n in (1, 2, 3)})
    turn = (Request.of("hi", max_tokens=5, route=route), replace(around, standing=held), {})
    decision = decided(CompiledPolicy(PolicySource("p", rules=RULES), FLEET), turn, Random(1))
    assert numbers(decision.ranking) == "45123"
    assert [item.target.id for item, _ in decision.benched] == ["a/0"]


def test_one_that_returns_is_enough_to_leave_out_who_is_limited():
    """Its turn comes at once, theirs only when their limit ends."""
    around = replace(strategies.surroundings(Random(1), Live()), now=NOON)
    held = Standing(outages("-lllll"), ramping={"a/0": 0.1})
    turn = (Request.of("hi"), replace(around, standing=held), {})
    decision = decided(CompiledPolicy(PolicySource("p", rules=RULES), FLEET), turn, Half(1))
    assert numbers(decision.ranking) == "0"
    assert len(decision.benched) == 5
