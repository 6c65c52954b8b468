"""Cohere's own SDK accepts the Cohere simulator, and our declared protocol says what it says."""

from __future__ import annotations

import httpx
import pytest

cohere = pytest.importorskip("cohere")

from llmroute.adapter import collect  # noqa: E402
from llmroute.errors import TargetError  # noqa: E402
from llmroute.sim import Answer, Fault, Sim  # noqa: E402
from llmroute.types import Request  # noqa: E402
from tests.adapter.declared.foreign import (  # noqa: E402
    PARAMETERS,
    PNG,
    TOOL_TALK,
    WEATHER,
    complete,
    stream,
    target_of,
)

MODEL = "command-a-03-2025"
REASONS = "command-a-reasoning-08-2025"
ONE = [{"role": "user", "content": "Say hello"}]


@pytest.fixture
def sim():
    with Sim("cohere") as made:
        yield made


@pytest.fixture
def client(sim):
    with httpx.Client() as wire:
        yield cohere.ClientV2(api_key="sim", base_url=sim.url, httpx_client=wire)


def _ours(sim, prompt="Say hello", model=MODEL, **fields):
    return target_of("cohere-chat", sim.url, model), Request.of(prompt, **fields)


def test_text(client, sim):
    theirs = client.chat(model=REASONS, messages=ONE)
    ours = complete(*_ours(sim, model=REASONS))
    thought, said = theirs.message.content
    assert said.text == ours.text == f"{REASONS} heard: Say hello"
    assert thought.thinking == ours.reasoning
    assert (theirs.finish_reason, ours.finish_reason) == ("COMPLETE", "stop")
    assert theirs.usage.tokens.input_tokens == ours.usage.input == 3
    assert theirs.usage.tokens.output_tokens == ours.usage.output


def test_the_same_body(client, sim):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    client.chat(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
        ],
        max_tokens=50,
        temperature=0.5,
        p=0.9,
        stop_sequences=["END"],
        seed=7,
        response_format={"type": "json_object", "json_schema": PARAMETERS},
        thinking={"type": "disabled"},
    )
    complete(
        *_ours(
            sim,
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
            ],
            max_tokens=50,
            temperature=0.5,
            top_p=0.9,
            stop="END",
            seed=7,
            response_format={"type": "json_schema", "json_schema": {"schema": PARAMETERS}},
            reasoning_effort="none",
        )
    )
    theirs, ours = (request.body for request in sim.inferences)
    assert ours == theirs


def test_the_same_tools_and_results(client, sim):
    answer = client.chat(model=MODEL, messages=ONE, tools=[WEATHER], tool_choice="REQUIRED")
    got = complete(
        *_ours(
            sim, [{"role": "user", "content": "Say hello"}], tools=[WEATHER], tool_choice="required"
        )
    )
    (call,) = answer.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"text"}')
    assert (got.tool_calls[0].name, got.tool_calls[0].arguments) == (
        "get_weather",
        '{"city":"text"}',
    )
    assert got.finish_reason == "tool_calls"
    assert got.reasoning == answer.message.tool_plan
    client.chat(
        model=MODEL,
        messages=[{k: v for k, v in one.items() if v is not None} for one in TOOL_TALK],
    )
    complete(*_ours(sim, TOOL_TALK))
    first, second, third, fourth = (request.body for request in sim.inferences)
    second["messages"] = ONE  # we write the text as a part
    fourth["messages"][1]["content"] = "How is the weather in Graz?"
    assert (second, fourth) == (first, third)


def test_streams(client, sim):
    tool = client.chat_stream(model=MODEL, messages=ONE, tools=[WEATHER], tool_choice="REQUIRED")
    kinds = ("tool-call-start", "tool-call-delta")
    pieces = [event.delta.message.tool_calls for event in tool if event.type in kinds]
    target, request = _ours(sim, tools=[WEATHER], tool_choice="required")
    ours = collect(stream(target, request), target)
    assert "".join(piece.function.arguments for piece in pieces) == ours.tool_calls[0].arguments
    assert pieces[0].function.name == ours.tool_calls[0].name
    sim.script(Answer("One two three.", reasoning="Counting."), times=2)
    events = list(client.chat_stream(model=MODEL, messages=ONE))
    said = [e.delta.message.content for e in events if e.type == "content-delta"]
    target, request = _ours(sim)
    ours = collect(stream(target, request), target)
    assert "".join(part.text or "" for part in said) == ours.text == "One two three."
    assert "".join(part.thinking or "" for part in said) == ours.reasoning == "Counting."
    assert events[-1].delta.usage.tokens.output_tokens == ours.usage.output


@pytest.mark.parametrize(
    ("condition", "error", "status", "kind"),
    [
        ("auth", "UnauthorizedError", 401, "auth"),
        ("rate_limit", "TooManyRequestsError", 429, "rate_limit"),
        ("context", "BadRequestError", 400, "context"),
        ("model_missing", "NotFoundError", 404, "model_missing"),
        ("overloaded", "ServiceUnavailableError", 503, "overloaded"),
    ],
)
def test_errors(client, sim, condition, error, status, kind):
    sim.script(Fault.failure(condition), times=2)
    with pytest.raises(getattr(cohere, error)) as theirs:
        client.chat(model=MODEL, messages=ONE, request_options={"max_retries": 0})
    with pytest.raises(TargetError) as ours:
        complete(*_ours(sim))
    assert theirs.value.status_code == ours.value.status == status
    assert ours.value.kind == kind


def test_models(client):
    models = client.models.list().models
    assert {model.name: model.context_length for model in models}[MODEL] == 288_000
