"""What is proved about winners with prices, costs and measurements is what drawn grids show.

The other side is the reference evaluator over a grid of its own: requests of every kind that the
drawn expressions tell apart, many sizes, and measurements drawn for each target apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random

from llmroute.catalog.model import Target
from llmroute.lab.proving.prove import Proof, prove_equivalent, prove_reachable
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.engine.reference import reference
from llmroute.policy.expressions.expression import ExpressionError
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.live import LiveFacts
from llmroute.policy.source import PolicySource, Require, Rule, Select
from llmroute.types import Request
from tests.build import target
from tests.lab.proving.worlds import world
from tests.policy.strategies import IDS, NOON, Live, fleet, live, policy, turn

CONTINUOUS = (
    *("price", "price", "price", "quality", "quality", "reliability", "headroom", "affinity"),
    *({"cost": {"half": half}} for half in (0.001, 0.01, 1)),
    *({"latency": {"half": half}} for half in ("500ms", 2)),
    {"throughput": {"half": 50}},
    *("target.locality == 'local'", "target.quality.default", "not_null(live.loaded, `true`)"),
)
WHENS = (
    *(None, None, "contains(request.tags, 'code')", "facts.tokens > `1000`", "facts.code"),
    *("estimate.cost < `0.001`", "target.locality == 'local'", "live.success > `0.9`"),
    *("request.max_tokens > `100`", "request.task == 'code'", "facts.tools", "!request.stream"),
)
DEMANDS = (
    *("estimate.cost_max <= `0.01`", "target.locality == 'local'", "live.headroom > `0.5`"),
    *("target.context_window > estimate.tokens_in", "type(target.cost.input) == 'number'"),
)
SIZES = (0, 1, 7, 90, 700, 900, 901, 1000, 1001, 3_000, 7_000, 8_000, 40_000, 900_000, 10**9)
CAPS = (None, 1, 50, 101, 499, 501, 2_000, 4_096, 100_000)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PROMPTS = ("hi", "def f():\n    return 1", "\n" * 400, "日本の首都はどこですか。" * 20)


def small(rng: Random) -> PolicySource:
    """Draw a policy whose rules are mostly about prices, costs and measurements."""
    weights = (1_000, 2_000, 5_000, 10_000, 30_000, 33_333, 100_000, -2_000, -500)
    rules = tuple(
        Rule(f"r{n}", rng.choice(weights), rng.choice(CONTINUOUS), rng.choice(WHENS))
        for n in range(rng.randint(1, 4))
    )
    require = tuple(
        Require(f"q{n}", rng.choice(DEMANDS), rng.choice(WHENS)) for n in range(rng.randint(0, 1))
    )
    keys = tuple(rng.sample(("cost", "latency", "quality", "target"), rng.randint(1, 3)))
    return PolicySource("p", rules=rules, require=require, select=Select(tie_break=keys))


def able(rng: Random, size: int) -> tuple[Target, ...]:
    """Draw targets that can do the same and differ in price, quality and sizes."""
    made = []
    for name in rng.sample(IDS, size):
        into = rng.choice((0, 0.05, 0.2, 1, 3, 15))
        data = {"price": (into, rng.choice((into, 3 * into, 15)))} if rng.random() < 0.9 else {}
        data |= {"context_window": rng.choice((8_000, 128_000, 1_000_000, None))}
        data |= {"typical_output": rng.choice((None, None, 300, 2_000))}
        data |= {"tokenizer": rng.choice(("generic", "generic", "generic", "claude"))}
        if rng.random() < 0.7:
            figures = {"default": rng.choice((0.3, 0.6, 0.9)), "code": rng.choice((0.2, 0.8))}
            data["quality"] = {**figures, "source": "x", "date": "2026-01-01"}
        fields = {key: value for key, value in data.items() if value is not None}
        made.append(target(name, rng.choice(("local", "cloud")), **fields))
    return tuple(made)


def drawn(seed: int) -> tuple[PolicySource, tuple[Target, ...], Target, Random]:
    rng = Random(seed)
    source = small(rng) if seed % 3 else policy(rng)
    targets = fleet(rng, rng.randint(2, 5)) if seed % 2 else able(rng, rng.randint(2, 6))
    wins = Counter[str]()
    policy_of = CompiledPolicy(source, targets)
    for request, around in grid(rng, targets, targets[0], 16):
        winner = decide(policy_of, request, around).winner
        wins[winner.id if winner else ""] += 1
    return source, targets, min(targets, key=lambda t: wins[t.id]), rng


def measured(rng: Random, targets: tuple[Target, ...], favoured: Target) -> Live:
    """Draw measurements; often the best for one target and the worst for the others."""
    if rng.random() < 0.3:
        return Live()
    best, worst = LiveFacts(0.0, 1e6, 1.0, 1.0, 0, True), LiveFacts(1e6, 0.0, 0.0, 0.0, 9, False)
    rest = LiveFacts(rng.choice((0.1, 3)), 40, rng.choice((0.9, 0.97)), 0.6, 1, None)
    pick = rng.choice(((best, worst), (best, best), (worst, worst), (rest, worst), (best, rest)))
    return Live({t.id: pick[0 if t is favoured else 1] for t in targets})


def grid(rng: Random, targets: tuple[Target, ...], favoured: Target, count: int):
    """Yield drawn points of a dense grid of requests, sizes and measurements."""
    kinds = list(product(PROMPTS, ((), ("code",), ("m1",)), (False, True), (False, True)))
    for _ in range(count):
        text, tags, tools, stream = rng.choice(kinds)
        sizes = rng.choice((None, *SIZES, rng.randint(0, 20_000), int(10 ** rng.uniform(0, 7))))
        caps = rng.choice((*CAPS, rng.randint(1, 5_000)))
        labels = {"privacy": rng.choice(("private", "public", "p1"))} if rng.random() < 0.4 else {}
        request = Request.of(
            text,
            tags=tags,
            task=rng.choice((None, "code", "math", "x")),
            tools=[TOOL] if tools else [],
            stream=stream,
            metadata=labels,
            input_tokens=sizes,
            max_tokens=caps,
        )
        around = Surroundings(NOON, measured(rng, targets, favoured), {})
        around.live.served = rng.choice((None, favoured.id, rng.choice(targets).id))  # type: ignore[attr-defined]
        yield request, around
    for _ in range(count // 4):
        request, around, _ = turn(rng, live(rng, targets))
        if not request.route.order:
            yield replace(request, route=Request.of("x").route), replace(around, now=NOON)


def check(seed: int, count: int) -> Proof | None:
    """Hold one drawn claim against the grid."""
    source, targets, wanted, rng = drawn(seed)
    try:
        proof = prove_reachable(source, wanted.id, world(targets))
    except ExpressionError:
        return None
    if proof.outcome == "proved":
        assert proof.example is not None
        case = proof.example.situation
        winner = decide(CompiledPolicy(source, targets), case.request, case.around()).winner
        assert getattr(winner, "id", None) == wanted.id, (seed, proof)
        return proof
    if proof.outcome == "refuted":
        for request, around in grid(rng, targets, wanted, count):
            ranking = reference(source, targets, request, around).ranking
            assert not ranking or ranking[0].target is not wanted, (seed, proof, request, around)
    return proof


def varied(rng: Random, source: PolicySource) -> PolicySource:
    """Return a policy that says much the same: scaled, split, with another half, or less."""
    rules = list(source.rules)
    how = rng.choice(("scale", "split", "half", "weight", "drop", "add", "order", "tie"))
    place = rng.randrange(len(rules)) if rules else 0
    if how == "scale":
        rules = [replace(rule, weight=rule.weight * 2) for rule in rules]
    elif how == "order":
        rng.shuffle(rules)
    elif how == "add":
        rules.append(Rule("more", 1_000, rng.choice(CONTINUOUS), rng.choice(WHENS)))
    elif rules and how == "drop":
        rules.pop(place)
    elif rules and how == "split":
        half = replace(rules[place], weight=rules[place].weight // 2)
        rules[place : place + 1] = [half, replace(half, name="again")]
    elif rules and how == "weight":
        rules[place] = replace(rules[place], weight=rules[place].weight + rng.choice((1, 1_000)))
    elif rules and how == "half":
        prefer = {"cost": {"half": 0.02}} if rng.random() < 0.5 else {"latency": {"half": 3}}
        rules[place] = replace(rules[place], prefer=prefer)
    ties = rng.choice((("cost", "target"), ("target",))) if how == "tie" else None
    select = Select(tie_break=ties) if ties else source.select
    return replace(source, name="other", rules=tuple(rules), select=select)


def compare(seed: int, count: int) -> Proof | None:
    """Hold one drawn claim that two policies are equivalent against the grid."""
    source, targets, wanted, rng = drawn(seed)
    other = varied(rng, source)
    try:
        proof = prove_equivalent(source, other, world(targets))
    except ExpressionError:
        return None
    policies = [CompiledPolicy(p, targets) for p in (source, other)]
    if proof.outcome == "refuted":
        assert proof.example is not None
        case = proof.example.situation
        won = [decide(p, case.request, case.around()).winner for p in policies]
        assert won[0] is not won[1], (seed, proof)
    if proof.outcome == "proved":
        for request, around in grid(rng, targets, wanted, count):
            orders = [
                [scored.target.id for scored in reference(p, targets, request, around).ranking]
                for p in (source, other)
            ]
            assert orders[0] == orders[1], (seed, proof, request, around)
    return proof


def survey(seeds: range, count: int) -> Counter[str]:
    """Count the outcomes of drawn claims."""
    found = (check(seed, count) for seed in seeds)
    return Counter(proof.outcome for proof in found if proof is not None)


def test_no_point_of_a_grid_breaks_what_is_proved_of_a_winner():
    outcomes = survey(range(80), 40)
    assert outcomes["undecided"] <= 17
    assert outcomes["proved"] > 10
    assert outcomes["refuted"] > 7


def test_no_point_of_a_grid_breaks_what_is_proved_equivalent():
    found = (compare(seed, 40) for seed in range(24))
    outcomes = Counter(proof.outcome for proof in found if proof is not None)
    assert outcomes["proved"] > 5
    assert outcomes["refuted"] > 2


if __name__ == "__main__":
    import sys

    print(survey(range(*map(int, sys.argv[1:3])), int(sys.argv[3])))
