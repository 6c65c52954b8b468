"""Requests that only some targets can serve, and targets that can: parts, tools, a prefill."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from llmroute.catalog.model import Capabilities, Target
from llmroute.types import Request

__all__ = ["CAPABILITIES", "IMAGE", "RARE", "TOOL", "needing", "rarely_able"]

CAPABILITIES = ("tools", "streaming", "vision", "json_schema", "reasoning", "forced_tool_choice")
#: Capabilities that only `case` draws: `fleet` has them all, and `turn` needs none.
RARE = tuple(name for name in Capabilities.names() if name not in CAPABILITIES)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
NAMED = {"type": "function", "function": {"name": "a.b"}}
CUSTOM = {"type": "custom", "custom": {"name": "x"}}
CALLED = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "r"}
PARTS: tuple[dict[str, Any], ...] = (
    {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,QQ=="}},
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
    {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
)


def rarely_able(rng: Random, made: Target) -> Target:
    """Draw which of the rarer capabilities a target has."""
    able = {name: rng.random() < 0.85 for name in RARE}
    names, most = rng.choice((None, None, 4)), rng.choice((None, None, 1))
    return replace(
        made,
        capabilities=replace(made.capabilities, **able),
        wire=replace(made.wire, tool_names=names, max_tools=most),
    )


def needing(rng: Random, asked: Request) -> Request:
    """Give a request now and then what only some targets can do."""
    said = list(asked.messages)
    if rng.random() < 0.15:
        said[-1] = {**said[-1], "content": [{"type": "text", "text": "see"}, rng.choice(PARTS)]}
    if rng.random() < 0.1:
        said += [{"role": "assistant", "content": None, **CALLED}, RESULT]
    if rng.random() < 0.1:
        said.append({"role": "assistant", "content": "so", **rng.choice(({}, CALLED))})
    more: dict[str, Any] = {"messages": tuple(said)}
    if asked.tools:
        more["tools"] = rng.choice((asked.tools, asked.tools, (TOOL, NAMED), (CUSTOM,)))
    if rng.random() < 0.1:
        more["response_format"] = {"type": "json_object"}
    return replace(asked, **more)
