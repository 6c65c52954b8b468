"""What is said of drawn policies is not broken by drawn requests, measurements and prices.

The expressions, fleets and requests are those that the evaluators are compared with; prices and
measurements vary, so that little is certain, and what is said must be.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from llmroute.catalog.model import Target
from llmroute.lab.analysis.conditions import Conditions
from llmroute.lab.analysis.requires import subsuming, unmet
from llmroute.lab.analysis.rules import Fleet, inert_rules
from llmroute.lab.analysis.targets import never_chosen
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.expressions.expression import ExpressionError
from llmroute.policy.source import PolicySource, Rule
from llmroute.types import Route
from tests.build import target
from tests.policy.strategies import NOON, fleet, live, policy, turn

TURNS = 25


def turns(rng: Random, targets: tuple[Target, ...]):
    for _ in range(TURNS):
        request, around, problems = turn(rng, live(rng, targets))
        yield request, replace(around, now=NOON), problems


def told(source: PolicySource, request, around, problems=None) -> list[str]:
    """Return the order of a decision; where it cannot be made, nothing is told."""
    targets = decide(source, request, around, problems=problems or {}).targets
    return [target.id for target in targets]


def check_inert(source: PolicySource, targets: tuple[Target, ...], rng: Random) -> int:
    found = [name for name, _ in inert_rules(source, Fleet(targets, {}, NOON))]
    whole = CompiledPolicy(source, targets)
    for name in found:
        kept = tuple(rule for rule in source.rules if rule.name != name)
        rest = CompiledPolicy(replace(source, rules=kept), targets)
        for request, around, problems in turns(rng, targets):
            assert told(whole, request, around, problems) == told(rest, request, around, problems)
    return len(found)


def check_never(source: PolicySource, targets: tuple[Target, ...], rng: Random) -> int:
    never = {item.target.id: item for item in never_chosen([source], Fleet(targets, {}, NOON))}
    policy_ = CompiledPolicy(source, targets)
    for request, around, _ in turns(rng, targets) if never else ():
        order = told(policy_, replace(request, route=Route()), around)
        assert not order or order[0] not in never, (source, order[0], never[order[0]])
        assert not any(never[name].barred for name in order if name in never)
    return len(never)


def check_requirements(source: PolicySource, targets: tuple[Target, ...], rng: Random) -> int:
    """Nothing subsumed or unmet rejects otherwise than is said."""
    count, answers = 0, Conditions(None)
    for place, item in enumerate(source.require):
        by = subsuming(source, place, answers)
        if by is not None:
            count += 1
            kept = tuple(other for other in source.require if other is not item)
            with_it, without = (
                CompiledPolicy(replace(source, require=some), targets)
                for some in (source.require, kept)
            )
            for request, around, _ in turns(rng, targets):
                assert told(with_it, request, around) == told(without, request, around)
        if unmet(source, place, Fleet(targets, {}, NOON), answers) is not None:
            count += 1
            only = CompiledPolicy(replace(source, require=(replace(item, when=None),)), targets)
            for request, around, _ in turns(rng, targets):
                if item.when is None:
                    assert not told(only, request, around)
    return count


def certain(rng: Random, source: PolicySource) -> PolicySource:
    """Return a policy with one rule that outweighs all others, so that some targets stay behind."""
    if rng.random() < 0.5:
        return source
    prefer = rng.choice(("quality", "target.locality == 'local'", "target.quality.default"))
    heavy = Rule("heavy", 200_000_000, prefer)
    return replace(source, rules=(*source.rules, heavy))


def check(seeds: range) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in seeds:
        rng = Random(seed)
        targets = fleet(rng, rng.randint(2, 7))
        source = certain(rng, policy(rng))
        try:
            counts["inert"] += check_inert(source, targets, rng)
            counts["never"] += check_never(source, targets, rng)
            counts["requirements"] += check_requirements(source, targets, rng)
        except ExpressionError:
            counts["refused"] += 1
    return counts


def test_no_drawn_request_breaks_what_is_said():
    counts = check(range(200))
    assert counts["inert"] > 10
    assert counts["never"] > 10
    assert counts["requirements"] > 3


if __name__ == "__main__":
    import sys

    print(check(range(*map(int, sys.argv[1:3]))))


def test_equals_are_drawn_among_so_none_is_never_chosen_and_what_parts_them_is_not_inert():
    targets = (target("x/a"), target("y/b"))
    first = Rule("first", 1_000, "target.id == 'x/a'")
    assert never_chosen([PolicySource("p")], Fleet(targets, {}, NOON)) == ()
    assert inert_rules(PolicySource("p", rules=(first,)), Fleet(targets, {}, NOON)) == []
