from __future__ import annotations

from typing import Any

from sim_wire import ask, events, example, keys, post

from llmroute.sim import Sim

CHAT = "/v1/chat/completions"
LOADED = "openai/gpt-oss-20b"
OTHER = "qwen/qwen3-coder-30b"


def body(text: str = "hello", **extra: Any) -> dict[str, Any]:
    return {"model": LOADED, "messages": [{"role": "user", "content": text}], **extra}


def test_a_whole_answer(lm_studio: Sim) -> None:
    got = post(lm_studio, CHAT, body()).json
    message = got["choices"][0]["message"]
    assert message["content"] == "openai/gpt-oss-20b heard: hello"
    assert message["reasoning"]
    assert message["tool_calls"] == []
    assert got["system_fingerprint"] == got["model"] == LOADED
    assert keys(got) == keys(example("lmstudio/compat_response.json"))


def test_a_stream(lm_studio: Sim) -> None:
    asked = body(stream=True, stream_options={"include_usage": True})
    data = [one for _, one in events(post(lm_studio, CHAT, asked).body)]
    assert data[-1] == "[DONE]"
    deltas = [choice["delta"] for one in data[:-1] for choice in one["choices"]]
    text = "".join(delta.get("content", "") for delta in deltas)
    assert text == "openai/gpt-oss-20b heard: hello"
    assert any("reasoning" in delta for delta in deltas)
    assert data[-2]["usage"]["total_tokens"] == 2 + 8 + 8


def test_the_field_of_reasoning_is_a_setting() -> None:
    with Sim("lm_studio", quirks={"reasoning_field": "reasoning_content"}) as sim:
        assert "reasoning_content" in post(sim, CHAT, body()).json["choices"][0]["message"]


def test_tools_schemas_and_images(lm_studio: Sim) -> None:
    tool = {"type": "function", "function": {"name": "now"}}
    got = post(lm_studio, CHAT, body("what is it now", tools=[tool])).json["choices"][0]
    assert got["finish_reason"] == "tool_calls"
    assert got["message"]["tool_calls"][0]["function"] == {"name": "now", "arguments": "{}"}
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"schema": schema}}
    got = post(lm_studio, CHAT, body(response_format=form)).json["choices"][0]
    assert got["message"]["content"] == '{"n":1}'
    assert post(lm_studio, CHAT, body(response_format={"type": "json_object"})).status == 400
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    seen = {**body(), "messages": [{"role": "user", "content": [image]}]}
    assert post(lm_studio, CHAT, seen).status == 400
    assert post(lm_studio, CHAT, {**seen, "model": "google/gemma-4-26b-a4b"}).status == 200


def test_native_lists(lm_studio: Sim) -> None:
    first = ask(lm_studio, "GET", "/api/v1/models").json
    loaded = {one["key"]: one["loaded_instances"] for one in first["models"]}
    assert loaded[LOADED][0]["config"]["context_length"] == 32_768
    assert loaded[OTHER] == []
    older = ask(lm_studio, "GET", "/api/v0/models").json
    states = {one["id"]: (one["state"], one["type"]) for one in older["data"]}
    assert states[LOADED] == ("loaded", "llm")
    assert states["google/gemma-4-26b-a4b"] == ("not-loaded", "vlm")
    assert [one["id"] for one in ask(lm_studio, "GET", "/v1/models").json["data"]] == list(loaded)
    assert keys(older) == keys(example("lmstudio/v0_models.json"))
    assert keys(first) == keys(example("lmstudio/v1_models.json")) - {
        "models.loaded_instances.config.num_experts"
    }


def test_a_model_is_loaded_when_asked_for(lm_studio: Sim) -> None:
    assert post(lm_studio, CHAT, {**body(), "model": OTHER}).json["model"] == OTHER
    states = {one["id"]: one for one in ask(lm_studio, "GET", "/api/v0/models").json["data"]}
    assert states[OTHER]["loaded_context_length"] == 4096
    got = post(lm_studio, CHAT, {**body(), "model": "nope"})
    assert (got.status, got.json["error"]["code"]) == (404, "model_not_found")


def test_loading_and_unloading(lm_studio: Sim) -> None:
    load = {"model": OTHER, "context_length": 8192}
    assert post(lm_studio, "/api/v1/models/load", load).json["status"] == "loaded"
    post(lm_studio, "/api/v1/models/unload", {"instance_id": LOADED})
    states = {
        one["id"]: one["state"] for one in ask(lm_studio, "GET", "/api/v0/models").json["data"]
    }
    assert (states[OTHER], states[LOADED]) == ("loaded", "not-loaded")


def test_without_loading_on_demand_another_model_answers() -> None:
    with Sim("lm_studio", quirks={"jit": False}) as sim:
        assert post(sim, CHAT, {**body(), "model": "gpt-4o"}).json["model"] == LOADED
        post(sim, "/api/v1/models/unload", {"instance_id": LOADED})
        got = post(sim, CHAT, body())
        wanted = example("lmstudio/compat_errors.json")["no_model_loaded"]
        assert (got.status, got.json) == (wanted["status"], wanted["body"])


LONG = "x" * 4 * 32_769


def test_overflow_is_an_error_in_plain_text(lm_studio: Sim) -> None:
    got = post(lm_studio, CHAT, body(LONG))
    assert got.status == 400
    assert got.json["error"].startswith("Trying to keep the first 32769 tokens")
    assert "only 32768 tokens" in got.json["error"]


def test_overflow_may_be_an_event_with_status_200() -> None:
    with Sim("lm_studio", quirks={"overflow": "event"}) as sim:
        got = post(sim, CHAT, body(LONG, stream=True))
        assert got.status == 200
        assert events(got.body) == [
            ("error", {"error": {"message": "Context size has been exceeded."}})
        ]


def test_overflow_may_be_an_empty_success() -> None:
    with Sim("lm_studio", quirks={"overflow": "empty"}) as sim:
        asked = body(LONG, stream=True, stream_options={"include_usage": True})
        data = [one for _, one in events(post(sim, CHAT, asked).body)]
        assert [len(one["choices"]) for one in data[:-1]] == [1, 1, 0]
        assert data[1]["choices"][0]["finish_reason"] == "stop"
        assert data[2]["usage"] == {
            "prompt_tokens": 32_769,
            "completion_tokens": 0,
            "total_tokens": 32_769,
        }
        assert data[3] == "[DONE]"
        whole = post(sim, CHAT, body(LONG)).json["choices"][0]
        assert whole["message"]["content"] == ""
