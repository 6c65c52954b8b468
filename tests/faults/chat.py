"""Chat Completions by hand: whole answers and chunks, right ones, from which tests break theirs."""

from __future__ import annotations

from typing import Any

from tests.faults.server import sse

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
DONE = "[DONE]"


def whole(content: Any = "Hi there", finish: Any = "stop", **fields: Any) -> dict[str, Any]:
    """Return a whole answer; `message` adds to the message."""
    message = {"role": "assistant", "content": content, **fields.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "c1", "model": "m", "choices": [choice], "usage": USAGE, **fields}


def chunk(content: str | None = None, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    said = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": {**said, **delta}, "finish_reason": finish}
    return {"id": "c1", "model": "m", "choices": [choice]}


def used(**counts: int) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [], "usage": {**USAGE, **counts}}


#: A role without content: nothing that the caller waits for.
ROLE = chunk(role="assistant")
#: A stream that is right, in pieces.
HELLO = (ROLE, chunk("Hi "), chunk("there"), chunk(finish="stop"), used())
STREAM = sse(*HELLO, DONE)


def error(message: str = "m", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}
