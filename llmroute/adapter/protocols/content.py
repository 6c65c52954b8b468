"""The parts of canonical messages: text, images, tool calls; unknown parts are refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmroute.adapter.jsontext import JsonError, parse
from llmroute.adapter.opaque import KEY
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Message

__all__ = [
    "Image",
    "arguments_object",
    "check_answered",
    "check_fields",
    "file_of",
    "image_of",
    "incapable",
    "parts_of",
    "plain_text",
    "refused",
    "tool_calls_of",
]

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*?;base64,", re.IGNORECASE)
#: Fields of a message that are said; reasoning is bound to the model that gave it.
_SAID = frozenset({"role", "content", "refusal", "tool_calls", "tool_call_id"}) | {
    *(KEY, "reasoning", "reasoning_content")
}
#: Fields that are about a message and no part of what it says.
_ABOUT = frozenset({"annotations", "name"})


def refused(message: str) -> TargetError:
    """Return the error for a request that is malformed for every target."""
    return TargetError(ErrorKind.INVALID_REQUEST, message)


def check_answered(unanswered: Collection[str]) -> None:
    """Refuse a conversation that goes on, or ends, without the results of its tool calls.

    OpenAI's Responses and Anthropic's Messages both answer it with 400.

    Raises:
        TargetError: there are such calls.

    """
    if unanswered:
        named = ", ".join(map(repr, sorted(unanswered)))
        raise refused(f"a tool message must answer each call of the assistant: {named} has none")


def incapable(message: str) -> TargetError:
    """Return the error for a request that this protocol or target cannot carry."""
    return TargetError(ErrorKind.CAPABILITY, message)


@dataclass(frozen=True, slots=True)
class Image:
    """An image or file: base64 `data` of `media_type`, or an address."""

    media_type: str = ""
    data: str = ""
    url: str = ""


def parts_of(message: Message) -> Sequence[Mapping[str, Any]]:
    """Return a message's content as parts; text becomes one part, nothing an empty list.

    Raises:
        TargetError: the content is neither text nor a list of parts.

    """
    content = message.get("content")
    if content is None or content == "":
        return ()
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    if isinstance(content, Sequence) and all(isinstance(part, Mapping) for part in content):
        return content
    role = message.get("role")
    raise refused(f"the content of a {role} message must be text or a list of parts")


def check_fields(message: Message, warnings: list[str]) -> None:
    """Refuse fields of a message that a protocol with content and calls alone cannot say.

    Those that are only about the message are dropped; `warnings` gets to say so, once.

    Raises:
        TargetError: of kind `capability`.

    """
    for name, value in message.items():
        if name in _SAID or not value:
            continue
        if name not in _ABOUT:
            role = message["role"]
            raise incapable(f"a message of role {role} holds {name!r}; it cannot be sent here")
        warning = f"{name} of a message was dropped: the protocol has no place for it"
        if warning not in warnings:
            warnings.append(warning)


def plain_text(message: Message, separator: str = "") -> str:
    """Return a message's text where nothing but text can be said.

    Raises:
        TargetError: it holds a part that is not text.

    """
    content = message.get("content")
    if isinstance(content, str):
        return content
    return separator.join(text_of(part, message) for part in parts_of(message))


def text_of(part: Mapping[str, Any], message: Message) -> str:
    """Return the text of a text part."""
    if part.get("type") not in ("text", "refusal"):
        kind, role = part.get("type"), message.get("role")
        raise incapable(f"a {role} message holds a {kind!r} part, which cannot be sent here")
    value = part.get("text", part.get("refusal"))
    if not isinstance(value, str):
        raise refused("a text part needs its text")
    return value


def image_of(part: Mapping[str, Any]) -> Image:
    """Return the image of an `image_url` part.

    Raises:
        TargetError: the address is missing, or is neither http(s) nor base64 data.

    """
    inner = part.get("image_url")
    url = inner.get("url") if isinstance(inner, Mapping) else inner
    if not isinstance(url, str):
        raise refused("an image_url part needs image_url.url")
    if url.startswith(("https://", "http://")):
        return Image(url=url)
    if match := _DATA_URL.match(url):
        return Image(match["type"] or "image/png", url[match.end() :])
    raise refused("image_url.url must be http(s) or data:image/…;base64,…")


def file_of(part: Mapping[str, Any]) -> tuple[str, Image]:
    """Return name and content of a `file` part.

    Raises:
        TargetError: the file is kept at one provider, or its data is not base64.

    """
    inner = part.get("file")
    data = inner.get("file_data") if isinstance(inner, Mapping) else None
    if not isinstance(inner, Mapping) or (data is None and "file_id" not in inner):
        raise refused("a file part needs file.file_data")
    if data is None:
        raise incapable(f"the file {inner['file_id']!r} is kept at one provider; send its data")
    match = _DATA_URL.match(data) if isinstance(data, str) else None
    if match is None:
        raise refused("file.file_data must be data:TYPE;base64,…")
    return str(inner.get("filename") or ""), Image(match["type"] or "", data[match.end() :])


def tool_calls_of(message: Message) -> Iterable[tuple[str, str, str]]:
    """Yield id, name and arguments (JSON text) of the calls that a message holds.

    Raises:
        TargetError: a call is malformed, or is not a function call.

    """
    for call in message.get("tool_calls") or ():
        if not isinstance(call, Mapping):
            raise refused("a tool call must be an object")
        if call.get("type", "function") != "function":
            raise incapable(f"tool calls of type {call.get('type')!r} cannot be sent here")
        function = call.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(name, str):
            raise refused("a tool call needs function.name")
        yield str(call.get("id") or ""), name, function.get("arguments") or "{}"


def arguments_object(arguments: Any, name: str) -> Mapping[str, Any]:
    """Return a call's arguments as an object, for protocols that do not take them as text.

    Raises:
        TargetError: they are not a JSON object.

    """
    try:
        value = parse(arguments) if isinstance(arguments, str) else arguments
    except JsonError as exc:
        raise refused(f"the arguments of the call of {name} are not JSON: {exc}") from exc
    if not isinstance(value, Mapping):
        raise refused(f"the arguments of the call of {name} must be a JSON object")
    return value
