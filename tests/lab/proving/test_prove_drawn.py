"""What is proved of drawn policies is not broken by drawn requests, measurements and routes.

The expressions, fleets and requests are those that the evaluators are compared with: comparisons
of every kind, functions that fail on some data, prices, limits that are met exactly.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from llmroute.catalog.build import Catalog
from llmroute.catalog.model import Target
from llmroute.lab.proving.claims import Kind
from llmroute.lab.proving.prove import Proof, World, prove_claim
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.expressions.expression import ExpressionError
from llmroute.policy.source import PolicySource, Require
from tests.policy.strategies import NOON, expression, fleet, live, policy, turn


def broken(source: PolicySource, kind: Kind, text: str, targets: tuple[Target, ...], rng: Random):
    """Draw requests; return one that breaks the claim."""
    claim = Require("claim", text) if kind == "always" else Require("claim", "`false`", text)
    claimed = CompiledPolicy(replace(source, require=(*source.require, claim)), targets)
    plain = CompiledPolicy(source, targets)
    for _ in range(60):
        request, around, problems = turn(rng, live(rng, targets))
        around = replace(around, now=NOON)
        kept = decide(claimed, request, around, problems=problems).targets
        if len(kept) < len(decide(plain, request, around, problems=problems).targets):
            return request
    return None


def claim_about(source: PolicySource, kind: Kind, rng: Random) -> str:
    """Draw any claim, or one that a requirement should bring about, perhaps with more to it."""
    if not source.require or rng.random() < 0.3:
        return expression(rng)
    item = rng.choice(source.require)
    when, more = item.when or "`true`", expression(rng, 0)
    if kind == "never":
        return rng.choice((f"({when}) && !({item.target})", f"!({item.target}) && ({more})"))
    return rng.choice((f"!({when}) || ({item.target})", f"({item.target}) || ({more})"))


def drawn(seed: int) -> tuple[Proof, object]:
    rng = Random(seed)
    targets = fleet(rng, rng.randint(1, 6))
    providers = {t.provider.name: t.provider for t in targets}
    catalog = Catalog(providers, targets, {}, {name: {} for name in providers})
    source, kind = policy(rng), rng.choice(("never", "always"))
    text = claim_about(source, kind, rng)
    world = World(catalog, {}, NOON, cases=3_000, combinations=30_000)
    proof = prove_claim(source, kind, text, world)
    return proof, broken(source, kind, text, targets, rng) if proof.outcome == "proved" else None


def check(seeds: range) -> Counter[str]:
    """Prove drawn claims; count the outcomes."""
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        try:
            proof, against = drawn(seed)
        except ExpressionError:
            continue
        assert against is None, (seed, proof.claim, against)
        outcomes[proof.outcome] += 1
    return outcomes


def test_no_drawn_request_breaks_what_is_proved():
    outcomes = check(range(150))
    assert outcomes["proved"] > 10
    assert outcomes["refuted"] > 10


if __name__ == "__main__":
    import sys

    print(check(range(*map(int, sys.argv[1:3]))))
