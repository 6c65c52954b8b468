"""Recorded and typed examples of the wire, where the checkout lies beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmroute.adapter.classify import classify
from llmroute.adapter.protocols import ProviderError, protocol
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import ToolCall
from tests.adapter.wire import SHARED, decoded, endpoint, folded, target

EXAMPLES = SHARED / "wire" / "examples"
RUNS = SHARED / "real" / "claude-code"


def load(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text())


def raw(name: str) -> bytes:
    return (EXAMPLES / name).read_bytes()


DIALECTS = {
    "anthropic": "anthropic-messages",
    "lmstudio": "openai-chat",
    "ollama": "ollama-chat",
    "openai_chat": "openai-chat",
    "openai_responses": "openai-responses",
}


def errors() -> Iterator[Any]:
    for name in (
        "anthropic/errors",
        "lmstudio/compat_errors",
        "ollama/errors",
        "openai_chat/errors",
    ):
        if (EXAMPLES / f"{name}.json").exists():
            for case, data in load(f"{name}.json").items():
                yield pytest.param(data, KINDS[f"{name.split('/')[0]}:{case}"], id=f"{name}:{case}")


K = ErrorKind
KINDS = {
    "anthropic:api": K.TRANSIENT,
    "anthropic:auth": K.AUTH,
    "anthropic:bad_request": K.INVALID_REQUEST,
    "anthropic:billing": K.QUOTA,
    "anthropic:input_plus_max_tokens": K.CONTEXT,
    "anthropic:model_not_found": K.MODEL_MISSING,
    "anthropic:overloaded": K.OVERLOADED,
    "anthropic:own_spend_limit_is_400": K.QUOTA,
    "anthropic:permission": K.AUTH,
    "anthropic:prompt_too_long": K.CONTEXT,
    "anthropic:ramp": K.RATE_LIMIT,
    "anthropic:rate": K.RATE_LIMIT,
    "anthropic:spend_tier": K.QUOTA,
    "anthropic:thinking_disabled": K.CAPABILITY,
    "anthropic:thinking_prefix": K.CAPABILITY,
    "anthropic:timeout": K.TRANSIENT,
    "anthropic:too_large": K.TOO_LARGE,
    "lmstudio:context": K.CONTEXT,
    "lmstudio:no_model_loaded": K.MODEL_MISSING,
    "ollama:anthropic_compat_busy": K.OVERLOADED,
    "ollama:busy": K.OVERLOADED,
    "ollama:cancelled": K.CANCELLED,
    "ollama:cloud_signin": K.AUTH,
    "ollama:compat_image_url": K.CAPABILITY,
    "ollama:compat_not_found": K.MODEL_MISSING,
    "ollama:no_thinking": K.CAPABILITY,
    "ollama:no_tools": K.CAPABILITY,
    "ollama:not_found_chat": K.MODEL_MISSING,
    "ollama:not_found_sched": K.MODEL_MISSING,
    "openai_chat:context_length": K.CONTEXT,
    "openai_chat:cyber_policy": K.POLICY,
    "openai_chat:invalid_key": K.AUTH,
    "openai_chat:max_tokens_unsupported": K.CAPABILITY,
    "openai_chat:model_not_found": K.MODEL_MISSING,
    "openai_chat:overloaded": K.OVERLOADED,
    "openai_chat:quota": K.QUOTA,
    "openai_chat:rate_limited": K.RATE_LIMIT,
    "openai_chat:slow_down": K.RATE_LIMIT,
    "openai_chat:temperature_unsupported": K.CAPABILITY,
    "openai_chat:tools_with_reasoning": K.CAPABILITY,
}


@pytest.mark.parametrize(("data", "kind"), list(errors()))
def test_errors(data: Any, kind: ErrorKind) -> None:
    error = classify(
        data["body"],
        endpoint=endpoint(),
        model="m",
        status=data["status"],
        headers=data.get("headers"),
    )
    assert error.kind is kind


def answers() -> Iterator[Path]:
    for folder in DIALECTS:
        for name in ("response_*.json", "chat_response*.json", "compat_response.json"):
            yield from (EXAMPLES / folder).glob(name)


@pytest.mark.parametrize("path", sorted(answers()), ids=lambda p: f"{p.parent.name}:{p.stem}")
def test_whole_answers(path: Path) -> None:
    dialect = DIALECTS[path.parent.name]
    response = protocol(dialect).decode(json.loads(path.read_text()), target(dialect))
    assert not response.usage.estimated
    finish = {
        "response_refusal": "content_filter",
        "response_refusal_field": "content_filter",
        "response_context_window": "length",
        "response_function_call": "tool_calls",
        "response_incomplete": "length",
        "response_length_only_reasoning": "length",
        "response_thinking_parallel_tools": "tool_calls",
        "response_tool_calls": "tool_calls",
        "chat_response_tool": "tool_calls",
    }
    assert response.finish_reason == finish.get(path.stem, "stop")


CALL = ToolCall("call_a1", "get_weather", '{"city":"Graz"}')


def test_good_streams() -> None:
    parallel = folded("openai-chat", raw("openai_chat/stream_parallel_tools_usage.sse"))
    assert parallel.tool_calls == (
        CALL,
        ToolCall("call_b2", "get_weather", '{"city":"Wien"}'),
    )
    assert parallel.usage.input == 2048
    text = folded("openai-chat", raw("openai_chat/stream_text_usage.sse"))
    assert (text.text, text.usage.output) == ("Hello.", 120)
    reasoning = folded("openai-chat", raw("ollama/compat_stream_reasoning.sse"))
    assert (reasoning.text, reasoning.reasoning) == ("Hello.", "short")
    anthropic = folded("anthropic-messages", raw("anthropic/stream_text.sse"))
    assert (anthropic.text, anthropic.usage.input, anthropic.usage.output) == ("Hello.", 2048, 12)
    assert anthropic.usage.cache_written_1h == 512
    tool = folded("anthropic-messages", raw("anthropic/stream_thinking_tool.sse"))
    assert tool.tool_calls == (ToolCall("toolu_01a", "get_weather", '{"city": "Graz"}'),)
    assert (tool.reasoning, tool.usage.reasoning) == ("Two cities", 30)
    bare = folded("anthropic-messages", raw("anthropic/stream_tool_no_args.sse"))
    assert bare.tool_calls == (ToolCall("toolu_01z", "now", "{}"),)
    refused = folded("anthropic-messages", raw("anthropic/stream_refusal_midway.sse"))
    assert (refused.text, refused.finish_reason) == ("Hel", "content_filter")
    ollama = folded("ollama-chat", raw("ollama/chat_stream.ndjson"))
    assert (ollama.text, ollama.reasoning, ollama.usage.input) == ("Hello.", "short", 26)
    assert folded("ollama-chat", raw("ollama/chat_stream_length.ndjson")).finish_reason == "length"
    called = folded("ollama-chat", raw("ollama/chat_stream_tool.ndjson"))
    assert called.tool_calls == (ToolCall("call_x1", "get_weather", '{"city":"Graz"}'),)


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        ("openai-chat", "openai_chat/stream_error_midway.sse"),
        ("openai-chat", "lmstudio/stream_context_error_status200.sse"),
        ("anthropic-messages", "anthropic/stream_error_overloaded.sse"),
        ("ollama-chat", "ollama/chat_stream_error.ndjson"),
    ],
)
def test_streams_that_report_an_error(dialect: str, name: str) -> None:
    with pytest.raises(ProviderError):
        decoded(dialect, raw(name))


@pytest.mark.parametrize(
    "name", ["openai_chat/stream_cut_no_done.sse", "ollama/compat_stream_error_swallowed.sse"]
)
def test_streams_without_their_end(name: str) -> None:
    with pytest.raises(AssertionError):
        decoded("openai-chat", raw(name))


def test_an_empty_success_is_a_prompt_that_does_not_fit() -> None:
    stream = raw("lmstudio/stream_empty_success.sse")
    with pytest.raises(TargetError) as caught:
        folded("openai-chat", stream, context_window=8192)
    assert caught.value.kind is ErrorKind.CONTEXT
    with pytest.raises(TargetError) as caught:
        folded("openai-chat", stream)
    assert caught.value.kind is ErrorKind.EMPTY


_FAILED_RUNS = {
    "miderr-nofallback": K.OVERLOADED,
    "nokey": K.AUTH,
    "noretry-e401": K.AUTH,
    "noretry-e404": K.MODEL_MISSING,
    "noretry-e429": K.RATE_LIMIT,
    "noretry-e500": K.TRANSIENT,
    "noretry-e529": K.OVERLOADED,
    "noretry-ecredit": K.QUOTA,
    "noretry-ectx": K.CONTEXT,
    "noretry-refused": K.UNAVAILABLE,
    "maxturns-1": K.TRANSIENT,
    "stream-tooluse": K.TRANSIENT,
}


@pytest.mark.parametrize(("name", "kind"), list(_FAILED_RUNS.items()))
def test_failed_runs_of_the_cli(name: str, kind: ErrorKind) -> None:
    with pytest.raises(ProviderError) as caught:
        decoded("claude-code", (RUNS / f"{name}.stdout").read_bytes())
    error = caught.value
    found = classify(error.body, endpoint=endpoint(), model="m", status=error.status)
    assert found.kind is kind


@pytest.mark.parametrize("name", ["json-ok", "stream-partial", "stream-verbose"])
def test_good_runs_of_the_cli(name: str) -> None:
    response = folded("claude-code", (RUNS / f"{name}.stdout").read_bytes())
    assert response.text == "Hello from the fake server."
    assert (response.usage.input, response.usage.output) == (1500, 50)


def test_a_refusing_run_of_the_cli() -> None:
    response = folded("claude-code", (RUNS / "stop-refusal.stdout").read_bytes())
    assert response.finish_reason == "content_filter"


def test_the_examples_are_found() -> None:
    assert len(list(answers())) >= 10
