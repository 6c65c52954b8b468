"""Both HTTP transports, and how tests ask through them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from llmroute.adapter import Adapter
from llmroute.adapter.transports.base import Transport
from llmroute.adapter.transports.http import HttpTransport
from llmroute.adapter.transports.httpx_transport import HttpxTransport
from llmroute.errors import TargetError
from llmroute.types import Request
from tests.adapter.wire import ByteServer, endpoint, http, run, sse, target

ANSWER = json.dumps(
    {
        "id": "c1",
        "model": "served",
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
)
HEAD = '{"id":"c1","model":"served","choices":[{"delta":{"content":"Hel"}}]}'
TAIL = '{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}'
STREAM = sse(HEAD, TAIL, "[DONE]")
EVENTS = "text/event-stream"
MOVED = http(status=302, headers={"location": "http://127.0.0.1:1/x?token=t"})
SHORT = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\ncontent-type: application/json\r\n"
    b"connection: close\r\n\r\n{"
)
MANY_HEADERS = http("{}", headers={f"x{number}": "a" for number in range(20_000)})


def over_httpx(**options: Any) -> HttpxTransport:
    return HttpxTransport(httpx.AsyncClient(trust_env=False, **options))


Make = Callable[[], Transport]


BOTH = {"pyreqwest": HttpTransport, "httpx": over_httpx}


async def asked(transport: Transport, url: str, *, stream: bool, **data: Any) -> Any:
    adapter = Adapter({"http": transport})
    aim = target(endpoint(url, **data))
    try:
        if not stream:
            return await adapter.complete(aim, Request.of("hi"))
        return [chunk async for chunk in adapter.stream(aim, Request.of("hi"))]
    finally:
        await adapter.aclose()
        client = getattr(transport, "_client", None)
        if isinstance(client, httpx.AsyncClient):
            await client.aclose()


def ask(make: Make, url: str, *, stream: bool = False, **data: Any) -> Any:
    async def work() -> Any:
        return await asked(make(), url, stream=stream, **data)

    return run(work())


def fails(make: Make, say: Any, *, stream: bool = False, **data: Any) -> TargetError:
    with ByteServer(say) as server, pytest.raises(TargetError) as caught:
        ask(make, server.url, stream=stream, **data)
    assert caught.value.target == "p/m"
    return caught.value
