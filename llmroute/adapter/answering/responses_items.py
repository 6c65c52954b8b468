"""Input items of OpenAI's Responses as canonical messages.

An answer is several items there (thoughts, text, calls), which make one message of the assistant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmroute.adapter.opaque import KEY
from llmroute.errors import UsageError

__all__ = ["messages_of"]

Item = Mapping[str, Any]
_ROLES = ("user", "assistant", "system", "developer")


def messages_of(instructions: str | None, given: str | Sequence[Any]) -> list[dict[str, Any]]:
    """Return canonical messages.

    Raises:
        UsageError: an item is malformed or cannot be routed.

    """
    found: list[dict[str, Any]] = []
    if instructions:
        found.append({"role": "system", "content": instructions})
    if isinstance(given, str):
        return [*found, {"role": "user", "content": given}]
    for index, item in enumerate(given):
        try:
            _add(found, item)
        except UsageError as exc:
            raise UsageError(f"input[{index}]: {exc}") from exc
    return found


def _add(found: list[dict[str, Any]], item: Any) -> None:
    if not isinstance(item, Mapping):
        raise UsageError(f"an item is {item!r}; it must be an object")
    match item.get("type", "message"):
        case "message":
            _message(found, item)
        case "function_call":
            _assistant(found).setdefault("tool_calls", []).append(_call(item))
        case "function_call_output":
            found.append(_result(item))
        case "reasoning":
            _assistant(found, fresh=_answered(found)).setdefault(KEY, []).append(item)
        case kind:
            raise UsageError(f"an item of type {kind} is known to one provider alone")


def _message(found: list[dict[str, Any]], item: Item) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in _ROLES or not isinstance(content, str | list):
        raise UsageError("a message needs a role and its content")
    if role != "assistant":
        parts = content if isinstance(content, str) else [_part(part) for part in content]
        found.append({"role": role, "content": parts})
        return
    message = _assistant(found, fresh=_answered(found))
    text = content if isinstance(content, str) else "".join(map(_said, content))
    message["content"] = (message["content"] or "") + text


def _assistant(found: list[dict[str, Any]], *, fresh: bool = False) -> dict[str, Any]:
    """Return the message of the assistant that is being put together."""
    if fresh or not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": None})
    return found[-1]


def _answered(found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last message is an answer that has said something or called a tool."""
    last = found[-1] if found else {}
    return bool(last.get("content") or last.get("tool_calls"))


def _call(item: Item) -> dict[str, Any]:
    call_id, name, arguments = item.get("call_id"), item.get("name"), item.get("arguments")
    if not all(isinstance(value, str) for value in (call_id, name, arguments)):
        raise UsageError("a function_call needs call_id, name and arguments as text")
    function = {"name": name, "arguments": arguments or "{}"}
    return {"id": call_id, "type": "function", "function": function}


def _result(item: Item) -> dict[str, Any]:
    call_id, output = item.get("call_id"), item.get("output")
    if not isinstance(call_id, str) or not isinstance(output, str | list):
        raise UsageError("a function_call_output needs call_id and output")
    content = output if isinstance(output, str) else [_part(part) for part in output]
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _part(part: Any) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    match kind:
        case "input_text" | "output_text" | "text" | "refusal":
            return {"type": "text", "text": _said(part)}
        case "input_image" if isinstance(part.get("image_url"), str):
            image = {"url": part["image_url"]}
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {**image, **detail}}
        case "input_file" if isinstance(part.get("file_data"), str):
            names = ("file_data", "filename")
            return {"type": "file", "file": {k: part[k] for k in names if part.get(k)}}
        case "input_image" | "input_file":
            raise UsageError(f"an {kind} must carry its data: files are kept at one provider")
    raise UsageError(f"a part of type {kind} cannot be routed")


def _said(part: Any) -> str:
    text = part.get("text", part.get("refusal")) if isinstance(part, Mapping) else None
    if not isinstance(text, str):
        raise UsageError(f"a part is {part!r}; it must hold text")
    return text
