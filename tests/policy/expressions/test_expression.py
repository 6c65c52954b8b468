"""Expressions: which roots they read, what is refused, and how errors are placed."""

from __future__ import annotations

import pytest

from llmroute.policy.expressions.expression import (
    ROOTS,
    EvaluationError,
    Expression,
    ExpressionError,
    field_paths,
    truthy,
)
from llmroute.policy.fields import Scope, check_expression


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("target.locality == 'local'", {"target"}),
        ("contains(request.tags, 'code') || coding", {"request", "coding"}),
        ("request.messages[?role == 'user'].content | [0]", {"request"}),
        ("request.messages[*].content", {"request"}),
        ("facts.tokens > `100` && !facts.code", {"facts"}),
        ("sort_by(request.messages, &role)[0].role", {"request"}),
        ("{a: target.id, b: live.success}", {"target", "live"}),
        ("`1`", set()),
        ("@", {"@"}),
    ],
)
def test_roots(text, roots):
    assert Expression(text).roots == roots


def test_paths_follow_a_chain_of_fields():
    text = "target.capabilities.tools && request.tags[0] == 'x' && request.messages[?a].b"
    assert set(field_paths(Expression(text).tree)) == {
        ("target", "capabilities", "tools"),
        ("request", "tags"),
        ("request", "messages"),
    }


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_what_is_false(value):
    assert not truthy(value)


@pytest.mark.parametrize("value", [True, 0, 0.0, "x", [0], {"a": 1}])
def test_what_is_true(value):
    assert truthy(value)


@pytest.mark.parametrize(
    ("text", "column"),
    [("target.id ==", 11), ("a b", 2), ("a = b", 2), ("foo(", 3), ("'open", 0), ("a ^ b", 2)],
)
def test_a_syntax_error_has_its_place(text, column):
    with pytest.raises(ExpressionError) as caught:
        Expression(text)
    assert caught.value.column == column


def test_length_and_depth_are_bounded():
    with pytest.raises(ExpressionError, match="at most 256"):
        Expression("a" * 257)
    with pytest.raises(ExpressionError, match="deeper than 16"):
        Expression("!" * 17 + "a")
    with pytest.raises(ExpressionError):
        Expression("[" * 120 + "]" * 120)


def test_a_type_error_at_run_time_is_an_evaluation_error():
    with pytest.raises(EvaluationError):
        Expression("abs(target.id)").evaluate({"target": {"id": "x"}})


SCOPE = Scope(ROOTS, {"coding"}, {"privacy"})


@pytest.mark.parametrize(
    ("text", "message", "help_text"),
    [
        ("target.localty == 'x'", 'target has no field "localty"', 'did you mean "locality"?'),
        ("targt.id", '"targt" is not known', 'did you mean "target"?'),
        ("target.locality == local", '"local" is not known', "in quotes"),
        ("target.capabilities.tool", 'target.capabilities has no field "tool"', '"tools"'),
        ("request.metadata.privcy", '"privcy" is not declared', 'did you mean "privacy"?'),
        ("facts.token > `1`", 'facts has no field "token"', 'did you mean "tokens"?'),
    ],
)
def test_unknown_fields_are_found_with_a_suggestion(text, message, help_text):
    (finding,) = check_expression(text, SCOPE)
    assert finding.rule == ("bare-word" if text.endswith(" local") else "unknown-field")
    assert message in finding.message
    assert help_text in (finding.help or "")


@pytest.mark.parametrize(
    "text",
    [
        "coding && target.quality.anything > `0.5`",
        "request.metadata.privacy == 'private'",
        "budget.team < `0.8`",
        "request.messages[0].role == 'user'",
        "now.hour >= `9`",
    ],
)
def test_known_fields_are_fine(text):
    assert check_expression(text, SCOPE) == []


@pytest.mark.parametrize(
    ("text", "rule", "message", "column"),
    [
        ("containz(request.tags, 'a')", "unknown-function", 'did you mean "contains"?', 0),
        (
            "facts.code && contains(request.tags)",
            "function-arity",
            "takes 2 arguments, not 1",
            14,
        ),
        ("not_null()", "function-arity", "takes at least 1 arguments, not 0", 0),
    ],
)
def test_an_unknown_function_or_a_wrong_number_of_arguments_is_a_finding(
    text, rule, message, column
):
    (finding,) = check_expression(text, SCOPE)
    assert finding.rule == rule
    assert message in f"{finding.message} {finding.help}"
    assert finding.column == column
