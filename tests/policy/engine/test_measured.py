"""Following a live view: what is read again, what is kept, and for how long."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from llmroute.catalog.model import Limits
from llmroute.dispatch.live import HALF_LIFE, TICK, LiveState
from llmroute.policy import CompiledPolicy, PolicySource, Surroundings, decide
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.estimate import Correction
from llmroute.policy.scoring.live import LiveFacts, Output
from llmroute.policy.source import Rule
from llmroute.types import Request
from tests.build import target
from tests.policy.strategies import NOON, Live
from tests.policy.taught import measured

FLEET = tuple(target(f"a/{number}", price=(1, 1)) for number in range(9))
AROUND = Surroundings(NOON, Live())
RULES = (
    Rule("fast", 1500, {"latency": {"half": 2}}, "contains(request.tags, 'a')"),
    Rule("reliable", 1001, "reliability"),
    Rule("busy", -999, "headroom", "contains(request.tags, 'b')"),
    Rule("idle", 700, "live.in_flight == `0`"),
)


class Counting(Live):
    """Counts how often each target is read; something may happen while it is."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.meanwhile = lambda: None

    def of(self, target):
        self.reads.append(target.id)
        facts = super().of(target)
        happen, self.meanwhile = self.meanwhile, lambda: None
        happen()
        return facts


def ranked(compiled, view, *tags):
    decision = decide(compiled, Request.of("hi", tags=list(tags)), Surroundings(NOON, view))
    return [(item.target.id, item.score) for item in decision.ranking]


@pytest.fixture
def compiled():
    return CompiledPolicy(PolicySource("p", rules=RULES), FLEET)


def test_what_was_learned_is_kept_until_an_estimate_changes(compiled):
    view = Live()
    view.measure("a/1", LiveFacts(1, 50, 1, outputs={"chat": Output(724, 9)}))
    before = compiled.measured.now(view).learned
    view.measure("a/1", LiveFacts(2, 60, 1, outputs={"chat": Output(724, 10)}))
    assert compiled.measured.now(view).learned is before
    assert compiled.measured.now(view).facts[1].outputs == {"chat": Output(724, 10)}
    view.measure("a/2", LiveFacts(2, 60, 1, outputs={"essay": Output(91, 9)}))
    after = compiled.measured.now(view).learned
    chat, essay = (Context(Request.of("hi", task=t), AROUND) for t in ("chat", "essay"))
    assert after is not before
    assert after.of(chat).known == {1: Correction(1.0, 724)}
    assert after.of(essay).known == {2: Correction(1.0, 91)}
    view.measure("a/1", LiveFacts(1, 50, 1))
    last = compiled.measured.now(view).learned
    assert last.of(chat) is None
    assert last.of(essay) is after.of(essay), "nothing about essays changed"
    view.measure("a/2", LiveFacts(1, 50, 1))
    assert compiled.measured.now(view).learned is None


def test_a_length_that_the_file_says_too_corrects_nothing(compiled):
    view = Live({"a/1": LiveFacts(1, 50, 1, outputs={"chat": Output(500, 9)})})
    assert compiled.measured.now(view).learned is None


def test_only_what_changed_is_read_again(compiled):
    view = Counting()
    ranked(compiled, view)
    assert sorted(view.reads) == [t.id for t in FLEET]
    view.reads.clear()
    ranked(compiled, view)
    assert view.reads == []
    view.measure("a/3", LiveFacts(0.1, 50, 1.0, measured=True))
    view.measure("z/elsewhere", LiveFacts(0.1, 50, 1.0, measured=True))
    ranked(compiled, view)
    assert view.reads == ["a/3"]
    view.reads.clear()
    view.version += 1
    view.forget_changes()
    ranked(compiled, view)
    assert sorted(view.reads) == [t.id for t in FLEET], "who cannot tell makes all be read"


def test_a_change_while_others_are_read_is_not_lost(compiled):
    """The reader's version is the one from before it began to read."""
    view = Counting()
    worst = LiveFacts(30.0, 50, 0.0, 0.0, 9, measured=True)
    view.meanwhile = lambda: view.measure("a/0", worst)
    ranked(compiled, view, "a")
    assert ranked(compiled, view, "a")[-1][0] == "a/0"


