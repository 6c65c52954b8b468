"""Rules over expressions: each finds what is wrong, at its column, and leaves its neighbours."""

from __future__ import annotations

import pytest

from tests.lint.rulecase import found, policy_of, project, rule

# rule, place, expression, 0-based column and length of the finding, a part of message or help
WRONG = [
    ("comparison-type", "when", "request.stream == 'true'", 0, 24, "`true`"),
    ("comparison-type", "when", "facts.code || facts.tokens == '5'", 14, 19, "`5`"),
    ("comparison-type", "target", "target.id == `7`", 0, 16, "'7'"),
    ("comparison-type", "when", "request.tags == 'code'", 0, 22, "contains(request.tags, 'code')"),
    ("comparison-type", "when", "request.tags != `null`", 0, 22, "always true"),
    ("comparison-type", "when", "type(request.task) == `1`", 0, 25, "a text"),
    ("comparison-type", "when", "length(request.tags) == 'a'", 0, 27, "a number"),
    ("comparison-type", "when", "request.metadata.level == '1'", 0, 29, "`1`"),
    ("comparison-type", "when", "request.stream == `1`", 0, 21, "write `true`"),
    ("comparison-type", "when", "`0` != facts.code", 0, 17, "write `false`"),
    ("comparison-type", "when", "facts.code == `7`", 0, 17, "`true` or `false`"),
    ("comparison-type", "when", "facts.tokens == `true`", 0, 22, "write `1`"),
    ("ordering-type", "when", "request.tags > `5`", 0, 12, "length(request.tags)"),
    ("ordering-type", "when", "`2` <= keys(request.metadata)", 7, 22, "length(keys("),
    ("ordering-type", "when", "request.tags > 'a'", 0, 12, "contains("),
    ("ordering-type", "when", "facts.tokens > '1000'", 0, 21, "`1000`"),
    ("ordering-type", "when", "facts.code > `0`", 0, 10, "no order"),
    ("ordering-type", "target", "target.specializations >= `1`", 0, 22, "no order"),
    ("ordering-type", "when", "`5` < request.stream", 6, 14, "no order"),
    ("enum-value", "when", "request.metadata.privacy == 'privat'", 28, 8, "'private'"),
    ("enum-value", "target", "target.locality != 'lokal'", 19, 7, "'local'"),
    ("enum-value", "when", "now.weekday == `0`", 15, 3, "from 1 to 7|`1`"),
    ("enum-value", "when", "now.hour == `24`", 12, 4, "0 to 23"),
    ("enum-value", "when", "'maths' == facts.question", 0, 7, "one of|'what'"),
    ("enum-value", "when", "contains(['private', 'secret'], request.metadata.privacy)", 21, 8, ""),
    ("enum-value", "when", "type(request.task) == 'int'", 22, 5, ""),
    ("enum-value", "when", "request.metadata.level == `4`", 26, 3, "`1`, `2`, `3`"),
    ("negation-scope", "when", "!facts.code", 0, 11, "!(facts.code)"),
    ("negation-scope", "when", "facts.math && !facts.code", 14, 11, "!(facts.code)"),
    (
        "negation-scope",
        "target",
        "!target.capabilities.tools",
        0,
        26,
        "!(target.capabilities.tools)",
    ),
    ("negation-scope", "when", "!request.tags[0]", 0, 13, "!("),
    ("nullable-number", "target", "target.cost.input != `0`", 0, 24, "unknown"),
    ("nullable-number", "target", "!(target.max_output)", 2, 17, "`null`"),
    ("nullable-number", "when", "!(facts.tokens)", 2, 12, "always false"),
    ("nullable-number", "when", "`100` != request.max_tokens", 0, 27, "unknown"),
    ("function-type", "when", "length(facts.tokens) > `5`", 7, 12, "a number already"),
    ("function-type", "when", "abs('x') > `1`", 4, 3, "a number"),
    ("function-type", "when", "starts_with(request.tags, 'a')", 12, 12, "contains(request.tags"),
    ("function-type", "when", "contains(facts.tokens, `1`)", 9, 12, "a list or a text"),
    ("function-type", "when", "max(request.tags) == `1` && sum(request.tags) > `1`", 32, 12, ""),
    ("function-type", "when", "sort_by(request.tags, 'x')[0] == 'a'", 22, 3, "expression"),
    ("function-comma", "when", "contains(request.tags 'code')", 22, 6, "comma"),
    ("function-comma", "when", "facts.code && not_null(facts.task facts.code)", 34, 5, "comma"),
    ("function-comma", "when", "contains(to_array('a') 'a')", 23, 3, "comma"),
    ("or-literal", "when", "facts.task == 'code' || 'math'", 24, 6, "facts.task == 'math'"),
    ("or-literal", "when", "'math' || facts.task == 'code'", 0, 6, "not compared"),
    ("or-literal", "when", "facts.tokens > `5` || `7`", 22, 3, "facts.tokens > `7`"),
    ("or-literal", "prefer", "facts.code && 'x'", 14, 3, ""),
    ("let-root", "let", "length(@) > `3`", 7, 1, "request, facts"),
    ("let-root", "let", "@.target.locality == 'local'", 2, 6, "no target: this is null"),
    ("let-root", "let", "facts.code && (@ | live.loaded)", 19, 4, "budget, facts, now, request"),
    ("let-root", "let", "@ | length(@) > `3`", 0, 1, ""),
    ("let-root", "let", "facts.code && @", 14, 1, ""),
    ("prefer-type", "prefer", "target.locality", 0, 15, "a text"),
    ("prefer-type", "prefer", "'qualty'", 0, 8, "prefer: quality"),
    ("prefer-type", "prefer", "target.specializations", 0, 22, "contains("),
    ("prefer-type", "prefer", "request.tags[?@ == 'a']", 0, 23, "a list"),
    ("prefer-range", "prefer", "target.context_window", 0, 21, "cut to 1"),
    ("prefer-range", "prefer", "target.parameters", 0, 17, "cut to 1"),
    ("prefer-range", "prefer", "request.max_tokens", 0, 18, "cut to 1"),
    ("require-target", "target", "facts.tokens < `1000`", 0, 21, "every target or none"),
    ("require-target", "target", "`false`", 0, 7, ""),
    ("require-target", "gated", "request.stream", 0, 14, ""),
    ("value-range", "target", "live.success >= `95`", 16, 4, "`0.95`"),
    ("value-range", "when", "facts.digits > `1.5`", 15, 5, "share"),
    ("value-range", "target", "`-1` < target.quality.code", 0, 4, "share"),
    ("fieldless", "when", "request.tags[?name == 'code']", 14, 4, "no fields"),
    ("fieldless", "target", "target.id.provider == 'x'", 10, 8, "a text"),
    ("fieldless", "when", "request.tags.code", 13, 4, "of each element"),
    ("fieldless", "target", "target | capabilities.tool", 22, 4, '"tools"'),
    ("backtick-text", "when", "facts.task == `code`", 14, 6, "'code'"),
    ("backtick-text", "when", "facts.tokens > `1_000`", 15, 7, "'1_000'"),
    ("backtick-text", "when", "contains(request.tags, `a b`)", 23, 5, "'a b'"),
    ("unknown-budget", "when", "budget.taem > `0.8`", 7, 4, '"team"'),
    ("unknown-budget", "when", "facts.code && budget.x > `1`", 21, 1, "team"),
    ("unknown-budget", "let", "budget.all < `1`", 7, 3, "team"),
]
RIGHT = [
    ("comparison-type", "when", "request.stream == `true`"),
    ("comparison-type", "when", "request.task == `null`"),
    ("comparison-type", "when", "request.metadata.free == `5`"),
    ("comparison-type", "when", "request.tool_choice == 'auto'"),
    ("comparison-type", "when", "facts.tokens == facts.characters"),
    ("comparison-type", "target", "target.quality.code == `0.5`"),
    ("comparison-type", "when", "request.messages[0].role == 'user'"),
    ("comparison-type", "when", "request.tags[0] == 'code'"),
    ("comparison-type", "when", "(request.stream || 'no') == 'no'"),
    ("ordering-type", "when", "facts.tokens > `1000`"),
    ("ordering-type", "target", "target.cost.input <= `2`"),
    ("ordering-type", "when", "request.metadata.team > 'a'"),
    ("ordering-type", "when", "to_number(request.metadata.free) > `3`"),
    ("ordering-type", "when", "max(request.messages[].weight) > `3`"),
    ("enum-value", "when", "request.metadata.privacy == 'internal'"),
    ("enum-value", "when", "request.metadata.team == 'anything'"),
    ("enum-value", "when", "now.hour >= `24`"),
    ("enum-value", "when", "contains(`[6, 7]`, now.weekday)"),
    ("enum-value", "when", "request.metadata.level == `2.0`"),
    ("enum-value", "when", "request.metadata.privacy == `null`"),
    ("enum-value", "target", "(target.locality || 'unknown') == 'unknown'"),
    ("negation-scope", "when", "!(facts.code)"),
    ("negation-scope", "when", "!contains(request.tags, 'a')"),
    ("negation-scope", "when", "facts.math && !(facts.code)"),
    ("nullable-number", "target", "target.cost.input != `null`"),
    ("nullable-number", "when", "facts.tokens != `0`"),
    ("nullable-number", "target", "not_null(target.cost.input, `0`) != `0`"),
    ("nullable-number", "target", "!(target.limits.pool)"),
    ("function-type", "target", "contains(target.locality, 'lo')"),
    ("function-type", "when", "length(request.metadata) > `0`"),
    ("function-type", "when", "abs(request.metadata.free) > `1`"),
    ("function-type", "when", "sort_by(request.messages, &role)[0].role == 'a'"),
    ("function-type", "when", "starts_with(request.task, 'co')"),
    ("function-type", "when", "sum(map(&length(@), request.tags)) > `10`"),
    ("function-comma", "when", "contains(request.tags, 'code')"),
    ("function-comma", "when", "not_null(facts.task,!(facts.code))"),
    ("function-comma", "when", "length(request.tags[*]) > `1` && !(facts.code)"),
    ("function-comma", "when", "request.messages[*].content | length(@) == `1`"),
    ("or-literal", "when", "facts.task == 'code' || facts.task == 'math'"),
    ("or-literal", "prefer", "target.quality.code || `0.5`"),
    ("or-literal", "prefer", "live.loaded || `0.5`"),
    ("or-literal", "when", "(request.task || 'chat') == 'chat'"),
    ("or-literal", "when", "facts.code && `true`"),
    ("let-root", "let", "request.tags[?@ == 'a']"),
    ("let-root", "let", "@.request.stream"),
    ("let-root", "let", "@ | facts.code"),
    ("let-root", "let", "request.messages[].role | contains(@, 'user')"),
    ("let-root", "let", "length(request.messages) > `3`"),
    ("let-root", "when", "length(@) > `3`"),
    ("prefer-type", "prefer", "target.locality == 'local'"),
    ("prefer-type", "prefer", "target.quality.code"),
    ("prefer-type", "prefer", "request.metadata.free"),
    ("prefer-type", "when", "request.tags"),
    ("prefer-range", "prefer", "live.success"),
    ("prefer-range", "prefer", "target.context_window >= `200000`"),
    ("prefer-range", "prefer", "`1`"),
    ("prefer-range", "when", "request.max_tokens"),
    ("require-target", "target", "estimate.tokens_in < `1000`"),
    ("require-target", "gated", "`false`"),
    ("require-target", "target", "@.target.locality == 'local'"),
    ("value-range", "target", "live.success >= `0.95`"),
    ("value-range", "when", "budget.team > `1.2`"),
    ("value-range", "when", "facts.tokens > `95`"),
    ("value-range", "target", "live.headroom == `1`"),
    ("fieldless", "when", "request.tags[?@ == 'code']"),
    ("fieldless", "when", "request.messages[?role == 'tool']"),
    ("fieldless", "when", "request.tools[].function.name"),
    ("fieldless", "when", "request.metadata.free.inner.name == 'a'"),
    ("fieldless", "when", "request.tool_choice.type == 'function'"),
    ("fieldless", "target", "{a: target.id}.a == 'x'"),
    ("backtick-text", "when", "facts.task == 'code'"),
    ("backtick-text", "when", "facts.tokens > `1e3`"),
    ("backtick-text", "when", 'contains(`["a", "b"]`, facts.task)'),
    ("backtick-text", "when", 'facts.task == `"code"`'),
    ("unknown-budget", "when", "budget.team > `0.8`"),
    ("unknown-budget", "when", "request.metadata.team == 'budget.x'"),
    ("unknown-budget", "when", "length(budget) > `0`"),
]


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@pytest.mark.parametrize(("name", "place", "text", "column", "length", "part"), WRONG)
def test_what_is_wrong_is_found_at_its_place(name, place, text, column, length, part, tmp_path):
    policy, line, start = policy_of(place, text)
    items = found(tmp_path, name, {"policies/p.yaml": policy})
    assert [(item.rule, item.line, item.col) for item in items] == [(name, line, start + column)]
    (item,) = items
    assert item.end_col is not None
    assert item.end_col - item.col == length
    said = f"{item.message} {item.help}"
    assert any(one in said for one in part.split("|")), said


