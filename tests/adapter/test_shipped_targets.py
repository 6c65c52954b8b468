"""Whatever the engine lets through can be written, and is refused by no provider.

Generated conversations are decided over all shipped targets; each target that is eligible is
asked in its own protocol, and the simulator of its provider checks the request as the provider
would: what newer models refuse is theirs, from the vendors' documentation, not ours.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from llmroute.adapter import Adapter
from llmroute.policy import Policy, policy_source
from llmroute.types import Request
from tests.adapter.shipped import refusal, shipped
from tests.conversations import conversations

_URL = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
_PARTS: tuple[Any, ...] = (
    _URL,
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,QQ==", "filename": "a"}},
    {"type": "file", "file": {"file_data": "data:text/csv;base64,QQ=="}},
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
    {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
)
_EFFORTS = (None, "none", "minimal", "low", "medium", "high", "xhigh", "max")
_OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
_UNION = {"anyOf": [_OPEN, {"type": "object", "properties": {"b": {"type": "integer"}}}]}
_TOOLS: tuple[Any, ...] = (
    {"type": "function", "function": {"name": "a.b"}},
    {"type": "function", "function": {"name": "n" * 64}},
    {"type": "function", "function": {"name": "n" * 65}},
    {"type": "function", "function": {"name": "n" * 129}},
    {"type": "function", "function": {"name": "loose", "strict": True, "parameters": _OPEN}},
    {"type": "function", "function": {"name": "either", "parameters": _UNION}},
    {"type": "custom", "custom": {"name": "x"}},
)


def requests(count: int) -> Iterator[Request]:
    draw = random.Random(11)
    for request in conversations(count):
        if not any(map(_blank, request.messages)):  # malformed: nobody is told anything
            yield _varied(draw, request)


def _blank(message: Any) -> bool:
    content = message["content"]
    parts = [{"text": content}] if isinstance(content, str) else content or ()
    return message["role"] == "user" and not any(p.get("text", "x").strip() for p in parts)


def _varied(draw: random.Random, request: Request) -> Request:
    messages = list(request.messages)
    if draw.random() < 0.15:
        messages.append({"role": "user", "content": [draw.choice(_PARTS)]})
    elif draw.random() < 0.1:
        messages.append({"role": "user", "content": "go on"})
        messages.append({"role": "assistant", "content": "The answer is "})
    elif draw.random() < 0.1:
        messages.append({"role": "system", "content": "Be brief."})
    tools = (*request.tools, draw.choice(_TOOLS)) if draw.random() < 0.2 else request.tools
    strict = {"name": "x", "strict": True, "schema": _OPEN}
    form = {"type": "json_schema", "json_schema": strict} if draw.random() < 0.1 else None
    return replace(
        request,
        messages=tuple(messages),
        tools=tools,
        response_format=form or request.response_format,
        temperature=draw.choice((None, None, 0.0, 0.5, 1.0, 1.7, 3.0, -1.0)),
        top_p=draw.choice((None, None, None, 0.5, 1.2)),
        stop=draw.choice(((), (), ("END",), ("a", "b", "c", "d", "e"), (" ",))),
        seed=draw.choice((None, None, 7)),
        reasoning_effort=draw.choice(_EFFORTS),
        max_tokens=draw.choice((None, 200, 1024, 1025, 4000, 100_000)),
        stream=draw.random() < 0.3,
    )


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_what_is_let_through_is_written_and_taken(version: str) -> None:
    policy = Policy(policy_source("all", {"all": {"policy": "all"}}))
    targets = [_speaking(target, version) for target in shipped().values()]
    seen = Counter[str]()
    for request in requests(300):
        decision = policy.decide(request, targets)
        seen["ruled out"] += len(decision.rejections)
        for target in decision.targets:
            encoded = Adapter().encode(target, request, stream=request.stream)
            assert (target.id, refusal(target, encoded)) == (target.id, None), (request, encoded)
            seen[target.provider.name] += 1
    assert min(seen[target.provider.name] for target in targets) > 20
    assert seen["ruled out"] > 1000


def _speaking(target: Any, version: str) -> Any:
    """Return an Anthropic target over an API version; the header alone says which."""
    endpoint = target.provider.endpoint
    if "anthropic-version" not in endpoint.headers:
        return target
    headers = {**endpoint.headers, "anthropic-version": version}
    provider = replace(target.provider, endpoint=replace(endpoint, headers=headers))
    return replace(target, provider=provider)
