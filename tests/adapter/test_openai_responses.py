"""What a canonical request becomes on the wire of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from llmroute.catalog.model import Capabilities, WireRules
from llmroute.errors import ErrorKind
from tests.adapter.wire import WEATHER, at, encoded, failure, target
from tests.conversations import PNG

P = "openai-responses"
ENCRYPTED = ["reasoning.encrypted_content"]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def body(aim: Any = P, prompt: Any = "hi", **fields: Any) -> Any:
    return encoded(aim, prompt, **fields).body


def items(*messages: Any, aim: Any = P) -> Any:
    return body(aim, list(messages))["input"]


def user(*parts: Any) -> Any:
    return {"role": "user", "content": parts[0] if isinstance(parts[0], str) else list(parts)}


def test_a_plain_request_keeps_nothing_at_the_provider() -> None:
    sent = encoded(P)
    assert sent.path == "/responses"
    assert sent.body == {
        "model": "upstream-m",
        "input": [{"role": "user", "content": "hi"}],
        "store": False,
        "stream": False,
        "include": ENCRYPTED,
    }


def test_every_parameter() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    schema["additionalProperties"] = False
    form = {"name": "x", "strict": True, "schema": schema}
    sent = encoded(
        P,
        stream=True,
        max_tokens=64,
        temperature=0.2,
        top_p=0.9,
        user="u",
        reasoning_effort="max",
        tools=(WEATHER,),
        tool_choice="required",
        parallel_tool_calls=False,
        response_format={"type": "json_schema", "json_schema": form},
    )
    assert sent.warnings == ()
    assert sent.body == {
        "model": "upstream-m",
        "input": [{"role": "user", "content": "hi"}],
        "store": False,
        "stream": True,
        "include": ENCRYPTED,
        "max_output_tokens": 64,
        "temperature": 0.2,
        "top_p": 0.9,
        "safety_identifier": "u",
        "reasoning": {"effort": "max"},
        "tools": [
            {
                "type": "function",
                "name": "get_weather",
                "description": "Weather by city",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
                "strict": False,
            }
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "text": {"format": {"type": "json_schema", **form}},
    }


def test_what_the_protocol_does_not_have_is_dropped_with_a_warning() -> None:
    sent = encoded(P, stop="END", seed=7)
    assert not {"stop", "seed"} & set(sent.body)
    assert [warning.split(" ")[0] for warning in sent.warnings] == ["stop", "seed"]


def test_t71_messages_become_items() -> None:
    messages = [
        {"role": "system", "content": "S"},
        user("q"),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ]
    sent = body(prompt=messages)
    assert sent["instructions"] == "S"
    assert sent["input"] == [
        {"role": "user", "content": "q"},
        CALLED,
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
    ]


def test_system_messages_stay_in_their_order() -> None:
    said: Sequence[Any] = [
        {"role": "system", "content": "A"},
        {"role": "developer", "content": [{"type": "text", "text": "B"}]},
        user("q"),
        {"role": "assistant", "content": "a"},
        {"role": "developer", "content": "C"},
        user("r"),
    ]
    sent = body(prompt=said)
    assert sent["instructions"] == "A\n\nB"
    assert [item["role"] for item in sent["input"]] == ["user", "assistant", "developer", "user"]
    # Only llmroute's own shape of an assistant's message needs its type, for llama.cpp.
    assert sent["input"][1] == {"type": "message", "role": "assistant", "content": "a"}
    alone = body(prompt=[{"role": "system", "content": "A"}])
    assert (alone["input"], alone.get("instructions")) == (
        [{"role": "system", "content": "A"}],
        None,
    )


def test_parts() -> None:
    url = PNG["image_url"]["url"]  # type: ignore[index]
    mark = {"mode": "explicit"}
    file = {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}
    (sent,) = items(
        user(
            {"type": "text", "text": "a", "prompt_cache_breakpoint": mark},
            PNG,
            {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            {"type": "file", "file": file},
        )
    )
    assert sent["content"] == [
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": mark},
        {"type": "input_image", "image_url": url, "detail": "auto"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
        {"type": "input_file", **file},
    ]


def test_results_of_tools_may_hold_images() -> None:
    asked = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    text = {"type": "text", "text": "t"}

    def output(content: Any) -> Any:
        result = {"role": "tool", "tool_call_id": "c1", "name": "f", "content": content}
        return items(user("q"), asked, result)[-1]["output"]

    assert output([text, text]) == "tt"
    assert output("") == ""
    assert [part["type"] for part in output([text, PNG])] == ["input_text", "input_image"]


def test_refusals_are_said_again() -> None:
    part = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    field = {"role": "assistant", "content": None, "refusal": "No."}
    for said in (part, field):
        assert items(user("q"), said, user("r"))[1]["content"] == "No."


@pytest.mark.parametrize(
    "message",
    [
        user({"type": "video", "video": "x"}),
        user({"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}),
        user({"text": "no type"}),
        {"role": "assistant", "content": "x", "audio": {"id": "a"}},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"role": "assistant", "content": [PNG]},
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {}}]},
    ],
)
def test_what_cannot_be_said_is_refused(message: Any) -> None:
    error = failure(lambda: items(user("q"), message))
    assert error.kind is ErrorKind.CAPABILITY
    assert error.target == "p/m"


@pytest.mark.parametrize(
    "message",
    [
        user({"type": "file", "file": {"filename": "a.pdf"}}),
        {"role": "tool", "tool_call_id": "zz", "content": "1"},
        {"role": "assistant", "tool_calls": [{**CALL, "id": ""}]},
    ],
)
def test_malformed_messages_are_the_requests_fault(message: Any) -> None:
    assert failure(lambda: items(message)).kind is ErrorKind.INVALID_REQUEST


def test_nothing_said_at_all() -> None:
    error = failure(lambda: items({"role": "assistant", "content": None}))
    assert error.kind is ErrorKind.INVALID_REQUEST


def test_what_is_about_a_message_is_dropped_with_a_warning() -> None:
    named = {"role": "user", "name": "bob", "content": "q"}
    cached = user({"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}})
    sent = encoded(P, [named, cached, {**named, "annotations": []}])
    assert [w.split(" ")[0] for w in sent.warnings] == ["name", "cache_control"]


# Tools and formats.


def test_tools_are_not_strict_unless_they_say_so() -> None:
    bare = {"type": "function", "function": {"name": "now"}}
    closed = {"type": "object", "properties": {}, "additionalProperties": False}
    strict = {"type": "function", "function": {"name": "s", "strict": True, "parameters": closed}}
    first, second = body(tools=(bare, strict))["tools"]
    assert first == {
        "type": "function",
        "name": "now",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }
    assert (second["strict"], second["parameters"]) == (True, closed)


def test_the_choice_of_a_tool_is_flat() -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    flat = {"type": "function", "name": "get_weather"}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}}
    assert body(tools=(WEATHER,), tool_choice=named)["tool_choice"] == flat
    assert body(tools=(WEATHER,), tool_choice=allowed)["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [flat],
    }
    assert "tool_choice" not in body(tool_choice="auto")


def test_tools_and_choices_that_are_refused() -> None:
    hosted = {"type": "web_search"}
    assert failure(lambda: body(tools=(hosted,))).kind is ErrorKind.CAPABILITY
    for choice, kind in (
        ({"type": "custom", "custom": {"name": "f"}}, ErrorKind.CAPABILITY),
        ("always", ErrorKind.INVALID_REQUEST),
    ):
        error = failure(lambda c=choice: body(tools=(WEATHER,), tool_choice=c))  # type: ignore[misc]
        assert error.kind is kind
    weak = target(P, capabilities=Capabilities(tools=True))
    forced = failure(lambda: body(weak, tools=(WEATHER,), tool_choice="required"))
    assert forced.kind is ErrorKind.CAPABILITY


def test_formats() -> None:
    assert body(response_format={"type": "json_object"})["text"]["format"] == {
        "type": "json_object"
    }
    assert "text" not in body(response_format={"type": "text"})
    bare = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    assert body(response_format=bare)["text"]["format"]["name"] == "answer"
    for form in ({"type": "grammar"}, {"type": "json_schema"}):
        error = failure(lambda f=form: body(response_format=f))  # type: ignore[misc]
        assert error.kind is ErrorKind.CAPABILITY


# A model's own rules, and its endpoint's.


def test_a_models_rules() -> None:
    rules = WireRules(
        reject=("temperature",), rename={"max_tokens": "cap"}, efforts=("low", "high")
    )
    aim = target(P, wire=rules)
    sent = encoded(aim, max_tokens=9, temperature=1.5, reasoning_effort="medium")
    assert (sent.body["cap"], sent.body["reasoning"]) == (9, {"effort": "low"})
    assert "temperature" not in sent.body
    assert len(sent.warnings) == 2


def test_a_server_that_keeps_the_names_of_chat_completions() -> None:
    """llama.cpp overlooks `text.format`, but takes these; its file says so by `rename`."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    names = ("response_format", "stop", "seed")
    aim = target(P, wire=WireRules(rename={name: name for name in names}))
    sent = encoded(aim, response_format=form, stop="END", seed=7)
    assert sent.warnings == ()
    assert {name: sent.body[name] for name in names} == {
        "response_format": form,
        "stop": ["END"],
        "seed": 7,
    }
    assert "text" not in sent.body


