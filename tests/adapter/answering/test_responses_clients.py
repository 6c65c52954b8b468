"""Clients of OpenAI's Responses: their items become messages, and answers items."""

from __future__ import annotations

import pytest

from llmroute.adapter.answering.openai_responses import OpenAIResponsesClients
from llmroute.adapter.opaque import seal
from llmroute.errors import ErrorKind, TargetError, UsageError
from llmroute.types import Chunk, Response, ToolCall, ToolCallDelta, Usage
from tests.adapter.answering.parts import events, stamp

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "1"}


def asked(**more):
    return OpenAIResponsesClients(stamp()).read({"model": "balanced", "input": "q", **more})


def messages(*items, **more):
    return [dict(m) for m in asked(input=list(items), **more).request.messages]


def test_items_become_messages():  # T71, the other way round
    assert messages({"role": "user", "content": "q"}, CALL, RESULT, instructions="S") == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "q"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ]


def test_thoughts_text_and_calls_of_one_answer_are_one_message():
    thought = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "E"}
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "let me see"}],
    }
    (message,) = messages(thought, said, CALL)
    assert message["content"] == "let me see"
    assert message["thinking_blocks"] == [thought]
    assert len(message["tool_calls"]) == 1


def test_a_thought_after_an_answer_begins_the_next():
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "E"}
    found = messages(CALL, thought, {**CALL, "call_id": "c2"})
    assert [len(m["tool_calls"]) for m in found] == [1, 1]


def test_parts():
    parts = [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,QQ==", "filename": "f"},
    ]
    (message,) = messages({"role": "user", "content": parts})
    assert message["content"] == [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QQ==", "filename": "f"},
        },
    ]


def test_fields():
    schema = {"type": "object"}
    request = asked(
        tools=[{"type": "function", "name": "f", "parameters": schema, "strict": True}],
        tool_choice={"type": "function", "name": "f"},
        text={"format": {"type": "json_schema", "name": "n", "schema": schema}},
        reasoning={"effort": "low", "summary": "auto"},
        max_output_tokens=7,
    ).request
    assert request.tools[0]["function"] == {"name": "f", "parameters": schema, "strict": True}
    assert request.tool_choice == {"type": "function", "function": {"name": "f"}}
    assert request.json_schema == schema
    assert (request.reasoning_effort, request.max_tokens) == ("low", 7)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"previous_response_id": "resp_1"}, "send the whole conversation"),
        ({"input": None}, "input is missing"),
        ({"tools": [{"type": "web_search"}]}, "runs at one provider alone"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "known to one provider alone"),
        ({"input": [{"type": "function_call"}]}, "needs call_id, name and arguments"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "files are kept at one provider",
        ),
        ({"stop": "x"}, "unknown fields in the request: stop"),
    ],
)
def test_what_cannot_be_meant_is_refused(more, said):
    with pytest.raises(UsageError, match=said):
        asked(**more)


def test_prompts_are_never_cut_and_that_is_said():
    assert asked(truncation="auto").warnings == ("truncation was dropped: prompts are never cut",)


def test_what_nobody_obeys_is_warned_of_by_its_place():
    found = asked(reasoning={"effort": "low", "summary": "auto"}, text={"verbosity": "low"})
    told = "was dropped: llmroute does not pass it on"
    assert found.warnings == (f"text.verbosity {told}", f"reasoning.summary {told}")
    with pytest.raises(UsageError, match=r"in the request: reasoning\.wat"):
        asked(reasoning={"wat": 1})


def answer(**fields):
    fields = {"text": "x", "finish_reason": "stop", "usage": Usage(), "model": "m", **fields}
    return OpenAIResponsesClients(stamp()).answer(Response(**fields), asked(instructions="S"))


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({}, "completed", None),
        (
            {"tool_calls": (ToolCall("c", "f", "{}"),), "finish_reason": "tool_calls"},
            "completed",
            None,
        ),
        ({"finish_reason": "length"}, "incomplete", "max_output_tokens"),
        ({"finish_reason": "content_filter"}, "incomplete", "content_filter"),
        ({"finish_reason": "content_filter", "refusal": "no", "text": None}, "completed", None),
    ],
)
def test_status(fields, status, reason):  # T73, the other way round
    found = answer(**fields)
    assert found["status"] == status
    assert found["incomplete_details"] == (reason and {"reason": reason})


def test_items_of_an_answer():
    sealed = seal({"type": "reasoning", "summary": [], "encrypted_content": "E"}, "o/m", 0)
    found = answer(thinking_blocks=(sealed,), tool_calls=(ToolCall("c", "f", "{}"),))
    assert [item["type"] for item in found["output"]] == ["reasoning", "message", "function_call"]
    assert found["instructions"] == "S"
    assert found["output"][2]["call_id"] == "c"


def written(*chunks):
    writer = OpenAIResponsesClients(stamp()).writer(asked())
    found = [event for chunk in chunks for event in writer.feed(chunk)]
    return events([*found, *writer.finish()])


def test_the_events_of_a_text():
    found = written(
        Chunk(model="m"),
        Chunk(text="Hel"),
        Chunk(text="lo."),
        Chunk(usage=Usage(input=200, output=90)),
        Chunk(finish_reason="stop"),
    )
    assert [name for name, _ in found] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [data["sequence_number"] for _, data in found] == list(range(10))
    assert found[6][1]["text"] == "Hello."
    last = found[-1][1]["response"]
    assert last["output"][0]["content"][0]["text"] == "Hello."
    assert last["usage"]["total_tokens"] == 290


def test_the_events_of_a_call():
    found = written(
        Chunk(tool_call=ToolCallDelta(0, "call_a1", "get_weather")),
        Chunk(tool_call=ToolCallDelta(0, arguments='{"city":')),
        Chunk(tool_call=ToolCallDelta(0, arguments='"Graz"}')),
        Chunk(finish_reason="tool_calls"),
    )
    assert [name for name, _ in found[2:-1]] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert found[-2][1]["item"]["arguments"] == '{"city":"Graz"}'


def test_an_answer_that_broke_failed():
    writer = OpenAIResponsesClients(stamp()).writer(asked())
    writer.feed(Chunk(text="x"))
    ((name, data),) = events(writer.fail(TargetError(ErrorKind.OVERLOADED, "busy")))
    assert name == "response.failed"
    assert data["response"]["error"]["code"] == "no_healthy_target"
