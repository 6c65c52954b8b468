from __future__ import annotations

import hashlib
from typing import Any

import pytest

from llmroute.adapter.protocols.schema import output_schema, tool_schema
from llmroute.catalog.model import Capabilities, WireRules
from llmroute.errors import ErrorKind
from tests.adapter.wire import WEATHER, encoded, failure, target

P = "anthropic-messages"


def body(prompt: Any = "hi", aim: Any = P, **fields: Any) -> Any:
    return encoded(aim, prompt, **fields).body


def turns(*messages: Any) -> Any:
    return body(list(messages))["messages"]


def said(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = None, *calls: tuple[str, str, str]) -> dict[str, Any]:
    made = [
        {"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls
    ]
    return {"role": "assistant", "content": content, **({"tool_calls": made} if made else {})}


def tool(call_id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def test_a_plain_request() -> None:
    assert body() == {
        "model": "upstream-m",
        "max_tokens": 4096,
        "messages": [said("user", "hi")],
        "stream": False,
    }
    assert body(aim=target(P, max_output=64000))["max_tokens"] == 64000
    assert body(max_tokens=9, aim=target(P, max_output=64000))["max_tokens"] == 9


def test_leading_system_is_lifted_block_by_block() -> None:
    sent = body(
        [
            {"role": "system", "content": "A"},
            {"role": "developer", "content": [{"type": "text", "text": "B"}]},
            user("hi"),
        ]
    )
    assert sent["system"] == [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    assert sent["messages"] == [said("user", "hi")]


def test_late_system_is_said_inside_the_users_turn() -> None:
    sent = body([user("a"), assistant("b"), {"role": "system", "content": "S2"}, user("c")])
    assert "system" not in sent
    assert sent["messages"][2] == said("user", "<system>S2</system>", "c")


def test_neighbours_are_merged() -> None:
    assert turns(user("q"), assistant("a"), assistant("b"), user("x"), user("y")) == [
        said("user", "q"),
        said("assistant", "a", "b"),
        said("user", "x", "y"),
    ]


def test_results_come_first_in_their_turn() -> None:
    sent = turns(user("q"), assistant(None, ("c1", "f", "{}")), user("wait"), tool("c1", "1"))
    assert sent[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "1"}]},
        {"type": "text", "text": "wait"},
    ]


