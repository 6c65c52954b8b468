"""Needs of requests that no expression reads, and requests that have them.

A need is named after the capability that meets it; `tool_names>64` is the need of a tool's name
that is longer than 64 characters, `max_tools>128` that of more than 128 tools.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from llmroute.catalog.model import Target
from llmroute.lab.domain.uses import Path
from llmroute.types import Message

__all__ = ["TOLD", "meets", "need_sets", "needs_of", "with_needs"]

#: Capabilities that requests need without a fact that says so.
_PLAIN = ("audio", "files", "image_urls", "json_object", "pdf", "prefill")
#: Limits of a target's wire that a request can exceed.
_LIMITS = ("tool_names", "max_tools")
#: Needs that facts tell of, and the capability that meets each.
TOLD: Mapping[Path, str] = {
    ("facts", "tools"): "tools",
    ("facts", "images"): "vision",
    ("facts", "json_schema"): "json_schema",
    ("request", "stream"): "streaming",
    ("needs", "forced_tool_choice"): "forced_tool_choice",
}
_PARTS: Mapping[str, Mapping[str, Any]] = {
    "audio": {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
    "files": {"type": "file", "file": {"file_data": "data:text/csv;base64,QSxC"}},
    "image_urls": {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    "pdf": {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}},
}


def needs_of(targets: Iterable[Target]) -> tuple[str, ...]:
    """Return the needs that some of the targets meet and others do not."""
    known = tuple(targets)
    every = list(_PLAIN)
    for name in _LIMITS:
        limits = {getattr(target.wire, name) for target in known} - {None}
        every += [f"{name}>{limit}" for limit in sorted(limits)]
    return tuple(n for n in every if len({meets(target, n) for target in known}) > 1)


def meets(target: Target, need: str) -> bool:
    """Whether a target meets a need."""
    name, more, asked = need.partition(">")
    if more:
        limit = getattr(target.wire, name)
        return limit is None or limit > int(asked)
    return bool(getattr(target.capabilities, need))


def need_sets(targets: Sequence[Target]) -> Iterator[tuple[str, ...]]:
    """Yield sets of needs, the empty one first: one for each set of targets that can be left."""
    names, seen = needs_of(targets), set[frozenset[int]]()
    for count in range(len(names) + 1):
        for chosen in combinations(names, count):
            left = frozenset(n for n, t in enumerate(targets) if all(meets(t, c) for c in chosen))
            if left not in seen:
                seen.add(left)
                yield chosen


def with_needs(
    messages: Sequence[Message], fields: Mapping[str, Any], needs: Collection[str]
) -> tuple[tuple[Message, ...], dict[str, Any]]:
    """Return messages and fields of a request that has these needs beside its own."""
    found, changed = list(messages), dict(fields)
    parts = [_PARTS[name] for name in _PARTS if name in needs]
    if parts:
        content = found[-1]["content"]
        said = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found[-1] = {**found[-1], "content": [*said, *parts]}
    if "prefill" in needs:
        found.append({"role": "assistant", "content": "Well,"})
    if "json_object" in needs and "response_format" not in changed:
        changed["response_format"] = {"type": "json_object"}
    longest, most = (_exceeding(name, needs) for name in _LIMITS)
    if longest or most:
        names = ["f" * max(longest, 1), *(f"g{number}" for number in range(1, most))]
        changed["tools"] = tuple(map(_tool, names))
    return tuple(found), changed


def _exceeding(name: str, needs: Collection[str]) -> int:
    """Return the least size that exceeds every limit of that name; 0 where none is to be."""
    limits = [need.partition(">")[2] for need in needs if need.startswith(f"{name}>")]
    return max((int(limit) + 1 for limit in limits), default=0)


def _tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
