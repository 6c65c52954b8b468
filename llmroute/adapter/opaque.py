"""Reasoning that only its own target can read, carried through conversations without a memory.

Providers hand out thoughts as blocks that hold an opaque text: a signature, encrypted content.
Sent back to the same model unchanged, they keep its train of thought; any other model refuses
them or drops them. So each block is **sealed**: its opaque text is prefixed by the target that
wrote it and by the block's place in the answer. Whoever keeps the conversation keeps the seals;
when it comes back, blocks of the target that is called are restored byte by byte at their places,
and all others are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from llmroute.types import Message

__all__ = ["KEY", "Own", "addressed", "own_blocks", "restored", "seal", "unseal"]

#: The field of an assistant's message that holds sealed blocks.
KEY = "thinking_blocks"
_PREFIX = "llmroute"
#: Type of a block → its opaque field: Anthropic's two, and the one of OpenAI's Responses.
_FIELDS = {
    "thinking": "signature",
    "redacted_thinking": "data",
    "reasoning": "encrypted_content",
}


class Own(NamedTuple):
    """A block as its target wrote it, and its place among the parts of the answer."""

    target: str
    place: int
    block: Mapping[str, Any]


def seal(block: Mapping[str, Any], target: str, place: int) -> Mapping[str, Any] | None:
    """Return a block with the target's id and its place sealed in; None if nothing is opaque."""
    field = _FIELDS.get(str(block.get("type")), "")
    value = block.get(field)
    if not isinstance(value, str) or not value:
        return None
    return {**block, field: f"{_PREFIX}:{place}:{quote(target, safe='/')}:{value}"}


def addressed(block: Mapping[str, Any], target: str) -> Mapping[str, Any]:
    """Return a sealed block with another target's id: readers of streams do not know theirs."""
    own = unseal(block)
    return (own and seal(own.block, target, own.place)) or block


def unseal(block: Any) -> Own | None:
    """Return a sealed block as it was; None for anything else."""
    field = _FIELDS.get(str(block.get("type")), "") if isinstance(block, Mapping) else ""
    value = block.get(field) if field else None
    parts = value.split(":", 3) if isinstance(value, str) else []
    if len(parts) != 4 or parts[0] != _PREFIX or not parts[1].isdecimal():
        return None
    return Own(unquote(parts[2]), int(parts[1]), {**block, field: parts[3]})


def own_blocks(message: Message, target: str) -> list[Own]:
    """Return the blocks of a message that this target wrote, by their places."""
    sealed = message.get(KEY)
    found = map(unseal, sealed if isinstance(sealed, Sequence) else ())
    own = (block for block in found if block is not None and block.target == target)
    return sorted(own, key=lambda block: block.place)


def restored(parts: Sequence[Any], message: Message, target: str) -> list[Any]:
    """Return the parts of a message's content with the target's own blocks at their places."""
    content = list(parts)
    for own in own_blocks(message, target):
        content.insert(own.place, own.block)
    return content
