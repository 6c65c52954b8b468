from __future__ import annotations

from typing import Any

import pytest
from sim_wire import Got, ask, events, example, keys, post

from llmroute.sim import Answer, Fault, Sim, ToolUse
from llmroute.sim.models import Model

MESSAGES = "/v1/messages"
HEADERS = {"x-api-key": "sim", "anthropic-version": "2023-06-01"}
NEWER = {**HEADERS, "anthropic-version": "2026-10-21"}
TOOL = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def body(text: str = "hello", **extra: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": messages, **extra}


def say(sim: Sim, asked: Any, headers: dict[str, str] = HEADERS) -> Got:
    return post(sim, MESSAGES, asked, headers)


def refused(got: Got) -> str:
    assert got.status == 400
    assert got.json["type"] == "error"
    assert got.json["error"]["type"] == "invalid_request_error"
    message: str = got.json["error"]["message"]
    return message


def test_a_whole_answer(anthropic: Sim) -> None:
    got = say(anthropic, body("hello there"))
    assert got.status == 200
    assert got.headers["request-id"]
    message = got.json
    assert message["content"] == [{"type": "text", "text": "claude-sonnet-5-5 heard: hello there"}]
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    # "hello there" has 11 characters, the answer 36.
    assert message["usage"]["input_tokens"] == 3
    assert message["usage"]["output_tokens"] == 9


def test_the_keys_of_a_whole_answer_are_those_of_the_wire(anthropic: Sim) -> None:
    ours = keys(say(anthropic, body()).json)
    assert ours == keys(example("anthropic/response_text.json"))


def test_cached_tokens_are_not_among_the_input_tokens(anthropic: Sim) -> None:
    anthropic.script(Answer(text="x", input_tokens=2048, cached=1024, cache_written=512))
    usage = say(anthropic, body()).json["usage"]
    assert usage["input_tokens"] == 512
    assert usage["cache_read_input_tokens"] == 1024
    assert usage["cache_creation_input_tokens"] == 512
    assert usage["cache_creation"]["ephemeral_5m_input_tokens"] == 512


def test_thinking_and_tools(anthropic: Sim) -> None:
    asked = body("get weather", tools=[TOOL], thinking={"type": "adaptive"})
    got = say(anthropic, asked).json
    assert [block["type"] for block in got["content"]] == ["thinking", "tool_use"]
    assert got["content"][0]["thinking"] == ""
    assert got["content"][0]["signature"]
    assert got["content"][1]["input"] == {"city": "text"}
    assert got["stop_reason"] == "tool_use"
    wanted = example("anthropic/response_thinking_parallel_tools.json")
    assert keys(got) == keys(wanted) - {"content.text"}


def test_summarized_thinking_is_shown(anthropic: Sim) -> None:
    thinking = {"type": "adaptive", "display": "summarized"}
    assert say(anthropic, body(thinking=thinking)).json["content"][0]["thinking"]


def test_a_refusal_is_a_success(anthropic: Sim) -> None:
    anthropic.script(Answer(finish="content_filter", refusal="No."))
    got = say(anthropic, body())
    wanted = example("anthropic/response_refusal.json")
    assert (got.status, got.json["stop_reason"], got.json["content"]) == (200, "refusal", [])
    assert keys(got.json) == keys(wanted)


def test_a_structured_answer(anthropic: Sim) -> None:
    form = {"type": "json_schema", "schema": TOOL["input_schema"]}
    got = say(anthropic, body(output_config={"format": form})).json
    assert got["content"][0]["text"] == '{"city":"text"}'


def test_stop_sequences_and_the_cap(anthropic: Sim) -> None:
    got = say(anthropic, body("one END two", stop_sequences=["END"])).json
    assert (got["stop_reason"], got["stop_sequence"]) == ("stop_sequence", "END")
    assert say(anthropic, body(max_tokens=2)).json["stop_reason"] == "max_tokens"


def test_a_stream(anthropic: Sim) -> None:
    got = say(anthropic, body("hello there", stream=True))
    assert got.headers["content-type"].startswith("text/event-stream")
    found = events(got.body)
    assert all(name == data["type"] for name, data in found)
    names = [name for name, _ in found]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    text = [data["delta"]["text"] for name, data in found if name == "content_block_delta"]
    assert "".join(text) == "claude-sonnet-5-5 heard: hello there"
    assert found[0][1]["message"]["usage"]["input_tokens"] == 3
    assert found[-2][1]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert found[-2][1]["usage"]["output_tokens"] == 9


def test_stream_events_have_the_keys_of_the_wire(anthropic: Sim) -> None:
    asked = body(stream=True, thinking={"type": "adaptive", "display": "summarized"})
    ours = _by_event(events(say(anthropic, asked).body))
    theirs = _by_event(example("anthropic/stream_text.sse"))
    for name, wanted in theirs.items():
        assert wanted <= ours[name], name


def _by_event(found: list[tuple[str | None, Any]]) -> dict[str, set[str]]:
    names = {name for name, _ in found if name}
    return {name: keys([data for one, data in found if one == name]) for name in names}


def test_a_streamed_tool_call(anthropic: Sim) -> None:
    found = events(say(anthropic, body("get weather", tools=[TOOL], stream=True)).body)
    started = [data for name, data in found if name == "content_block_start"]
    assert started[0]["content_block"]["input"] == {}
    deltas = [data["delta"] for name, data in found if name == "content_block_delta"]
    assert {delta["type"] for delta in deltas} == {"input_json_delta"}
    assert "".join(delta["partial_json"] for delta in deltas) == '{"city": "text"}'


def test_a_tool_without_arguments_streams_no_input(anthropic: Sim) -> None:
    anthropic.script(Answer(tools=(ToolUse("now", {}),), finish="tool_calls"))
    names = [name for name, _ in events(say(anthropic, body(stream=True)).body)]
    assert "content_block_delta" not in names
    assert names[-1] == "message_stop"


def test_headers_that_every_request_needs(anthropic: Sim) -> None:
    got = say(anthropic, body(), {"anthropic-version": "2023-06-01"})
    assert (got.status, got.json["error"]["type"]) == (401, "authentication_error")
    assert "anthropic-version" in refused(say(anthropic, body(), {"x-api-key": "sim"}))
    bearer = {"authorization": "Bearer sim", "anthropic-version": "2026-10-21"}
    assert say(anthropic, body(), bearer).status == 200
    assert "not a valid version" in refused(
        say(anthropic, body(), {**HEADERS, "anthropic-version": "1999-01-01"})
    )


def test_a_required_key() -> None:
    with Sim("anthropic", key="other") as sim:
        got = say(sim, body())
        assert (got.status, got.json["error"]["message"]) == (401, "invalid x-api-key")


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"n": 2}, "n: Extra inputs are not permitted"),
        ({"seed": 1}, "seed: Extra inputs are not permitted"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]},
            "messages: text content blocks must be non-empty",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"temperature": 1}, "`temperature` is deprecated for this model."),
        ({"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported'),
        ({"output_config": {"effort": "minimal"}}, "effort"),
        ({"max_tokens": 128_001}, "max_tokens: 128001 > 128000"),
        ({"tools": [{"name": "x"}]}, "input_schema: Field required"),
        ({"tools": [{"name": "x", "input_schema": {}}]}, "Input should be 'object'"),
        ({"tool_choice": {"type": "auto"}}, "while providing tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}}, "not supported for this model"),
    ],
)
def test_what_is_refused(anthropic: Sim, extra: dict[str, Any], says: str) -> None:
    asked = {name: value for name, value in body(**extra).items() if value is not None}
    assert says in refused(say(anthropic, asked))


def test_the_newer_version_knows_no_temperature(anthropic: Sim) -> None:
    asked = {**body(temperature=1), "model": "claude-haiku-4-5"}
    assert say(anthropic, asked).status == 200
    assert refused(say(anthropic, asked, NEWER)) == "temperature: Extra inputs are not permitted"


def test_a_prefill_is_for_older_models(anthropic: Sim) -> None:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "The"}]
    assert "prefill" in refused(say(anthropic, body(messages=messages)))
    older = {**body(messages=messages), "model": "claude-haiku-4-5"}
    assert say(anthropic, older).status == 200


