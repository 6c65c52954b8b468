"""Every expression that does not load says what was meant, at the right column."""

from __future__ import annotations

import pytest

from llmroute.policy.expressions.expression import ROOTS, Expression, ExpressionError
from llmroute.policy.expressions.places import Places, tokens_of
from llmroute.policy.fields import Scope, check_expression

SCOPE = Scope(ROOTS, {"coding"}, {"privacy"})


@pytest.mark.parametrize(
    ("text", "rule", "column", "length", "part"),
    [
        ("facts.tokens > 1000", "bare-number", 15, 4, "write `1000`"),
        ("facts.digits >= 0.5", "bare-number", 16, 3, "write `0.5`"),
        ("facts.digits > .5", "bare-number", 15, 2, "write `0.5`"),
        ("5 < facts.tokens", "bare-number", 0, 1, "write `5`"),
        ("starts_with(request.task, 5)", "bare-number", 26, 1, "write `5`"),
        ("request.task == code", "bare-word", 16, 4, "'code'"),
        ("request.stream == true", "bare-word", 18, 4, "write `true`"),
        ("request.task != None", "bare-word", 16, 4, "write `null`"),
        ("contains(request.tags, code)", "bare-word", 23, 4, "'code'"),
        ("request.task == codng", "bare-word", 16, 5, 'did you mean "coding"?'),
        ("contains(['a', b], request.task)", "bare-word", 15, 1, "'b'"),
        ("target.model == gpt-6-luna", "bare-word", 16, 10, "write 'gpt-6-luna'"),
        ("target.id == openai/gpt", "bare-word", 13, 10, "write 'openai/gpt'"),
        ('request.task == "code"', "double-quotes", 16, 6, "'code'"),
        ('contains(request.tags, "a b")', "double-quotes", 23, 5, "'a b'"),
        ('"code" == facts.task', "double-quotes", 0, 6, "'code'"),
        ("request.task == 'code", "unclosed-quote", 16, 5, "close it"),
        ("contains(request.tags, `1)", "unclosed-quote", 23, 3, "close it"),
        ('request."task', "unclosed-quote", 8, 5, "close it"),
        ("containz(request.tags, 'a')", "unknown-function", 0, 8, '"contains"'),
        ("facts.code && lenght(request.tags) > `1`", "unknown-function", 14, 6, '"length"'),
        ("length(qqq(request.tags))", "unknown-function", 7, 3, "functions are abs"),
        ("facts.code && contains(request.tags)", "function-arity", 14, 8, "array|string, any"),
        ("abs(`1`, `2`)", "function-arity", 0, 3, "abs(number)"),
        ("length(length())", "function-arity", 7, 6, "string|array|object"),
        ("request.task = 'x'", "expression-syntax", 13, 1, "=="),
        ("facts.code and facts.math", "expression-syntax", 11, 3, "&&"),
        ("not facts.code", "expression-syntax", 0, 3, "!(…)"),
        ("facts.tokens - 5 > `1`", "expression-syntax", 13, 1, "no arithmetic"),
        ("contains(request.tags, 'a'", "expression-syntax", 25, 1, "parenthesis"),
        ("facts.code &&", "expression-syntax", 12, 1, "behind &&"),
        ("facts.tokens > `1,000`", "expression-syntax", 15, 7, ""),
        ("target.localty == 'x'", "unknown-field", 7, 7, '"locality"'),
        ("target.id == 'tool' && target.capabilities.tool", "unknown-field", 43, 4, '"tools"'),
        ("request.metadata.privcy", "unknown-field", 17, 6, '"privacy"'),
        ("targt.id", "unknown-field", 0, 5, '"target"'),
        ("{a: target.foo}", "unknown-field", 11, 3, "it has"),
    ],
)
@pytest.mark.filterwarnings("ignore:deprecated string literal")
def test_a_fault_is_named_and_placed(text, rule, column, length, part):
    if text == "facts.tokens > `1,000`":  # jmespath.py takes it for text: lint's own rule
        assert check_expression(text, SCOPE) == []
        return
    (finding,) = check_expression(text, SCOPE)
    assert (finding.rule, finding.column, finding.length) == (rule, column, length)
    assert part in f"{finding.message} {finding.help}"


@pytest.mark.parametrize(
    "text",
    [
        "coding && request.task == 'code'",
        "request.tags[?@ == code]",
        "facts.tokens > `1000`",
        "request.messages[-1].role == 'user'",
        "request.\"metadata\".privacy == 'a'",
        "request.metadata.privacy.inner == 'a'",
        "target.quality.translation > `0.5`",
        "request.tags[1:3]",
        "to_number('5') > `1`",
        "'a-b/c' == target.id",
    ],
)
def test_right_expressions_have_no_finding(text):
    assert check_expression(text, SCOPE) == []


def test_every_repetition_is_found():
    found = check_expression("target.a == 'x' || target.a == 'y'", SCOPE)
    assert [finding.column for finding in found] == [7, 26]


def test_an_error_carries_its_rule():
    with pytest.raises(ExpressionError) as caught:
        Expression("a == 1")
    assert (caught.value.rule, caught.value.column, caught.value.length) == ("bare-number", 5, 1)


def test_tokens_end_where_the_next_begins_but_for_spaces():
    assert [tuple(token) for token in tokens_of("a == 'b c'  && `1`")] == [
        ("unquoted_identifier", 0, 1),
        ("eq", 2, 4),
        ("literal", 5, 10),
        ("and", 12, 14),
        ("literal", 15, 18),
    ]


def test_places_of_a_filter_follow_the_text():
    text = "a[?b == 'x'].c || contains(d, `1`)"
    tree = Expression(text).tree
    places = Places(tree, text)
    assert places.source(tree["children"][1]) == "contains(d, `1`)"
    projection = tree["children"][0]
    left, right, condition = projection["children"]
    assert [places.span(node) for node in (left, condition, right)] == [(0, 1), (3, 11), (13, 14)]
