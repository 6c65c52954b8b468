"""The normalised request: what the templates of a declared protocol read.

Made once per request, and only as far as the protocol reads it. Its fields are those of
`scopes.REQUEST`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmroute.adapter.jsontext import compact
from llmroute.adapter.opaque import own_blocks
from llmroute.adapter.protocols.content import (
    arguments_object,
    image_of,
    incapable,
    parts_of,
    refused,
    text_of,
    tool_calls_of,
)
from llmroute.adapter.protocols.turns import Conversation
from llmroute.catalog.model import Target
from llmroute.types import Message, Request

__all__ = ["kinds_of", "view_of"]

_SYSTEM = ("system", "developer")
_MODES = ("auto", "none", "required")
Data = dict[str, Any]


def kinds_of(request: Request) -> set[str]:
    """Name what a request holds besides text: images, tool calls, their results, a system text."""
    kinds = set()
    for message in request.messages:
        kinds |= {"tool_call"} if message.get("tool_calls") else set()
        kinds |= {"tool_result"} if message["role"] == "tool" else set()
        kinds |= {"system"} if message["role"] in _SYSTEM else set()
        if any(part.get("type") == "image_url" for part in parts_of(message)):
            kinds.add("image")
    return kinds


def view_of(request: Request, target: Target, wanted: set[str], *, stream: bool) -> Data:
    """Return those fields of the normalised request that are wanted.

    Raises:
        TargetError: the request is malformed, or holds what no part can say.

    """
    made = _Source(request, target, wanted, stream=stream)
    return {name: make(made) for name, make in _FIELDS.items() if name in wanted}


class _Source:
    """A request on its way to its normalised form."""

    def __init__(self, request: Request, target: Target, wanted: set[str], *, stream: bool) -> None:
        self.request = request
        self.target = target
        self.wanted = wanted
        self.stream = stream
        self._said: Conversation | None = None
        self.extras = list(_extras(request.messages, target.id))

    @property
    def said(self) -> Conversation:
        if self._said is None:
            self._said = Conversation(self.request.messages)
        return self._said

    def system(self) -> str | None:
        if "messages" in self.wanted and not self.wanted & {"turns", "prompt"}:
            texts = (_text(m) for m in self.request.messages if m["role"] in _SYSTEM)
            return "\n\n".join(text for text in texts if text) or None
        return "\n\n".join(block["text"] for block in self.said.system) or None

    def turns(self) -> list[Data]:
        rewritten, extras = self.said.ids.rewritten, iter(self.extras)
        names: dict[str, str] = {}
        return [
            {
                "role": turn["role"],
                "parts": [_part(block, rewritten, names, extras) for block in turn["content"]],
            }
            for turn in self.said.turns
        ]

    def prompt(self) -> str:
        system = None if "system" in self.wanted else self.system()
        turns = [(turn["role"], _joined(turn["content"])) for turn in self.said.turns]
        if len(turns) == 1:
            said = turns[0][1]
        else:
            told = "\n\n".join(f"<{role}>\n{text}\n</{role}>" for role, text in turns)
            said = f"This is a conversation so far.\n\n{told}\n\n{_GO_ON}"
        return f"{system}\n\n{said}" if system else said

    def messages(self) -> list[Data]:
        names: dict[Any, str] = {}
        extras = iter(self.extras)
        return [_message(message, names, extras) for message in self.request.messages]

    def tools(self) -> list[Data]:
        if self.request.tool_choice == "none" and "tool_choice" not in self.wanted:
            return []
        return [_tool(tool) for tool in self.request.tools]

    def tool_choice(self) -> Data | None:
        choice = self.request.tool_choice
        if choice is None or not self.request.tools:
            return None
        if isinstance(choice, str):
            if choice not in _MODES:
                raise refused(f"tool_choice is {choice!r}; use one of {', '.join(_MODES)}")
            return {"mode": choice, "name": None}
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        if choice.get("type") != "function" or not isinstance(name, str):
            raise incapable(f"tool_choice of type {choice.get('type')!r} cannot be sent here")
        return {"mode": "named", "name": name}

    def format(self) -> str:
        form = self.request.response_format or {}
        kind = form.get("type", "text")
        if kind not in ("text", "json_object", "json_schema"):
            raise incapable(f"response_format {kind!r} cannot be asked for here")
        return str(kind)

    def schema_name(self) -> Any:
        return ((self.request.response_format or {}).get("json_schema") or {}).get("name")


_GO_ON = "Write the assistant's next message, and nothing else."
_FIELDS: Mapping[str, Callable[[_Source], Any]] = {
    "model": lambda made: made.target.upstream,
    "stream": lambda made: made.stream,
    "system": _Source.system,
    "prompt": _Source.prompt,
    "turns": _Source.turns,
    "messages": _Source.messages,
    "tools": _Source.tools,
    "tool_choice": _Source.tool_choice,
    "parallel_tool_calls": lambda made: made.request.parallel_tool_calls,
    "format": _Source.format,
    "schema": lambda made: made.request.json_schema,
    "schema_name": _Source.schema_name,
    "max_output": lambda made: made.target.max_output,
}


def _extras(messages: Iterable[Message], target: str) -> Iterator[Data]:
    """Yield what each call carries beside its arguments; signatures of other targets do not.

    In order: ids may come again, from servers that count the calls of each answer anew.
    """
    for message in messages:
        signed = {own.place: own.block.get("signature") for own in own_blocks(message, target)}
        for number, call in enumerate(message.get("tool_calls") or ()):
            if isinstance(call, Mapping):
                extra = {"number": number, "signature": signed.get(number)}
                yield {**extra, "extra_content": call.get("extra_content")}


def _part(
    block: Mapping[str, Any],
    rewritten: Mapping[str, str],
    names: dict[str, str],
    extras: Iterator[Data],
) -> Data:
    """Return a part of a turn made of one of `Conversation`'s blocks; `names` are those so far."""
    kind = block["type"]
    if kind == "text":
        return {"type": "text", "text": block["text"]}
    if kind == "image":
        source = block["source"]
        return _image(source.get("media_type", ""), source.get("data", ""), source.get("url", ""))
    if kind == "tool_use":
        call_id, name = rewritten.get(block["id"], block["id"]), block["name"]
        names[block["id"]] = name
        return {"type": "tool_call", **_call(call_id, name, block["input"], next(extras))}
    wire_id = block["tool_use_id"]
    known = {"id": rewritten.get(wire_id, wire_id), "name": names.get(wire_id)}
    return {"type": "tool_result", **known, "text": _joined(block.get("content", ()))}


