"""The official OpenAI SDK judges both sides of Responses: our simulator, and what we send.

Answers are validated strictly by the SDK's own models, requests by its typed parameters.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, get_args, get_type_hints

import openai
import pytest
from openai.types.responses import Response as SdkResponse
from openai.types.responses import ResponseInputItemParam, ResponseStreamEvent, ToolParam
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter

from llmroute.adapter import Adapter, collect
from llmroute.catalog.model import Auth, Capabilities, Endpoint, Provider, Target
from llmroute.config.secrets import Secret
from llmroute.errors import ErrorKind, TargetError
from llmroute.sim import Answer, Fault, Sim, ToolUse
from llmroute.types import Request
from tests.conversations import PNG, conversations

MODEL = "gpt-6.2-sol"
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "name": "get_weather", "strict": True, "parameters": PARAMETERS}
OURS = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@pytest.fixture
def sim():
    with Sim("openai", key="sim") as made:
        yield made


@pytest.fixture
def client(sim):
    with openai.OpenAI(base_url=f"{sim.url}/v1", api_key="sim", max_retries=0) as made:
        yield made


def strictly(answer: SdkResponse) -> SdkResponse:
    """Validate what the SDK merely constructs."""
    SdkResponse.model_validate_json(answer.model_dump_json(), strict=True)
    return answer


def types_of(union: Any) -> set[str]:
    """Return the words that the members of a union of the SDK's have as their `type`."""
    hints = [get_type_hints(member) for member in get_args(union)]
    return {word for hint in hints for word in get_args(hint["type"]) if isinstance(word, str)}


def refused(client: openai.OpenAI, **asked: Any) -> str:
    """Return the words with which a request is refused; empty where it is answered."""
    try:
        client.post("/responses", cast_to=object, body={"model": MODEL, "input": "hi", **asked})
    except (openai.BadRequestError, openai.NotFoundError) as error:
        return error.message
    return ""


@pytest.mark.parametrize("name", sorted(get_type_hints(ResponseCreateParamsStreaming)))
def test_every_parameter_of_the_sdk_is_known(client, name):
    assert "Unknown parameter: 'nothing'" in refused(client, nothing=None)
    assert "Unknown parameter" not in refused(client, **{name: None})


@pytest.mark.parametrize("kind", sorted(types_of(ResponseInputItemParam)))
def test_every_kind_of_item_of_the_sdk_is_known(client, kind):
    assert "Invalid value: 'nothing'" in refused(client, input=[{"type": "nothing"}])
    assert f"Invalid value: '{kind}'" not in refused(client, input=[{"type": kind}])


@pytest.mark.parametrize("kind", sorted(types_of(ToolParam)))
def test_every_kind_of_tool_of_the_sdk_is_known(client, kind):
    assert "Invalid value: 'nothing'" in refused(client, tools=[{"type": "nothing"}])
    assert f"Invalid value: '{kind}'" not in refused(client, tools=[{"type": kind}])


def test_text(client):
    answer = strictly(client.responses.create(model=MODEL, input="Say hello"))
    assert "Say hello" in answer.output_text
    assert answer.status == "completed"
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_every_streamed_event_is_one_of_the_sdks(client, sim):
    sim.script(
        Answer("Hello there.", "Hm, so.", (ToolUse("get_weather", {"city": "Graz"}),)),
        Answer(refusal="I can't help."),
        Answer("Cut", finish="length"),
        Answer("Cut", finish="failed"),
    )
    ends = []
    for _ in range(4):
        asked = {"include": ["reasoning.encrypted_content"], "reasoning": {"summary": "auto"}}
        events = list(client.responses.create(model=MODEL, input="x", stream=True, **asked))
        for number, event in enumerate(events):
            EVENT.validate_json(event.model_dump_json(), strict=True)
            assert event.sequence_number == number
        ends.append(events[-1].type.removeprefix("response."))
    assert ends == ["completed", "completed", "incomplete", "failed"]


