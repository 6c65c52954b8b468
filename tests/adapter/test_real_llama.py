"""A real llama.cpp server, spoken to in both its dialects, directly and through LiteLLM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llmroute.adapter import collect
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind
from tests.adapter.wire import WEATHER, bearer, completed, endpoint, failure, streamed, target
from tests.real import TOOL_CALL_PIECES, llama_server, make_gguf

# LiteLLM and pydantic warn about each other whenever they meet.
pytestmark = pytest.mark.filterwarnings("ignore")

KEY = "sk-llama-1"
WORDS = "Hello from a tiny model"
#: Name → protocol, path, transport, prefix of the model.
WAYS = {
    "openai-chat": ("openai-chat", "/v1", "http", ""),
    "anthropic-messages": ("anthropic-messages", "", "http", ""),
    "litellm": ("openai-chat", "/v1", "litellm", "openai/"),
}


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = make_gguf(tmp_path_factory.mktemp("model") / "talker.gguf", WORDS)
    with llama_server(model, context=2048, api_key=KEY) as url:
        yield url


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = make_gguf(tmp_path_factory.mktemp("model") / "caller.gguf", TOOL_CALL_PIECES)
    with llama_server(model, api_key=KEY) as url:
        yield url


@pytest.fixture(params=sorted(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def aim(way: str, url: str, key: str = KEY) -> Target:
    dialect, path, transport, prefix = WAYS[way]
    where = endpoint(
        url + path, dialect, transport=transport, model_prefix=prefix, auth=bearer(key)
    )
    return target(where)


def test_text(way: str, talker: str) -> None:
    response = completed(aim(way, talker), "hi", max_tokens=50)
    assert (response.text, response.finish_reason) == (WORDS, "stop")
    # One token a word, and the end; the prompt byte by byte inside the chat format.
    assert response.usage.output == 6
    assert response.usage.input > 2
    assert not response.usage.estimated


def test_a_stream(way: str, talker: str) -> None:
    chunks = streamed(aim(way, talker), "hi", max_tokens=50)
    texts = [chunk.text for chunk in chunks if chunk.text]
    assert len(texts) > 1
    assert "".join(texts) == WORDS
    assert chunks[-1].finish_reason == "stop"
    assert [chunk.usage for chunk in chunks if chunk.usage][-1].output == 6  # type: ignore[union-attr]


def test_whole_and_streamed_agree_on_the_length(way: str, talker: str) -> None:
    response = completed(aim(way, talker), "hi", max_tokens=2)
    assert response.finish_reason == "length"
    assert streamed(aim(way, talker), "hi", max_tokens=2)[-1].finish_reason == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call(way: str, caller: str, stream: bool) -> None:
    to = aim(way, caller)
    fields: dict[str, Any] = {"tools": (WEATHER,), "max_tokens": 100}
    response = (
        collect(streamed(to, "Weather?", **fields), to)
        if stream
        else completed(to, "Weather?", **fields)
    )
    assert response.finish_reason == "tool_calls"
    (call,) = response.tool_calls
    assert call.name == "get_weather"
    assert call.arguments.replace(" ", "") == '{"city":"Graz"}'
    assert call.id


def test_a_tool_round_trip(way: str, talker: str) -> None:
    made = {"id": "call:1", "type": "function"}
    function = {"name": "get_weather", "arguments": '{"city": "Graz"}'}
    prompt = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [{**made, "function": function}]},
        {"role": "tool", "tool_call_id": "call:1", "content": "12 C"},
    ]
    assert completed(aim(way, talker), prompt, tools=(WEATHER,), max_tokens=50).text == WORDS


@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_key(way: str, talker: str, stream: bool) -> None:
    ask = streamed if stream else completed
    error = failure(lambda: ask(aim(way, talker, "sk-wrong-key-1"), "hi"))
    assert (error.kind, error.status) == (ErrorKind.AUTH, 401)
    assert "sk-wrong-key-1" not in str(error) + repr(error.native)


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_does_not_fit(way: str, talker: str, stream: bool) -> None:
    ask = streamed if stream else completed
    error = failure(lambda: ask(aim(way, talker), "x" * 5000))
    assert error.kind is ErrorKind.CONTEXT


def test_nobody_there(way: str) -> None:
    error = failure(lambda: completed(aim(way, "http://127.0.0.1:1"), "hi"))
    assert error.kind is ErrorKind.UNAVAILABLE
