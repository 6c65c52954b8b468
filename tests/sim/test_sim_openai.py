from __future__ import annotations

from typing import Any

import pytest
from sim_wire import ask, events, example, keys, post

from llmroute.sim import Answer, Fault, RateLimit, Sim, ToolUse

CHAT = "/v1/chat/completions"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def body(text: str = "hello", **extra: Any) -> dict[str, Any]:
    return {"model": "gpt-6-sol", "messages": [{"role": "user", "content": text}], **extra}


def test_a_whole_answer(openai: Sim) -> None:
    got = post(openai, CHAT, body("hello there"))
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert got.headers["x-request-id"]
    choice = got.json["choices"][0]
    assert choice["message"]["content"] == "gpt-6-sol heard: hello there"
    assert choice["finish_reason"] == "stop"
    # "hello there" has 11 characters, "gpt-6-sol heard: hello there" 28.
    usage = got.json["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3, 7)
    assert usage["total_tokens"] == 10


def test_the_keys_of_a_whole_answer_are_those_of_the_wire(openai: Sim) -> None:
    assert keys(post(openai, CHAT, body()).json) == keys(example("openai_chat/response_text.json"))


def test_the_keys_of_a_tool_call_are_those_of_the_wire(openai: Sim) -> None:
    asked = body("get weather", tools=[TOOL], reasoning_effort="none")
    ours = keys(post(openai, CHAT, asked).json)
    assert ours - {"choices.message.annotations"} == keys(
        example("openai_chat/response_tool_calls.json")
    )


def test_a_refusal(openai: Sim) -> None:
    openai.script(Answer(refusal="I can't help with that."))
    message = post(openai, CHAT, body()).json["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "I can't help with that.")


def test_a_stream_with_usage(openai: Sim) -> None:
    asked = body("hello there", stream=True, stream_options={"include_usage": True})
    got = post(openai, CHAT, asked)
    assert got.headers["content-type"].startswith("text/event-stream")
    data = [one for _, one in events(got.body)]
    assert data[-1] == "[DONE]"
    assert data[0]["choices"][0]["delta"]["role"] == "assistant"
    text = [choice["delta"].get("content") or "" for one in data[:-1] for choice in one["choices"]]
    assert "".join(text) == "gpt-6-sol heard: hello there"
    assert data[-3]["choices"][0]["finish_reason"] == "stop"
    assert data[-2]["choices"] == []
    assert data[-2]["usage"]["completion_tokens"] == 7
    assert all(one["usage"] is None for one in data[:-2])


def test_a_stream_without_usage_has_no_usage_at_all(openai: Sim) -> None:
    data = [one for _, one in events(post(openai, CHAT, body(stream=True)).body)][:-1]
    assert all("usage" not in one and one["choices"] for one in data)


def test_streamed_chunks_have_the_keys_of_the_wire(openai: Sim) -> None:
    asked = body(stream=True, stream_options={"include_usage": True})
    ours = keys([one for _, one in events(post(openai, CHAT, asked).body)[:-1]])
    theirs = keys([one for _, one in example("openai_chat/stream_text_usage.sse")[:-1]])
    assert ours == theirs - {"obfuscation"}


def test_a_streamed_tool_call_comes_in_fragments(openai: Sim) -> None:
    asked = body("get weather", tools=[TOOL], reasoning_effort="none", stream=True)
    data = [one for _, one in events(post(openai, CHAT, asked).body)][:-1]
    calls = [call for one in data for call in one["choices"][0]["delta"].get("tool_calls", ())]
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert calls[0]["id"]
    assert all("id" not in call and call["index"] == 0 for call in calls[1:])
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city":"text"}'
    assert data[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_parallel_tool_calls_have_indexes_of_their_own(openai: Sim) -> None:
    openai.script(Answer(tools=(ToolUse("a", {"n": 1}), ToolUse("b", {})), finish="tool_calls"))
    data = [one for _, one in events(post(openai, CHAT, body(stream=True)).body)][:-1]
    opened = [
        (call["index"], call["function"]["name"])
        for one in data
        for call in one["choices"][0]["delta"].get("tool_calls", ())
        if "id" in call
    ]
    assert opened == [(0, "a"), (1, "b")]


def test_a_json_schema_answer(openai: Sim) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    got = post(openai, CHAT, body(response_format=form))
    assert got.json["choices"][0]["message"]["content"] == '{"city":"text"}'


def test_images_are_seen_and_counted(openai: Sim) -> None:
    parts = [
        {"type": "text", "text": "what"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
    got = post(
        openai, CHAT, {"model": "gpt-6-sol", "messages": [{"role": "user", "content": parts}]}
    )
    assert "saw 1 image" in got.json["choices"][0]["message"]["content"]
    assert got.json["usage"]["prompt_tokens"] == 257


@pytest.mark.parametrize(
    ("extra", "param", "code"),
    [
        ({"max_tokens": 5}, "max_tokens", "unsupported_parameter"),
        ({"stop": ["x"]}, "stop", "unsupported_parameter"),
        ({"presence_penalty": 1}, "presence_penalty", "unsupported_parameter"),
        ({"temperature": 0.2}, "temperature", "unsupported_value"),
        ({"top_p": 0.9}, "top_p", "unsupported_value"),
        ({"reasoning_effort": "minimal"}, "reasoning_effort", "unsupported_value"),
        ({"reasoning_effort": "max"}, "reasoning_effort", "unsupported_value"),
        ({"tools": [TOOL]}, "reasoning_effort", None),
        ({"tools": [TOOL] * 129}, "tools", "array_above_max_length"),
        ({"tools": [TOOL], "reasoning_effort": "low"}, "reasoning_effort", None),
    ],
)
def test_what_current_models_reject(
    openai: Sim, extra: dict[str, Any], param: str, code: str | None
) -> None:
    got = post(openai, CHAT, body(**extra))
    assert got.status == 400
    error = got.json["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


@pytest.mark.parametrize(
    "extra",
    [
        {"max_completion_tokens": 5},
        {"temperature": 1},
        {"temperature": 0.2, "reasoning_effort": "none"},
        {"tools": [TOOL], "reasoning_effort": "none"},
        {"tools": [{"type": "custom", "custom": {"name": "x"}}]},
    ],
)
def test_what_current_models_accept(openai: Sim, extra: dict[str, Any]) -> None:
    assert post(openai, CHAT, body(**extra)).status == 200


@pytest.mark.parametrize("model", ["gpt-6.2-astra", "gpt-6.2-sol", "gpt-6-astra", "gpt-6.1-sol"])
def test_some_models_refuse_the_effort_none(openai: Sim, model: str) -> None:
    got = post(openai, CHAT, {**body(), "model": model, "reasoning_effort": "none"})
    assert (got.status, got.json["error"]["code"]) == (400, "unsupported_value")


def test_the_model_whose_default_effort_is_none(openai: Sim) -> None:
    asked = {**body(), "model": "gpt-5.4-mini", "temperature": 0.2, "tools": [TOOL]}
    assert post(openai, CHAT, asked).status == 200


def test_a_plain_model_accepts_everything() -> None:
    with Sim("openai", models=["my-model"]) as sim:
        asked = {**body(max_tokens=50, temperature=0, stop="x", tools=[TOOL]), "model": "my-model"}
        assert post(sim, CHAT, asked).status == 200
        assert post(sim, CHAT, body()).status == 404


def test_errors_of_the_server(openai: Sim) -> None:
    got = post(openai, CHAT, {**body(), "model": "gpt-9"})
    assert (got.status, got.json["error"]["code"]) == (404, "model_not_found")
    assert "gpt-9" in got.json["error"]["message"]
    assert post(openai, CHAT, {"model": "gpt-6-sol"}).status == 400
    assert post(openai, CHAT, []).status == 400
    assert post(openai, CHAT, {"model": "gpt-6-sol", "messages": ["x"]}).status == 400
    assert ask(openai, "GET", "/v1/nothing").status == 404


def test_a_prompt_above_the_window(openai: Sim) -> None:
    got = post(openai, CHAT, {**body("x" * 4 * 272_001), "model": "gpt-5.4-mini"})
    error = got.json["error"]
    assert (got.status, error["code"]) == (400, "context_length_exceeded")
    assert "272000 tokens" in error["message"]
    assert "272001 tokens" in error["message"]


def test_a_required_key() -> None:
    with Sim("openai", key="sim") as sim:
        assert post(sim, CHAT, body(), {"authorization": "Bearer sim"}).status == 200
        got = post(sim, CHAT, body(), {"authorization": "Bearer other"})
        assert (got.status, got.json["error"]["code"]) == (401, "invalid_api_key")
        assert ask(sim, "GET", "/v1/models").status == 401


def test_models(openai: Sim) -> None:
    got = ask(openai, "GET", "/v1/models").json
    ids = [one["id"] for one in got["data"]]
    assert {"gpt-6.2-astra", "gpt-6-luna", "gpt-5.4-mini"} <= set(ids)
    assert ask(openai, "GET", "/v1/models/gpt-6-luna").json["id"] == "gpt-6-luna"
    assert ask(openai, "GET", "/v1/models/nope").status == 404
    assert keys(got) == keys(example("openai_chat/models_list.json"))


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        ("auth", "invalid_key"),
        ("context", "context_length"),
        ("model_missing", "model_not_found"),
        ("overloaded", "overloaded"),
        ("policy", "cyber_policy"),
        ("quota", "quota"),
    ],
)
def test_error_bodies_are_those_of_the_wire(openai: Sim, condition: str, name: str) -> None:
    wanted = example("openai_chat/errors.json")[name]
    openai.script(Fault.failure(condition))
    got = post(openai, CHAT, body())
    assert (got.status, got.json) == (wanted["status"], wanted["body"])


def test_a_rate_limit_has_its_headers(openai: Sim) -> None:
    openai.script(Fault.status(429, retry_after=7))
    got = post(openai, CHAT, body())
    assert got.json["error"]["code"] == "rate_limit_exceeded"
    assert got.headers["retry-after"] == "7"
    assert got.headers["x-ratelimit-reset-tokens"] == "6m0s"


def test_a_real_limit_counts_down() -> None:
    with Sim("openai", limit=RateLimit(requests=2, window=60, clock=lambda: 0.0)) as sim:
        first = post(sim, CHAT, body())
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["x-ratelimit-reset-requests"] == "60s"
        assert post(sim, CHAT, body()).status == 200
        limited = post(sim, CHAT, body())
        assert (limited.status, limited.headers["retry-after"]) == (429, "60")
        assert ask(sim, "GET", "/v1/models").status == 200


def test_a_scripted_answer_with_figures(openai: Sim) -> None:
    openai.script(Answer(text="yes", input_tokens=2048, cached=1024, output_tokens=9))
    usage = post(openai, CHAT, body()).json["usage"]
    assert usage["prompt_tokens"] == 2048
    assert usage["prompt_tokens_details"]["cached_tokens"] == 1024
    assert usage["completion_tokens"] == 9


def test_another_model_may_be_served(openai: Sim) -> None:
    openai.script(Answer(text="yes", served_model="other"))
    assert post(openai, CHAT, body()).json["model"] == "other"
