"""What is proved is what enumeration finds, over a world that is small enough to enumerate.

The other side of each comparison is the reference evaluator, which shares no evaluation with the
engine, and jmespath's own interpreter for the claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from random import Random

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from llmroute import Router
from llmroute.lab.proving.prove import World, prove_claim, prove_equivalent, prove_reachable
from llmroute.policy.engine.reference import Outcome, reference
from llmroute.policy.facts.facts import Facts
from llmroute.policy.policy import Policy
from llmroute.policy.scoring.context import Surroundings, request_view
from llmroute.policy.scoring.live import Priors
from llmroute.policy.source import PolicySource, Require, Rule
from llmroute.types import Request

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SETTINGS = """\
inputs:
  privacy: {enum: [private, public], default: public}
  level: {enum: [1, 2], type: number, default: 1}
"""
PROVIDER = """\
provider: PROVIDER
locality: LOCALITY
endpoint: {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:9", auth: none}
models:
  - {model: a, capabilities: {streaming: true, tools: true, json_schema: true},
     specializations: [code], quality: {default: 0.5, code: 0.9, source: x, date: "2026-01-01"}}
  - {model: b, capabilities: {streaming: true, tools: true, json_schema: true},
     quality: {default: 0.7, source: x, date: "2026-01-01"}}
"""
OF_REQUEST = (
    "request.metadata.privacy == 'private'",
    "request.metadata.privacy != 'private'",
    "request.metadata.level > `1`",
    "!(request.metadata.level == `2`)",
    "contains(request.tags, 'a')",
    "contains(request.tags, 'y') && request.metadata.level == `1`",
    "request.tags",
    "!request.task",
    "!(request.task)",
    "request.task == 'code'",
    "starts_with(request.task, 'co')",
    "facts.tools",
    "facts.task == 'code'",
    "request.metadata.privacy == 'secret'",
    "secret",
    "!secret && facts.tools",
)
OF_TARGET = (
    "target.locality == 'local'",
    "target.locality != 'local'",
    "target.provider == 'here'",
    "ends_with(target.id, '/a')",
    "contains(target.specializations, 'code')",
    "target.quality.default > `0.6`",
    "target.context_window > `10`",
)
MIXED = (
    "contains(target.specializations, request.task)",
    "contains(request.tags, target.model)",
    "target.model == 'b' && facts.tools",
    "(request.metadata.level == `2`) == (target.locality == 'local')",
)
LETS = {"secret": "request.metadata.privacy == 'private' || contains(request.tags, 'y')"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PROMPTS = ("What is the capital of Austria?", "def f(x):\n    return x + 1\n\nWhy?")


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    root = tmp_path_factory.mktemp("ws")
    (root / "providers.d").mkdir()
    (root / "policies").mkdir()
    for name, locality in (("here", "local"), ("there", "cloud")):
        text = PROVIDER.replace("PROVIDER", name).replace("LOCALITY", locality)
        (root / "providers.d" / f"{name}.yaml").write_text(text)
    (root / "policies" / "balanced.yaml").write_text("policy: balanced\nrules: []\n")
    (root / "llmroute.yaml").write_text(SETTINGS)
    with Router.load(root, environment={}) as made:
        yield made


def every_request() -> Iterator[Request]:
    """All requests of the small world: what else a request may hold, no expression reads."""
    tags = [tuple(t) for t in ("", "y", "a", "b", "ya", "yb", "ab", "yab", "z")]
    labels = product(("private", "public"), (1, 2))
    for (privacy, level), tagged, task, tools, prompt in product(
        labels, tags, (None, "", "code", "coach", "other"), (False, True), PROMPTS
    ):
        yield Request.of(
            prompt,
            metadata={"privacy": privacy, "level": level},
            tags=tagged,
            task=task,
            tools=[TOOL] if tools else [],
        )


EVERY = tuple(every_request())


def condition(rng: Random) -> str:
    pool = rng.choice((OF_REQUEST, OF_TARGET, MIXED))
    text = rng.choice(pool)
    if rng.random() < 0.4:
        other = rng.choice(rng.choice((OF_REQUEST, OF_TARGET)))
        return f"({text}) {rng.choice(('&&', '||'))} ({other})"
    return text


def policy(rng: Random, name: str = "drawn") -> PolicySource:
    whens = [None, *OF_REQUEST]
    require = tuple(
        Require(f"q{n}", rng.choice((*OF_TARGET, *MIXED)), rng.choice(whens))
        for n in range(rng.randint(0, 3))
    )
    rules = tuple(
        Rule(
            f"r{n}",
            rng.choice((1000, 2000, -1000)),
            rng.choice((*OF_TARGET, "quality")),
            rng.choice(whens),
        )
        for n in range(rng.randint(0, 3))
    )
    return PolicySource(name, let=LETS, require=require, rules=rules)


def outcome(source: PolicySource, router: Router, request: Request) -> Outcome:
    return reference(source, router.targets, request, Surroundings(NOW, Priors()))


def holds(text: str, request: Request, target: object, *, failing: bool) -> bool:
    roots = {"request": request_view(request), "facts": Facts(request).view()}
    lets = {name: jmespath.search(let, roots) for name, let in LETS.items()}
    try:
        value = jmespath.search(text, {**roots, **lets, "target": target.view})  # type: ignore[attr-defined]
    except (JMESPathError, TypeError, ValueError):
        return failing
    return not (value is None or value is False or value in ("", [], {}))


def breaks(kind: str, text: str, request: Request, target: object) -> bool:
    """Whether an eligible pair breaks a claim; one that cannot be evaluated does."""
    if kind == "never":
        return holds(text, request, target, failing=True)
    return not holds(text, request, target, failing=False)


def world(router: Router) -> World:
    data = router.workspace.settings.data
    return World(router.catalog, data, NOW)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_claims_hold_exactly_where_enumeration_finds_no_break(router: Router, rng: Random):
    source, kind, text = policy(rng), rng.choice(("never", "always")), condition(rng)
    proof = prove_claim(source, kind, text, world(router))
    pairs = ((r, s.target) for r in EVERY for s in outcome(source, router, r).ranking)
    broken = any(breaks(kind, text, request, target) for request, target in pairs)
    assert proof.outcome == ("refuted" if broken else "proved"), (source, kind, text, proof.why)
    if proof.example is not None:
        request = router.request(proof.example.situation.request)
        decision = router.decide(request, policy=Policy(source), assume_usable=True)
        target = next(t for t in decision.targets if t.id == proof.example.target)
        assert breaks(kind, text, request, target)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_claim_is_vacuous_exactly_where_nobody_is_eligible(router: Router, rng: Random):
    source = policy(rng)
    proof = prove_claim(source, "always", "target.id", world(router))
    someone = any(outcome(source, router, request).ranking for request in EVERY)
    assert proof.outcome == "proved"
    assert (proof.vacuous is None) == someone


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_winners_are_those_that_enumeration_finds(router: Router, rng: Random):
    source, target = policy(rng), rng.choice(router.targets)
    proof = prove_reachable(source, target.id, world(router))
    ranked = [outcome(source, router, request).ranking for request in EVERY]
    wins = any(ranking and ranking[0].target is target for ranking in ranked)
    best = ((s.target for s in ranking if s.score == ranking[0].score) for ranking in ranked)
    drawn = any(target in equals for equals in best)
    expected = "proved" if wins else "undecided" if drawn else "refuted"
    assert proof.outcome == expected, (source, target, proof)
    if proof.example is not None:
        case = proof.example.situation
        decision = router.decide(case.request, policy=Policy(source), assume_usable=True)
        assert decision.winner is target


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_policies_are_equivalent_where_the_same_wins_for_every_route(router: Router, rng: Random):
    source = policy(rng)
    other = policy(rng, "other") if rng.random() < 0.5 else varied(rng, source)
    proof = prove_equivalent(source, other, world(router))
    same = all(order(source, router, r) == order(other, router, r) for r in EVERY)
    assert proof.outcome == ("proved" if same else "refuted"), (source, other, proof)
    if proof.example is not None:
        request = proof.example.situation.request
        won = [
            router.decide(request, policy=Policy(p), assume_usable=True).winner
            for p in (source, other)
        ]
        assert won[0] is not won[1]


def order(source: PolicySource, router: Router, request: Request) -> list[str]:
    """Return the eligible targets: some `route` shows any difference in their order."""
    return [scored.target.id for scored in outcome(source, router, request).ranking]


def varied(rng: Random, source: PolicySource) -> PolicySource:
    """Return a policy that says much the same: rules in another order, some said twice or not."""
    rules = list(source.rules)
    rng.shuffle(rules)
    require = (*source.require, *source.require[:1])
    if rules and rng.random() < 0.5:
        rules.pop()
    return PolicySource("other", let=source.let, require=require, rules=tuple(rules))
