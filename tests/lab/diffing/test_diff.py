"""Diffs that can be worked out by hand.

far/big costs $10 and $20 a million tokens in and out, far/small $1 and $2, home/m nothing. With
1,000 tokens in and 500 out that is $0.02, $0.002 and $0.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any

from llmroute.lab.diffing.diff import Compared, Logged, Names, Side, compare, compare_log
from llmroute.lab.domain.situation import Situation
from llmroute.policy.source import Fallback, PolicySource, Require, Rule, Select
from llmroute.types import Request
from tests.build import target

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BIG = target("far/big", price=(10, 20), quality={"default": 0.9})
SMALL = target("far/small", price=(1, 2), quality={"default": 0.5, "code": 0.25})
HOME = target("home/m", "local", price=(0, 0))
FLEET = (BIG, SMALL, HOME)
#: far/big first, far/small second, home/m third.
RULES = (
    Rule("big", 3000, "target.id == 'far/big'"),
    Rule("small", 2000, "target.id == 'far/small'"),
    Rule("home", 1000, "target.id == 'home/m'"),
)
OLD = PolicySource("p", rules=RULES)
TAGGED = "contains(request.tags, 'secret')"
KEPT = Require("stays", "target.locality == 'local'", TAGGED)
SIZED = Rule("long", 2500, "target.id == 'far/small'", "facts.tokens > `1000`")


def diff(old: PolicySource, new: PolicySource, **fields: Any) -> Compared:
    one, other = Side(old, FLEET), Side(new, FLEET)
    return compare(one, replace(other, **fields), Names("p", "p", "p"), now=NOW)


def classes(compared: Compared) -> list[tuple[str | None, str | None, list[list[str]]]]:
    return [
        (g.old, g.new, [[item.text for item in c.conditions] for c in g.changes])
        for g in compared.winners
    ]


def test_nothing_differs():
    found = diff(OLD, OLD)
    assert (found.changed, found.looked_at, found.exhaustive) == (0, 0, True)


def test_what_is_said_otherwise_is_no_difference():
    renamed = tuple(replace(rule, name=f"{rule.name} again") for rule in reversed(RULES))
    assert diff(OLD, PolicySource("p", "words", rules=renamed)).looked_at == 0


def test_a_new_requirement_moves_what_it_is_about():
    found = diff(OLD, replace(OLD, require=(KEPT,)))
    assert classes(found) == [("far/big", "home/m", [['request.tags has "secret"']])]
    assert found.exhaustive
    change = found.winners[0].changes[0]
    assert change.situation.request.tags == ("secret",)
    assert change.situation.command("p").endswith(
        "--tag secret --policy p --assume-usable --offline"
    )
    # Local models of unknown size have a prior of 0.35.
    assert change.quality_change == -0.55
    assert change.new.usd == 0


def test_the_cost_and_quality_of_the_example():
    found = diff(OLD, replace(OLD, rules=(*RULES, SIZED)))
    assert classes(found) == [("far/big", "far/small", [["input_tokens is at least 1,001"]])]
    change = found.winners[0].changes[0]
    # 1,001 tokens in and 500 out.
    assert change.old.usd == Decimal("0.02001")
    assert change.new.usd == Decimal("0.002001")
    assert change.cost_change == Decimal("-0.018009")
    assert change.cost_percent == -90
    assert change.quality_change == -0.4


def test_quality_is_that_of_the_task():
    swapped = (replace(RULES[0], weight=1500), *RULES[1:])
    coded = Rule("none", 0, "price", "request.task == 'code'")
    found = diff(OLD, PolicySource("p", rules=(*swapped, coded)))
    assert classes(found) == [("far/big", "far/small", [[]])]
    case = Situation(Request.of("x", task="code"), NOW)
    both = Side(OLD, FLEET), Side(PolicySource("p", rules=swapped), FLEET)
    logged = compare_log(*both, Names("p", "p", "p"), [Logged(case)])
    assert logged.winners[0].changes[0].quality_change == -0.65


def test_two_conditions_make_one_class_or_two():
    both = Require("stays", KEPT.target, f"{TAGGED} && facts.tools")
    either = Require("stays", KEPT.target, f"{TAGGED} || facts.tools")
    found = classes(diff(OLD, replace(OLD, require=(both,))))
    assert found == [("far/big", "home/m", [['request.tags has "secret"', "facts.tools is true"]])]
    found = classes(diff(OLD, replace(OLD, require=(either,))))
    where = found[0][2]
    assert sorted(where) == [["facts.tools is true"], ['request.tags has "secret"']]


def test_an_exception_is_told_as_one():
    excepted = Rule("small", 2000, "target.id == 'far/small'", "!(contains(request.tags, 'hard'))")
    found = diff(OLD, replace(OLD, rules=(*RULES, excepted)))
    change = found.winners[0].changes[0]
    (condition,) = change.conditions
    assert condition.unless
    assert condition.text == 'request.tags has "hard"'
    assert change.situation.describe() == "a plain request"


def test_requests_that_nobody_may_serve():
    closed = Require("never", "target.locality == 'mars'", TAGGED)
    found = diff(OLD, replace(OLD, require=(closed,)))
    assert classes(found) == [("far/big", None, [['request.tags has "secret"']])]
    assert found.winners[0].changes[0].cost_change is None
    back = diff(replace(OLD, require=(closed,)), OLD)
    assert classes(back) == [(None, "far/big", [['request.tags has "secret"']])]


def test_a_first_fallback_is_no_winner():
    swapped = (RULES[0], replace(RULES[1], weight=500), RULES[2])
    found = diff(OLD, replace(OLD, rules=swapped))
    assert found.changed == 0
    assert [(g.old, g.new, g.cases) for g in found.ranking] == [("far/small", "home/m", 1)]


def test_prices_change_where_the_winner_stays():
    dear = target("far/big", price=(20, 40), quality={"default": 0.9})
    found = diff(OLD, OLD, targets=(dear, SMALL, HOME))
    assert (found.changed, found.repriced) == (0, found.looked_at)


def test_targets_that_come_and_go():
    found = diff(OLD, OLD, targets=(SMALL, HOME))
    assert classes(found) == [("far/big", "far/small", [[]])]
    found = compare(Side(OLD, (HOME,)), Side(OLD, ()), Names("p", "p", "p"), now=NOW)
    assert classes(found) == [("home/m", None, [[]])]


def test_where_a_provider_is_reached_decides_nothing():
    moved = [target(t.id, t.locality) for t in FLEET]
    elsewhere = [
        replace(t, provider=replace(t.provider, file="elsewhere", description="x")) for t in moved
    ]
    one, other = Side(OLD, tuple(moved)), Side(OLD, tuple(elsewhere))
    assert compare(one, other, Names("p", "p", "p"), now=NOW).looked_at == 0


def test_labels_that_only_one_side_takes():
    before = {"privacy": {"enum": ["private", "public"], "default": "public"}}
    after = {"privacy": {"enum": ["private", "open"], "default": "open"}}
    one, other = (Side(OLD, FLEET, inputs) for inputs in (before, after))
    found = compare(one, other, Names("p", "p", "p"), now=NOW)
    told = {(g.old, g.new): g.changes[0].conditions[0].values for g in found.winners}
    assert told == {("far/big", None): ("public",), (None, "far/big"): ("open",)}
    refused = {c.new.refused for g in found.winners for c in g.changes} - {None}
    assert refused == {'metadata privacy is "public"; allowed: private, open'}


def test_a_default_that_changes():
    when = "request.metadata.privacy == 'private'"
    source = replace(OLD, require=(Require("stays", KEPT.target, when),))
    declared = {"enum": ["private", "public"]}
    sides = [
        Side(source, FLEET, {"privacy": {**declared, "default": default}})
        for default in ("public", "private")
    ]
    found = compare(*sides, Names("p", "p", "p"), now=NOW)
    (group,) = found.winners
    assert (group.old, group.new, group.cases) == ("far/big", "home/m", 1)
    assert group.changes[0].situation.request.metadata == {}


def test_what_else_differs_is_noted():
    new = replace(OLD, fallback=Fallback(attempts=5), select=Select(explore=0.1))
    found = diff(OLD, new)
    assert found.changed == 0
    assert found.notes == (
        "fallback.attempts: 3 → 5",
        "select.explore: 0 → 0.1 (draws are left out)",
    )


def test_why_cases_do_not_stand_for_all():
    priced = Rule("cheap", 9000, "price")
    found = diff(OLD, replace(OLD, rules=(*RULES, priced)))
    assert not found.exhaustive
    assert any("price varies" in why for why in found.why_not)
    few = compare(Side(OLD, FLEET), Side(replace(OLD, require=(KEPT,)), FLEET),
                  Names("p", "p", "p"), now=NOW, limit=1)  # fmt: skip
    assert few.looked_at == 1
    assert few.why_not == (f"{few.possible} combinations are more than the 1 looked at",)


def test_a_log_is_weighted():
    requests = [
        Logged(Situation(Request.of("x", tags=["secret"], input_tokens=1000), NOW), 3, None, "f:1"),
        Logged(Situation(Request.of("x", input_tokens=1000), NOW), 7, None, "f:2"),
    ]
    sides = Side(OLD, FLEET), Side(replace(OLD, require=(KEPT,)), FLEET)
    found = compare_log(*sides, Names("p", "p", "p"), requests)
    assert (found.changed, found.looked_at) == (3, 10)
    (group,) = found.winners
    assert (group.old, group.new, group.cases) == ("far/big", "home/m", 3)
    assert group.changes[0].origin == "f:1"
    assert found.totals is not None
    # Ten requests at $0.02 before, seven of them now.
    assert (found.totals.old, found.totals.new) == (200_000_000, 140_000_000)
    assert (found.totals.old_unknown, found.totals.new_unknown) == (0, 0)


def test_requests_of_a_log_that_neither_side_takes():
    sides = [Side(OLD, FLEET, {"a": {}}), Side(OLD, FLEET, {"b": {}})]
    cases = [Request.of("x", metadata={name: 1}) for name in ("a", "b", "c")]
    requests = [Logged(Situation(r, NOW), 2, None, f"f:{n}") for n, r in enumerate(cases, 1)]
    found = compare_log(*sides, Names("p", "p", "p"), requests)
    assert [(g.old, g.new, g.cases) for g in found.winners] == [
        ("far/big", None, 2),
        (None, "far/big", 2),
    ]
    assert found.notes[0].startswith("neither side takes 2 of them; f:3: metadata")


def test_a_log_with_unknown_prices():
    free = (target("far/big"), HOME)
    sides = Side(OLD, free), Side(replace(OLD, require=(KEPT,)), free)
    case = Situation(Request.of("x", tags=["secret"]), NOW)
    found = compare_log(*sides, Names("p", "p", "p"), [Logged(case, 4)])
    assert found.totals is not None
    assert (found.totals.old_unknown, found.totals.new_unknown) == (4, 0)


def test_two_policies_over_twenty_targets_take_less_than_two_seconds():
    fleet = tuple(
        target(
            f"p{n % 4}/m{n}", price=(n / 2, n), quality={"default": n / 20}, context_window=4000 * n
        )
        for n in range(1, 21)
    )
    rules = (
        *(Rule("cheap", 40_000, "price"), Rule("good", 30_000, "quality")),
        Rule("hard", 50_000, "quality", "contains(request.tags, 'hard') || facts.code"),
        Rule("quick", 20_000, {"latency": {"half": "2s"}}),
    )
    old = PolicySource("p", require=(KEPT,), rules=rules)
    new = replace(old, rules=(replace(rules[0], weight=90_000), *rules[1:]))
    started = perf_counter()
    found = compare(Side(old, fleet), Side(new, fleet), Names("p", "p", "p"), now=NOW)
    assert found.changed
    assert perf_counter() - started < 60, "it hangs"


def test_equals_that_cost_or_time_order_are_not_looked_at_in_full():
    usual = {"price": (1, 0)}
    once = {"cost": {"input": 0, "output": 0, "per_request": 0.0005}}
    targets = (target("x/a", **usual), target("y/b", **once))
    for keys, reason in ((("cost",), "cost"), (("latency",), "latency")):
        old = PolicySource("p", select=Select(tie_break=keys))
        new = PolicySource("p", select=Select(tie_break=("target",)))
        compared = compare(Side(old, targets), Side(new, targets), Names("p", "p", "p"), now=NOW)
        assert not compared.exhaustive
        assert reason in compared.why_not[0]
        kept = replace(old, rules=(Rule("first", 1_000, "target.id == 'x/a'"),))
        none = replace(kept, select=new.select)
        sides = (Side(kept, targets), Side(none, targets))
        assert compare(*sides, Names("p", "p", "p"), now=NOW).exhaustive


def test_a_target_s_own_count_of_tokens_is_not_looked_at_in_full():
    targets = (target("x/a", tokenizer="claude"), target("y/b"))
    second = Rule("second", 1_000, "target.id == 'y/b'")
    long = Rule("long", 10_000, "`1`", "estimate.tokens_in > `1000`")
    old, new = PolicySource("p", rules=(second,)), PolicySource("p", rules=(second, long))
    names = Names("p", "p", "p")
    assert not compare(Side(old, targets), Side(new, targets), names, now=NOW).exhaustive
    alike = (target("x/a"), target("y/b"))
    assert compare(Side(old, alike), Side(new, alike), names, now=NOW).exhaustive


def test_a_use_of_the_answer_s_size_that_no_list_covers_is_told():
    targets = (target("x/a"), target("y/b"))
    rule = Rule("size", 1_000, "sum([estimate.tokens_out, `-100`])", "target.id == 'x/a'")
    old, new = PolicySource("p"), PolicySource("p", rules=(rule,))
    names = Names("p", "p", "p")
    compared = compare(Side(old, targets), Side(new, targets), names, now=NOW)
    assert "estimate.tokens_out" in compared.why_not[0]