def test_calls_and_their_arguments() -> None:
    called = assistant("on it", ("c1", "f", '{"a": 1}'), ("c2", "g", ""))
    sent = turns(user("q"), called, tool("c1", "1"), tool("c2", "2"))
    assert sent[1]["content"] == [
        {"type": "text", "text": "on it"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
    ]


def test_ids_are_rewritten_alike_on_both_sides_and_never_two_to_one() -> None:
    made = encoded(
        P,
        [
            user("q"),
            assistant(None, ("call:1|x", "f", "{}"), ("call_1_x", "f", "{}")),
            tool("call_1_x", "second"),
            tool("call:1|x", "first"),
        ],
    )
    _, calls, results = made.body["messages"]
    assert [call["id"] for call in calls["content"]] == ["call_1_x", "call_1_x_2"]
    assert [(r["tool_use_id"], r["content"][0]["text"]) for r in results["content"]] == [
        ("call_1_x_2", "second"),
        ("call_1_x", "first"),
    ]
    assert made.tool_ids == {"call_1_x": "call:1|x", "call_1_x_2": "call_1_x"}


def test_an_id_that_comes_again_is_made_unique() -> None:
    made = encoded(
        P,
        [
            user("q"),
            assistant(None, ("0", "f", "{}"), ("0", "f", "{}")),
            tool("0", "first"),
            tool("0", "second"),
            assistant(None, ("0", "f", "{}")),
            tool("0", "third"),
        ],
    )
    blocks = [block for turn in made.body["messages"] for block in turn["content"]]
    assert [block["id"] for block in blocks if "id" in block] == ["0", "0_2", "0_3"]
    results = [block for block in blocks if "tool_use_id" in block]
    assert [(r["tool_use_id"], r["content"][0]["text"]) for r in results] == [
        ("0", "first"),
        ("0_2", "second"),
        ("0_3", "third"),
    ]
    assert made.tool_ids == {"0_2": "0", "0_3": "0"}
    unanswered = [user("q"), assistant(None, ("0", "f", "{}"), ("0", "f", "{}")), tool("0", "1")]
    assert failure(lambda: encoded(P, unanswered)).kind is ErrorKind.INVALID_REQUEST


def test_an_empty_result_has_no_content() -> None:
    sent = turns(user("q"), assistant(None, ("c1", "f", "{}")), tool("c1", ""))
    assert sent[2]["content"] == [{"type": "tool_result", "tool_use_id": "c1"}]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "S"}],
        [user("")],
        [user("  ")],
        [user("q"), tool("zz", "1")],
        [user("q"), assistant(None, ("c1", "f", "{}"))],
        [user("q"), assistant(None, ("c1", "f", "{}"), ("c2", "f", "{}")), tool("c1", "1")],
        [user("q"), assistant(None, ("c1", "f", "{}")), user("r"), assistant("s"), user("t")],
        [
            user("q"),
            assistant(None, ("c1", "f", "{}")),
            tool("c1", "1"),
            assistant("x"),
            tool("c1", "2"),
        ],
        [user("q"), assistant(None, ("c1", "f", "{not json"))],
        [user("q"), assistant(None, ("c1", "f", "[1]"))],
        [user([{"type": "image_url", "image_url": {"url": "ftp://x"}}])],
        [user([{"type": "text"}])],
        [user([{"type": "file", "file": {}}])],
        [user([{"type": "file", "file": {"file_data": "QUJD"}}])],
    ],
)
def test_what_no_provider_would_take(messages: Any) -> None:
    assert failure(lambda: body(messages)).kind is ErrorKind.INVALID_REQUEST


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": [user([{"type": "input_audio", "input_audio": {}}])]},
        {"prompt": [user([{"type": "file", "file": {"file_id": "file-1"}}])]},
        {"prompt": [user([{"type": "file", "file": {"file_data": "data:text/csv;base64,QQ=="}}])]},
        {"response_format": {"type": "json_object"}},
        {"tools": ({"type": "custom", "custom": {"name": "x"}},)},
        {"tools": (WEATHER,), "tool_choice": {"type": "custom", "custom": {"name": "x"}}},
    ],
)
def test_what_this_wire_cannot_say(fields: Any) -> None:
    prompt = fields.pop("prompt", "hi")
    assert failure(lambda: body(prompt, **fields)).kind is ErrorKind.CAPABILITY


def test_a_pdf_is_a_document() -> None:
    file = {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}
    assert turns(user([{"type": "file", "file": file}]))[0]["content"] == [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
            "title": "a.pdf",
        }
    ]


def test_blank_parts_are_left_out_and_a_prefill_ends_without_white_space() -> None:
    parts = [{"type": "text", "text": ""}, {"type": "text", "text": "x"}]
    assert turns(user(parts), assistant("The answer is ")) == [
        said("user", "x"),
        said("assistant", "The answer is"),
    ]
    assert turns(user("q"), assistant(""), user("r")) == [said("user", "q", "r")]


def test_images() -> None:
    data = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    link = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    assert turns(user([data, link]))[0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
    ]


def test_cache_marks_stay() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    part = {"type": "text", "text": "long", "cache_control": mark}
    assert turns(user([part]))[0]["content"] == [part]
    assert body(tools=({**WEATHER, "cache_control": mark},))["tools"][0]["cache_control"] == mark


def test_parameters() -> None:
    made = encoded(
        P,
        temperature=1.7,
        top_p=0.5,
        stop=("END", " \n"),
        seed=1,
        user="bob@example.org",
        reasoning_effort="minimal",
        stream=True,
    )
    assert made.body["temperature"] == 1
    assert made.body["top_p"] == 0.5
    assert made.body["stop_sequences"] == ["END"]
    hashed = hashlib.sha256(b"bob@example.org").hexdigest()
    assert made.body["metadata"] == {"user_id": hashed}
    assert made.body["output_config"] == {"effort": "low"}
    assert made.body["stream"] is True
    assert len(made.warnings) == 4


