"""What a request needs of a target besides what expressions can ask for.

Each need is named after the capability that meets it (`catalog.model.Capabilities`); `UNMET` are
needs that nothing here meets, so that they are refused with a reason and never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from llmroute.types import Message, Request

__all__ = ["NO_LENGTH", "UNMET", "needs_of", "tool_name_length"]

#: Needs that no target meets, with why.
UNMET: Mapping[str, str] = {
    "content_part": "a message holds a part of a kind that no protocol here can carry",
    "tool_type": "a tool is not a function; no protocol here can carry it",
}
#: The length of a name that no limit on names allows.
NO_LENGTH = 1 << 30
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PDF = "data:application/pdf;"
_PLAIN = ("text", "refusal")


def needs_of(request: Request) -> tuple[str, ...]:
    """Return the names of a request's needs, each once."""
    found = _of_messages(request.messages)
    if request.response_format and request.response_format.get("type") == "json_object":
        found.add("json_object")
    if request.tools:
        found.discard("tools")  # said by `facts.tools` already
        if any(tool.get("type") != "function" for tool in request.tools):
            found.add("tool_type")
    return tuple(sorted(found)) if found else ()


def _of_messages(messages: tuple[Message, ...]) -> set[str]:
    found: set[str] = set()
    for message in messages:
        if type(message.get("content")) is not str:
            found.update(_of_parts(message))
        if message["role"] == "tool" or message.get("tool_calls"):
            found.add("tools")
    if messages[-1]["role"] == "assistant":
        found.add("prefill")
    return found


def _of_parts(message: Message) -> Iterator[str]:
    content = message.get("content")
    for part in content if isinstance(content, list | tuple) else ():
        kind = part.get("type") if isinstance(part, Mapping) else "text"
        if kind not in _PLAIN:
            yield from _of_part(kind, part)


def _of_part(kind: Any, part: Mapping[str, Any]) -> Iterator[str]:
    inner = part.get(kind) if isinstance(kind, str) else None
    if kind == "image_url":
        url = inner.get("url") if isinstance(inner, Mapping) else inner
        if isinstance(url, str) and url.startswith(("https://", "http://")):
            yield "image_urls"
    elif kind == "file":
        data = inner.get("file_data") if isinstance(inner, Mapping) else None
        is_pdf = isinstance(data, str) and data[: len(_PDF)].lower() == _PDF
        yield "pdf" if is_pdf else "files"
    else:
        yield "audio" if kind == "input_audio" else "content_part"


def tool_name_length(request: Request) -> int:
    """Return the length of the longest tool's name; `NO_LENGTH` where one holds other characters.

    The characters are those that OpenAI and Anthropic take: letters, digits, `_` and `-`.
    """
    names = [tool["function"]["name"] for tool in request.tools if tool["type"] == "function"]
    if any(not _NAME.fullmatch(name) for name in names):
        return NO_LENGTH
    return max(map(len, names), default=0)