def test_tool_results_must_answer_the_calls(anthropic: Sim) -> None:
    call = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Graz"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "12 C"}

    def turn(*blocks: dict[str, Any]) -> dict[str, Any]:
        messages = [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": list(blocks)},
        ]
        return body(messages=messages, tools=[TOOL])

    text = {"type": "text", "text": "and?"}
    answered = say(anthropic, turn(result, text))
    assert answered.json["content"][0]["text"] == "claude-sonnet-5-5 was told: 12 C"
    assert "without `tool_result`" in refused(say(anthropic, turn(text)))
    assert "without `tool_result`" in refused(say(anthropic, turn(text, result)))
    ending = turn(result) | {"model": "claude-haiku-4-5"}
    del ending["messages"][-1]
    assert "without `tool_result`" in refused(say(anthropic, ending))
    orphan = {**result, "tool_use_id": "zz"}
    assert "unexpected `tool_use_id`" in refused(say(anthropic, turn(orphan)))


def test_what_the_claude_program_sends_is_accepted(anthropic: Sim) -> None:
    asked = body(
        thinking={"type": "adaptive"},
        output_config={"effort": "medium"},
        context_management={"edits": []},
        metadata={"user_id": "u"},
    )
    asked["messages"].append({"role": "system", "content": [{"type": "text", "text": "env"}]})
    assert post(anthropic, f"{MESSAGES}?beta=true", asked, HEADERS).status == 200


