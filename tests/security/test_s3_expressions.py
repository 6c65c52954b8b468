"""S3: expressions: ≤256 characters, depth ≤16, allow-listed functions, regular expressions only
through a linear-time engine. (A 495-character JMESPath can make 512 MB; 26 characters against
`(a+)+$` take seconds.)
"""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.functions import Functions

from llmroute.adapter.declared.expressions import FUNCTIONS as WIRE_FUNCTIONS
from llmroute.adapter.declared.expressions import compiled
from llmroute.policy.expressions.expression import (
    FUNCTIONS,
    EvaluationError,
    Expression,
    ExpressionError,
)
from llmroute.policy.expressions.growth import MAX_GROWTH, growth

LARGE = {
    "request": {
        "messages": [{"role": "user", "content": "wörd " * 20} for _ in range(5_000)]
        + [{"role": "user", "content": '"\\\x01' * 100_000}],
        "tags": ["a"] * 2_000,
        "metadata": {f"k{number}": "v" * 20 for number in range(500)},
    },
    "facts": {"tokens": 10, "code": True, "language": "de"},
}


def test_length_and_depth_are_limited() -> None:
    Expression("a" * 256)
    Expression("!" * 15 + "a")
    for text in ("a" * 257, "!" * 16 + "a", "(" * 128 + ")" * 128, "[" * 256):
        with pytest.raises(ExpressionError):
            Expression(text)


def test_only_listed_functions_exist() -> None:
    assert set(Functions.FUNCTION_TABLE) >= FUNCTIONS
    assert not [name for name in FUNCTIONS | set(WIRE_FUNCTIONS) if "re" in name.split("_")]
    for name in ("match", "regex", "eval", "__import__", "getattr", "env", "file", "from_json"):
        with pytest.raises(ExpressionError) as caught:
            Expression(f"{name}(a)")
        assert caught.value.rule == "unknown-function"


def test_a_function_that_a_newer_library_brings_does_not_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = Functions.FUNCTION_TABLE["abs"]
    monkeypatch.setitem(Functions.FUNCTION_TABLE, "match_regex", entry)
    for make in (Expression, compiled):
        with pytest.raises(ExpressionError, match="no function"):
            make("match_regex(a)")


TOO_LARGE = [
    "request.messages" + "|[@,@,@]" * 10 + "|to_string(@)",
    "request.messages" + "|[@,@]" * 12 + "|length(to_string(@))",
    "request.messages" + "|[@,@,@,@]" * 4 + "|[][][][]",
    "request.messages" + ".[@,@,@,@,@,@]" * 2 + "==request.messages",
    "request.messages" + "|{a:@,b:@,c:@,d:@,e:@,f:@}" * 2,
    "request.messages[*].[@,@,@,@,@,@][*].[@,@,@,@,@,@]",
    "request.messages[?to_string([@,@,@,@,@,@])=='x']",
    "request.*.[@,@,@,@,@,@,@].[@,@,@,@,@]",
    "map(&[@,@,@,@,@,@,@,@],map(&[@,@,@,@,@],request.messages))",
    "sort_by(request.messages,&to_string([@,@,@,@,@,@]))",
    "length(to_string([to_string([request.messages])]))",
    'join(`"' + "x" * 150 + '"`,request.tags)',
    "request.tags[*].['" + "x" * 100 + "',@,@,@,@,@,@][]|to_string(@)",
    "merge(merge(@,@,@,@,@,@),merge(@,@,@,@,@,@)).[@,@,@]",
    "request.messages[*].content|join([-1],@)",
    "join(request.messages[-1].content,request.tags)",
]


@pytest.mark.parametrize("text", TOO_LARGE)
def test_what_could_repeat_its_data_too_often_is_refused(text: str) -> None:
    for make in (Expression, compiled):
        with pytest.raises(ExpressionError) as caught:
            make(text)
        assert caught.value.help


USUAL = {
    "contains(request.tags, 'code') || facts.code": 2,
    "length([facts.code, facts.images, request.tags][?@])": 3,
    "contains(['de', 'at', 'ch', 'fr', 'it', 'es', 'nl', 'be', 'lu', 'cz'], facts.language)": 3,
    "request.messages[*].content | join(', ', @)": 2,
    "to_string(request.metadata)": 6,
    "max([facts.tokens, request.max_tokens, `500`])": 3,
    "sort_by(request.messages, &length(content))[-1].content": 1,
    "request.messages[?role == 'user'].content[] | length(@)": 1,
}


@pytest.mark.parametrize("text", USUAL)
def test_usual_expressions_are_far_from_the_limit(text: str) -> None:
    assert growth(Expression(text).tree) == USUAL[text]


WORST = [
    "to_string([request,request,request,request,request])",
    "request.messages|[@,@,@]|[@,@,@]|@==[@[0],@[1],@[2]]",
    "request.messages[*].[@,@,@,@,@][].[@,@,@,@,@][]|length(@)",
    "request.messages[*].to_string([@,@])|join('--',@)|length(@)",
    "sort_by(request.messages,&to_string(@))|reverse(@)|length(@)",
    "request.messages[?contains(content,'zz')||contains(content,'\"\"')||ends_with(content,'q')]",
    "max_by(request.messages,&length(to_string(@)))",
    "request.messages[*].content|[@,@,@,@,@]|[]|join('',@)|contains(@,'aaaaaaaaab')",
    "request.*|[@,@,@,@]|[][][]|length(@)",
]


@pytest.mark.parametrize("text", WORST)
def test_what_is_accepted_stays_small_and_quick(text: str) -> None:
    size = len(json.dumps(LARGE))
    expression = Expression(text)
    expression.function  # noqa: B018 - compiled before the clock runs
    tracemalloc.start()
    started = time.process_time()
    try:
        expression.evaluate(LARGE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 2
    assert peak < 2 * MAX_GROWTH * size


ATOMS = st.sampled_from(["a", "b", "@", "`1`", "'x'", "a.b", "b[0]"])
TREES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]} | {two[1]}"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]})[*].{{k: {two[1]}}}"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]})[?{two[1]}]"),
        inner.map(lambda one: f"to_string({one})"),
        inner.map(lambda one: f"to_array({one})[]"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]} || {two[1]}"),
    ),
    max_leaves=8,
)
DATA: dict[str, Any] = {"a": {"b": ["x" * 400, '"' * 400]}, "b": [["y" * 400], {"a": "z" * 400}]}


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_no_result_is_larger_than_its_bound(text: str) -> None:
    """The bound is held against jmespath's own interpreter."""
    try:
        expression = Expression(text)
    except ExpressionError:
        return
    size = len(json.dumps(DATA))
    result = jmespath.search(text, DATA)
    assert len(json.dumps(result)) <= 2 * growth(expression.tree) * size
    try:
        assert json.dumps(expression.evaluate(DATA)) == json.dumps(result)
    except EvaluationError:
        raise AssertionError(text) from None