def test_the_sdk_puts_a_stream_together(client, sim):
    calls = (ToolUse("get_weather", {"city": "Graz"}), ToolUse("get_weather", {"city": "Wien"}))
    sim.script(Answer("Two cities.", "Hm.", calls, finish="tool_calls"))
    with client.responses.stream(model=MODEL, input="x", tools=[TOOL]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    assert final.output_text == "Two cities."
    asked = [json.loads(item.arguments) for item in final.output if item.type == "function_call"]
    assert asked == [{"city": "Graz"}, {"city": "Wien"}]


def test_a_tool_round_trip_with_reasoning(client):
    items: list[Any] = [{"role": "user", "content": "Use get_weather"}]
    fixed = {"model": MODEL, "tools": [TOOL], "store": False}
    fixed["include"] = ["reasoning.encrypted_content"]
    first = client.responses.create(input=items, **fixed)
    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    items += first.output
    items.append(
        {"type": "function_call_output", "call_id": first.output[1].call_id, "output": "12 C"}
    )
    assert client.responses.create(input=items, **fixed).output_text == f"{MODEL} was told: 12 C"
    with pytest.raises(openai.BadRequestError, match="could not be verified"):
        client.responses.create(input=items, **{**fixed, "model": "gpt-6-sol"})


def test_a_schema_is_parsed(client):
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    answer = client.responses.parse(model=MODEL, input="x", text_format=City)
    assert answer.output_parsed == City(name="text")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.status(401), openai.AuthenticationError),
        (Fault.status(429), openai.RateLimitError),
        (Fault.status(500), openai.InternalServerError),
        (Fault.failure("context"), openai.BadRequestError),
    ],
)
def test_errors(client, sim, fault, error):
    sim.script(fault)
    with pytest.raises(error):
        client.responses.create(model=MODEL, input="x")


def test_an_error_midway(client, sim):
    sim.script(Fault.error_event())
    events = list(client.responses.create(model=MODEL, input="x y z", stream=True))
    EVENT.validate_json(events[-1].model_dump_json(), strict=True)
    assert (events[-1].type, events[-1].code) == ("error", "server_error")


# What we send.


def target(url: str = "http://127.0.0.1:9") -> Target:
    auth = Auth("authorization", "Bearer ", "env:KEY", Secret("sim"))
    endpoint = Endpoint("http", "openai-responses", f"{url}/v1", auth)
    able = Capabilities(*[True] * len(Capabilities.names()))
    return Target("p/m", Provider("p", "local", endpoint), MODEL, MODEL, "local", capabilities=able)


@pytest.mark.parametrize("stream", [False, True])
def test_generated_requests_are_the_sdks(stream):
    kind = ResponseCreateParamsStreaming if stream else ResponseCreateParamsNonStreaming
    judge: TypeAdapter[Any] = TypeAdapter(kind)
    for request in conversations(150):
        body = json.loads(json.dumps(Adapter().encode(target(), request, stream=stream).body))
        # What the typed parameters do not know is lost here, and then the two differ.
        assert json.loads(judge.dump_json(judge.validate_python(body))) == body


def test_generated_conversations_are_accepted_and_answered(sim):
    async def work() -> None:
        adapter, aim = Adapter(), target(sim.url)
        for request in conversations(40):
            whole = await adapter.complete(aim, request)
            chunks = [chunk async for chunk in adapter.stream(aim, request)]
            folded = collect(chunks, aim)
            assert (folded.text, folded.finish_reason) == (whole.text, whole.finish_reason)
            assert [c.name for c in folded.tool_calls] == [c.name for c in whole.tool_calls]
            assert folded.usage == whole.usage
        await adapter.aclose()

    asyncio.run(work())


def test_a_whole_tool_turn_through_us(sim):
    async def work() -> None:
        adapter, aim = Adapter(), target(sim.url)
        asked = {"role": "user", "content": [{"type": "text", "text": "Use get weather"}, PNG]}
        request = Request.of([asked], tools=[OURS], reasoning_effort="high")
        first = await adapter.complete(aim, request)
        assert first.finish_reason == "tool_calls"
        assert first.usage.reasoning > 0
        (call,) = first.tool_calls
        done = {"role": "tool", "tool_call_id": call.id, "content": "12 C"}
        messages = [asked, first.message, done]
        second = await adapter.complete(aim, Request.of(messages, tools=[OURS]))
        assert second.text == f"{MODEL} was told: 12 C"
        sent = sim.requests[-1].body["input"]
        kinds = [item.get("type") for item in sent]
        assert kinds == [None, "reasoning", "function_call", "function_call_output"]
        await adapter.aclose()

    asyncio.run(work())


def test_an_answer_that_failed(sim):
    sim.script(Answer("x", finish="failed"), times=2)

    async def work() -> list[TargetError]:
        adapter, aim, found = Adapter(), target(sim.url), []
        try:
            await adapter.complete(aim, Request.of("x"))
        except TargetError as exc:
            found.append(exc)
        try:
            async for _ in adapter.stream(aim, Request.of("x")):
                pass
        except TargetError as exc:
            found.append(exc)
        await adapter.aclose()
        return found

    assert [error.kind for error in asyncio.run(work())] == [ErrorKind.TRANSIENT] * 2
