"""The Ollama simulator, judged by the official client."""

from __future__ import annotations

from collections.abc import Iterator

import ollama
import pytest
from sim_wire import ask, example, keys, post

from llmroute.sim import Answer, Fault, Sim

CHAT = "/api/chat"
HELLO = [{"role": "user", "content": "hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
def client(ollama_sim: Sim) -> Iterator[ollama.Client]:
    made = ollama.Client(ollama_sim.url)
    yield made
    made._client.close()


def test_the_client_lists_models(client: ollama.Client) -> None:
    names = [model.model for model in client.list().models]
    assert names == ["qwen3:8b", "llama3.3:70b", "gemma3:4b", "gpt-oss:120b-cloud"]


def test_the_client_shows_a_model(client: ollama.Client) -> None:
    shown = client.show("qwen3:8b")
    assert shown.capabilities == ["completion", "tools", "thinking"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["qwen3.context_length"] == 40_960
    assert shown.details is not None
    assert shown.details.parameter_size == "8.2B"
    assert client.show("gemma3:4b").capabilities == ["completion", "vision"]


def test_the_client_sees_what_is_loaded(client: ollama.Client) -> None:
    loaded = client.ps().models
    assert [(one.model, one.context_length) for one in loaded] == [("qwen3:8b", 16_384)]


def test_the_client_chats(client: ollama.Client) -> None:
    got = client.chat("llama3.3:70b", HELLO)
    assert got.message.content == "llama3.3:70b heard: hello"
    assert (got.done, got.done_reason) == (True, "stop")
    # "hello" has 5 characters, the answer 25.
    assert (got.prompt_eval_count, got.eval_count) == (2, 7)


def test_a_model_that_can_think_does_so_unless_told_not_to(client: ollama.Client) -> None:
    assert client.chat("qwen3:8b", HELLO).message.thinking
    assert client.chat("qwen3:8b", HELLO, think=False).message.thinking is None
    assert client.chat("gpt-oss:120b-cloud", HELLO, think="low").message.thinking


def test_the_client_streams(client: ollama.Client) -> None:
    parts = list(client.chat("qwen3:8b", HELLO, stream=True))
    assert "".join(part.message.content or "" for part in parts) == "qwen3:8b heard: hello"
    assert parts[0].message.thinking
    assert [part.done for part in parts].count(True) == 1
    assert parts[-1].done
    assert parts[-1].eval_count


def test_the_client_calls_tools(client: ollama.Client) -> None:
    asked = [{"role": "user", "content": "get weather please"}]
    got = client.chat("llama3.3:70b", asked, tools=[TOOL])
    assert got.message.tool_calls is not None
    call = got.message.tool_calls[0].function
    assert (call.name, call.arguments) == ("get_weather", {"city": "text"})
    assert got.done_reason == "stop"
    told = [*asked, got.message, {"role": "tool", "tool_name": "get_weather", "content": "12 C"}]
    assert client.chat("llama3.3:70b", told, tools=[TOOL]).message.content == (
        "llama3.3:70b was told: 12 C"
    )


def test_the_client_streams_tool_calls_whole(client: ollama.Client) -> None:
    asked = [{"role": "user", "content": "get weather please"}]
    parts = list(client.chat("llama3.3:70b", asked, tools=[TOOL], stream=True))
    calls = [call for part in parts for call in part.message.tool_calls or ()]
    assert [call.function.arguments for call in calls] == [{"city": "text"}]


def test_the_client_asks_for_json(client: ollama.Client) -> None:
    schema = TOOL["function"]["parameters"]  # type: ignore[index]
    assert client.chat("llama3.3:70b", HELLO, format=schema).message.content == '{"city":"text"}'
    assert client.chat("llama3.3:70b", HELLO, format="json").message.content == '{"answer":"hello"}'


def test_the_client_sends_images(client: ollama.Client) -> None:
    asked = [{"role": "user", "content": "what?", "images": [b"\x89PNG"]}]
    got = client.chat("gemma3:4b", asked)
    assert got.message.content is not None
    assert "saw 1 image" in got.message.content
    assert got.prompt_eval_count == 258
    with pytest.raises(ollama.ResponseError, match="missing data required for image input"):
        client.chat("llama3.3:70b", asked)


def test_options_cap_and_stop(client: ollama.Client) -> None:
    assert client.chat("llama3.3:70b", HELLO, options={"num_predict": 2}).done_reason == "length"
    got = client.chat("llama3.3:70b", HELLO, options={"stop": [" heard"]})
    assert got.message.content == "llama3.3:70b"


@pytest.mark.parametrize(
    ("model", "extra", "status", "says"),
    [
        ("nope", {}, 404, "model 'nope' not found"),
        ("gemma3:4b", {"tools": [TOOL]}, 400, "gemma3:4b does not support tools"),
        ("llama3.3:70b", {"think": True}, 400, '"llama3.3:70b" does not support thinking'),
    ],
)
def test_the_client_meets_errors(
    client: ollama.Client, model: str, extra: dict[str, object], status: int, says: str
) -> None:
    with pytest.raises(ollama.ResponseError, match=says) as caught:
        client.chat(model, HELLO, **extra)  # type: ignore[call-overload]
    assert caught.value.status_code == status


def test_the_client_meets_scripted_errors(client: ollama.Client, ollama_sim: Sim) -> None:
    ollama_sim.script(Fault.status(503))
    with pytest.raises(ollama.ResponseError, match="server busy") as caught:
        client.chat("llama3.3:70b", HELLO)
    assert caught.value.status_code == 503
    ollama_sim.script(Fault.error_event())
    with pytest.raises(ollama.ResponseError, match="an error was encountered"):
        list(client.chat("llama3.3:70b", HELLO, stream=True))


def test_a_busy_server() -> None:
    with Sim("ollama", quirks={"busy": True}) as sim:
        got = post(sim, CHAT, {"model": "qwen3:8b", "messages": HELLO})
        assert (got.status, got.json) == example_error("busy")


def example_error(name: str) -> tuple[int, object]:
    wanted = example("ollama/errors.json")[name]
    return wanted["status"], wanted["body"]


def test_it_streams_unless_told_not_to(ollama_sim: Sim) -> None:
    got = post(ollama_sim, CHAT, {"model": "qwen3:8b", "messages": HELLO})
    assert got.headers["content-type"] == "application/x-ndjson"
    assert len(got.body.splitlines()) > 3


def test_a_prompt_above_the_window(ollama_sim: Sim) -> None:
    long = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "x" * 4 * 16_385}]}
    long |= {"stream": False, "think": False}
    assert post(ollama_sim, CHAT, long).json["prompt_eval_count"] == 16_384
    got = post(ollama_sim, CHAT, {**long, "truncate": False})
    assert (got.status, got.json) == (400, {"error": "the input length exceeds the context length"})
    wider = {**long, "truncate": False, "options": {"num_ctx": 20_000}}
    assert post(ollama_sim, CHAT, wider).json["prompt_eval_count"] == 16_385


