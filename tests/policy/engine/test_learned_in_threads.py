"""Answers are counted in some threads while others decide by what was learned so far."""

from __future__ import annotations

import sys
from random import Random
from threading import Thread

from llmroute.dispatch.live import LiveState
from llmroute.policy import CompiledPolicy, PolicySource, Surroundings, decide
from llmroute.policy.scoring.live import Output
from llmroute.policy.source import Rule
from llmroute.types import Request
from tests.build import target
from tests.policy.engine.judge import scores
from tests.policy.strategies import NOON

FLEET = tuple(
    target(f"a/{n}", quality={"default": n / 100}, price=(n, 9 - n % 9)) for n in range(40)
)
SOURCE = PolicySource(
    "p", rules=(Rule("q", 1000, "quality"), Rule("c", 9000, {"cost": {"half": 0.01}}))
)
TASKS = ("essay", "label", "chat")


def in_threads(works):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)


def test_what_was_learned_meanwhile_is_what_a_fresh_policy_decides_by():
    """Essays are 6,000 tokens long, labels 60, and other answers as expected."""
    live, wrong = LiveState(lambda: 0.0, learn=True), []
    compiled, around = CompiledPolicy(SOURCE, FLEET), Surroundings(NOON, live)
    asked = [Request.of("hi", task=task) for task in TASKS]

    def deciding(seed):
        rng = Random(seed)
        try:
            for _ in range(120):
                decision = decide(compiled, rng.choice(asked), around)
                wrong.extend(
                    item
                    for item in decision.ranking
                    if item.estimate.tokens_out not in (64, 500, 5793)
                )
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test must tell
            wrong.append(exc)

    def answering(seed):
        rng = Random(seed)
        for _ in range(1200):
            task = rng.choice(TASKS)
            tokens = {"essay": 6000, "label": 60, "chat": 500}[task]
            live.answered(rng.choice(FLEET), task, tokens, whole=True)

    works = [lambda n=n: deciding(n) for n in range(2)] + [lambda n=n: answering(n) for n in (8, 9)]
    in_threads(works)
    assert wrong == []
    for one in FLEET:
        for task, tokens in (("essay", 6000), ("label", 60)):
            for _ in range(32):
                live.answered(one, task, tokens, whole=True)
    known = {task: output.tokens for task, output in live.of(FLEET[0]).outputs.items()}
    assert known == {"essay": 5793, "label": 64, "chat": 500}
    assert live.of(FLEET[0]).outputs["essay"] == Output(5793, 32)
    fresh = CompiledPolicy(SOURCE, FLEET)
    for request in asked:
        found = decide(compiled, request, around).ranking
        assert scores(found) == scores(decide(fresh, request, around).ranking)
