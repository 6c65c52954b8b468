"""Whatever a client sends: it is read, or refused with words, and so is what becomes of it."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from llmroute.adapter import Adapter
from llmroute.adapter.answering import client_protocol
from llmroute.errors import TargetError, UsageError
from llmroute.policy.facts.facts import Facts
from llmroute.policy.facts.needs import needs_of
from tests.adapter.wire import target

JUNK: tuple[Any, ...] = (None, True, 0, -1, 1.5, "", "x", [], [1], [None], [{}], {}, {"type": "x"})
TARGETS = [
    target(name) for name in ("anthropic-messages", "ollama-chat", "openai-chat", "claude-code")
] + [target("openai-responses")]
DATA = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
FUNCTION = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
FILE = {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "f"}}
BODIES: dict[str, dict[str, Any]] = {
    "openai-chat": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": [{"type": "text", "text": "q"}, IMAGE, FILE]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "1"}]},
        ],
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
        "stop": ["a"],
        "temperature": 0.5,
        "stream_options": {"include_usage": True},
    },
    "anthropic-messages": {
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": DATA}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": "S"},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "1"}],
                        "is_error": True,
                    }
                ],
            },
        ],
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "f"},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "cache_control": {"type": "ephemeral"},
    },
    "openai-responses": {
        "model": "m",
        "instructions": "S",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "q"}]},
            {"type": "reasoning", "summary": [], "encrypted_content": "x"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "1"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}},
        "reasoning": {"effort": "low"},
    },
}


def places(value: Any, parent: Any = None, key: Any = None) -> Iterator[tuple[Any, Any]]:
    if parent is not None:
        yield parent, key
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for inner in keys:
        yield from places(value[inner], value, inner)


def spoilt(name: str, count: int) -> Iterator[dict[str, Any]]:
    """Yield bodies with one place of theirs changed, every place by each kind of junk in turn."""
    for number in range(len(list(places(BODIES[name])))):
        for junk in random.Random(number).sample(JUNK, count):
            body = copy.deepcopy(BODIES[name])
            parent, key = list(places(body))[number]
            parent[key] = copy.deepcopy(junk)
            yield body


@pytest.mark.parametrize("name", BODIES)
def test_junk_is_refused_with_words(name: str) -> None:
    adapter, read = Adapter(), 0
    for body in spoilt(name, 6):
        try:
            request = client_protocol(name).read(body).request
        except UsageError:
            continue
        read += 1
        needs_of(request)
        assert Facts(request).tokens_for("generic") >= 0
        for aim in TARGETS:
            with suppress(TargetError):
                adapter.encode(aim, request, stream=True)
    assert read > 50


@pytest.mark.parametrize("name", BODIES)
def test_what_is_not_spoilt_is_taken(name: str) -> None:
    request = client_protocol(name).read(BODIES[name]).request
    sent = Adapter().encode(target("openai-chat"), request, stream=False).body
    assert sent is not None
    assert [message["role"] for message in sent["messages"]][-2:] == ["assistant", "tool"]