def test_a_chat_that_is_too_long_loses_its_oldest_messages(ollama_sim: Sim) -> None:
    # 4 characters a token: 4,000 tokens of history, the rules and the question.
    turns = [("system", "Be brief"), ("user", "x" * 16_000), ("assistant", "yes"), ("user", "four")]
    messages = [{"role": role, "content": text} for role, text in turns]
    asked = {"model": "gemma3:4b", "messages": messages, "stream": False}
    narrow = {**asked, "options": {"num_ctx": 2048}}
    # "Be brief", "yes" and "four" are 15 characters.
    assert post(ollama_sim, CHAT, narrow).json["prompt_eval_count"] == 4
    assert post(ollama_sim, CHAT, {**narrow, "truncate": False}).status == 400
    with Sim("ollama", quirks={"truncates": True}) as older:
        assert post(older, CHAT, {**narrow, "truncate": False}).json["prompt_eval_count"] == 4


def test_another_window_loads_the_model_anew(ollama_sim: Sim) -> None:
    def loading(**options: int) -> int:
        body = {"model": "llama3.3:70b", "messages": HELLO, "stream": False, "options": options}
        spent: int = post(ollama_sim, CHAT, body).json["load_duration"]
        return spent

    assert loading() > 1_000_000_000
    assert loading(num_ctx=4096) == 1
    assert loading(num_ctx=8192) > 1_000_000_000
    loaded = {one["name"]: one for one in ask(ollama_sim, "GET", "/api/ps").json["models"]}
    assert loaded["llama3.3:70b"]["context_length"] == 8192


def test_a_chat_without_messages_loads_or_unloads_the_model(ollama_sim: Sim) -> None:
    got = post(ollama_sim, CHAT, {"model": "gemma3:4b", "messages": []}).json
    assert (got["done"], got["done_reason"], got["message"]["content"]) == (True, "load", "")
    assert keys(got) == keys(example("ollama/load_response.json"))
    names = [one["name"] for one in ask(ollama_sim, "GET", "/api/ps").json["models"]]
    assert names == ["qwen3:8b", "gemma3:4b"]
    got = post(ollama_sim, CHAT, {"model": "qwen3:8b", "messages": [], "keep_alive": 0}).json
    assert got["done_reason"] == "unload"
    names = [one["name"] for one in ask(ollama_sim, "GET", "/api/ps").json["models"]]
    assert names == ["gemma3:4b"]


def test_health(ollama_sim: Sim) -> None:
    assert ask(ollama_sim, "GET", "/").body == b"Ollama is running"
    assert ask(ollama_sim, "HEAD", "/").status == 200
    assert ask(ollama_sim, "GET", "/api/version").json == {"version": "0.33.0"}


def test_the_keys_are_those_of_the_wire(ollama_sim: Sim) -> None:
    quiet = {"model": "qwen3:8b", "messages": HELLO, "stream": False}
    assert keys(post(ollama_sim, CHAT, quiet).json) == keys(example("ollama/chat_response.json"))
    assert keys(ask(ollama_sim, "GET", "/api/tags").json) == keys(example("ollama/tags.json"))
    assert keys(ask(ollama_sim, "GET", "/api/ps").json) == keys(example("ollama/ps.json"))
    shown = post(ollama_sim, "/api/show", {"model": "qwen3:8b"}).json
    assert keys(shown) == keys(example("ollama/show.json"))


def test_figures_that_are_zero_are_left_out(ollama_sim: Sim) -> None:
    ollama_sim.script(Answer(text="", input_tokens=0, output_tokens=0))
    got = post(ollama_sim, CHAT, {"model": "qwen3:8b", "messages": HELLO, "stream": False}).json
    assert "eval_count" not in got
    assert "prompt_eval_count" not in got
