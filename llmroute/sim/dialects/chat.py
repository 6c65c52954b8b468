"""The chat-completions shape, which OpenAI and LM Studio share: reading it and writing it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt, ToolSpec, arguments_text
from llmroute.sim.exchange import Frame, json_bytes

__all__ = ["DONE", "data_event", "prompt_of", "text_of", "tool_deltas", "tool_objects"]

#: The last event of every stream.
DONE = Frame(b"data: [DONE]\n\n", closing=True)


def data_event(value: Any) -> bytes:
    """Write one server-sent event without a name."""
    return b"data: " + json_bytes(value) + b"\n\n"


def prompt_of(body: Mapping[str, Any], *, reasons: bool = False) -> Prompt:
    """Read a chat request; the caller has checked `model` and `messages`."""
    messages = body["messages"]
    last = messages[-1]
    tools = [tool["function"] for tool in body.get("tools") or () if tool.get("function")]
    cap = body.get("max_completion_tokens") or body.get("max_tokens")
    stop = body.get("stop") or ()
    return Prompt(
        model=body["model"],
        text=_last_user_text(messages),
        size=_size(messages, tools),
        images=sum(_images(message) for message in messages),
        tools=tuple(ToolSpec(tool["name"], tool.get("parameters") or {}) for tool in tools),
        tool_choice=_choice(body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls") is not False,
        tool_result=text_of(last) if last.get("role") == "tool" else None,
        format_schema=_schema(body.get("response_format")),
        max_tokens=cap if cap and cap > 0 else None,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        reasons=reasons,
    )


def text_of(message: Mapping[str, Any]) -> str:
    """All the text of a message, whether a string or parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content or () if isinstance(part, Mapping))


def _images(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else ()
    return sum(part.get("type") == "image_url" for part in parts)


def _last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    said = [message for message in messages if message.get("role") == "user"]
    return text_of(said[-1]) if said else ""


def _size(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> int:
    texts = "".join(map(text_of, messages))
    calls = [message["tool_calls"] for message in messages if message.get("tool_calls")]
    extra = "".join(json.dumps(one) for one in (*calls, *tools))
    return tokens.count(texts + extra) + tokens.IMAGE_TOKENS * sum(map(_images, messages))


def _choice(choice: Any) -> str:
    if isinstance(choice, Mapping):
        name = choice.get("function", {}).get("name")
        return name if isinstance(name, str) else "auto"
    return choice or "auto"


def _schema(form: Mapping[str, Any] | None) -> Mapping[str, Any] | bool | None:
    kind = (form or {}).get("type")
    if form is None or kind not in ("json_schema", "json_object"):
        return None
    return form.get("json_schema", {}).get("schema", True) if kind == "json_schema" else True


def tool_objects(answer: Answer, prefix: str) -> list[dict[str, Any]]:
    """Write the calls of an answer that is not streamed."""
    return [
        {
            "id": f"{prefix}_{index}",
            "type": "function",
            "function": {"name": tool.name, "arguments": arguments_text(tool)},
        }
        for index, tool in enumerate(answer.tools)
    ]


def tool_deltas(answer: Answer, prefix: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Write the calls as deltas, the arguments in two fragments, each with its tokens."""
    for index, call in enumerate(tool_objects(answer, prefix)):
        arguments = call["function"]["arguments"]
        half = len(arguments) // 2
        opened = {**call["function"], "arguments": ""}
        yield {"tool_calls": [{"index": index, **call, "function": opened}]}, 1
        for piece in filter(None, (arguments[:half], arguments[half:])):
            fragment = {"index": index, "function": {"arguments": piece}}
            yield {"tool_calls": [fragment]}, tokens.count(piece)
