"""Explanations in words, as Markdown and as data, against numbers worked out by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import escape
from pathlib import Path
from random import Random

import pytest
from markdown_it import MarkdownIt

from llmroute.policy.explaining.explain import explain
from llmroute.policy.explaining.explanation import Explanation, explanation
from llmroute.policy.explaining.markdown import markdown
from llmroute.policy.explaining.wording import clean, plain
from llmroute.policy.scoring.live import LiveFacts
from tests.build import target
from tests.policy.explaining.told import Told, decided, source

GOLDEN = Path(__file__).parent / "golden"

#: Per rule, b/good against a/cheap:
#:   cheap       40 × price: $5/M is two of three decades from $0.05, 1/3; $0.5/M one, 2/3.
#:               40 × 0.333333 = 13.33332, 40 × 0.666667 = 26.66668: −13.33336
#:   good at it  50 × 0.9 = 45, 50 × 0.5 = 25: +20
#:   code        10 × 1, 10 × 0: +10
#: so 68.33332 against 51.66668, 16.66664 ahead; without `good at it` 3.33336 behind.
#: What flips it, by how far each goes (difference / larger of both):
#:   quality of b: 45 − 16.66664 = 28.33336 = 50 × 0.5666672, so 0.566      0.334 / 0.9   = 0.371
#:   quality of a: 25 + 16.66664 = 41.66664 = 50 × 0.8333328, so 0.834      0.334 / 0.834 = 0.400
#:   cheap:        0.333334 × w > 30 from w = 89.9999, so 90                50 / 90       = 0.556
#:   good at it:   0.4 × w < 3.33336 below w = 8.3334, so 8.333             41.667 / 50   = 0.833
#:   drafts:       +20 for a/cheap only, more than 16.66664                 a condition   = 1
#:   code:         w < −6.66664, so −6.667: 16.667 / 10 = 1.667, the sixth, is not told
#: The price of either alone cannot: a/cheap can gain 13.33332 at most, b/good lose as much.
RULES = [
    {"name": "cheap", "weight": 40, "prefer": "price"},
    {"name": "good at it", "weight": 50, "prefer": "quality"},
    {
        "name": "code to specialists",
        "when": "contains(request.tags, 'code')",
        "weight": 10,
        "prefer": "contains(target.specializations, 'code')",
    },
    {
        "name": "drafts are cheap",
        "when": "request.task == 'draft'",
        "weight": 20,
        "prefer": "target.id == 'a/cheap'",
    },
]
POLICY = source(
    rules=RULES, require=[{"name": "stays in the cloud", "target": "target.locality == 'cloud'"}]
)


def rated(value):
    return {"default": value, "source": "by hand", "date": "2026-11-01"}


TARGETS = [
    target("a/cheap", price=(0.5, 0.5), quality=rated(0.5)),
    target("b/good", price=(5, 5), quality=rated(0.9), specializations=["code"]),
    target("c/den", "local"),
    target("c/home", "local"),
    target("d/unknown"),
]


@pytest.fixture(scope="module")
def decision():
    return decided(POLICY, TARGETS, tags=["code"], task="chat")


def test_the_text(decision):
    assert explain(decision) + "\n" == (GOLDEN / "explain.txt").read_text(encoding="utf-8")


def test_the_markdown(decision):
    assert markdown(decision) + "\n" == (GOLDEN / "explain.md").read_text(encoding="utf-8")


def test_the_data(decision):
    data = json.loads(json.dumps(explanation(decision)))
    assert (data["winner"], data["runner_up"], data["margin"]) == ("b/good", "a/cheap", 16_666_640)
    assert data["deciding"] == {
        "by": "points",
        "rules": [{"rule": "good at it", "difference": 20_000_000}],
        "enough": True,
        "tie_break": None,
        "text": "decided by 'good at it' (+20); without it a/cheap would be ahead",
    }
    quality, _, weight, _, condition = data["changes"]
    assert quality == {
        "kind": "figure",
        "figure": "quality",
        "unit": "0..1",
        "target": "b/good",
        "now": 0.9,
        "then": 0.566,
        "tie": None,
        "text": "if the quality of b/good came down to 0.566 (now 0.9)",
    }
    assert weight == {
        "kind": "weight",
        "rule": "cheap",
        "now": 40.0,
        "then": 90.0,
        "tie": None,
        "text": "if the weight of 'cheap' went up to 90 (now 40)",
    }
    assert condition == {
        "kind": "condition",
        "condition": "request.task == 'draft'",
        "rules": ["drafts are cheap"],
        "target": None,
        "now": False,
        "then": True,
        "tie": None,
        "text": "if `request.task == 'draft'` had held (rule 'drafts are cheap')",
    }
    assert data["rejections"] == [
        {
            "targets": ["c/den", "c/home"],
            "requirement": "stays in the cloud",
            "origin": "policy",
            "reason": "target.locality == 'cloud' does not hold: target.locality is 'local'",
            "help": None,
        }
    ]


def told(policy, targets, live=None, random=None, **fields):
    """Return what decided, and the changes, in words."""
    made = Explanation(decided(policy, targets, live, random, **fields))
    return plain(made.decided() or ()), [plain(change.told()) for change in made.changes]


def prefer(weight, target_id, name=None, **more):
    wish = f"target.id == '{target_id}'"
    return {"name": name or f"for {target_id}", "weight": weight, "prefer": wish, **more}


A, B = target("a/m", price=(1, 1)), target("b/m", price=(2, 2))


def test_several_rules_decide_only_together():
    # 3 + 3 + 3 for a, 4 for b: 5 ahead. Without one 2 ahead, without two 1 behind.
    rules = [prefer(3, "a/m", f"r{n}") for n in range(3)]
    decided_by, _ = told(source(rules=[*rules, prefer(4, "b/m")]), [A, B])
    assert decided_by == (
        "decided by 'r0' (+3) and 'r1' (+3) together; "
        "without these 2 rules b/m would be ahead, without fewer it would not"
    )


def test_a_tie_is_told_with_what_breaks_it():
    # Level at 5; a/m costs 1,500 × $1/M, b/m twice that, so b/m must cost 1 nano-dollar less.
    policy = source(rules=[prefer(5, "a/m"), prefer(5, "b/m")])
    decided_by, changes = told(policy, [A, B])
    assert decided_by == "decided by a tie-break: equal points, and the lower estimated cost"
    # 0.001 of 5.001 is less than 0.001 of 5.
    assert changes[0] == "if the weight of 'for b/m' went up to 5.001 (now 5)"
    assert changes[1] == "if the weight of 'for a/m' came down to 4.999 (now 5)"
    # At the same cost the alphabet decides, for a/m; what is shown has four digits.
    cheaper = "if the cost of b/m came down to $0.001499 (now $0.003)"
    dearer = "if the cost of a/m went up to $0.003001 (now $0.0015)"
    ending = " – a tie, broken by the lower estimated cost"
    assert {cheaper + ending, dearer + ending} <= set(changes)


def test_a_change_that_ends_in_a_tie_says_so():
    # 5 for a/m, the dearer; b/m is one rule of 2 behind by 3: at 5 it draws level and is cheaper.
    dear = replace(A, price=B.price), replace(B, price=A.price)
    _, changes = told(source(rules=[prefer(5, "a/m"), prefer(2, "b/m")]), dear)
    tie = " – a tie, broken by the lower estimated cost"
    assert changes == [  # equally far, so in the order of the rules
        f"if the weight of 'for a/m' came down to 2 (now 5){tie}",
        f"if the weight of 'for b/m' went up to 5 (now 2){tie}",
    ]


def test_where_no_single_change_helps_that_is_said():
    # Nothing tells them apart but the name.
    same = [A, replace(B, price=A.price)]
    policy = source(rules=[], select={"tie_break": ["target"]})
    assert told(policy, same) == ("decided by a tie-break: equal points, and the alphabet", [])
    assert "no single change puts b/m ahead of a/m" in explain(decided(policy, same))


def test_a_lead_that_no_rule_could_lose():
    # The only rule favours a/m; without it there is a tie, and a/m is cheaper.
    decided_by, changes = told(source(rules=[prefer(5, "a/m")]), [A, B])
    assert decided_by == (
        "decided by 'for a/m' (+5); no rule favours b/m, "
        "and ties go to a/m, by the lower estimated cost"
    )
    assert changes == ["if the weight of 'for a/m' came down to -0.001 (now 5)"]


def test_the_only_eligible_target_has_no_competitor():
    decision = decided(source(rules=[prefer(5, "a/m")]), [A])
    data = explanation(decision)
    assert (data["winner"], data["runner_up"], data["margin"]) == ("a/m", None, None)
    assert (data["deciding"], data["changes"]) == (None, [])
    assert "→ a/m with 5 points, the only eligible target\n" in explain(decision)
    assert "| **score** | **5** |" in markdown(decision)


def test_nobody_is_eligible():
    decision = decided(source(require=[{"name": "none", "target": "`false`"}]), [A])
    data = explanation(decision)
    assert (data["winner"], data["margin"], data["changes"]) == (None, None, [])
    assert explain(decision).splitlines()[1] == "no target is eligible"
    assert markdown(decision).startswith("### no target is eligible\n")


def test_the_callers_order_decides():
    policy = source(rules=[prefer(5, "a/m")])
    decision = decided(policy, [A, B], route={"order": ["b"]})
    assert "→ b/m with 0 points, 5 behind a/m (the caller's order came first)" in explain(decision)
    assert told(policy, [A, B], route={"order": ["b"]}) == (
        "decided by the caller's order; by points a/m would be 5 ahead",
        ["without the caller's order"],
    )
    assert explanation(decision)["margin"] == -5_000_000
    assert told(policy, [A, B], route={"order": ["a"]}) == (
        "decided by the caller's order; the points agree",
        ["if the caller's order put it first"],
    )


def test_within_one_place_of_the_callers_order_points_decide():
    pair = [target("p/a"), target("p/b"), target("q/c")]
    policy = source(rules=[prefer(5, "p/b"), prefer(9, "q/c")])
    decided_by, changes = told(policy, pair, route={"order": ["p"]})
    assert decided_by.startswith("decided by 'for p/b' (+5)")
    assert changes[0].startswith("if the weight of 'for p/b'")


def test_exploring_decides():
    live = Told({"a/m": LiveFacts(1, 60, 1, observations=9.0)})
    policy = source(rules=[prefer(5, "a/m")], select={"explore": 1})
    decided_by, changes = told(policy, [A, B], live, Random(1))
    assert decided_by == "decided by exploring a stale target; by points a/m would be 5 ahead"
    assert changes == ["had the points decided"]


def test_a_draw_decides():
    live = Told({t.id: LiveFacts(1, 60, 1, measured=True) for t in (A, B)})
    policy = source(rules=[prefer(5, "a/m")], select={"spread": 5})
    outcomes = set()
    for seed in range(20):
        drawn = decided(policy, [A, B], live, Random(seed))
        made = Explanation(drawn)
        assert made.deciding.by == "selection"
        outcomes.add((drawn.winner.id, plain(made.decided()), plain(made.outlook())))
    reason = "decided by the less loaded of two among 2 near ties"
    assert outcomes == {
        (
            "a/m",
            f"{reason}; the points agree",
            "chance put a/m first: no weight, figure or condition decided",
        ),
        (
            "b/m",
            f"{reason}; by points a/m would be 5 ahead",
            "a/m would be ahead of b/m (within 5 points a draw may decide)",
        ),
    }


def test_live_figures_are_told_in_their_units():
    # half / (half + t): a at 0.5 s 2/2.5 = 0.8, b at 2 s 2/4 = 0.5; 10 points: 8 against 5.
    # b + 1 for its id: 6. b must reach 7: 2/(2 + t) = 0.7, t = 0.857142…: at 0.857 s 7.000350.
    # a must fall to 6: 2/(2 + t) = 0.6, t = 1.333…: at 1.334 s 5.998800.
    live = Told({"a/m": LiveFacts(0.5, 60, 1, measured=True), "b/m": LiveFacts(2, 60, 1)})
    rules = [{"name": "fast", "weight": 10, "prefer": {"latency": {"half": "2s"}}}]
    _, changes = told(source(rules=[*rules, prefer(1, "b/m")]), [A, B], live)
    assert "if the time to first token of b/m came down to 0.857 s (now 2 s, prior)" in changes
    assert "if the time to first token of a/m went up to 1.334 s (now 0.5 s)" in changes


def test_a_price_is_told_per_million_tokens():
    # a at $0.5/M: 30 × 0.666667 = 20.00001; b at $5/M: 30 × 0.333333 = 9.99999, and 3 for its id.
    # b needs 17.00001 / 30 = 0.566667: 50 / 1000^0.566667 = $0.99769/M, times 1,500 tokens.
    cheap, dear = target("a/m", price=(0.5, 0.5)), target("b/m", price=(5, 5))
    rules = [{"name": "cheap", "weight": 30, "prefer": "price"}, prefer(3, "b/m")]
    _, changes = told(source(rules=rules), [cheap, dear])
    price = next(c for c in changes if c.startswith("if the price of b/m"))
    assert price == (
        "if the price of b/m came down to $0.9976 per million tokens (now $5 per million tokens)"
    )


def test_a_price_that_is_not_known():
    # Unknown counts as 0 points: 30 × 0.666667 − 12 for its id = 8.00001 = 30 × 0.266667, that is
    # 50 / 1000^0.266667 = $7.9244/M.
    cheap, unknown = target("a/m", price=(0.5, 0.5)), target("b/m")
    rules = [{"name": "cheap", "weight": 30, "prefer": "price"}, prefer(12, "b/m")]
    _, changes = told(source(rules=rules), [cheap, unknown])
    (price,) = (c for c in changes if c.startswith("if the price of b/m"))
    assert price == "if the price of b/m came down to $7.924 per million tokens (now unknown)"


@pytest.mark.parametrize(
    "reading",
    [
        {"name": "x", "weight": 1, "prefer": "target.cost.input < `3`"},
        {"name": "x", "weight": 1, "prefer": "`1`", "when": "estimate.cost > `0.1`"},
        {"name": "x", "weight": -5, "prefer": {"cost": {"half": 1}}},
    ],
)
def test_a_figure_that_moves_more_than_one_threshold_is_left_out(reading):
    cheap, dear = target("a/m", price=(0.5, 0.5)), target("b/m", price=(5, 5))
    rules = [{"name": "cheap", "weight": 30, "prefer": "price"}, prefer(3, "b/m"), reading]
    _, changes = told(source(rules=rules), [cheap, dear])
    assert changes
    assert not [c for c in changes if "price of" in c or "cost of" in c]


def test_a_condition_on_the_target_is_told_for_the_target():
    home, cloud = target("a/m", "local", price=(1, 1)), target("b/m", price=(1, 1))
    when = "target.locality == 'local'"
    rules = [{"name": "home", "weight": 5, "when": when, "prefer": "`1`"}, prefer(2, "b/m")]
    _, changes = told(source(rules=rules), [home, cloud])
    assert f"if `{when}` had held for b/m (rule 'home')" in changes
    assert f"if `{when}` had not held for a/m (rule 'home')" in changes


def test_a_condition_that_a_requirement_hangs_on_is_not_supposed_to_hold():
    when = "request.task == 'x'"
    rules = [prefer(1, "a/m"), prefer(5, "b/m", when=when)]
    free = source(rules=rules)
    bound = source(rules=rules, require=[{"name": "r", "when": when, "target": "`false`"}])
    assert [c for c in told(free, [A, B])[1] if c.startswith("if `")]
    assert not [c for c in told(bound, [A, B])[1] if c.startswith("if `")]


def test_near_ties_that_a_draw_may_decide_are_mentioned():
    policy = source(rules=[prefer(5, "a/m")], select={"spread": 2})
    assert "b/m would be ahead of a/m (within 2 points a draw may decide):" in explain(
        decided(policy, [A, B])
    )


NASTY = "a|b `c`\n# <b>x</b> \x1b[31m*d* \u202e[e](f) $g$ \\"


def test_texts_from_outside_break_nothing():
    policy = source(
        rules=[{"name": NASTY, "weight": 5, "prefer": "target.provider == 'a'"}],
        require=[{"name": NASTY, "target": "target.provider != 'c'\n  && `true`"}],
    )
    fleet = [target("a/m|\x1b]0;x\x07"), target("b/\n| m |"), target("c/m")]
    decision = decided(policy, fleet, task=NASTY)
    text, made = explain(decision), markdown(decision)
    for whole in (text, made, *_strings(explanation(decision)["changes"], "text")):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", whole)
    assert "   a|b `c` # <b>x</b> \\x1b[31m*d* \\u202e[e](f) $g$ \\ " in text
    name = r"a\|b \`c\` \# &lt;b&gt;x&lt;/b&gt; \\x1b\[31m\*d\* \\u202e\[e\](f) \$g\$ \\"
    first = r"| " + name + " | 5 = 5 × 1 (yes) | 0 = 5 × 0 (no) | +5 |"
    assert first in made.splitlines()
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(made)
    # One table of 3 rules' lines and one of a rejection: 4 and 5 columns.
    assert [row.count("<td") for row in html.split("<tr>") if "<td" in row] == [4, 4, 4, 5]
    assert set(re.findall(r"<(\w+)", html)) <= {
        *("h3", "h4", "p", "ul", "li", "strong", "code"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert escape(clean(NASTY), quote=False) in html
    # The same lines as with harmless names.
    tame = source(
        rules=[{"name": "n", "weight": 5, "prefer": "target.provider == 'a'"}],
        require=[{"name": "n", "target": "target.provider != 'c'"}],
    )
    plain_fleet = [target("a/m"), target("b/m"), target("c/m")]
    other = decided(tame, plain_fleet, task="n")
    assert len(text.splitlines()) == len(explain(other).splitlines())
    assert len(made.splitlines()) == len(markdown(other).splitlines())


def _strings(items, key):
    return [item[key] for item in items]


def test_a_code_span_outlasts_its_backticks():
    policy = source(rules=[prefer(5, "a/m"), prefer(9, "b/m", when="facts.tokens > `5000`")])
    lines = markdown(decided(policy, [A, B])).splitlines()
    assert "- if `` facts.tokens > `5000` `` had held (rule 'for b/m')" in lines
