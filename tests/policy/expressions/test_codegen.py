"""Compiled expressions do what jmespath.py's interpreter does, and no text becomes code."""

from __future__ import annotations

import ast
from typing import Any

import jmespath
import pytest
from jmespath.visitor import TreeInterpreter

from llmroute.policy.expressions.codegen import UnsupportedNode, compile_expression, generate_source
from llmroute.policy.expressions.runtime import FAST, HELPERS
from tests.policy.expressions.jmespath_cases import odd
from tests.policy.expressions.jmespath_cases.compare import (
    SUITE,
    difference,
    outcome,
    own_cases,
    same,
    suite_cases,
)


def tree(text):
    return jmespath.compile(text).parsed


def field(name):
    return {"type": "field", "children": [], "value": name}


def literal(value):
    return {"type": "literal", "children": [], "value": value}


@pytest.mark.parametrize(("given", "text", "expected"), list(own_cases()))
def test_hand_written_case(given, text, expected):
    parsed = tree(text)
    kind, result = outcome(compile_expression(parsed), given)
    if isinstance(expected, dict) and set(expected) == {"error"}:
        assert kind == expected["error"]
    else:
        assert kind == "value"
        assert same(result, expected)
    assert difference(compile_expression, parsed, given) is None


@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")
@pytest.mark.skipif(not SUITE.is_dir(), reason="the compliance suite is not here")
def test_compliance_suite():
    cases = list(suite_cases())
    differences = [difference(compile_expression, case.parsed, given) for case, given in cases]
    assert [found for found in differences if found] == []
    assert len(cases) == 803


@pytest.mark.parametrize("text", odd.TEXTS)
def test_data_of_other_types(text):
    assert difference(compile_expression, tree(text), *odd.VALUES) is None


def test_a_field_that_breaks_is_null_as_interpreted():
    assert compile_expression(tree("b.broken || b.b"))({"b": odd.Odd()}) == "x"


def test_errors_are_those_of_jmespath():
    with pytest.raises(jmespath.exceptions.JMESPathTypeError) as caught:
        compile_expression(tree("length(a.b) > `1`"))({"a": {"b": 5}})
    assert str(caught.value) == (
        "In function length(), invalid type for value: 5, expected one of: "
        "['string', 'array', 'object'], received: \"number\""
    )


def test_an_error_after_a_missing_field_has_no_stray_context():
    with pytest.raises(jmespath.exceptions.JMESPathTypeError) as caught:
        compile_expression(tree("length(a.b)"))({})
    assert caught.value.__context__ is None


def test_a_reference_as_text_is_that_of_jmespath():
    assert difference(compile_expression, tree("length(to_string(&a))"), None) is None


def test_integers_too_long_for_text_work():
    huge = -(10**5000)
    compare = {"type": "comparator", "children": [field("a"), literal(huge)], "value": "gt"}
    assert compile_expression(compare)({"a": 1}) is True
    assert compile_expression(literal(huge))(None) is huge


def test_a_literal_is_the_object_of_the_tree():
    parsed = tree('`{"a": 1}`')
    assert compile_expression(parsed)(None) is TreeInterpreter().visit(parsed, None)


HOSTILE = (
    "'); import os; os.system('true')",
    "\n  raise SystemExit",
    '"""',
    "\\",
    "{0}{1}{v}",
    "__import__",
    "\ud800\x00",
    "é" * 100,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_code(text):
    """Names, literals, keys and function names, in every place where they could be written."""
    selection = {
        "type": "multi_select_dict",
        "children": [{"type": "key_val_pair", "children": [field(text)], "value": text}],
    }
    call = {
        "type": "function_expression",
        "children": [field(text), literal(text)],
        "value": "contains",
    }
    equal = {"type": "comparator", "children": [field(text), literal(text)], "value": "eq"}
    unknown = {"type": "function_expression", "children": [], "value": text}
    value = {text: [text]}
    for parsed in (field(text), literal(text), selection, call, equal, unknown):
        assert difference(compile_expression, parsed, value, {text: text}, {}) is None
        names = {n.id for n in ast.walk(ast.parse(generate_source(parsed)[0])) if _is_name(n)}
        assert {name for name in names if name not in HELPERS} <= {
            "v",
            "main",
            "t1",
            "f1",
            "c1",
        } | {f"{prefix}{number}" for prefix in "cft" for number in range(9)}


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


class Sly(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return "hacked()"


@pytest.mark.parametrize(
    "value", [Sly("a"), "x" * 65, 2**60, float("nan"), float("inf"), [1], {}, (1,)]
)
def test_only_plain_literals_are_written_out(value):
    source, constants = generate_source(literal(value))
    assert list(constants.values()) == [value] or value != value
    assert "hacked" not in source
    assert compile_expression(literal(value))(None) is value


def test_generated_code_reaches_no_builtins():
    function = compile_expression(tree("a"))
    assert function.__globals__["__builtins__"] == {}


def test_every_fast_function_has_its_helper():
    assert {helper for helper, _ in FAST.values()} <= set(HELPERS)


@pytest.mark.parametrize(
    "parsed",
    [
        {"type": "lambda", "children": []},
        {"type": "subexpression", "children": [field("a"), {"type": "new", "children": []}]},
        {"type": "comparator", "children": [field("a"), field("b")], "value": "like"},
        {"type": "comparator", "children": [field("a")], "value": "eq"},
        {"type": "not_expression", "children": []},
        {"type": "field", "children": []},
        {"type": "slice", "children": []},
        {"children": []},
        "a",
        None,
    ],
)
def test_what_is_not_known_is_left_to_the_interpreter(parsed):
    with pytest.raises(UnsupportedNode):
        compile_expression(parsed)


def test_a_tree_without_end_is_refused():
    endless: dict[str, Any] = {"type": "not_expression", "children": []}
    endless["children"].append(endless)
    with pytest.raises(UnsupportedNode):
        compile_expression(endless)


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 128),
        " || ".join(["b"] * 100),
        " && ".join(["a"] * 100),
        " | ".join(["a"] * 90),
        "(" * 60 + "a.b" + ")" * 60,
        "!" * 120 + "b",
        "a" + "[0]" * 80,
        "a" + "[*]" * 60,
        "a" + "[]" * 90,
        "[" * 60 + "a" + "]" * 60,
        "a[?" * 30 + "b" + "]" * 30,
        "length(to_array(" * 25 + "a" + "))" * 25,
        " == ".join(["a"] * 60),
        "map(&" * 25 + "@" + ", a)" * 25,
    ],
)
def test_long_and_deep_expressions(text):
    nested: Any = 1
    for _ in range(90):
        nested = {"a": nested, "b": None}
    assert difference(compile_expression, tree(text), nested, {"a": [[[1]]]}, {}) is None