@pytest.mark.parametrize("seed", range(6))
def test_kept_rows_are_what_a_new_policy_computes(compiled, seed):
    """Many sets of active rules, each with a row that every change must reach."""
    rng, view = Random(seed), Live()
    subsets = [(), ("a",), ("b",), ("a", "b")]
    for _ in range(30):
        view.measure(rng.choice(FLEET).id, measured(rng))
        fresh = CompiledPolicy(PolicySource("p", rules=RULES), FLEET)
        for tags in rng.sample(subsets, 2):
            assert ranked(compiled, view, *tags) == ranked(fresh, view, *tags)


def test_what_was_handed_out_never_changes(compiled):
    view = Live()
    view.measure("a/1", LiveFacts(0.1, 50, 0.5, measured=True))
    ranked(compiled, view)
    before = compiled.measured.now(view)
    facts, rows = list(before.facts), dict(before.rows.items())
    view.measure("a/1", LiveFacts(9.0, 50, 0.1, measured=True))
    after = compiled.measured.now(view)
    assert (before.facts, dict(before.rows.items())) == (facts, rows)
    assert after is not before
    assert after.facts[1].first_token == 9.0


def test_a_snapshot_keeps_few_rows():
    names = [f"t{number}" for number in range(6)]
    rules = tuple(Rule(n, 1000, "reliability", f"contains(request.tags, '{n}')") for n in names)
    compiled, view = CompiledPolicy(PolicySource("p", rules=rules), FLEET), Live()
    for number in range(64):
        ranked(compiled, view, *(n for bit, n in enumerate(names) if number >> bit & 1))
    assert len(compiled.measured.now(view).rows) <= 16


# The live state of the dispatch room, as a compiled policy follows it


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def pooled(number):
    limits = Limits(concurrency=4, pool="p")
    return replace(FLEET[number], limits=limits, limit_scope="a:p")


FOLLOWED = (*FLEET[:4], *(pooled(number) for number in range(4, 8)))


@pytest.mark.parametrize("seed", range(4))
def test_live_state_is_followed_call_by_call_and_step_by_step(seed):
    """Whatever `changed` tells, the policy must know what one compiled now would read."""
    rng, clock = Random(seed), Clock()
    live = LiveState(clock)
    source = PolicySource("p", rules=RULES)
    compiled, running = CompiledPolicy(source, FOLLOWED), []
    for _ in range(120):
        if running and rng.random() < 0.5:
            called = running.pop(rng.randrange(len(running)))
            seconds = rng.choice((None, 0.1, 9.0))
            live.ended(called, healthy=rng.choice((None, True, False)), first_token=seconds)
        else:
            running.append(rng.choice(FOLLOWED))
            live.started(running[-1])
        clock.now += rng.choice((0.0, 0.0, 1.0, TICK, HALF_LIFE / 3))
        if rng.random() < 0.7:
            tags = rng.choice(((), ("a",), ("b",)))
            fresh = CompiledPolicy(source, FOLLOWED)
            assert ranked(compiled, live, *tags) == ranked(fresh, live, *tags)


def test_a_step_of_the_decay_changes_who_was_measured_and_nobody_else():
    clock = Clock()
    live = LiveState(clock)
    live.started(FLEET[2])
    live.ended(FLEET[2], healthy=True)
    version = live.version
    clock.now += TICK - 0.01
    assert live.version == version
    clock.now += 0.02
    assert live.version > version
    assert live.changed(version) == {"a/2"}
    assert live.changed(live.version) == set()


def test_a_call_changes_all_that_share_its_limit():
    live = LiveState(Clock())
    for target_read in FOLLOWED:
        live.of(target_read)
    version = live.version
    live.started(FOLLOWED[5])
    assert live.changed(version) == {"a/4", "a/5", "a/6", "a/7"}
    version = live.version
    live.started(FOLLOWED[0])
    assert live.changed(version) == {"a/0"}


def test_who_is_far_behind_reads_everything_and_others_miss_nothing():
    live = LiveState(Clock())
    seen = live.version
    for number in range(12_000):
        before = live.version
        live.started(FLEET[number % 3])
        assert live.version == before + 1
        assert live.changed(before) == {FLEET[number % 3].id}
    assert live.changed(seen) is None
    assert live.changed(live.version - 4000) == {"a/0", "a/1", "a/2"}
    assert len(live._changes) <= 8192
