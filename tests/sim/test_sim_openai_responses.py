"""The OpenAI simulator's Responses, held against the wire's own examples and words."""

from __future__ import annotations

from typing import Any

import pytest
from sim_wire import chunks, events, example, keys, post, raw

from llmroute.sim import Answer, Fault, Sim, ToolUse

RESPONSES = "/v1/responses"
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "name": "get_weather", "strict": True, "parameters": PARAMETERS}
CALL = {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "12 C"}
#: An item that brings a function in a namespace, as OpenAI's Codex CLI sends its tools.
ADDED = {
    "type": "additional_tools",
    "role": "developer",
    "tools": [{"type": "namespace", "name": "sky", "description": "", "tools": [TOOL]}],
}
QUESTION = {"type": "message", "role": "user", "content": "Use get_weather"}
INCLUDE = ["reasoning.encrypted_content"]


def body(asked: Any = "hello", **extra: Any) -> dict[str, Any]:
    # gpt-6-sol may be asked not to reason; then there is text alone.
    return {"model": "gpt-6-sol", "input": asked, "reasoning": {"effort": "none"}, **extra}


def said(answer: Any) -> str:
    parts = [p for item in answer["output"] if item["type"] == "message" for p in item["content"]]
    return "".join(part["text"] for part in parts)


def test_a_whole_answer(openai: Sim) -> None:
    got = post(openai, RESPONSES, body("hello there"))
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert got.headers["x-request-id"]
    assert got.json["status"] == "completed"
    assert said(got.json) == "gpt-6-sol heard: hello there"
    # "hello there" has 11 characters, "gpt-6-sol heard: hello there" 28: a token each four.
    usage = got.json["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (3, 7, 10)


def test_a_call_has_the_keys_of_the_wire(openai: Sim) -> None:
    asked = {"model": "gpt-6.2-sol", "input": "Use get_weather", "tools": [TOOL]}
    asked |= {"include": INCLUDE, "store": False, "instructions": "Be brief."}
    got = post(openai, RESPONSES, asked).json
    assert [item["type"] for item in got["output"]] == ["reasoning", "function_call"]
    assert got["output"][1]["arguments"] == '{"city":"text"}'
    assert got["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
    wanted = keys(example("openai_responses/response_function_call.json"))
    # The example's list of tools is empty.
    assert {key for key in keys(got) if not key.startswith("tools.")} == wanted


def test_a_text_stream_has_the_events_of_the_wire(openai: Sim) -> None:
    openai.script(Answer("Hello."))
    got = events(post(openai, RESPONSES, body(stream=True)).body)
    wanted = example("openai_responses/stream_text.sse")
    assert [name for name, _ in got] == [name for name, _ in wanted]
    for (name, ours), (_, theirs) in zip(got, wanted, strict=True):
        assert ours["type"] == name
        assert keys(ours) == keys(theirs)
    assert [data["sequence_number"] for _, data in got] == list(range(len(got)))


def test_a_calls_stream_has_the_events_of_the_wire(openai: Sim) -> None:
    openai.script(Answer(tools=(ToolUse("get_weather", {"city": "Graz"}),), finish="tool_calls"))
    got = events(post(openai, RESPONSES, body(stream=True, tools=[TOOL])).body)
    wanted = example("openai_responses/stream_function_call.sse")
    begun = ["response.created", "response.in_progress"]
    assert [name for name, _ in got] == begun + [name for name, _ in wanted][1:]
    for (name, ours), (_, theirs) in zip(got[2:-1], wanted[1:-1], strict=True):
        assert keys(ours) == keys(theirs), name
    deltas = [data["delta"] for name, data in got if str(name).endswith("arguments.delta")]
    assert len(deltas) == 2
    assert "".join(deltas) == '{"city":"Graz"}'


def test_reasoning_is_shown_where_a_summary_is_asked_for(openai: Sim) -> None:
    asked = body(reasoning={"effort": "low", "summary": "auto"}, stream=True, include=INCLUDE)
    got = events(post(openai, RESPONSES, asked).body)
    told = [d["delta"] for name, d in got if name == "response.reasoning_summary_text.delta"]
    (item,) = (i for i in got[-1][1]["response"]["output"] if i["type"] == "reasoning")
    assert item["summary"] == [{"type": "summary_text", "text": "".join(told)}]
    assert item["encrypted_content"].startswith("gAAAA")
    hidden = post(openai, RESPONSES, body(reasoning={"effort": "low"})).json["output"][0]
    assert (hidden["summary"], "encrypted_content" in hidden) == ([], False)


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("failed", "failed", None),
    ],
)
def test_how_answers_end(openai: Sim, finish: str, status: str, reason: str | None) -> None:
    openai.script(Answer("Hel", finish=finish), times=2)
    whole = post(openai, RESPONSES, body()).json
    assert whole["status"] == status
    assert (whole["incomplete_details"] or {}).get("reason") == reason
    assert bool(whole["error"]) == (status == "failed")
    name, last = events(post(openai, RESPONSES, body(stream=True)).body)[-1]
    assert (name, last["response"]["status"]) == (f"response.{status}", status)


