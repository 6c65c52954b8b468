"""One request as it arrived, and the reply that a dialect wants sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Frame", "Recorded", "Reply", "Stream", "Whole", "json_bytes", "whole"]


@dataclass(slots=True)
class Recorded:
    """A request that a simulator received; kept for a test's assertions.

    `headers` have lower-case names. `body` is the parsed JSON, or None. `fault` names what was
    scripted for it. `status` is what was sent, None where nothing was; `client_left` says that
    the client closed before the reply was complete, `done` that the reply has ended.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    raw: bytes
    body: Any = None
    model: str | None = None
    fault: str | None = None
    status: int | None = None
    client_left: bool = False
    done: bool = False

    @property
    def stream(self) -> bool:
        """Whether the body asks for a stream by saying so."""
        return isinstance(self.body, dict) and bool(self.body.get("stream"))


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of a streamed body; `tokens` above 0 marks content, `closing` what ends it."""

    data: bytes
    tokens: int = 0
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A reply that is sent at once; `tokens` is what was generated for it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Stream:
    """A reply that is sent in frames; `error` makes what breaks it, else the dialect does."""

    frames: Iterable[Frame]
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    error: Callable[[], bytes] | None = None


Reply = Whole | Stream


def json_bytes(value: Any) -> bytes:
    """`value` as compact JSON, not escaped to ASCII."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def whole(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None, tokens: int = 0
) -> Whole:
    """Build a JSON reply."""
    named = {"content-type": "application/json", **(headers or {})}
    return Whole(status, json_bytes(value), named, tokens)
