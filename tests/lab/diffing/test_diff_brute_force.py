"""What diff reports is what enumeration finds, over a grid of requests made without the domain.

Winners are those of the reference evaluator, which shares no evaluation with the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.catalog.model import Target
from llmroute.errors import UsageError
from llmroute.lab.diffing.cases import joint_domain
from llmroute.lab.diffing.diff import Change, Compared, Names, Side, compare
from llmroute.lab.domain.domain import Domain
from llmroute.lab.domain.situation import Situation
from llmroute.policy.engine.reference import reference
from llmroute.policy.inputs import check_inputs
from llmroute.policy.policy import Policy
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.live import Priors
from llmroute.policy.source import PolicySource, Require, Rule, Select
from llmroute.types import Request
from tests.build import target

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AROUND = Surroundings(NOW, Priors())
NAMES = Names("old", "new", "drawn")
INPUTS = {
    "privacy": {"enum": ["private", "public"], "default": "public"},
    "level": {"enum": [1, 2], "type": "number", "default": 1},
}
LETS = {"secret": "request.metadata.privacy == 'private' || contains(request.tags, 'y')"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
TEXTS = ("Why?", "def f(x):\n    return x + 1\n\nWhy?")
LIMIT, SIZED = 20_000, 6_000
OF_REQUEST = (
    "request.metadata.privacy == 'private'",
    "request.metadata.level > `1`",
    "!(request.metadata.level == `2`)",
    "contains(request.tags, 'x')",
    "contains(request.tags, 'y') && request.metadata.level == `1`",
    "request.tags",
    "!request.task",
    "request.task == 'code'",
    "starts_with(request.task, 'co')",
    "facts.tools",
    "secret",
    "!secret && facts.tools",
)
OF_TARGET = (
    "target.locality == 'local'",
    "target.locality != 'local'",
    "target.provider == 'p1'",
    "ends_with(target.id, '/x')",
    "contains(target.specializations, 'code')",
    "target.quality.default > `0.6`",
    "contains(target.specializations, request.task)",
    "contains(request.tags, target.model)",
    "target.model == 'z' && facts.tools",
)
OF_SIZES = (
    "facts.tokens > `500`",
    "facts.tokens <= `90`",
    "facts.tokens == `700`",
    "request.max_tokens > `60`",
)
SIZES = tuple(
    product((None, 0, 50, 90, 91, 499, 500, 501, 699, 700, 701, 899, 900, 999, 1000, 1001, 5000),
            (None, 1, 59, 60, 61, 99, 100, 101, 400))
)  # fmt: skip


def drawn_fleet(rng: Random, *, sized: bool) -> tuple[Target, ...]:
    made = []
    for name in ("p0/x", "p0/z", "p1/x", "p1/z"):
        if rng.random() < 0.15:
            continue
        able = {"streaming": True, "tools": rng.random() < 0.8, "json_schema": True}
        figures: dict[str, Any] = {"default": rng.choice((0.5, 0.7, 0.9))}
        figures |= {"code": rng.choice((0.4, 0.95))} if rng.random() < 0.4 else {}
        more: dict[str, Any] = {}
        if sized:
            more["context_window"] = rng.choice((None, 100, 1000))
            more["max_output"] = rng.choice((None, 60, 100))
        local = rng.choice(("local", "cloud"))
        special = rng.choice(((), ("code",)))
        made.append(
            target(name, local, capabilities=able, quality=figures, specializations=special, **more)
        )
    return tuple(made)


def drawn_policy(rng: Random, pool: tuple[str, ...], name: str) -> PolicySource:
    whens = (None, *pool)
    require = tuple(
        Require(f"q{n}", rng.choice(OF_TARGET), rng.choice(whens)) for n in range(rng.randint(0, 2))
    )
    rules = tuple(
        Rule(f"r{n}", rng.choice((1000, 2000, -1000)), rng.choice((*OF_TARGET, "quality")),
             rng.choice(whens))
        for n in range(rng.randint(0, 3))
    )  # fmt: skip
    ties = Select(tie_break=rng.choice((("target",), ("quality", "target"), ("cost", "target"))))
    return PolicySource(name, let=LETS, require=require, rules=rules, select=ties)


def altered(rng: Random, source: PolicySource, other: PolicySource) -> PolicySource:
    """Return a policy that differs from another in a part, in nothing, or altogether."""
    parts = {
        "rules": (*source.rules[1:], *other.rules[:1]),
        "require": other.require[:1],
        "select": other.select,
    }
    chosen = rng.sample(sorted(parts), rng.choice((0, 1, 1, 2)))
    values = {n: parts[n] if n in chosen else getattr(source, n) for n in parts}
    return PolicySource("new", let=LETS, **values)


def drawn_sides(rng: Random, *, sized: bool) -> tuple[Side, Side]:
    pool = (*OF_SIZES, "facts.tools", "secret") if sized else OF_REQUEST
    old, other = drawn_policy(rng, pool, "old"), drawn_policy(rng, pool, "new")
    fleet = drawn_fleet(rng, sized=sized)
    later = drawn_fleet(rng, sized=sized) if rng.random() < 0.3 else fleet
    return Side(old, fleet, INPUTS), Side(altered(rng, old, other), later, INPUTS)


def grid(rng: Random, *, sized: bool) -> Iterator[Request]:
    """Yield requests: all combinations of labels, and of sizes a part."""
    tags = ((), *(tuple(some) for some in ("x", "y", "z", "xy", "xz", "yz", "xyz", "q")))
    tasks = (None, "code", "coach", "chat")
    if sized:
        tags, tasks = ((), ("y",)), (None,)
    labels = product(("private", "public"), (1, 2))
    texts = TEXTS[:1] if sized else TEXTS
    for (privacy, level), tagged, task, tools, text in product(
        labels, tags, tasks, (False, True), texts
    ):
        for size, most in rng.sample(SIZES, 10) if sized else [(None, None)]:
            yield Request.of(
                text,
                metadata={"privacy": privacy, "level": level},
                tags=tagged,
                task=task,
                tools=[TOOL] if tools else [],
                input_tokens=size,
                max_tokens=most,
                stream=True,
            )


def winner(side: Side, request: Request) -> str | None:
    ranking = reference(side.source, side.targets, request, AROUND).ranking
    return ranking[0].target.id if ranking else None


def decided(side: Side, change: Change) -> str | None:
    """Decide an example anew, as a caller would."""
    request = check_inputs(change.situation.request, INPUTS)
    around = change.situation.around()
    found = Policy(side.source).decide(request, side.targets, around=around).winner
    return found.id if found else None


def value_of(name: str, request: Request) -> Any:
    if name.startswith("request.metadata."):
        return request.metadata.get(name.removeprefix("request.metadata."))
    return bool(request.tools)


def meets(change: Change, request: Request, domain: Domain) -> bool:
    """Whether a request meets a class's conditions, as far as they are plain to check here."""
    every = {d.name: d.values for d in domain.dimensions}
    for item in change.conditions:
        if item.name == "facts.tools" or item.name.startswith("request.metadata."):
            if value_of(item.name, request) not in item.values:
                return False
        elif item.name == "request.tags":
            asked = {m for value in every[item.name] for m in value} & {"x", "y", "z"}
            seen = (bool(request.tags), set(request.tags) & asked)
            looks = [(bool(v), set(v) & asked) for v in every[item.name]]
            fits = [(bool(v), set(v) & asked) for v in item.values]
            if seen in looks and seen not in fits:
                return False
        elif item.name == "request.task":
            known = request.task in every[item.name]
            if known and request.task not in item.values:
                return False
    return True


