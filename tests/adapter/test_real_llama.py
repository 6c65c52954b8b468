"""A real llama.cpp server, spoken to in its three dialects, directly and through LiteLLM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from llmroute.adapter import collect
from llmroute.catalog.model import Target, WireRules
from llmroute.errors import ErrorKind
from llmroute.types import Response
from tests.adapter.wire import WEATHER, bearer, completed, endpoint, failure, streamed, target
from tests.real import TOOL_CALL_PIECES, llama_server, make_gguf

# LiteLLM and pydantic warn about each other whenever they meet.
pytestmark = pytest.mark.filterwarnings("ignore")

KEY = "sk-llama-1"
WORDS = "Hello from a tiny model"
CALLED = (None, "tool_calls", None, [("get_weather", {"city": "Graz"})])
#: Name → protocol, path, transport, prefix of the model.
WAYS = {
    "openai-chat": ("openai-chat", "/v1", "http", ""),
    "openai-responses": ("openai-responses", "/v1", "http", ""),
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
    cut = "stop" if way == "openai-responses" else "length"
    response = completed(aim(way, talker), "hi", max_tokens=2)
    assert (response.finish_reason, response.usage.output) == (cut, 2)
    assert streamed(aim(way, talker), "hi", max_tokens=2)[-1].finish_reason == cut


def test_over_responses_nothing_tells_a_cut_answer_from_a_whole_one(talker: str) -> None:
    """Both are `completed` with as many tokens as were allowed, so no rule could be right."""
    to = aim("openai-responses", talker)
    for allowed, text in ((2, "Hello from"), (6, WORDS)):
        answer = completed(to, "hi", max_tokens=allowed)
        assert (answer.text, answer.usage.output, answer.finish_reason) == (text, allowed, "stop")


def fingerprint(response: Response) -> Any:
    calls = [(call.name, json.loads(call.arguments)) for call in response.tool_calls]
    usage = (response.usage.input, response.usage.output)
    return response.text, response.finish_reason, response.refusal, calls, usage


#: The tiny model's words do not matter under a grammar that leaves no choice.
FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["fine weather"]}}}
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Wie ist das Wetter?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city": "Graz"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "12 C"},
    {"role": "assistant", "content": "12 degrees."},
    {"role": "user", "content": "And now?"},
]
#: Request → who answers, the prompt, the fields, and what every dialect must give for it.
ASKED: dict[str, tuple[str, Any, dict[str, Any], Any]] = {
    "text": ("talker", "hi", {}, (WORDS, "stop", None, [])),
    "sampling": ("talker", "hi", {"temperature": 0.2, "top_p": 0.5}, (WORDS, "stop", None, [])),
    "stop": ("talker", "hi", {"stop": ("tiny",)}, ("Hello from a ", "stop", None, [])),
    "cut": ("talker", "hi", {"max_tokens": 2}, ("Hello from", "length", None, [])),
    "talk": ("talker", CONVERSATION, {"tools": (WEATHER,)}, (WORDS, "stop", None, [])),
    "call": ("caller", "Weather?", {"tools": (WEATHER,)}, CALLED),
    "auto": ("caller", "Weather?", {"tools": (WEATHER,), "tool_choice": "auto"}, CALLED),
    "schema": (
        "talker",
        "hi",
        {"response_format": FORM, "temperature": 0.0},
        ('"fine weather"', "stop", None, []),
    ),
}
#: Where llama.cpp itself answers otherwise: dialect and request → what it gives, and why.
QUIRKS: dict[tuple[str, str], Any] = {
    # Over Responses every answer is `completed`, also one that was cut.
    ("openai-responses", "cut"): ("Hello from", "stop", None, []),
    # Messages knows no schema: `output_config.format` is overlooked, and so is any other name.
    ("anthropic-messages", "schema"): (WORDS, "stop", None, []),
}
#: Responses overlooks `text.format` and has no `stop`; the names of Chat Completions work there.
RULES = {
    "openai-responses": WireRules(rename={"response_format": "response_format", "stop": "stop"})
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asked", ASKED)
def test_every_dialect_means_the_same(asked: str, stream: bool, talker: str, caller: str) -> None:
    who, prompt, fields, wanted = ASKED[asked]
    counts = set()
    for dialect in ("openai-chat", "openai-responses", "anthropic-messages"):
        to = aim(dialect, talker if who == "talker" else caller)
        to = replace(to, wire=RULES.get(dialect, WireRules()))
        given = {"max_tokens": 100, **fields}
        answer = (
            collect(streamed(to, prompt, **given), to) if stream else completed(to, prompt, **given)
        )
        *meant, counted = fingerprint(answer)
        assert tuple(meant) == QUIRKS.get((dialect, asked), wanted), dialect
        if (dialect, asked) not in QUIRKS:
            counts.add(counted)
    assert len(counts) == 1


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