def test_a_refusal(openai: Sim) -> None:
    openai.script(Answer(refusal="No."), times=2)
    (item,) = post(openai, RESPONSES, body()).json["output"]
    assert item["content"] == [{"type": "refusal", "refusal": "No."}]
    names = [name for name, _ in events(post(openai, RESPONSES, body(stream=True)).body)]
    assert "response.refusal.delta" in names


def test_a_cap_on_the_output(openai: Sim) -> None:
    # 16 tokens are 64 characters, and "gpt-6-sol heard: " is 17 of them.
    got = post(openai, RESPONSES, body("x" * 48, max_output_tokens=16)).json
    assert got["incomplete_details"] == {"reason": "max_output_tokens"}
    assert got["usage"]["output_tokens"] == 16


def test_a_schema(openai: Sim) -> None:
    form = {"type": "json_schema", "name": "x", "schema": PARAMETERS}
    assert said(post(openai, RESPONSES, body(text={"format": form})).json) == '{"city":"text"}'
    del form["name"]
    got = post(openai, RESPONSES, body(text={"format": form}))
    assert got.json["error"]["param"] == "text.format.name"


def test_a_tool_round_trip(openai: Sim) -> None:
    asked = {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]}
    got = post(openai, RESPONSES, body([asked, CALL, OUTPUT], tools=[TOOL]))
    assert said(got.json) == "gpt-6-sol was told: 12 C"


def test_tools_in_an_item_are_on_offer_and_called_in_their_namespace(openai: Sim) -> None:
    got = post(openai, RESPONSES, body([ADDED, QUESTION], client_metadata={"x": "y"}))
    (call,) = got.json["output"]
    assert (call["name"], call["namespace"]) == ("get_weather", "sky")
    (plain,) = post(openai, RESPONSES, body([QUESTION], tools=[TOOL])).json["output"]
    assert "namespace" not in plain


def test_a_custom_tools_round_trip(openai: Sim) -> None:
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "x = 1"}
    result = {"type": "custom_tool_call_output", "call_id": "c1", "output": "12 C"}
    got = post(openai, RESPONSES, body([QUESTION, call, result]))
    assert said(got.json) == "gpt-6-sol was told: 12 C"


