"""Providers behind a transport that does as it is told, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from llmroute.adapter.transports.base import Call
from llmroute.errors import ErrorKind, TargetError

__all__ = ["BEHAVIOURS", "CANARY", "NAMES", "Carrier", "Wires"]

CANARY = "sk-canary-5d41402abc4b2a76b9719d911017c592"
NAMES = ("a", "b", "c")
BEHAVIOURS = (
    *("ok", "500", "429", "401", "hang", "reset", "refused", "truncated"),
    *("empty", "html", "breaks", "stalls", "slow", "bursts"),
)


def event(**chunk: Any) -> bytes:
    return f"data: {json.dumps({'id': 'c', 'model': 'm', **chunk})}\n\n".encode()


def said(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


USAGE = event(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 30, "total_tokens": 35})
STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
DONE = b"data: [DONE]\n\n"
SCRIPTS: Mapping[str, tuple[bytes | float | Exception, ...]] = {
    "ok": (0.1, said("All "), 0.1, said("is well."), STOP, USAGE, DONE),
    "slow": (1.5, said("All "), 1.5, said("is well."), STOP, USAGE, DONE),
    "hang": (1e9,),
    "truncated": (0.1, event(choices=[{"index": 0, "delta": {"role": "assistant"}}])),
    "empty": (0.1, STOP, DONE),
    "breaks": (0.1, said("All "), 0.1, USAGE),
    "stalls": (0.1, said("All "), 1e9),
    "bursts": (0.1, KeyError(f"a bug, and {CANARY}")),
}
ERRORS = {"500": 500, "429": 429, "401": 401}


class Reply:
    """What a provider says, in time; counted as open until it is closed."""

    def __init__(self, wires: Wires, name: str, behaviour: str) -> None:
        self.status = ERRORS.get(behaviour, 200)
        kind = "text/html" if behaviour == "html" else "text/event-stream"
        self.headers = {"content-type": "application/json" if self.status >= 400 else kind}
        self._wires, self._name, self._behaviour = wires, name, behaviour
        wires.open.append(self)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        if self.status >= 400:
            yield json.dumps({"error": {"message": f"no: Bearer {CANARY} is bad"}}).encode()
            return
        for item in SCRIPTS.get(self._behaviour, (b"<html>",)):
            if isinstance(item, Exception):
                raise item
            if isinstance(item, float):
                await asyncio.sleep(item)
            else:
                yield item

    async def finish(self) -> None:
        """Nothing is left on the wire."""

    async def aclose(self) -> None:
        if self in self._wires.open:
            self._wires.open.remove(self)


class Wires:
    """A transport whose providers behave as they are told."""

    def __init__(self) -> None:
        self.behaviour = dict.fromkeys(NAMES, "ok")
        self.open: list[Reply] = []

    async def open_(self, call: Call) -> Reply:
        name = (call.endpoint.base_url or "").split("//")[1].split(".")[0]
        behaviour = self.behaviour[name]
        await asyncio.sleep(0.01)
        if behaviour in ("reset", "refused"):
            code = "connection_reset" if behaviour == "reset" else "connection_refused"
            raise TargetError(ErrorKind.UNAVAILABLE, f"{code} with {CANARY}", code=code)
        return Reply(self, name, behaviour)


class Carrier:
    """The transport as the adapter sees it."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    async def open(self, call: Call) -> Reply:
        return await self._wires.open_(call)

    async def aclose(self) -> None:
        """Nothing is kept."""
