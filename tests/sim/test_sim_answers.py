from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt, ToolSpec, ToolUse, compose
from llmroute.sim.instance import instance

WEATHER = ToolSpec(
    "get_weather",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = ToolSpec("now", {})


@pytest.mark.parametrize(("text", "count"), [("", 1), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_four_characters_make_a_token(text: str, count: int) -> None:
    assert tokens.count(text) == count


@pytest.mark.parametrize("text", ["", " ", "one two  three\n", "a\n\nb", "ünï"])
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(tokens.pieces(text)) == text


def test_the_same_prompt_has_the_same_answer() -> None:
    prompt = Prompt(model="m", text="say  hi", size=2)
    assert compose(prompt) == compose(prompt)
    assert compose(prompt).text == "m heard: say hi"


def test_images_are_counted_in_the_answer() -> None:
    assert compose(Prompt(model="m", text="what?", images=2)).text.endswith("(and saw 2 images)")


@pytest.mark.parametrize(
    ("text", "choice", "called"),
    [
        ("please get weather", "auto", ["get_weather"]),
        ("use get_weather and now", "auto", ["get_weather", "now"]),
        ("GET-WEATHER", "auto", ["get_weather"]),
        ("forget weather", "auto", []),
        ("get_weather", "none", []),
        ("hello", "required", ["get_weather"]),
        ("what is it now", "required", ["now"]),
        ("hello", "now", ["now"]),
    ],
)
def test_when_tools_are_called(text: str, choice: str, called: list[str]) -> None:
    answer = compose(Prompt(model="m", text=text, tools=(WEATHER, CLOCK), tool_choice=choice))
    assert [tool.name for tool in answer.tools] == called
    assert answer.finish == ("tool_calls" if called else "stop")


def test_tool_arguments_are_the_smallest_instance() -> None:
    answer = compose(Prompt(model="m", text="now, get weather", tools=(WEATHER, CLOCK)))
    assert answer.tools == (ToolUse("get_weather", {"city": "text"}), ToolUse("now", {}))


def test_only_one_tool_where_parallel_calls_are_off() -> None:
    prompt = Prompt(model="m", text="now get weather", tools=(WEATHER, CLOCK), parallel=False)
    assert len(compose(prompt).tools) == 1


def test_a_tool_result_is_told_and_not_asked_again() -> None:
    prompt = Prompt(model="m", text="get weather", tools=(WEATHER,), tool_result="12 C")
    assert compose(prompt).text == "m was told: 12 C"


def test_an_answer_is_cut_at_its_cap() -> None:
    answer = compose(Prompt(model="m", text="hello", max_tokens=2))
    assert (answer.text, answer.finish, answer.generated) == ("m heard:", "length", 2)


def test_an_answer_ends_at_a_stop_text() -> None:
    answer = compose(Prompt(model="m", text="one END two", stop=("END",)))
    assert (answer.text, answer.stopped_at, answer.finish) == ("m heard: one ", "END", "stop")


def test_reasoning_counts_as_generated() -> None:
    answer = Answer(text="abcd", reasoning="12345678")
    assert (answer.generated, answer.thought) == (3, 2)


SCHEMAS: list[Any] = [
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    {"type": "object", "required": ["x"]},
    {"enum": ["red", "green"]},
    {"const": {"a": [1]}},
    {"type": ["null", "integer"], "minimum": 7},
    {"type": "integer", "exclusiveMinimum": 4, "multipleOf": 5},
    {"type": "integer", "exclusiveMaximum": 0},
    {"type": "integer", "maximum": -3, "multipleOf": 2},
    {"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.2},
    {"type": "number", "minimum": 10},
    {"type": "number", "maximum": -1},
    {"type": "string", "minLength": 9, "maxLength": 9},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 3},
    {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 3},
    {"anyOf": [{"type": "null"}, {"type": "object", "required": ["k"]}]},
    {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "null"}}, "required": ["b"]},
        ]
    },
    {
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        "$ref": "#/$defs/Node",
    },
    {
        "type": "object",
        "properties": {"deep": {"type": "object", "properties": {"n": {"type": "number"}}}},
        "additionalProperties": False,
    },
    True,
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:60])
def test_an_instance_validates(schema: Any) -> None:
    jsonschema_rs.Draft202012Validator(schema).validate(instance(schema))


def test_a_schema_answer_is_the_instance_as_json() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert compose(Prompt(model="m", format_schema=schema)).text == '{"n":1}'
    assert json.loads(compose(Prompt(model="m", text="hi", format_schema=True)).text)
