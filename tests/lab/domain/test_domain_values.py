from __future__ import annotations

import pytest

from llmroute.lab.domain.uses import Use, collect_uses
from llmroute.lab.domain.values import KINDS, LABEL, kind_of, representatives, seen
from llmroute.policy.expressions.expression import Expression
from tests.build import target


def uses(text: str, *targets: object, **lets: str) -> list[tuple[str, str, object]]:
    named = {name: Expression(let) for name, let in lets.items()}
    found = collect_uses([Expression(text)], named, targets)
    return [(".".join(use.path), use.how, use.literal) for use in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("facts.tokens > `100`", [("facts.tokens", "order", 100)]),
        ("`100` < facts.tokens", [("facts.tokens", "order", 100)]),
        ("request.task != 'code'", [("request.task", "equal", "code")]),
        ("contains(request.tags, 'a')", [("request.tags", "contains", "a")]),
        ("contains(`[1, 2]`, now.hour)", [("now.hour", "equal", 1), ("now.hour", "equal", 2)]),
        ("starts_with(request.task, 'c')", [("request.task", "starts", "c")]),
        ("length(request.tags) > `2`", [("request.tags", "length", 2)]),
        (
            "not_null(request.max_tokens, `5`) < `9`",
            [("request.max_tokens", "truth", None), ("request.max_tokens", "order", 9)],
        ),
        ("!(facts.code) || budget.x",
         [("facts.code", "truth", None), ("budget.x", "truth", None)]),
        ("(facts.code == `true`) == (facts.tokens > `1`)",
         [("facts.code", "equal", True), ("facts.tokens", "order", 1)]),
        ("facts.tokens > request.max_tokens",
         [("facts.tokens", "opaque", None), ("request.max_tokens", "opaque", None)]),
    ],
)  # fmt: skip
def test_what_is_done_with_each_field(text, expected):
    assert uses(text) == expected


def test_not_binds_tighter_than_a_dot_so_the_field_is_not_read():
    assert uses("!request.task") == []


def test_a_name_under_let_is_followed():
    assert uses("late && `true`", late="now.hour > `20`") == [("now.hour", "order", 20)]


def test_what_reads_the_target_alone_is_a_constant_of_each_target():
    pair = target("p/a", specializations=["code"]), target("p/b", specializations=["chat"])
    found = uses("contains(target.specializations, request.task)", *pair)
    assert found == [("request.task", "equal", "code"), ("request.task", "equal", "chat")]


def values(path: tuple[str, ...], *found: tuple[str, object]) -> list[object]:
    kind = kind_of(path, None)
    assert kind is not None
    return list(representatives(kind, [Use(path, how, lit, "") for how, lit in found]).values)


def test_of_each_interval_of_whole_numbers_the_smallest_stands_for_it():
    assert values(("facts", "tokens"), ("order", 100), ("order", 200.5)) == [
        0, 99, 100, 101, 201,
    ]  # fmt: skip


def test_shares_have_values_around_each_literal():
    assert values(("live", "success"), ("order", 0.5)) == [0, 0.5, 0.505, 1]


def test_texts_are_the_literals_another_and_none():
    assert values(("request", "task"), ("equal", "code")) == [None, "other", "code", ""]


def test_a_text_is_made_for_every_combination_of_patterns():
    patterns = [("starts", "co"), ("ends", "de"), ("contains", "x")]
    found = values(("request", "task"), *patterns)
    uses = [Use(("request", "task"), how, lit, "") for how, lit in patterns]
    assert len({seen(uses, text) for text in found if text is not None}) == 8


def test_tags_are_all_subsets_of_those_asked_for_with_and_without_another():
    found = values(("request", "tags"), ("contains", "a"), ("contains", "b"))
    assert found == [
        [], ["a"], ["b"], ["a", "b"],
        ["other"], ["a", "other"], ["b", "other"], ["a", "b", "other"],
    ]  # fmt: skip


def test_a_free_label_can_be_anything():
    path = ("request", "metadata", "x")
    assert kind_of(path, None) is LABEL
    found = values(path, ("equal", "a"), ("contains", 1))
    kinds = {type(value) for value in found}
    assert kinds == {type(None), str, int, float, bool, list, dict}
    assert [1] in found


def test_a_declared_label_has_what_is_declared():
    inputs = {
        "privacy": {"enum": ["private", "public"], "default": "public"},
        "level": {"enum": [1, 2], "type": "number"},
        "name": {"type": "string"},
    }
    label = ("request", "metadata")
    assert kind_of((*label, "privacy"), inputs).closed == ("public", "private")
    assert kind_of((*label, "level"), inputs).closed == (1, 2, None)
    assert kind_of((*label, "name"), inputs).types == {"text", "null"}
    assert kind_of((*label, "misspelt"), inputs).closed == (None,)


def test_an_opaque_use_says_so():
    path = ("facts", "tokens")
    found = representatives(KINDS[path], [Use(path, "opaque", None, "abs(facts.tokens)")])
    assert "abs(facts.tokens)" in found.why_not


def test_a_default_of_one_does_not_let_true_through():
    rule = {"enum": [1, 2], "default": 1}
    assert kind_of(("request", "metadata", "level"), {"level": rule}).closed == (1, 2)


def test_lists_that_are_too_long_to_make_are_not_covered():
    path = ("request", "tags")
    found = representatives(KINDS[path], [Use(path, "length", 100, "length(request.tags)")])
    assert "64 members" in found.why_not
    short = representatives(KINDS[path], [Use(path, "length", 63, "length(request.tags)")])
    assert short.why_not == ""
    assert {62, 63, 64} <= set(map(len, short.values))


def test_whole_numbers_below_the_least_literal_are_stood_for():
    for name, mark in (("seed", -0.5), ("temperature", -1e17)):
        _, *numbers = values(("request", name), ("order", mark))
        assert min(numbers) < mark
