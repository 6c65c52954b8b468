"""The official OpenAI SDK accepts the OpenAI simulator, and what it raises is what we send."""

from __future__ import annotations

import openai
import pytest

from llmroute.sim import Fault, Sim

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather by city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
ASK = [{"role": "user", "content": "Say hello"}]


@pytest.fixture
def sim():
    with Sim("openai", key="sim") as made:
        yield made


@pytest.fixture
def client(sim):
    with openai.OpenAI(base_url=f"{sim.url}/v1", api_key="sim", max_retries=0) as made:
        yield made


def test_text(client):
    answer = client.chat.completions.create(model="gpt-6-luna", messages=ASK)
    assert "Say hello" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_stream_with_usage(client):
    chunks = list(
        client.chat.completions.create(
            model="gpt-6-luna", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "Say hello" in text
    assert chunks[-1].usage.completion_tokens > 0


def test_tool_call(client):
    answer = client.chat.completions.create(
        model="gpt-6-luna",
        messages=[{"role": "user", "content": "Use get_weather"}],
        tools=[TOOL],
        reasoning_effort="none",
    )
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert answer.choices[0].finish_reason == "tool_calls"


def test_models(client):
    assert "gpt-6-luna" in [model.id for model in client.models.list()]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.status(401), openai.AuthenticationError),
        (Fault.status(429), openai.RateLimitError),
        (Fault.status(500), openai.InternalServerError),
        (Fault.failure("context"), openai.BadRequestError),
        (Fault.failure("model_missing"), openai.NotFoundError),
    ],
)
def test_errors(client, sim, fault, error):
    sim.script(fault)
    with pytest.raises(error):
        client.chat.completions.create(model="gpt-6-luna", messages=ASK)
