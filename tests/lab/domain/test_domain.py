from __future__ import annotations

import shlex
from datetime import UTC, datetime

import pytest

from llmroute.lab.domain.domain import Domain
from llmroute.policy.facts.facts import Facts
from llmroute.policy.source import PolicySource, Require, Rule
from tests.build import target

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ABLE = {"streaming": True, "tools": True, "json_schema": True, "vision": True}
ONE = target("p/m", capabilities={**ABLE, "forced_tool_choice": True})


def domain(*whens: str, targets=(ONE,), settings=None, **more) -> Domain:
    rules = tuple(Rule(f"r{n}", 1000, "`1`", when) for n, when in enumerate(whens))
    return Domain.of([PolicySource("p", rules=rules)], targets, settings, now=NOW, **more)


def names(found: Domain) -> dict[str, tuple[object, ...]]:
    return {dimension.name: dimension.values for dimension in found.dimensions}


def test_what_nothing_reads_is_not_varied():
    found = domain()
    assert (found.dimensions, found.size, found.exact) == ((), 1, True)
    assert [case.describe() for case in found.cases()] == ["a plain request"]


def test_declared_labels_are_enumerated():
    inputs = {"privacy": {"enum": ["private", "public"], "default": "public"}}
    found = domain("request.metadata.privacy == 'private'", settings={"inputs": inputs})
    assert names(found) == {"request.metadata.privacy": ("public", "private")}
    assert [dict(c.request.metadata) for c in found.cases()] == [
        {"privacy": "public"},
        {"privacy": "private"},
    ]


def test_every_case_is_what_its_dimensions_say():
    found = domain("facts.tools", "facts.images", "facts.json_schema", "facts.tokens > `9`",
                   "facts.code && facts.math", "facts.characters > `80`", "now.weekday == `7`",
                   "facts.messages > `3`", "request.stream", "budget.team > `0.5`")  # fmt: skip
    assert found.exact is False  # characters and the text are not varied apart
    for case in found.cases(4_000):
        facts, chosen = Facts(case.request), dict(case.choices)
        assert facts.tools == chosen.get("facts.tools", False)
        assert facts.images == chosen.get("facts.images", False)
        assert facts.json_schema == chosen.get("facts.json_schema", False)
        if (tokens := chosen.get("input_tokens")) is not None:
            assert facts.tokens == tokens
        assert case.now.isoweekday() == chosen.get("now.weekday", 7)
        assert case.around().budgets.get("team") == chosen.get("budget.team")


def test_sizes_stand_around_windows_and_caps_where_who_wins_is_asked():
    tight = (target("p/m", context_window=1000, max_output=100),)
    found = names(domain(targets=tight))
    assert found["request.max_tokens"] == (None, 1, 100, 101)
    # 999 tokens leave room for one more; with an answer of 100 or 101 it is 900 or 899.
    assert found["input_tokens"] == (None, 0, 899, 900, 901, 999, 1000)
    assert not domain(targets=tight, scores=False).dimensions


def test_capabilities_are_varied_where_targets_differ_in_them():
    seeing = target("p/eye", capabilities={"vision": True})
    assert "facts.images" in names(domain(targets=(ONE, target("p/blind"), seeing)))


@pytest.mark.parametrize(
    "text",
    [
        "facts.tokens > request.max_tokens",
        "length(keys(request.metadata)) > `1`",
        "abs(facts.words) > `1`",
        "request.messages[0].role == 'system'",
    ],
)
def test_what_no_list_of_values_covers_is_not_exact(text):
    found = domain(text)
    assert not found.exact
    assert text in " ".join(found.why_not)


def test_continuous_preferences_are_not_exact():
    rules = (Rule("cheap", 1000, "price"), Rule("fast", 1000, {"latency": {"half": 2}}))
    priced = target("p/m", price=(1, 2), capabilities=ABLE)
    found = Domain.of([PolicySource("p", rules=rules)], (priced,), now=NOW)
    assert len(found.reasons) == 2


def test_prompts_are_found_for_every_combination_of_facts():
    found = domain("facts.code", "facts.math", "facts.language == 'de'")
    assert found.exact, found.why_not
    made = {(f.code, f.math, f.language == "de") for f in (Facts(c.request) for c in found.cases())}
    assert len(made) == 8


def test_cases_come_in_the_same_order_the_plainest_first():
    found = domain("contains(request.tags, 'a') && facts.tools")
    cases = [case.choices for case in found.cases()]
    assert cases == [case.choices for case in found.cases()]
    assert [len(choices) for choices in cases] == sorted(map(len, cases))
    assert len(cases) == found.size == len({repr(c) for c in cases})
    assert len(list(found.cases(3))) == 3


def test_requirements_and_lets_are_read_too():
    source = PolicySource(
        "p",
        let={"late": "now.hour >= `20`"},
        require=(Require("q", "target.locality == 'local'", "late"),),
    )
    found = Domain.of([source], (ONE,), now=NOW, scores=False)
    assert names(found)["now.hour"] == (12, 20, 21)


def test_a_case_says_how_to_ask_for_it():
    case = list(domain("contains(request.tags, 'a b') && request.max_tokens > `9`").cases())[-1]
    words = shlex.split(case.command("p"))
    assert words[:2] == ["llmroute", "decide"]
    assert words[words.index("--tag") + 1] in ("a b", "other")
    assert words[words.index("--policy") + 1] == "p"
    assert case.beyond() == ()
    assert case.to_dict()["arguments"] == case.arguments()


def test_a_case_says_what_no_option_can_say():
    cases = domain("now.hour > `20` && live.success < `0.5`").cases()
    assert [case.beyond() for case in cases][-1] == ("now.hour", "live.success")
