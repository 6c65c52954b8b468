"""Google's own SDK accepts the Gemini simulator, and our declared protocol says what it says."""

from __future__ import annotations

import re

import pytest

genai = pytest.importorskip("google.genai")

from google.genai import errors, types  # noqa: E402

from llmroute.adapter import collect  # noqa: E402
from llmroute.sim import Answer, Fault, Sim, ToolUse  # noqa: E402
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

MODEL = "gemini-3.5-flash"
TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather", description="Weather by city", parameters_json_schema=PARAMETERS
        )
    ]
)


@pytest.fixture
def sim():
    with Sim("gemini") as made:
        yield made


@pytest.fixture
def client(sim):
    made = genai.Client(
        api_key="sim",
        http_options=types.HttpOptions(
            base_url=sim.url, retry_options=types.HttpRetryOptions(attempts=1)
        ),
    )
    yield made
    made.close()


def _plain(body):
    """Write the SDK's `snake_case` names as the API's, and leave out what says nothing."""
    if isinstance(body, list):
        return [_plain(item) for item in body]
    if not isinstance(body, dict):
        return body
    words = {re.sub("_([a-z])", lambda m: m[1].upper(), key): body[key] for key in body}
    plain = {key: _plain(value) for key, value in words.items() if value != {}}
    plain.get("systemInstruction", {}).pop("role", None)
    return plain


def _ours(sim, **fields):
    prompt = fields.pop("prompt", "Say hello")
    return target_of("google-gemini", sim.url, MODEL), Request.of(prompt, **fields)


def test_text(client, sim):
    theirs = client.models.generate_content(model=MODEL, contents="Say hello")
    ours = complete(*_ours(sim))
    assert theirs.text == ours.text == f"{MODEL} heard: Say hello"
    assert theirs.candidates[0].finish_reason == types.FinishReason.STOP
    assert ours.finish_reason == "stop"
    usage = theirs.usage_metadata
    assert usage.prompt_token_count == ours.usage.input == 3
    assert usage.candidates_token_count + usage.thoughts_token_count == ours.usage.output
    assert usage.thoughts_token_count == ours.usage.reasoning
    assert theirs.model_version == ours.model


def test_the_same_body(client, sim):
    client.models.generate_content(
        model=MODEL,
        contents=[
            types.Content(
                role="user",
                parts=[
                    types.Part(text="What is this?"),
                    types.Part(inline_data=types.Blob(mime_type="image/png", data=PNG)),
                ],
            )
        ],
        config=types.GenerateContentConfig(
            system_instruction="Be brief.",
            max_output_tokens=50,
            temperature=0.5,
            top_p=0.9,
            stop_sequences=["END"],
            seed=7,
            thinking_config=types.ThinkingConfig(thinking_level="LOW"),
            response_mime_type="application/json",
            response_json_schema=PARAMETERS,
        ),
    )
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    complete(
        *_ours(
            sim,
            prompt=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
            ],
            max_tokens=50,
            temperature=0.5,
            top_p=0.9,
            stop="END",
            seed=7,
            reasoning_effort="low",
            response_format={"type": "json_schema", "json_schema": {"schema": PARAMETERS}},
        )
    )
    theirs, ours = (request.body for request in sim.inferences)
    assert ours == _plain(theirs)


def test_the_same_tools(client, sim):
    config = types.GenerateContentConfig(
        tools=[TOOL],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode="ANY", allowed_function_names=["get_weather"]
            )
        ),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    answer = client.models.generate_content(model=MODEL, contents="Graz?", config=config)
    (call,) = answer.function_calls
    choice = {"type": "function", "function": {"name": "get_weather"}}
    got = complete(*_ours(sim, prompt="Graz?", tools=[WEATHER], tool_choice=choice))
    theirs, ours = (request.body for request in sim.inferences)
    assert ours == _plain(theirs)
    assert (call.name, call.args) == ("get_weather", {"city": "text"})
    assert got.tool_calls[0].name == "get_weather"
    assert got.tool_calls[0].arguments == '{"city":"text"}'
    assert got.finish_reason == "tool_calls"


def test_a_tool_s_result(client, sim):
    call = types.FunctionCall(id="call_1", name="get_weather", args={"city": "Graz"})
    result = types.FunctionResponse(id="call_1", name="get_weather", response={"result": "sunny"})
    theirs = client.models.generate_content(
        model=MODEL,
        contents=[
            types.Content(role="user", parts=[types.Part(text="How is the weather in Graz?")]),
            types.Content(
                role="model",
                parts=[types.Part(function_call=call, thought_signature=b"signed")],
            ),
            types.Content(role="user", parts=[types.Part(function_response=result)]),
        ],
        config=types.GenerateContentConfig(system_instruction="Be brief."),
    )
    ours = complete(*_ours(sim, prompt=TOOL_TALK))
    assert theirs.text == ours.text == f"{MODEL} was told: sunny"
    theirs, ours = (_plain(request.body) for request in sim.inferences)
    for body in (theirs, ours):
        body["contents"][1]["parts"][0].pop("thoughtSignature")
    assert ours == theirs


def test_streams(client, sim):
    sim.script(Answer("One two three.", tools=(ToolUse("get_weather", {"city": "Graz"}),)), times=2)
    events = list(client.models.generate_content_stream(model=MODEL, contents="Say hello"))
    target, request = _ours(sim)
    ours = collect(stream(target, request), target)
    assert "".join(event.text or "" for event in events) == ours.text == "One two three."
    (theirs,) = [call for event in events for call in event.function_calls or ()]
    assert (theirs.id is not None, theirs.name, theirs.args) == (
        True,
        ours.tool_calls[0].name,
        {"city": "Graz"},
    )
    assert ours.usage.output == events[-1].usage_metadata.candidates_token_count


@pytest.mark.parametrize(
    ("fault", "error", "code", "kind"),
    [
        (Fault.failure("auth"), errors.ClientError, 400, "auth"),
        (Fault.failure("rate_limit"), errors.ClientError, 429, "rate_limit"),
        (Fault.failure("context"), errors.ClientError, 400, "context"),
        (Fault.failure("model_missing"), errors.ClientError, 404, "model_missing"),
        (Fault.failure("overloaded"), errors.ServerError, 503, "overloaded"),
    ],
)
def test_errors(client, sim, fault, error, code, kind):
    from llmroute.errors import TargetError

    sim.script(fault, times=2)
    with pytest.raises(error) as theirs:
        client.models.generate_content(model=MODEL, contents="Say hello")
    with pytest.raises(TargetError) as ours:
        complete(*_ours(sim))
    assert theirs.value.code == ours.value.status == code
    assert theirs.value.status == ours.value.code
    assert ours.value.kind == kind


def test_models(client):
    listed = {model.name: model.input_token_limit for model in client.models.list()}
    assert listed[f"models/{MODEL}"] == 1_048_576
