"""Clients of Chat Completions: what they ask passes as it is, and answers come in their shape."""

from __future__ import annotations

from decimal import Decimal

import pytest

from llmroute.adapter.answering.openai_chat import OpenAIChatClients
from llmroute.errors import ErrorKind, NoEligibleTarget, RouteFailed, TargetError, UsageError
from llmroute.types import Chunk, Response, ToolCall, ToolCallDelta, Usage
from tests.adapter.answering.parts import NOW, events, stamp

ASK = {"model": "balanced", "messages": [{"role": "user", "content": "q"}]}


def asked(**more):
    return OpenAIChatClients(stamp()).read({**ASK, **more})


def answer(**fields):
    fields = {"text": "x", "finish_reason": "stop", "usage": Usage(), "model": "m", **fields}
    return OpenAIChatClients(stamp()).answer(Response(**fields), asked())


def test_fields_have_their_canonical_names():
    found = asked(
        max_completion_tokens=5,
        stop="END",
        seed=3,
        temperature=0.5,
        stream=True,
        stream_options={"include_usage": True},
        metadata={"privacy": "private"},
        llmroute={"tags": ["hard"], "route": {"locality": "local"}},
    )
    request = found.request
    assert (request.max_tokens, request.stop, request.seed) == (5, ("END",), 3)
    assert (request.temperature, request.stream) == (0.5, True)
    assert request.metadata == {"privacy": "private"}
    assert (request.tags, request.route.locality) == (("hard",), "local")
    assert found.include_usage


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": None}, "model is missing"),
        ({"messages": "hi"}, "messages is 'hi'"),
        ({"messages": [{"role": "user", "contents": "q"}]}, "unknown field 'contents'"),
        ({"messages": [{"role": "function", "name": "f"}]}, "write it as a tool's"),
        ({"n": 2}, "ask several times"),
        ({"logprobs": True}, "logprobs cannot be routed"),
        ({"functions": [{"name": "f"}]}, "write it as tools"),
        ({"modalities": ["text", "audio"]}, "modalities is not text"),
        ({"temperatur": 1}, "unknown fields in the request: temperatur"),
        ({"max_tokens": 2.5}, "max_tokens is 2.5"),
        ({"stream": 1}, "stream is 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(more, said):
    with pytest.raises(UsageError, match=said):
        asked(**more)


def test_no_is_no_reason_to_refuse():
    assert asked(logprobs=False, n=1, modalities=["text"], store=True).warnings == ()


def test_what_nobody_obeys_is_warned_of():
    warned = asked(presence_penalty=1).warnings
    assert warned == ("presence_penalty was dropped: llmroute does not pass it on",)


def test_the_whole_answer():
    found = answer(
        text=None,
        tool_calls=(ToolCall("c", "f", '{"a":1}'),),
        finish_reason="tool_calls",
        usage=Usage(input=2048, output=120, cached=1024, cache_written=512, reasoning=64),
        target="openai/m",
        cost=Decimal("0.00000012"),
        warnings=("w",),
    )
    assert found == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(NOW),
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "tool_calls": [
                        {
                            "id": "c",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"a":1}'},
                        }
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {  # T50
            "prompt_tokens": 2048,
            "completion_tokens": 120,
            "total_tokens": 2168,
            "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 512},
            "completion_tokens_details": {"reasoning_tokens": 64},
        },
        "llmroute": {
            "target": "openai/m",
            "cost": "0.00000012",
            "attempts": 0,
            "warnings": ["w"],
        },
    }


def written(*chunks, **more):
    writer = OpenAIChatClients(stamp()).writer(asked(**more))
    found = [event for chunk in chunks for event in writer.feed(chunk)]
    return events([*found, *writer.finish()])


def test_a_stream_ends_with_reason_usage_and_done():
    found = written(
        Chunk(model="m", id="i"),
        Chunk(text="Hel"),
        Chunk(text="lo"),
        Chunk(usage=Usage(input=3, output=2)),
        Chunk(finish_reason="stop"),
        stream_options={"include_usage": True},
    )
    datas = [data for _, data in found]
    assert datas[-1] == "[DONE]"
    deltas = [data["choices"][0]["delta"] for data in datas[:-2]]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert datas[-3]["choices"][0]["finish_reason"] == "stop"
    assert datas[-2]["choices"] == []
    assert datas[-2]["usage"]["total_tokens"] == 5
    assert {(data["id"], data["model"]) for data in datas[:-1]} == {("i", "m")}


def test_usage_is_not_sent_to_those_who_did_not_ask():
    found = written(Chunk(text="x"), Chunk(usage=Usage(input=3)), Chunk(finish_reason="stop"))
    assert all("usage" not in data for _, data in found[:-1])


def test_calls_are_streamed_by_their_number():
    found = written(
        Chunk(tool_call=ToolCallDelta(0, "c", "f")),
        Chunk(tool_call=ToolCallDelta(0, arguments="{}")),
        Chunk(finish_reason="tool_calls"),
    )
    calls = [data["choices"][0]["delta"].get("tool_calls") for _, data in found[1:3]]
    assert calls == [
        [
            {
                "index": 0,
                "id": "c",
                "type": "function",
                "function": {"arguments": "", "name": "f"},
            }
        ],
        [{"index": 0, "function": {"arguments": "{}"}}],
    ]


def test_an_answer_that_broke_is_never_done():
    writer = OpenAIChatClients(stamp()).writer(asked())
    writer.feed(Chunk(text="x"))
    ((_, data),) = events(writer.fail(TargetError(ErrorKind.OVERLOADED, "busy")))
    assert data["error"]["code"] == "no_healthy_target"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UsageError("u"), 400, "invalid_request"),
        (NoEligibleTarget("n"), 400, "no_eligible_target"),
        (RouteFailed("r", last=TargetError(ErrorKind.AUTH, "a")), 502, "upstream_auth"),
        (RouteFailed("r", last=TargetError(ErrorKind.QUOTA, "q")), 429, "insufficient_quota"),
        (TargetError(ErrorKind.TIMEOUT, "t"), 504, "upstream_timeout"),
        (TargetError(ErrorKind.CONTEXT, "c"), 400, "context_length_exceeded"),
        (RouteFailed("nobody was asked"), 503, "no_healthy_target"),
        (KeyError("a bug"), 500, "internal_error"),
    ],
)
def test_errors(error, status, code):
    found = OpenAIChatClients(stamp()).failure(error)
    assert (found.status, found.body["error"]["code"]) == (status, code)
    assert "bug" not in found.body["error"]["message"]
