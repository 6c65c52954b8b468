"""Helpers: targets of the shipped declared protocols, and what a conversation with tools holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from llmroute.adapter import Adapter
from llmroute.adapter.declared.protocol import DeclaredProtocol, usable_protocol
from llmroute.catalog.declared import Declaration
from llmroute.catalog.model import Capabilities, Endpoint, Provider, Target, Timeouts
from llmroute.types import Chunk, Request, Response

ROOT = Path(__file__).parents[3]
SHIPPED = sorted(path.stem for path in (ROOT / "protocols.d").glob("*.yaml"))
ALL = Capabilities(
    tools=True,
    streaming=True,
    vision=True,
    json_schema=True,
    reasoning=True,
    forced_tool_choice=True,
)
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather by city",
        "parameters": PARAMETERS,
    },
}
#: The first bytes of a PNG file.
PNG = "iVBORw0KGgo="
#: A conversation in which a tool was called and has answered.
TOOL_TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "How is the weather in Graz?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Graz"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
]


@cache
def data_of(name: str) -> dict[str, Any]:
    """Read a shipped protocol's file."""
    data: dict[str, Any] = yaml.safe_load((ROOT / "protocols.d" / f"{name}.yaml").read_text())
    return data


@cache
def protocol_of(name: str) -> DeclaredProtocol:
    return usable_protocol(data_of(name))


def target_of(
    name: str | Mapping[str, Any], url: str = "http://127.0.0.1:9", model: str = "m", **data: Any
) -> Target:
    """Return a target that speaks a shipped protocol, or one given as data."""
    declared = data_of(name) if isinstance(name, str) else name
    endpoint = Endpoint(
        data.pop("transport", "http"),
        declared["protocol"],
        base_url=url,
        timeouts=Timeouts(connect=2.0),
        declared={declared["protocol"]: Declaration(declared)},
        **{key: data.pop(key) for key in ("auth", "command", "environment") if key in data},
    )
    data.setdefault("capabilities", ALL)
    return Target("p/m", Provider("p", "cloud", endpoint), "m", model, "cloud", **data)


def complete(target: Target, request: Request) -> Response:
    async def run() -> Response:
        adapter = Adapter()
        try:
            return await adapter.complete(target, request)
        finally:
            await adapter.aclose()

    return asyncio.run(run())


def stream(target: Target, request: Request) -> list[Chunk]:
    async def run() -> list[Chunk]:
        adapter = Adapter()
        try:
            return [chunk async for chunk in adapter.stream(target, request)]
        finally:
            await adapter.aclose()

    return asyncio.run(run())
