"""Needs of requests that no expression reads, and requests that have them.

A need is named after the capability that meets it; `tool_names>64` is the need of a tool's name
that is longer than 64 characters.
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
_LONGER = "tool_names>"
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
    limits = {t.wire.tool_names for t in known if t.wire.tool_names is not None}
    every = (*_PLAIN, *(f"{_LONGER}{limit}" for limit in sorted(limits)))
    return tuple(n for n in every if len({meets(target, n) for target in known}) > 1)


def meets(target: Target, need: str) -> bool:
    """Whether a target meets a need."""
    if need.startswith(_LONGER):
        limit = target.wire.tool_names
        return limit is None or limit > _limit(need)
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
    longest = max((_limit(need) + 1 for need in needs if need.startswith(_LONGER)), default=0)
    if longest:
        function = {"name": "f" * longest, "parameters": {"type": "object"}}
        changed["tools"] = ({"type": "function", "function": function},)
    return tuple(found), changed


def _limit(need: str) -> int:
    return int(need.removeprefix(_LONGER))