@pytest.mark.parametrize(("name", "place", "text"), RIGHT)
def test_what_is_right_is_left_alone(name, place, text, tmp_path):
    policy, _, _ = policy_of(place, text)
    assert "p" in project(tmp_path, {"policies/p.yaml": policy}).policies
    assert found(tmp_path, name, {"policies/p.yaml": policy}) == []


def test_every_rule_over_expressions_is_tested_both_ways():
    for name in {case[0] for case in WRONG}:
        assert len([case for case in WRONG if case[0] == name]) >= 3
        assert len([case for case in RIGHT if case[0] == name]) >= 3
        assert rule(name).severity == "warning"


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("contains(request.tags, 'team #1')", 29),
        ("facts.code && # and tools", 14),
        ("(facts.code  # || facts.math)", 13),
    ],
)
def test_a_comment_that_cuts_an_expression_is_shown(text, column, tmp_path):
    policy, line, start = policy_of("when", text)
    (item,) = found(tmp_path, "cut-by-comment", {"policies/p.yaml": policy})
    assert (item.line, item.col, item.severity) == (line, start + column, "error")


@pytest.mark.parametrize(
    "text", ["facts.code # and why", "contains(request.tags, '#1')", "facts.code &&"]
)
def test_a_comment_behind_a_whole_expression_is_fine(text, tmp_path):
    policy, _, _ = policy_of("when", text)
    assert found(tmp_path, "cut-by-comment", {"policies/p.yaml": policy}) == []
