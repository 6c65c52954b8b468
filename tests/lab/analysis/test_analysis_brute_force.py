"""What is said of policies is what enumeration finds, over a world small enough to enumerate.

The other side is the reference evaluator and jmespath's own interpreter; neither shares the
analyses' way of choosing values.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import product
from random import Random
from typing import Any

import jmespath
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from llmroute.lab.analysis.conditions import Conditions
from llmroute.lab.analysis.requires import subsuming, unmet
from llmroute.lab.analysis.rules import Fleet, inert_rules
from llmroute.lab.analysis.targets import never_chosen
from llmroute.policy.engine.reference import reference
from llmroute.policy.expressions.expression import Expression
from llmroute.policy.facts.facts import Facts
from llmroute.policy.scoring.context import Surroundings, request_view
from llmroute.policy.scoring.live import Priors
from llmroute.policy.source import PolicySource, Require, Rule
from llmroute.types import Request
from tests.build import target

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
INPUTS = {
    "privacy": {"enum": ["private", "public"], "default": "public"},
    "level": {"enum": [1, 2], "type": "number", "default": 2},
}
LETS = {"secret": "request.metadata.privacy == 'private' || contains(request.tags, 'y')"}
TARGETS = (
    target("here/a", "local", specializations=["code"], quality={"default": 0.5, "code": 0.9}),
    target("here/b", "local", quality={"default": 0.7}),
    target("there/a", specializations=["code"], quality={"default": 0.5}),
    target("there/b", quality={"default": 0.7, "code": 0.75}),
)
FLEET = Fleet(TARGETS, {"inputs": INPUTS}, NOW)
OF_REQUEST = (
    "request.metadata.privacy == 'private'",
    "request.metadata.privacy != 'private'",
    "request.metadata.level > `1`",
    "request.metadata.level >= `1`",
    "request.metadata.level == `3`",
    "contains(request.tags, 'a')",
    "!contains(request.tags, 'a')",
    "contains(request.tags, 'y') && request.metadata.level == `1`",
    "request.task == 'code'",
    "request.task != 'code'",
    "facts.tools",
    "!(facts.tools)",
    "secret",
    "!secret",
    "starts_with(request.task, 'co')",
)
OF_TARGET = (
    "target.locality == 'local'",
    "target.locality != 'local'",
    "target.provider == 'here'",
    "target.provider == 'nobody'",
    "contains(target.specializations, 'code')",
    "target.quality.default > `0.6`",
    "target.quality.default >= `0.5`",
    "target.quality.default",
)
MIXED = (
    "target.model == 'b' && facts.tools",
    "target.locality == 'local' || request.metadata.level == `2`",
    "contains(target.specializations, request.task)",
)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PROMPTS = ("What is the capital of Austria?", "def f(x):\n    return x + 1\n\nWhy?")
EVERY = tuple(
    Request.of(
        prompt,
        metadata={"privacy": privacy, "level": level},
        tags=tuple(tags),
        task=task,
        tools=[TOOL] if tools else [],
    )
    for prompt, privacy, level, tags, task, tools in product(
        PROMPTS,
        ("private", "public"),
        (1, 2),
        ("", "y", "a", "ya"),
        (None, "code", "coach", "other"),
        (False, True),
    )
)
#: What the fields can be, by the end of their names; a text that nothing names stands for others.
FREE: dict[str, tuple[Any, ...]] = {
    "request.metadata.privacy": ("private", "public"),
    "request.metadata.level": (1, 2),
    "request.tags": ([], ["y"], ["a"], ["y", "a"], ["z"]),
    "request.task": (None, "", "code", "coach", "other"),
    "facts.tools": (False, True),
    "target.locality": ("local", "cloud"),
    "target.provider": ("here", "nobody", "there"),
    "target.model": ("b", "c"),
    "target.specializations": ([], ["code"], ["x"], ["code", "x"]),
    "target.quality.default": (None, 0, 0.4, 0.5, 0.55, 0.6, 0.7, 1),
}
random = st.randoms(use_true_random=False)
#: A failure is shown as it was drawn: shrinking would enumerate for minutes.
FAST = (Phase.explicit, Phase.reuse, Phase.generate)


@cache
def compiled(text: str) -> Any:
    return jmespath.compile(text)


def value(text: str, scope: dict[str, Any]) -> bool | None:
    lets = {name: compiled(let).search(scope) for name, let in LETS.items() if name in text}
    try:
        found = compiled(text).search({**scope, **lets})
    except (JMESPathError, TypeError, ValueError):
        return None
    return not (found is None or found is False or found in ("", [], {}))


def scopes(*texts: str | None):
    """Yield every combination of what the fields that are named in texts can be."""
    shown = " ".join(text or "" for text in texts) + (
        LETS["secret"] if "secret" in str(texts) else ""
    )
    named = [name for name in FREE if name in shown]
    for values in product(*(FREE[name] for name in named)):
        scope: dict[str, Any] = {"request": {}, "facts": {}, "target": {}}
        for name, one in zip(named, values, strict=True):
            place = scope
            *heads, last = name.split(".")
            for head in heads:
                place = place.setdefault(head, {})
            place[last] = one
        if "tags" not in scope["request"] and "secret" in shown:
            scope["request"]["tags"] = []
        yield scope


def condition(rng: Random, pools: tuple[tuple[str, ...], ...] = (OF_REQUEST, OF_TARGET)) -> str:
    text = rng.choice(rng.choice(pools))
    if rng.random() < 0.6:
        return f"({text}) {rng.choice(('&&', '||'))} ({rng.choice(rng.choice(pools))})"
    return text


def policy(rng: Random, name: str = "drawn") -> PolicySource:
    whens = [None, *OF_REQUEST]
    require = tuple(
        Require(f"q{n}", rng.choice((*OF_TARGET, *MIXED)), rng.choice(whens))
        for n in range(rng.choice((0, 0, 1, 2)))
    )
    rules = tuple(
        Rule(
            f"r{n}",
            rng.choice((1000, 2000, -1000, 50)),
            rng.choice((*OF_TARGET, *OF_TARGET, *MIXED, "quality", "facts.tools")),
            rng.choice(whens),
        )
        for n in range(rng.randint(1, 3))
    )
    return PolicySource(name, let=LETS, require=require, rules=rules)


def order(source: PolicySource, request: Request) -> list[str]:
    found = reference(source, TARGETS, request, Surroundings(NOW, Priors()))
    return [scored.target.id for scored in found.ranking]


def standing(source: PolicySource, request: Request) -> list[tuple[str, int]]:
    """Return the eligible targets with how many have more points: equals share their place."""
    ranking = reference(source, TARGETS, request, Surroundings(NOW, Priors())).ranking
    return [(one.target.id, sum(other.score > one.score for other in ranking)) for one in ranking]


@settings(max_examples=150, deadline=None, phases=FAST)
@given(random)
def test_a_condition_is_constant_where_all_values_agree(rng: Random):
    text = condition(rng)
    seen = {value(text, scope) for scope in scopes(text)}
    expected = next(iter(seen)) if len(seen) == 1 else None
    lets = {name: Expression(let) for name, let in LETS.items()}
    told = Conditions(INPUTS).always(Expression(text).tree, lets)
    if " request.task)" not in text:
        assert told == expected, text
    assert told in (None, expected), text


@settings(max_examples=150, deadline=None, phases=FAST)
@given(random)
def test_a_requirement_is_subsumed_where_it_rejects_nobody_more(rng: Random):
    whens = [None, *OF_REQUEST]
    pools = (OF_TARGET, MIXED[:2])
    mine, other = (
        Require(name, condition(rng, pools), rng.choice(whens)) for name in ("mine", "other")
    )
    source = PolicySource("p", let=LETS, require=(other, mine))

    def rejects(item: Require, scope: dict[str, Any]) -> bool:
        asked = item.when is None or value(item.when, scope) is not False
        return asked and value(item.target, scope) is not True

    every = list(scopes(mine.when, mine.target, other.when, other.target))
    expected = all(rejects(other, scope) for scope in every if rejects(mine, scope))
    found = subsuming(source, 1, Conditions(INPUTS))
    assert found is None or expected, (mine, other)
    if len(every) < 1000:  # where there is more, the analysis may be silent
        assert (found is other) == expected, (mine, other)


@settings(max_examples=40, deadline=None, phases=FAST)
@given(random)
def test_a_requirement_is_unmet_where_no_target_passes(rng: Random):
    pools = (OF_TARGET, OF_TARGET, MIXED[:2])
    item = Require("q", condition(rng, pools), rng.choice((None, *OF_REQUEST)))
    source = PolicySource("p", let=LETS, require=(item,))
    asked = met = False
    for request in EVERY:
        scope = {"request": request_view(request), "facts": Facts(request).view()}
        if item.when is None or value(item.when, scope) is not False:
            asked = True
            met |= any(value(item.target, {**scope, "target": t.view}) for t in TARGETS)
    found = unmet(source, 0, FLEET, Conditions(INPUTS))
    assert (found is not None) == (asked and not met), item


@settings(max_examples=25, deadline=None, phases=FAST)
@given(random)
def test_a_rule_is_inert_where_every_order_is_the_same_without_it(rng: Random):
    source = policy(rng)
    orders = [standing(source, request) for request in EVERY]
    expected = set()
    for rule in source.rules:
        rest = replace(source, rules=tuple(r for r in source.rules if r is not rule))
        if all(standing(rest, request) == was for request, was in zip(EVERY, orders, strict=True)):
            expected.add(rule.name)
    assert {name for name, _ in inert_rules(source, FLEET)} == expected, source


@settings(max_examples=25, deadline=None, phases=FAST)
@given(random)
def test_a_target_is_never_chosen_where_it_wins_no_request(rng: Random):
    sources = [policy(rng, f"p{n}") for n in range(rng.randint(1, 2))]
    eligible = {name for s in sources for request in EVERY for name in order(s, request)}
    won = {
        name
        for s in sources
        for request in EVERY
        for name, place in standing(s, request)
        if not place
    }
    found = never_chosen(sources, FLEET)
    assert {never.target.id for never in found} == {t.id for t in TARGETS} - won, sources
    for never in found:
        assert never.barred == (never.target.id not in eligible)


def test_requirements_about_other_labels_are_not_tried_in_pairs():
    """Of 40 requirements there are 1,560 pairs; each asks for a grid of its own."""
    kept = "target.locality == 'local'"
    require = [Require(f"r{n}", kept, f"request.metadata.k{n} == 'x'") for n in range(40)]
    answers, source = Conditions(None), PolicySource("p", require=(*require,))
    assert [subsuming(source, place, answers) for place in range(40)] == [None] * 40
    assert len(answers._known) <= 40
    wider = Require("wider", kept, "request.metadata.k7 != 'y'")
    both = PolicySource("p", require=(*require, wider))
    assert subsuming(both, 7, answers) == wider
    assert subsuming(both, 8, answers) is None
