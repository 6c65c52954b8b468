"""The official Anthropic SDK accepts the Anthropic simulator, and raises what it should."""

from __future__ import annotations

import anthropic
import pytest

from llmroute.sim import Fault, Sim

TOOL = {
    "name": "get_weather",
    "description": "Weather by city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASK = [{"role": "user", "content": "Say hello"}]
MODEL = "claude-haiku-5-5"


@pytest.fixture
def sim():
    with Sim("anthropic", key="sim") as made:
        yield made


@pytest.fixture
def client(sim):
    with anthropic.Anthropic(base_url=sim.url, api_key="sim", max_retries=0) as made:
        yield made


def test_text(client):
    answer = client.messages.create(model=MODEL, max_tokens=100, messages=ASK)
    assert "Say hello" in answer.content[0].text
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0


def test_stream(client):
    with client.messages.stream(model=MODEL, max_tokens=100, messages=ASK) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "Say hello" in text
    assert final.stop_reason == "end_turn"


def test_tool_call(client):
    answer = client.messages.create(
        model=MODEL,
        max_tokens=100,
        messages=[{"role": "user", "content": "Use get_weather"}],
        tools=[TOOL],
    )
    assert [block.name for block in answer.content if block.type == "tool_use"] == ["get_weather"]
    assert answer.stop_reason == "tool_use"


def test_models_and_token_count(client):
    assert MODEL in [model.id for model in client.models.list()]
    assert client.messages.count_tokens(model=MODEL, messages=ASK).input_tokens > 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.status(401), anthropic.AuthenticationError),
        (Fault.status(429), anthropic.RateLimitError),
        (Fault.status(529), anthropic.InternalServerError),
        (Fault.failure("context"), anthropic.BadRequestError),
        (Fault.failure("model_missing"), anthropic.NotFoundError),
    ],
)
def test_errors(client, sim, fault, error):
    sim.script(fault)
    with pytest.raises(error):
        client.messages.create(model=MODEL, max_tokens=100, messages=ASK)