def test_a_model_that_does_not_reason_is_not_asked_for_reasoning() -> None:
    sent = encoded(target(P, capabilities=Capabilities()), reasoning_effort="low")
    assert not {"include", "reasoning"} & set(sent.body)
    assert sent.warnings[0].startswith("reasoning_effort was dropped")


def test_the_endpoints_static_body_is_laid_over() -> None:
    aim = at(target(P), body={"reasoning": {"summary": "auto"}, "truncation": "auto"})
    sent = body(aim, reasoning_effort="low")
    assert sent["reasoning"] == {"effort": "low", "summary": "auto"}
    assert sent["truncation"] == "auto"


def test_a_model_may_speak_another_protocol_than_its_endpoint() -> None:
    """T70: tools with reasoning need Responses, whatever else the endpoint speaks."""
    aim = target("openai-chat", protocol=P)
    assert encoded(aim, tools=(WEATHER,)).path == "/responses"
    assert encoded(target("openai-chat"), tools=(WEATHER,)).path == "/chat/completions"


def test_long_ids_are_shortened_on_both_sides() -> None:
    long = "toolu_" + "x" * 80
    asked = {"role": "assistant", "tool_calls": [{**CALL, "id": long}, {**CALL, "id": f"{long}y"}]}
    results = [{"role": "tool", "tool_call_id": i, "content": "1"} for i in (f"{long}y", long)]
    sent = encoded(P, [user("q"), asked, *results])
    first, second, *answered = (item["call_id"] for item in sent.body["input"][1:])
    assert first != second
    assert answered == [second, first]
    assert all(len(made) <= 64 for made in (first, second))
    assert sent.tool_ids == {first: long, second: f"{long}y"}


def test_a_long_user_is_hashed() -> None:
    # 64 characters are allowed; the figure is sha256 of 65 times "u".
    assert body(user="u" * 64)["safety_identifier"] == "u" * 64
    assert len(body(user="u" * 65)["safety_identifier"]) == 64
    assert body(user="u" * 65)["safety_identifier"] != "u" * 64
