"""The official Anthropic SDK accepts the Anthropic simulator, and raises what it should."""

from __future__ import annotations

import anthropic
import pytest

from llmroute.sim import Fault, Sim
from llmroute.sim.models import Model

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


def test_models_page_by_page(client, sim):
    known = [model.id for model in client.models.list(limit=1000)]
    sim.requests.clear()
    assert [model.id for model in client.models.list(limit=3)] == known
    assert len(sim.requests) == -(-len(known) // 3)
    backwards = client.models.list(limit=3, before_id=known[-1])
    assert {model.id for model in backwards} == set(known[:-1])
    opus = client.models.retrieve("claude-opus-5-5")
    assert (opus.max_input_tokens, opus.max_tokens, opus.line) == (1_000_000, 128_000, "opus")
    able = opus.capabilities
    assert able.thinking.types.adaptive.supported
    assert not able.thinking.types.disabled.supported
    assert able.effort.xhigh.supported
    assert able.context_management.compact_20260112.supported
    assert able.server_tools.web_search.supported


def test_a_model_has_all_the_fields_that_the_client_knows_and_no_others(client):
    def told(value):
        assert not value.model_extra
        assert value.model_fields_set == set(type(value).model_fields)
        for name in value.model_fields_set:
            part = getattr(value, name)
            if isinstance(part, anthropic.BaseModel):
                told(part)

    for model in client.models.list(limit=1000):
        told(model)


def test_retired_models_are_listed_where_they_are_asked_for():
    models = [Model("now"), Model("gone", lifecycle="retired")]
    with (
        Sim("anthropic", models=models, key="sim") as sim,
        anthropic.Anthropic(base_url=sim.url, api_key="sim", max_retries=0) as client,
    ):
        assert [model.id for model in client.models.list()] == ["now"]
        assert [model.id for model in client.models.list(lifecycle=["retired"])] == ["gone"]


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