def check_sound(found: Compared, old: Side, new: Side) -> None:
    for group in found.winners:
        assert group.old != group.new
        for change in group.changes:
            assert (change.old.winner, change.new.winner) == (group.old, group.new)
            assert (decided(old, change), decided(new, change)) == (group.old, group.new)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_changes_of_winners_are_those_that_enumeration_finds(rng: Random):
    old, new = drawn_sides(rng, sized=False)
    found = compare(old, new, NAMES, now=NOW, limit=LIMIT)
    check_sound(found, old, new)
    assert found.exhaustive, found.why_not
    domain = joint_domain(old, new, NOW, LIMIT)
    classes = {(g.old, g.new): g for g in found.winners}
    changed = set()
    for request in grid(rng, sized=False):
        pair = winner(old, request), winner(new, request)
        if pair[0] == pair[1]:
            continue
        changed.add(pair)
        assert pair in classes, (old.source, new.source, request)
        group = classes[pair]
        assert group.more or any(meets(c, request, domain) for c in group.changes), request
    # The other direction: what is reported is on the grid, which holds every value that is asked.
    assert changed == set(classes)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_change_of_sizes_is_missed(rng: Random):
    old, new = drawn_sides(rng, sized=True)
    found = compare(old, new, NAMES, now=NOW, limit=SIZED)
    check_sound(found, old, new)
    if not found.exhaustive:
        return
    pairs = {(group.old, group.new) for group in found.winners}
    for request in grid(rng, sized=True):
        pair = winner(old, request), winner(new, request)
        assert pair[0] == pair[1] or pair in pairs, (old.source, new.source, request)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_classes_hold_each_changed_case_and_no_other(rng: Random):
    old, new = drawn_sides(rng, sized=False)
    found = compare(old, new, NAMES, now=NOW, limit=LIMIT)
    domain = joint_domain(old, new, NOW, LIMIT)
    classes = {(g.old, g.new): g for g in found.winners}
    counts = dict.fromkeys(classes, 0)
    for case in domain.cases(LIMIT) if found.looked_at else ():
        pair = first_of(old, case), first_of(new, case)
        held = {k for k, g in classes.items() if any(within(c, case, domain) for c in g.changes)}
        assert held <= {pair}
        if pair in classes:
            counts[pair] += 1
            assert held or classes[pair].more
    assert counts == {key: group.cases for key, group in classes.items()}


def first_of(side: Side, case: Situation) -> str | None:
    try:
        found = side.decide(case).winner
    except UsageError:
        return "refused"
    return found.id if found else None


def within(change: Change, case: Situation, domain: Domain) -> bool:
    chosen = {d.name: d.values[0] for d in domain.dimensions} | dict(case.choices)
    return all(
        any(repr(chosen[item.name]) == repr(value) for value in item.values)
        for item in change.conditions
    )
