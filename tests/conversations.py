"""Generated conversations in the canonical shape: tools, images, files and system turns.

Drawn by `random` with a fixed seed, so that they need no package and are the same everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from llmroute.types import Request

__all__ = ["PNG", "conversations"]

_URL = "data:image/png;base64,iVBORw0KGgo="
PNG = {"type": "image_url", "image_url": {"url": _URL}}
_WORDS = ("weather", "Graz", "wörtlich", "日本", "🌧", "a\nb", '"q"', "now", "  ", "{}")
_NAMES = ("get_weather", "now", "look-up_2")
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
_ARGUMENTS = ('{"city": "Graz"}', '{"city":"日本"}', "{}")


def conversations(count: int, seed: int = 5) -> Iterator[Request]:
    """Yield conversations that end with a user's or a tool's word."""
    draw = random.Random(seed)
    for _ in range(count):
        yield _request(draw)


def _request(draw: random.Random) -> Request:
    messages = [{"role": "system", "content": _text(draw)} for _ in range(draw.randrange(3))]
    for turn in range(draw.randrange(3)):
        messages += [_user(draw), *_answer(draw, turn)]
        if draw.random() < 0.2:
            messages.append({"role": draw.choice(("system", "developer")), "content": _text(draw)})
    messages += [_user(draw)] if draw.random() < 0.7 or len(messages) < 4 else []
    if messages[-1]["role"] not in ("user", "tool"):
        messages.append(_user(draw))
    return Request.of(messages, **_fields(draw))


def _fields(draw: random.Random) -> dict[str, Any]:
    names = draw.sample(_NAMES, draw.randrange(len(_NAMES) + 1))
    offered: dict[str, Any] = {
        "tools": [_tool(draw, name) for name in names],
        "tool_choice": draw.choice((None, "auto", "none", "required", _named(names))),
        "parallel_tool_calls": draw.choice((None, True, False)),
    }
    wanted = {
        "max_tokens": draw.choice((None, 200, 4000)),
        "reasoning_effort": draw.choice((None, "low", "high", "xhigh")),
        "response_format": draw.choice((None, None, {"type": "text"}, _format(draw))),
        "user": draw.choice((None, "u1", "bob@example.org" * 6)),
    }
    return wanted | (offered if names else {})


def _named(names: list[str]) -> Any:
    return {"type": "function", "function": {"name": names[0]}} if names else None


def _tool(draw: random.Random, name: str) -> dict[str, Any]:
    closed = {**_SCHEMA, "required": ["city"], "additionalProperties": False}
    strict = {"strict": True, "parameters": closed}
    more: Any = draw.choice(({}, {"parameters": _SCHEMA}, {"description": "D"}, strict))
    return {"type": "function", "function": {"name": name, **more}}


def _format(draw: random.Random) -> dict[str, Any]:
    if draw.random() < 0.5:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": _SCHEMA}}


def _text(draw: random.Random) -> str:
    return " ".join(draw.choices(_WORDS, k=draw.randrange(1, 6)))


def _user(draw: random.Random) -> dict[str, Any]:
    if draw.random() < 0.5:
        return {"role": "user", "content": _text(draw)}
    parts: list[dict[str, Any]] = [{"type": "text", "text": _text(draw)}]
    parts += draw.choice(([], [PNG], [{**PNG, "image_url": {"url": _URL, "detail": "low"}}]))
    return {"role": "user", "content": draw.sample(parts, len(parts))}


def _answer(draw: random.Random, turn: int) -> Iterator[dict[str, Any]]:
    count = draw.randrange(3)
    said = _text(draw) if not count or draw.random() < 0.5 else None
    calls = [
        {
            "id": f"call_{turn}_{number}" + "x" * draw.choice((0, 0, 80)),
            "type": "function",
            "function": {"name": draw.choice(_NAMES), "arguments": draw.choice(_ARGUMENTS)},
        }
        for number in range(count)
    ]
    yield {"role": "assistant", "content": said, **({"tool_calls": calls} if calls else {})}
    for call in draw.sample(calls, len(calls)):
        yield {"role": "tool", "tool_call_id": call["id"], "content": _result(draw)}


def _result(draw: random.Random) -> Any:
    parts = [{"type": "text", "text": _text(draw)}]
    return draw.choice((_text(draw), "", parts, [*parts, PNG]))