def test_an_effort_of_none_turns_thinking_off_where_the_model_can() -> None:
    aim = target(P, wire=WireRules(efforts=("none", "low", "high")))
    assert body(aim=aim, reasoning_effort="none")["thinking"] == {"type": "disabled"}


def test_tools() -> None:
    sent = body(tools=(WEATHER, {"type": "function", "function": {"name": "now"}}))
    assert sent["tools"] == [
        {
            "name": "get_weather",
            "description": "Weather by city",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert "tool_choice" not in sent


def test_strict_tools_keep_to_the_subset() -> None:
    """Otherwise: `For 'integer' type, property 'minimum' is not supported`."""
    parameters = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}},
        "required": ["n"],
    }
    function = {"name": "f", "strict": True, "parameters": parameters}
    (tool,) = body(tools=({"type": "function", "function": function},))["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    loose = {"type": "function", "function": {**function, "strict": False}}
    assert body(tools=(loose,))["tools"][0]["input_schema"] == parameters


@pytest.mark.parametrize(
    ("choice", "parallel", "wire"),
    [
        ("auto", None, {"type": "auto"}),
        ("required", None, {"type": "any"}),
        ("none", None, {"type": "none"}),
        ({"type": "function", "function": {"name": "f"}}, None, {"type": "tool", "name": "f"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        (None, True, None),
    ],
)
def test_tool_choice(choice: Any, parallel: Any, wire: Any) -> None:
    sent = body(tools=(WEATHER,), tool_choice=choice, parallel_tool_calls=parallel)
    assert sent.get("tool_choice") == wire
    assert "tool_choice" not in body(tool_choice="auto", parallel_tool_calls=parallel)


def test_a_forced_call_needs_a_target_that_obeys() -> None:
    aim = target(P, capabilities=Capabilities(tools=True))
    error = failure(lambda: body(aim=aim, tools=(WEATHER,), tool_choice="required"))
    assert error.kind is ErrorKind.CAPABILITY


def test_structured_output() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}},
        "required": ["n"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    assert body(response_format=form)["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}},
            "required": ["n"],
            "additionalProperties": False,
        },
    }


def test_the_schema_subset() -> None:
    schema = {
        "type": "object",
        "description": "D",
        "additionalProperties": True,
        "minProperties": 1,
        "$defs": {"E": {"enum": ["a", "b"]}},
        "properties": {
            "when": {"type": "string", "format": "date-time"},
            "code": {"type": "string", "format": "zip", "pattern": "x"},
            "list": {"type": "array", "items": {"$ref": "#/$defs/E"}, "minItems": 1, "maxItems": 3},
            "either": {"oneOf": [{"type": "string"}, {"type": "null"}]},
            "many": {"type": ["string", "null"]},
        },
    }
    assert output_schema(schema) == {
        "type": "object",
        "additionalProperties": False,
        "description": "D\n\n{minProperties: 1}",
        "$defs": {"E": {"enum": ["a", "b"]}},
        "properties": {
            "when": {"type": "string", "format": "date-time"},
            "code": {"type": "string", "description": "{format: zip, pattern: x}"},
            "list": {
                "type": "array",
                "items": {"$ref": "#/$defs/E"},
                "minItems": 1,
                "description": "{maxItems: 3}",
            },
            "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "many": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    }


def test_tool_schemas_become_objects_without_definitions() -> None:
    parameters = {
        "definitions": {"X": {"type": "string"}},
        "anyOf": [{"type": "object", "properties": {"a": {"$ref": "#/definitions/X"}}}],
    }
    assert tool_schema(parameters) == {"type": "object", "properties": {"a": {"type": "string"}}}
    tree = {
        "type": "object",
        "definitions": {"T": {"properties": {"next": {"$ref": "#/definitions/T"}}}},
        "properties": {"t": {"$ref": "#/definitions/T"}},
    }
    assert tool_schema(tree)["properties"]["t"] == {"properties": {"next": {"type": "object"}}}
