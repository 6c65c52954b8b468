"""What the tests of translation cases share: clients' requests, and answers as clients get them."""

from __future__ import annotations

from typing import Any

from llmroute.adapter.answering import Asked, client_protocol
from llmroute.adapter.protocols import protocol
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind
from llmroute.types import Request
from tests.adapter.wire import SHARED, encoded, failure, target

K = ErrorKind
CASES = SHARED / "wire" / "examples" / "translate" / "cases.json"
ANTHROPIC, CHAT, OLLAMA, RESPONSES = (
    "anthropic-messages",
    "openai-chat",
    "ollama-chat",
    "openai-responses",
)
F = {"type": "function", "function": {"name": "f"}}
ASKED = Asked(Request.of("q"), "m")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def call(call_id: str = "c1", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    calls = [{"id": call_id, "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(content: Any = "1", call_id: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def texts(*said: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text} for text in said]


def sent(where: str | Target, *messages: Any, **fields: Any) -> Any:
    """Return the body that a client of Chat Completions makes us send."""
    body = {"model": "m", "messages": list(messages) or [user("q")], **fields}
    request = client_protocol(CHAT).read(body).request
    return encoded(where, request).body


def plain(content: Any) -> Any:
    """Return content with a lone text block as its text, which means the same."""
    lone = isinstance(content, list) and len(content) == 1 and content[0].keys() == {"type", "text"}
    return content[0]["text"] if lone else content


def turns(*messages: Any, **fields: Any) -> list[Any]:
    made = sent(ANTHROPIC, *messages, **fields)["messages"]
    return [(turn["role"], plain(turn["content"])) for turn in made]


def read(*turns: Any, **fields: Any) -> list[Any]:
    """Return the messages that a client of Anthropic's makes us send to OpenAI."""
    body = {"model": "m", "max_tokens": 9, "messages": list(turns), **fields}
    request = client_protocol(ANTHROPIC).read(body).request
    messages: list[Any] = encoded(CHAT, request).body["messages"]
    return messages


def answered(body: Any, via: str = ANTHROPIC, to: str = CHAT) -> Any:
    """Return a provider's whole answer as a client of another protocol gets it."""
    whole = {"id": "x", "type": "message", "role": "assistant", "model": "m", **body}
    return client_protocol(to).answer(protocol(via).decode(whole, target(via)), ASKED)


def refusing(*messages: Any, where: str | Target = ANTHROPIC, **fields: Any) -> ErrorKind:
    return failure(lambda: sent(where, *messages, **fields)).kind
