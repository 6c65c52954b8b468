"""Conversations of Anthropic's clients as canonical messages.

A user's turn with results of tools becomes several messages: results first, as the protocol
demands, then what the user says. Blocks that only Anthropic's own servers can run are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmroute.adapter.jsontext import compact
from llmroute.adapter.opaque import KEY
from llmroute.errors import UsageError

__all__ = ["marked", "messages_of"]

Block = Mapping[str, Any]
Messages = list[dict[str, Any]]
#: What stands in a tool's message for an image that follows in the user's.
ATTACHED = "[image attached below]"


def messages_of(system: str | Sequence[Any] | None, turns: Sequence[Any]) -> Messages:
    """Return canonical messages.

    Raises:
        UsageError: a turn is malformed or holds a block that cannot be routed.

    """
    found: Messages = []
    if system:
        found.append({"role": "system", "content": _system(system)})
    for index, turn in enumerate(turns):
        try:
            found += _turn(turn)
        except UsageError as exc:
            raise UsageError(f"messages[{index}]: {exc}") from exc
    return found


def marked(messages: Messages, mark: Mapping[str, Any] | None) -> Messages:
    """Return messages whose last part has a mark of a prompt cache, if there is one to set.

    That is what `cache_control` of the whole request stands for.
    """
    content = messages[-1]["content"] if mark and messages else None
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else [*(content or ())]
    if not parts or parts[-1].get("text") == "":
        return messages
    parts[-1] = {"cache_control": mark, **parts[-1]}
    return [*messages[:-1], {**messages[-1], "content": parts}]


def _system(system: str | Sequence[Any]) -> Any:
    if isinstance(system, str):
        return system
    blocks = [_checked(block) for block in system]
    if any("cache_control" in block for block in blocks):
        return [_text(block) for block in blocks]
    return "\n\n".join(_text(block)["text"] for block in blocks)


def _turn(turn: Any) -> Messages:
    role = turn.get("role") if isinstance(turn, Mapping) else None
    content = turn.get("content") if isinstance(turn, Mapping) else None
    if role not in ("user", "assistant", "system") or not isinstance(content, str | list):
        raise UsageError("a message needs a role (user, assistant, system) and its content")
    blocks = [_checked(block) for block in content] if isinstance(content, list) else None
    if blocks is None:
        return [{"role": role, "content": content}]
    if role == "assistant":
        return [_assistant(blocks)]
    return _user(blocks) if role == "user" else [{"role": role, "content": _parts(blocks)}]


def _checked(block: Any) -> Block:
    if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
        raise UsageError(f"a content block is {block!r}; it must be an object with a type")
    return block


def _user(blocks: Sequence[Block]) -> Messages:
    results = [block for block in blocks if block["type"] == "tool_result"]
    said = [block for block in blocks if block["type"] != "tool_result"]
    found: Messages = []
    images: list[dict[str, Any]] = []
    for block in results:
        message, attached = _result(block)
        found.append(message)
        images += attached
    parts = [*images, *_parts(said)]
    return [*found, {"role": "user", "content": parts}] if parts else found


def _result(block: Block) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the message of one result, and the images in it: tools' messages hold text alone."""
    if not isinstance(block.get("tool_use_id"), str):
        raise UsageError("a tool_result needs its tool_use_id")
    content = block.get("content") or ""
    parts = _parts([_checked(b) for b in content]) if isinstance(content, list) else []
    images = [part for part in parts if part["type"] != "text"]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    text = content if isinstance(content, str) else "\n".join([*texts, *[ATTACHED] * bool(images)])
    text = f"Error: {text}" if block.get("is_error") else text
    mark = _cached(block) or (_cached(parts[-1]) if parts else {})
    told = [{"type": "text", "text": text, **mark}] if mark and text else text
    return {"role": "tool", "tool_call_id": block["tool_use_id"], "content": told}, images


def _assistant(blocks: Sequence[Block]) -> dict[str, Any]:
    texts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[Block] = []
    for block in blocks:
        match block["type"]:
            case "text":
                texts.append(_text(block))
            case "tool_use":
                calls.append(_call(block))
            case "thinking" | "redacted_thinking":
                thoughts.append(block)
            case kind:
                raise UsageError(f"a block of type {kind} runs at one provider alone")
    plain = len(texts) == 1 and texts[0].keys() == {"type", "text"}
    content = texts[0]["text"] if plain else texts or None
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = calls
    return {**message, KEY: thoughts} if thoughts else message


def _call(block: Block) -> dict[str, Any]:
    call_id, name, given = block.get("id"), block.get("name"), block.get("input", {})
    if not isinstance(call_id, str) or not isinstance(name, str):
        raise UsageError("a tool_use needs its id and name")
    function = {"name": name, "arguments": compact(given)}
    return {"id": call_id, "type": "function", "function": function, **_cached(block)}


def _parts(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    return [_part(block) for block in blocks]


def _part(block: Block) -> dict[str, Any]:
    match block["type"]:
        case "text":
            return _text(block)
        case "image":
            return {"type": "image_url", "image_url": {"url": _address(block)}, **_cached(block)}
        case "document":
            return {"type": "file", "file": _file(block), **_cached(block)}
        case kind:
            raise UsageError(f"a block of type {kind} cannot be routed")


def _text(block: Block) -> dict[str, Any]:
    text = block.get("text")
    if block["type"] != "text" or not isinstance(text, str):
        raise UsageError(f"a block of type {block['type']} stands where text belongs")
    if block.get("citations"):
        raise UsageError("citations are understood by one provider alone")
    return {"type": "text", "text": text, **_cached(block)}


def _cached(block: Block) -> dict[str, Any]:
    return {"cache_control": block["cache_control"]} if block.get("cache_control") else {}


def _source(block: Block) -> Mapping[str, Any]:
    source = block.get("source")
    if not isinstance(source, Mapping):
        raise UsageError(f"a block of type {block['type']} needs its source")
    return source


def _address(block: Block) -> str:
    source = _source(block)
    match source.get("type"):
        case "base64":
            return f"data:{source.get('media_type')};base64,{source.get('data')}"
        case "url":
            return str(source.get("url"))
        case kind:
            raise UsageError(f"a source of type {kind} is a file at one provider")


def _file(block: Block) -> dict[str, Any]:
    source, citations = _source(block), block.get("citations")
    if block.get("context") or (isinstance(citations, Mapping) and citations.get("enabled")):
        raise UsageError("citations and context of a document are understood by one provider alone")
    if source.get("type") != "base64":
        raise UsageError("a document must be base64 data to be routed")
    data = f"data:{source.get('media_type')};base64,{source.get('data')}"
    return {"file_data": data, "filename": block.get("title") or "document.pdf"}