@pytest.mark.parametrize(
    ("asked", "word", "code"),
    [
        (body(messages=[]), "Unknown parameter: 'messages'", "unknown_parameter"),
        (body(stop="x"), "Unknown parameter: 'stop'", "unknown_parameter"),
        ({"model": "gpt-6-sol"}, "Missing required parameter: 'input'", None),
        (body([OUTPUT]), "No tool call found for function call output", None),
        (body([CALL]), "No tool output found for function call c1", None),
        (body([{**CALL, "call_id": "x" * 65}]), "maximum length 64", "string_above_max_length"),
        (body([{"role": "tool", "content": "x"}]), "Invalid value: 'tool'", "invalid_value"),
        (body([{"type": "video"}]), "Invalid value: 'video'", "invalid_value"),
        (
            body([{"role": "user", "content": [{"type": "output_text", "text": "x"}]}]),
            "Invalid value: 'output_text'. Supported values are: 'input_file'",
            "invalid_value",
        ),
        (
            body(tools=[{"type": "function", "function": {"name": "f"}}]),
            "Missing required parameter: 'tools[0].name'",
            "missing_required_parameter",
        ),
        (
            body(tools=[{"type": "function", "name": "f", "strict": True, "parameters": {}}]),
            "Invalid schema for function 'f'",
            "invalid_function_parameters",
        ),
        (body([{**ADDED, "role": "user"}]), "Supported values are: 'developer'", "invalid_value"),
        (
            body([{**ADDED, "tools": None}]),
            "Missing required parameter: 'input[0].tools'",
            "missing_required_parameter",
        ),
        (
            body([{**ADDED, "tools": [{"type": "function"}]}]),
            "Missing required parameter: 'input[0].tools[0].name'",
            "missing_required_parameter",
        ),
        (
            body(max_output_tokens=15),
            "Expected a value >= 16, but got 15 instead.",
            "integer_below_min_value",
        ),
        (
            body(tools=[TOOL] * 129),
            "Expected an array with maximum length 128, but got an array with length 129 instead.",
            "array_above_max_length",
        ),
        (body(tools=[{"type": "video"}]), "Invalid value: 'video'", "invalid_value"),
        (
            body([{"type": "custom_tool_call", "call_id": "c1", "name": "f"}]),
            "Missing required parameter: 'input[0].input'",
            "missing_required_parameter",
        ),
        (body(reasoning={"effort": "minimal"}), "'reasoning.effort' does not", "unsupported_value"),
        (body(reasoning=None, temperature=0.2), "'temperature' does not", "unsupported_value"),
        (
            body([{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}]),
            "could not be verified",
            "invalid_encrypted_content",
        ),
    ],
)
def test_what_is_refused(openai: Sim, asked: Any, word: str, code: str | None) -> None:
    got = post(openai, RESPONSES, asked)
    assert got.status == 400
    assert word in got.json["error"]["message"]
    assert code in (None, got.json["error"]["code"])


def test_reasoning_belongs_to_its_model(openai: Sim) -> None:
    question = {"role": "user", "content": "hi"}
    first = post(openai, RESPONSES, body([question], include=INCLUDE, reasoning={}, store=False))
    thought, message = first.json["output"]
    again = [question, thought, message, question]
    assert post(openai, RESPONSES, body(again)).status == 200
    assert post(openai, RESPONSES, {**body(again), "model": "gpt-6-luna"}).status == 400
    del thought["encrypted_content"]
    assert post(openai, RESPONSES, body(again)).status == 404


def test_max_is_an_effort_here_and_not_on_chat_completions(openai: Sim) -> None:
    assert post(openai, RESPONSES, body(reasoning={"effort": "max"})).status == 200
    chat = {"model": "gpt-6-sol", "messages": [{"role": "user", "content": "x"}]}
    got = post(openai, "/v1/chat/completions", {**chat, "reasoning_effort": "max"})
    assert got.status == 400


def test_a_model_that_does_not_reason() -> None:
    with Sim("openai", models=["plain"]) as sim:
        asked = {"model": "plain", "input": "x"}
        assert post(sim, RESPONSES, asked).status == 200
        got = post(sim, RESPONSES, {**asked, "include": INCLUDE})
        assert got.json["error"]["param"] == "include"


def test_faults_are_those_of_every_endpoint(openai: Sim) -> None:
    openai.script(Fault.failure("rate_limit"), Fault.failure("context"))
    assert post(openai, RESPONSES, body()).status == 429
    assert post(openai, RESPONSES, body()).json["error"]["code"] == "context_length_exceeded"
    openai.script(Fault.error_event(after=1), Fault.truncate(after=1))
    broken = events(post(openai, RESPONSES, body("a b c", stream=True)).body)
    assert broken[-1][0] == "error"
    assert set(broken[-1][1]) == {"type", "sequence_number", "code", "message", "param"}
    answer, ended = chunks(raw(openai, RESPONSES, body("a b c", stream=True))[0])
    assert ended
    assert b"response.output_text.delta" in answer
    assert b"response.completed" not in answer
