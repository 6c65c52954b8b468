"""Requests, answers, streams and errors as the references of three foreign APIs show them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from llmroute.adapter import Adapter, collect
from llmroute.adapter.framing import SseFramer
from llmroute.errors import TargetError
from llmroute.sim import Answer, Fault, Sim
from llmroute.types import Chunk, Request, Response
from tests.adapter.declared.foreign import (
    PARAMETERS,
    TOOL_TALK,
    WEATHER,
    complete,
    protocol_of,
    stream,
    target_of,
)

KINDS = {"google-gemini": "gemini", "cohere-chat": "cohere", "tgi-generate": "tgi"}
MODELS = {"google-gemini": "gemini-3.5-flash", "cohere-chat": "command-a-03-2025"}


def encoded(name: str, prompt: Any, *, streamed: bool = False, **fields: Any) -> Any:
    return Adapter().encode(target_of(name), Request.of(prompt, **fields), stream=streamed)


def decoded(name: str, body: Any) -> Response:
    return protocol_of(name).decode(body, target_of(name))


def chunks_of(name: str, *events: Mapping[str, Any]) -> list[Chunk]:
    raw = "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events).encode()
    decoder, framer = protocol_of(name).decoder(), SseFramer()
    found = [c for event in framer.feed(raw) for c in decoder.feed(event)]
    assert decoder.done
    return found


# Gemini: ai.google.dev, "Text generation", "Function calling", "Thinking".


def test_gemini_request() -> None:
    sent = encoded("google-gemini", TOOL_TALK, tools=[WEATHER], max_tokens=100, stop="END")
    assert sent.path == "/v1/models/m:generateContent"
    declared = {
        "name": "get_weather",
        "description": "Weather by city",
        "parametersJsonSchema": PARAMETERS,
    }
    assert sent.body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "How is the weather in Graz?"}]},
            {
                "role": "model",
                "parts": [
                    {
                        "functionCall": {
                            "id": "call_1",
                            "name": "get_weather",
                            "args": {"city": "Graz"},
                        },
                        "thoughtSignature": "skip_thought_signature_validator",
                    }
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "call_1",
                            "name": "get_weather",
                            "response": {"result": "sunny"},
                        }
                    }
                ],
            },
        ],
        "tools": [{"functionDeclarations": [declared]}],
        "generationConfig": {"maxOutputTokens": 100, "stopSequences": ["END"]},
    }


def test_gemini_takes_a_signature_that_the_caller_brings() -> None:
    talk = json.loads(json.dumps(TOOL_TALK))
    talk[2]["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "c2lnbmVk"}}
    body = encoded("google-gemini", talk).body
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == "c2lnbmVk"


def test_gemini_gets_its_own_signature_back_and_no_other_does() -> None:
    question = {"role": "user", "content": "Use get_weather"}
    with Sim("gemini") as sim:
        target = target_of("google-gemini", sim.url, "gemini-3.5-flash")
        for answer in (
            complete(target, Request.of([question], tools=[WEATHER])),
            collect(stream(target, Request.of([question], tools=[WEATHER])), target),
        ):
            (call,) = answer.tool_calls
            result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
            talk = Request.of([question, answer.message, result])
            complete(target, talk)
            said = sim.inferences[-1].body["contents"][1]["parts"][0]
            assert said["thoughtSignature"] == "c2ltdWxhdGVk"
            other = replace(target, id="p/other")
            body: Any = Adapter().encode(other, talk, stream=False).body
            said = body["contents"][1]["parts"][0]
            assert said["thoughtSignature"] == "skip_thought_signature_validator"


def test_gemini_names_a_model_in_the_path() -> None:
    target = target_of("google-gemini", model="tunedModels/a b?c")
    sent = Adapter().encode(target, Request.of("hi"), stream=True)
    assert sent.path == "/v1/models/tunedModels/a%20b%3Fc:streamGenerateContent?alt=sse"


GEMINI = {
    "candidates": [
        {
            "content": {
                "parts": [
                    {"text": "Let me see.", "thought": True},
                    {"text": "It is ", "thoughtSignature": "c2ln"},
                    {"text": "sunny."},
                ],
                "role": "model",
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 8,
        "cachedContentTokenCount": 3,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 20,
        "totalTokenCount": 33,
    },
    "modelVersion": "gemini-3.5-flash",
    "responseId": "abc",
}


def test_gemini_answer() -> None:
    answer = decoded("google-gemini", GEMINI)
    assert (answer.text, answer.reasoning) == ("It is sunny.", "Let me see.")
    assert (answer.finish_reason, answer.model, answer.id) == ("stop", "gemini-3.5-flash", "abc")
    usage = answer.usage
    assert (usage.input, usage.cached, usage.output, usage.reasoning) == (8, 3, 25, 20)
    assert not usage.estimated


def test_gemini_blocks_a_prompt() -> None:
    answer = decoded("google-gemini", {"promptFeedback": {"blockReason": "SAFETY"}})
    assert (answer.text, answer.finish_reason) == (None, "content_filter")
    assert answer.usage.estimated


def test_gemini_parts_that_have_no_place_are_named() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    parts = {"parts": [{"text": "x"}, code]}
    candidate = {"content": parts, "finishReason": "STOP"}
    answer = decoded("google-gemini", {"candidates": [candidate]})
    assert answer.warnings == ("a part of type executableCode was left out of the answer",)


@pytest.mark.parametrize(
    ("word", "kind"),
    [("MALFORMED_FUNCTION_CALL", "malformed"), ("OTHER", "transient"), ("NEWS", "malformed")],
)
def test_gemini_ends_that_are_failures(word: str, kind: str) -> None:
    with pytest.raises(TargetError) as found:
        decoded("google-gemini", {"candidates": [{"finishReason": word}]})
    assert found.value.kind == kind


def test_gemini_stream_with_two_calls_without_ids() -> None:
    def event(*parts: Any, **more: Any) -> dict[str, Any]:
        return {"candidates": [{"content": {"parts": list(parts)}, **more}], **USED}

    call = {"functionCall": {"name": "get_weather", "args": {"city": "Graz"}}}
    other = {"functionCall": {"name": "get_weather", "args": {}}}
    answer = collect(
        chunks_of(
            "google-gemini",
            event({"text": "I "}),
            event({"text": "ask."}),
            event(call, other),
            event({"text": ""}, finishReason="STOP"),
        ),
        target_of("google-gemini"),
    )
    assert answer.text == "I ask."
    assert [c.arguments for c in answer.tool_calls] == ['{"city":"Graz"}', "{}"]
    assert len({c.id for c in answer.tool_calls}) == 2
    assert answer.finish_reason == "tool_calls"
    assert (answer.usage.input, answer.usage.output) == (4, 2)


USED = {"usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2}}


# Cohere: docs.cohere.com, "Chat", "Tool use", "Streaming".


def test_cohere_request() -> None:
    sent = encoded("cohere-chat", TOOL_TALK, tools=[WEATHER], top_p=0.5, tool_choice="required")
    assert sent.path == "/v2/chat"
    assert sent.body == {
        "model": "m",
        "stream": False,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "How is the weather in Graz?"}],
            },
            {"role": "assistant", "tool_calls": TOOL_TALK[2]["tool_calls"]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ],
        "tools": [WEATHER],
        "tool_choice": "REQUIRED",
        "p": 0.5,
    }


def test_cohere_cannot_force_a_certain_tool() -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    with pytest.raises(TargetError, match="a named tool cannot be forced here") as found:
        encoded("cohere-chat", "hi", tools=[WEATHER], tool_choice=choice)
    assert found.value.kind == "capability"


def test_cohere_answer() -> None:
    answer = decoded(
        "cohere-chat",
        {
            "id": "c14c80c3",
            "finish_reason": "TOOL_CALL",
            "message": {
                "role": "assistant",
                "tool_plan": "I will look.",
                "tool_calls": [
                    {
                        "id": "w_1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city":"Graz"}'},
                    }
                ],
            },
            "usage": {
                "billed_units": {"input_tokens": 5, "output_tokens": 9},
                "tokens": {"input_tokens": 71.0, "output_tokens": 12.0},
                "cached_tokens": 16,
            },
        },
    )
    assert (answer.text, answer.reasoning) == (None, "I will look.")
    assert answer.tool_calls[0].id == "w_1"
    assert (answer.usage.input, answer.usage.output, answer.usage.cached) == (71, 12, 16)
    assert answer.finish_reason == "tool_calls"


def test_cohere_stream_without_deltas_of_arguments() -> None:
    call = {"id": "w_1", "type": "function", "function": {"name": "now", "arguments": ""}}
    tokens = {"tokens": {"input_tokens": 3, "output_tokens": 2}}
    answer = collect(
        chunks_of(
            "cohere-chat",
            {"type": "message-start", "id": "x"},
            {"type": "citation-start", "index": 0},
            {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": call}}},
            {"type": "tool-call-end", "index": 0},
            {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": tokens}},
        ),
        target_of("cohere-chat"),
    )
    assert [(c.id, c.name, c.arguments) for c in answer.tool_calls] == [("w_1", "now", "{}")]
    assert (answer.id, answer.usage.input) == ("x", 3)


# Text Generation Inference: the server's OpenAPI description.


def test_tgi_request() -> None:
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "text", "text": "Three"},
            ],
        },
    ]
    sent = encoded("tgi-generate", said, streamed=True, max_tokens=7)
    assert sent.path == "/generate_stream"
    assert sent.body["inputs"] == (
        "Be brief.\n\nUser: One\nAssistant: Two\n"
        "User: ![](https://example.org/a.png)Three\nAssistant:"
    )
    assert sent.body["parameters"] == {
        "details": True,
        "return_full_text": False,
        "max_new_tokens": 7,
    }


def test_tgi_stream() -> None:
    def token(text: str, *, special: bool = False, **more: Any) -> dict[str, Any]:
        return {"token": {"id": 1, "text": text, "logprob": -0.1, "special": special}, **more}

    details = {"finish_reason": "length", "generated_tokens": 3, "input_length": 9}
    answer = collect(
        chunks_of(
            "tgi-generate",
            token("<s>", special=True),
            token("Hel"),
            token("lo", generated_text="Hello", details=details),
        ),
        target_of("tgi-generate"),
    )
    assert (answer.text, answer.finish_reason) == ("Hello", "length")
    assert (answer.usage.input, answer.usage.output) == (9, 3)


# All three over real sockets.


@pytest.mark.parametrize("name", KINDS)
def test_a_stream_that_breaks_off_is_no_answer(name: str) -> None:
    with Sim(KINDS[name]) as sim:
        target = target_of(name, sim.url, MODELS.get(name, "m"))
        for ending in ("clean", "cut"):
            sim.script(Fault.truncate(after=2, ending=ending))
            with pytest.raises(TargetError) as found:
                stream(target, Request.of("Say hello to me"))
            assert found.value.kind in ("malformed", "unavailable")


@pytest.mark.parametrize("name", KINDS)
def test_an_error_midway_is_raised(name: str) -> None:
    with Sim(KINDS[name]) as sim:
        sim.script(Fault.error_event(after=1))
        with pytest.raises(TargetError) as found:
            stream(target_of(name, sim.url, MODELS.get(name, "m")), Request.of("Say hello"))
    assert found.value.kind in ("overloaded", "transient")


@pytest.mark.parametrize("name", KINDS)
def test_an_empty_answer_is_none(name: str) -> None:
    with Sim(KINDS[name]) as sim:
        sim.script(Answer(output_tokens=0), times=2)
        target = target_of(name, sim.url, MODELS.get(name, "m"))
        for ask in (complete, stream):
            with pytest.raises(TargetError) as found:
                ask(target, Request.of("Say hello"))
            assert found.value.kind == "empty"


def test_a_limit_says_when_to_come_back() -> None:
    with Sim("gemini") as sim:
        sim.script(Fault.failure("rate_limit"))
        with pytest.raises(TargetError) as found:
            complete(target_of("google-gemini", sim.url, "gemini-3.5-flash"), Request.of("hi"))
    assert (found.value.kind, found.value.retry_after) == ("rate_limit", 32.0)
    assert found.value.code == "RESOURCE_EXHAUSTED"