def test_a_prompt_above_the_window(anthropic: Sim) -> None:
    asked = {**body("x" * 4 * 200_001), "model": "claude-haiku-4-5"}
    assert refused(say(anthropic, asked)) == "prompt is too long: 200001 tokens > 200000 maximum"


def test_an_unknown_model(anthropic: Sim) -> None:
    got = say(anthropic, {**body(), "model": "claude-none-9"})
    assert (got.status, got.json["error"]) == (
        404,
        {"type": "not_found_error", "message": "model: claude-none-9"},
    )


def test_counting_tokens(anthropic: Sim) -> None:
    asked = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "12345678"}]}
    got = post(anthropic, "/v1/messages/count_tokens", asked, HEADERS)
    assert got.json == {"input_tokens": 2}
    assert anthropic.inferences == []
    more = post(anthropic, "/v1/messages/count_tokens", {**asked, "max_tokens": 3}, HEADERS)
    assert "Extra inputs" in refused(more)


def test_models(anthropic: Sim) -> None:
    got = ask(anthropic, "GET", "/v1/models?limit=1000", headers=HEADERS).json
    ids = [one["id"] for one in got["data"]]
    assert {"claude-opus-5-5", "claude-haiku-5-5", "claude-fable-5-2"} <= set(ids)
    assert got["data"][2]["display_name"] == "Claude Opus 5.5"
    page = ask(anthropic, "GET", f"/v1/models?limit=2&after_id={ids[0]}", headers=HEADERS).json
    assert [one["id"] for one in page["data"]] == ids[1:3]
    assert page["has_more"]
    one = ask(anthropic, "GET", "/v1/models/claude-opus-5-5", headers=HEADERS).json
    wanted = example("anthropic/models_list.json")
    assert keys(got) == keys(wanted)
    assert one == wanted["data"][0]


def listed(sim: Sim, query: str) -> Got:
    return ask(sim, "GET", f"/v1/models?{query}", headers=HEADERS)


def test_pages_of_models_in_both_directions(anthropic: Sim) -> None:
    ids = [one["id"] for one in listed(anthropic, "limit=1000").json["data"]]
    assert [one["id"] for one in listed(anthropic, "").json["data"]] == ids
    last = listed(anthropic, f"limit=3&after_id={ids[-2]}").json
    assert ([one["id"] for one in last["data"]], last["has_more"]) == (ids[-1:], False)
    before = listed(anthropic, f"limit=2&before_id={ids[3]}").json
    assert ([one["id"] for one in before["data"]], before["has_more"]) == (ids[1:3], True)
    assert (before["first_id"], before["last_id"]) == (ids[1], ids[2])
    first = listed(anthropic, f"limit=2&before_id={ids[2]}").json
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (ids[:2], False)
    nobody = listed(anthropic, f"after_id={ids[-1]}").json
    assert nobody == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after_id=claude-none-9"])
def test_pages_that_cannot_be(query: str, anthropic: Sim) -> None:
    refused(listed(anthropic, query))


def test_retired_models_are_listed_on_request_and_answer_nothing() -> None:
    models = [Model("a"), Model("b", lifecycle="deprecated"), Model("c", lifecycle="retired")]
    with Sim("anthropic", models=models) as sim:
        assert [one["id"] for one in listed(sim, "").json["data"]] == ["a", "b"]
        retired = listed(sim, "lifecycle[]=retired&lifecycle[]=active").json["data"]
        assert [(one["id"], one["lifecycle"]) for one in retired] == [
            ("a", "active"),
            ("c", "retired"),
        ]
        assert retired[0]["deprecated_at"] is None
        assert retired[1]["deprecated_at"]
        assert say(sim, {**body(), "model": "b"}).status == 200
        got = say(sim, {**body(), "model": "c"})
        assert (got.status, got.json["error"]["message"]) == (404, "model: c")


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        ("auth", "auth"),
        ("bad_request", "bad_request"),
        ("context", "prompt_too_long"),
        ("model_missing", "model_not_found"),
        ("overloaded", "overloaded"),
        ("permission", "permission"),
        ("quota", "billing"),
        ("rate_limit", "rate"),
        ("server_error", "api"),
        ("too_large", "too_large"),
    ],
)
def test_errors_are_those_of_the_wire(anthropic: Sim, condition: str, name: str) -> None:
    wanted = example("anthropic/errors.json")[name]
    anthropic.script(Fault.failure(condition))
    got = say(anthropic, body())
    assert got.status == wanted["status"]
    assert got.json["error"] == wanted["body"]["error"]
    expected = {key for key in wanted["headers"] if not key.startswith("anthropic-ratelimit-tok")}
    assert expected <= set(got.headers)


def test_529_is_overloaded(anthropic: Sim) -> None:
    anthropic.script(Fault.status(529))
    got = say(anthropic, body())
    assert (got.status, got.json["error"]["type"]) == (529, "overloaded_error")
