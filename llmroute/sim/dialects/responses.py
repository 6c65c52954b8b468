"""The shape of OpenAI's Responses: what a request asks, and how an answer is written.

Shapes follow OpenAI's published specification and SDK types as of November 2026. A model that
reasons says so in an item of its own; its text is shown only where the request asks for a
summary, and encrypted content only where the request includes it. Functions may stand in
namespaces, and in items that add tools; OpenAI's own Codex CLI offers its tools so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt, ToolSpec, arguments_text
from llmroute.sim.exchange import Frame, json_bytes

__all__ = ["ENCRYPTED", "Writer", "cipher", "functions_of", "items_of", "prompt_of", "tools_of"]

#: What a request includes to be given the reasoning that it can send back.
ENCRYPTED = "reasoning.encrypted_content"
_RESULTS = ("function_call_output", "custom_tool_call_output")
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "max_output_tokens": None,
    "previous_response_id": None,
    "store": True,
    "truncation": "disabled",
}

Item = Mapping[str, Any]


def items_of(body: Mapping[str, Any]) -> list[Item]:
    """Return the input as items; a text is a user's message."""
    asked = body.get("input") or ()
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else list(asked)


def tools_of(body: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    """Yield every tool on offer with its place: of the request, and of items that add some."""
    lists = [("tools", body.get("tools"))]
    for index, item in enumerate(items_of(body)):
        if item.get("type") == "additional_tools":
            lists.append((f"input[{index}].tools", item.get("tools")))
    for where, tools in lists:
        for index, tool in enumerate(tools or ()):
            yield f"{where}[{index}]", tool


def functions_of(body: Mapping[str, Any]) -> Iterator[tuple[str, str | None, Item]]:
    """Yield every function on offer with its place and the name of its namespace, if any."""
    for where, tool in tools_of(body):
        if tool.get("type") == "function":
            yield where, None, tool
        elif tool.get("type") == "namespace":
            for index, inner in enumerate(tool.get("tools") or ()):
                if inner.get("type") == "function":
                    yield f"{where}.tools[{index}]", tool.get("name"), inner


def cipher(model: str, number: int = 1) -> str:
    """Return the encrypted content that this server gives out for a model."""
    return f"gAAAA{number}.{model}"


def prompt_of(body: Mapping[str, Any], *, reasons: bool) -> Prompt:
    """Read a request; the caller has checked it."""
    items = items_of(body)
    last = items[-1]
    tools = [tool for _, _, tool in functions_of(body)]
    form = (body.get("text") or {}).get("format") or {}
    said = [item for item in items if item.get("role") == "user"]
    return Prompt(
        model=body["model"],
        text=_text(said[-1].get("content")) if said else "",
        size=_size(body, items, tools),
        images=_images(items),
        tools=tuple(ToolSpec(tool["name"], tool.get("parameters") or {}) for tool in tools),
        tool_choice=_choice(body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls") is not False,
        tool_result=_text(last["output"]) if last.get("type") in _RESULTS else None,
        format_schema={"json_schema": form.get("schema"), "json_object": True}.get(
            form.get("type", "text")
        ),
        max_tokens=body.get("max_output_tokens"),
        reasons=reasons,
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in content or ())


def _parts(items: Sequence[Item]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        for content in (item.get("content"), item.get("output")):
            yield from content if isinstance(content, list) else ()


def _images(items: Sequence[Item]) -> int:
    return sum(part.get("type") == "input_image" for part in _parts(items))


def _size(body: Mapping[str, Any], items: Sequence[Item], tools: Sequence[Any]) -> int:
    texts = [body.get("instructions") or ""]
    for item in items:
        texts += [_text(item.get("content")), _text(item.get("output"))]
        texts += [item.get("name") or "", item.get("arguments") or ""]
    texts += [json.dumps(tool) for tool in tools]
    return tokens.count("".join(texts)) + tokens.IMAGE_TOKENS * _images(items)


def _choice(choice: Any) -> str:
    if isinstance(choice, Mapping):
        name = choice.get("name")
        return name if isinstance(name, str) else "auto"
    return choice or "auto"


class Writer:
    """Writes one answer, whole or as events.

    `next_id` makes ids, `now` is the time in whole seconds.
    """

    def __init__(
        self, body: Mapping[str, Any], answer: Answer, next_id: Callable[[str], str], now: int
    ) -> None:
        self._body = body
        self._answer = answer
        self._next_id = next_id
        self._numbers = count()
        self._namespaces = {tool["name"]: space for _, space, tool in functions_of(body) if space}
        self._base = self._heading(now)

    def whole(self) -> dict[str, Any]:
        """Return the answer as one object."""
        return self._ended(self._items())

    def frames(self) -> Iterator[Frame]:
        """Yield the events; every answer ends with its status, and there is no `[DONE]`."""
        begun = {**self._base, "status": "in_progress", "output": [], "usage": None}
        for kind in ("response.created", "response.in_progress"):
            yield self._frame(kind, response=begun)
        items = self._items()
        for index, item in enumerate(items):
            yield from self._item(index, item)
        ended = self._ended(items)
        yield self._frame(f"response.{ended['status']}", closing=True, response=ended)

    def error(self) -> bytes:
        """Return the event that breaks a stream."""
        told: dict[str, Any] = {
            "code": "server_error",
            "message": "The server had an error while processing your request. Sorry about that!",
            "param": None,
        }
        return self._frame("error", **told).data

    def _heading(self, now: int) -> dict[str, Any]:
        body = self._body
        asked = body.get("reasoning") or {}
        text = {"format": {"type": "text"}, **(body.get("text") or {})}
        return {
            "id": self._next_id("resp_"),
            "object": "response",
            "created_at": now,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": self._answer.served_model or body["model"],
            "output": [],
            **{name: body.get(name, default) for name, default in _ECHOED.items()},
            "reasoning": {"effort": asked.get("effort"), "summary": asked.get("summary")},
            "service_tier": "default",
            "text": text,
        }

    def _ended(self, items: Sequence[Item]) -> dict[str, Any]:
        answer = self._answer
        reason = _INCOMPLETE.get(answer.finish)
        status = "incomplete" if reason else "completed"
        if answer.finish in ("failed", "cancelled"):
            status = answer.finish
        error = {"code": "server_error", "message": "The model failed."}
        return {
            **self._base,
            "status": status,
            "error": error if status == "failed" else None,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": list(items),
            "usage": self._usage(),
        }

    def _usage(self) -> dict[str, Any]:
        answer = self._answer
        read, made = answer.input_tokens or 0, answer.generated
        return {
            "input_tokens": read,
            "input_tokens_details": {
                "cached_tokens": answer.cached,
                "cache_write_tokens": answer.cache_written,
                "cache_write_tokens_details": {
                    "ttl_30m_tokens": answer.cache_written,
                    "ttl_12h_tokens": 0,
                },
            },
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": answer.thought},
            "total_tokens": read + made,
        }

    def _items(self) -> list[dict[str, Any]]:
        answer = self._answer
        items = [self._reasoning()] if answer.reasoning else []
        parts = []
        if answer.text or not (answer.tools or answer.refusal or answer.reasoning):
            parts.append(
                {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
            )
        if answer.refusal is not None:
            parts.append({"type": "refusal", "refusal": answer.refusal})
        if parts:
            items.append(self._made("msg_", "message", role="assistant", content=parts))
        for call in answer.tools:
            told = {"name": call.name, "arguments": arguments_text(call)}
            if call.name in self._namespaces:
                told["namespace"] = self._namespaces[call.name]
            items.append(self._made("fc_", "function_call", call_id=self._next_id("call_"), **told))
        return items

    def _made(self, prefix: str, kind: str, **data: Any) -> dict[str, Any]:
        return {"id": self._next_id(prefix), "type": kind, "status": "completed", **data}

    def _reasoning(self) -> dict[str, Any]:
        shown = (self._body.get("reasoning") or {}).get("summary")
        text = {"type": "summary_text", "text": self._answer.reasoning}
        item = self._made("rs_", "reasoning", summary=[text] if shown else [])
        if ENCRYPTED in (self._body.get("include") or ()):
            item["encrypted_content"] = cipher(self._body["model"])
        return item

    def _item(self, index: int, item: dict[str, Any]) -> Iterator[Frame]:
        empty = {"content": [], "summary": [], "arguments": ""}
        opened = {key: empty.get(key, value) for key, value in item.items()}
        opened["status"] = "in_progress"
        opened.pop("encrypted_content", None)
        yield self._frame("response.output_item.added", output_index=index, item=opened)
        place = {"item_id": item["id"], "output_index": index}
        if item["type"] == "function_call":
            yield from self._call(place, item)
        for number, part in enumerate(item.get("content") or ()):
            yield from self._part(place | {"content_index": number}, part)
        for number, part in enumerate(item.get("summary") or ()):
            yield from self._summary(place | {"summary_index": number}, part)
        yield self._frame("response.output_item.done", output_index=index, item=item)

    def _call(self, place: Mapping[str, Any], item: Item) -> Iterator[Frame]:
        event, text = "response.function_call_arguments", item["arguments"]
        half = len(text) // 2
        for piece in filter(None, (text[:half], text[half:])):
            yield self._frame(f"{event}.delta", tokens.count(piece), **place, delta=piece)
        yield self._frame(f"{event}.done", **place, name=item["name"], arguments=text)

    def _part(self, place: Mapping[str, Any], part: Item) -> Iterator[Frame]:
        kind = part["type"]
        field = "text" if kind == "output_text" else "refusal"
        more: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
        pieces = self._answer.parts if kind == "output_text" else tokens.pieces(part[field])
        yield self._frame("response.content_part.added", **place, part={**part, field: ""})
        for piece in pieces:
            size = tokens.count(piece)
            yield self._frame(f"response.{kind}.delta", size, **place, delta=piece, **more)
        yield self._frame(f"response.{kind}.done", **place, **{field: part[field]}, **more)
        yield self._frame("response.content_part.done", **place, part=part)

    def _summary(self, place: Mapping[str, Any], part: Item) -> Iterator[Frame]:
        event = "response.reasoning_summary"
        yield self._frame(f"{event}_part.added", **place, part={**part, "text": ""})
        for piece in tokens.pieces(part["text"]):
            yield self._frame(f"{event}_text.delta", tokens.count(piece), **place, delta=piece)
        yield self._frame(f"{event}_text.done", **place, text=part["text"])
        yield self._frame(f"{event}_part.done", **place, part=part)

    def _frame(self, event: str, tokens: int = 0, *, closing: bool = False, **data: Any) -> Frame:
        told = {"type": event, "sequence_number": next(self._numbers), **data}
        head = f"event: {event}\ndata: ".encode()
        return Frame(head + json_bytes(told) + b"\n\n", tokens, closing)