def _joined(blocks: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of blocks where nothing but text can be said."""
    other = next((block["type"] for block in blocks if block["type"] != "text"), None)
    if other is not None:
        raise incapable(f"a part of type {other} cannot be sent here, only text")
    return "\n".join(block["text"] for block in blocks)


def _image(media_type: str, data: str, url: str) -> Data:
    href = url or f"data:{media_type};base64,{data}"
    known = {"media_type": media_type or None, "data": data or None, "url": url or None}
    return {"type": "image", **known, "href": href}


def _call(call_id: str, name: str, args: Mapping[str, Any], extra: Data) -> Data:
    return {"id": call_id, "name": name, "arguments": compact(args), "args": args, **extra}


def _text(message: Message) -> str:
    parts = parts_of(message)
    return "".join(text_of(part, message) for part in parts if part.get("type") != "image_url")


def _message(message: Message, names: dict[Any, str], extras: Iterator[Data]) -> Data:
    role = "system" if message["role"] == "developer" else message["role"]
    call_id = message.get("tool_call_id")
    calls = []
    for known, name, arguments in tool_calls_of(message):
        names[known] = name
        calls.append(_call(known, name, arguments_object(arguments, name), next(extras)))
    return {
        "role": role,
        "text": _text(message) or None,
        "parts": list(_content(message)),
        "tool_calls": calls,
        "tool_call_id": call_id,
        "tool_name": names.get(call_id) if isinstance(call_id, str) else None,
    }


def _content(message: Message) -> Iterator[Data]:
    for part in parts_of(message):
        if part.get("type") == "image_url":
            image = image_of(part)
            yield _image(image.media_type, image.data, image.url)
        else:
            yield {"type": "text", "text": text_of(part, message)}


def _tool(tool: Mapping[str, Any]) -> Data:
    function = tool.get("function")
    if tool.get("type", "function") != "function" or not isinstance(function, Mapping):
        raise incapable(f"tools of type {tool.get('type')!r} cannot be sent here")
    return {
        "name": function["name"],
        "description": function.get("description"),
        "parameters": function.get("parameters"),
        "strict": function.get("strict"),
    }
