"""What once went wrong in deciding, each as small as it could be made."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Limits, Target
from llmroute.dispatch.live import LiveState
from llmroute.errors import UsageError
from llmroute.policy import CompiledPolicy, Decision, PolicySource, Surroundings, decide
from llmroute.policy.engine.reference import reference
from llmroute.policy.source import Require, Rule
from llmroute.types import Request
from tests.build import target
from tests.policy.strategies import NOON, Live

HI = Request.of("hi")


def agreed(
    source: PolicySource, fleet: tuple[Target, ...], request: Request, around: Surroundings
) -> tuple[Decision, list[tuple[str, int]]]:
    """Return the decision and its ranking, which the reference must share."""
    decision = decide(CompiledPolicy(source, fleet), request, around)
    wanted = reference(source, fleet, request, around, {})
    ranking = [(item.target.id, item.score) for item in decision.ranking]
    assert ranking == [(item.target.id, item.score) for item in wanted.ranking]
    return decision, ranking


def in_threads(work: Callable[[int], None]) -> list[Exception]:
    """Run work in four threads that take turns as often as possible; return what they raised."""
    wrong: list[Exception] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except Exception as exc:  # noqa: BLE001 - the test shows it
            wrong.append(exc)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    return wrong


def test_a_label_that_is_read_through_a_pipe_still_rules_out_the_cloud() -> None:
    fleet = (target("cloud/a", price=(1, 1)), target("loc/b", "local", price=(1, 1)))
    when = "(request | metadata).user == 'private'"
    source = PolicySource("p", require=(Require("private", "target.locality == 'local'", when),))
    request = Request.of("hi", metadata={"user": "private"})
    _, ranking = agreed(source, fleet, request, Surroundings(NOON, Live()))
    assert ranking == [("loc/b", 0)]


@pytest.mark.parametrize(
    "text",
    [
        "(target | quality).code",
        "(target.[quality] | [0]).code",
        "(target | {q: quality}).q.code",
        "(target.{a: quality} | a).code",
    ],
)
def test_what_is_read_of_a_target_through_a_pipe_tells_targets_apart(text: str) -> None:
    fleet = tuple(target(f"a/{n}", quality={"code": n / 10}) for n in range(4))
    source = PolicySource("p", rules=(Rule("r", 1000, f"[{text}, budget.team] | [0]"),))
    _, ranking = agreed(source, fleet, HI, Surroundings(NOON, Live(), {"team": 1.0}))
    assert ranking[0] == ("a/3", 300_000)


def test_facts_have_the_same_order_in_every_process() -> None:
    code = (
        "from datetime import datetime\n"
        "from llmroute.policy.scoring.context import Context, Surroundings\n"
        "from llmroute.policy.facts.facts import FACTS\n"
        "from llmroute.policy.scoring.live import Priors\n"
        "from llmroute.types import Request\n"
        "around = Surroundings(datetime.now(), Priors())\n"
        "print(list(Context(Request.of('hi'), around).request_scope['facts']) == list(FACTS))\n"
    )
    for seed in "123":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "True\n"


def test_full_caches_are_safe_in_several_threads() -> None:
    fleet = tuple(target(f"a/{i}", price=(i % 7 + 1, i % 5 + 1)) for i in range(40))
    names = [f"t{n}" for n in range(12)]
    rules = tuple(Rule(n, 1000, "price", f"contains(request.tags, '{n}')") for n in names)
    compiled = CompiledPolicy(PolicySource("p", rules=rules), fleet)
    around = Surroundings(NOON, Live())

    def work(seed: int) -> None:
        draw = Random(seed)
        for _ in range(1500):
            tags, tokens = draw.sample(names, 6), 1 << draw.randrange(9)
            request = Request.of("hi", tags=tags, input_tokens=tokens)
            assert decide(compiled, request, around).winner is not None

    assert in_threads(work) == []


def test_the_problems_of_one_thread_are_not_anothers() -> None:
    fleet = tuple(target(f"a/{i}") for i in range(40))
    compiled, around = CompiledPolicy(PolicySource("p"), fleet), Surroundings(NOON, Live())

    def work(number: int) -> None:
        usable = number % 2 == 1
        problems = {} if usable else {"a": Problem("down", "start it")}
        for _ in range(3000):
            decision = decide(compiled, HI, around, problems=problems)
            assert (decision.winner is not None) is usable

    assert in_threads(work) == []


def test_a_call_at_a_pool_changes_the_headroom_of_those_with_a_limit() -> None:
    live = LiveState(lambda: 0.0)
    limited = replace(target("a/0"), limits=Limits(concurrency=4, pool="p"), limit_scope="a:p")
    other = replace(target("a/1"), limits=Limits(pool="p"), limit_scope="a:p")
    source = PolicySource("p", rules=(Rule("h", 1000, "headroom"),))
    compiled, around = CompiledPolicy(source, (limited, other)), Surroundings(NOON, live)
    assert decide(compiled, HI, around).winner is limited
    for _ in range(4):
        live.started(other)
    ranking = decide(compiled, HI, around).ranking
    assert [(i.target.id, i.score) for i in ranking] == [("a/1", 1_000_000), ("a/0", 0)]


def test_who_reads_the_whole_scope_finds_the_same_whoever_was_looked_at_before() -> None:
    rules = (
        Rule("l", 1000, "target.id && live.success"),
        Rule("k", 1000, "keys(@)[-1] == 'live'"),
        Rule("e", 1, "estimate.cost"),
    )
    fleet = tuple(target(f"a/{n}", price=(n, 1)) for n in range(4))
    decision, _ = agreed(PolicySource("p", rules=rules), fleet, HI, Surroundings(NOON, Live()))
    for item in decision.ranking:
        assert sum(part.points for part in item.contributions) == item.score


def test_a_let_does_not_see_the_others() -> None:
    # request, facts, budget and now: 4.
    lets, rules = {"a": "`1`", "b": "length(keys(@))"}, (Rule("g", 1000, "b == `4`"),)
    source = PolicySource("p", let=lets, rules=rules)
    _, ranking = agreed(source, (target("a/0"),), HI, Surroundings(NOON, Live()))
    assert ranking == [("a/0", 1_000_000)]


def test_a_decision_keeps_the_affinity_that_it_was_made_with() -> None:
    view = Live()
    rules = (Rule("home", 5000, "affinity", "contains(request.tags, 'stay')"),)
    compiled = CompiledPolicy(PolicySource("p", rules=rules), (target("a/0"),))
    decision = decide(compiled, HI, Surroundings(NOON, view))
    view.served = "a/0"
    assert decision.potential("home", "a/0").points == 0


@pytest.mark.parametrize(
    "fields",
    [{"task": ["a"]}, {"user": ["x"]}, {"input_tokens": 10**400}, {"input_tokens": 10**306}],
)
def test_odd_requests_are_usage_errors(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Request.of("x", **fields)


def test_tasks_that_no_target_knows_share_a_row() -> None:
    source = PolicySource("p", rules=(Rule("q", 1000, "quality"),))
    compiled = CompiledPolicy(source, (target("a/0", quality={"default": 0.5}),))
    around = Surroundings(NOON, Live())
    for number in range(50):
        assert decide(compiled, Request.of("x", task=f"t{number}"), around).winner is not None
    assert len(compiled.columns.kept) <= 3


def test_equal_targets_are_compiled_against_once() -> None:
    from llmroute.policy import Policy

    policy = Policy(PolicySource("p"))
    first, second = (target("a/0"),), (target("a/0"),)
    compiled = policy.compile(first)
    assert policy.compile(second) is compiled
    assert policy.compile(second) is compiled
    assert policy.compile((target("a/1"),)) is not compiled
