"""What the tests of client protocols share: a fixed stamp, and reading server-sent events."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from llmroute.adapter.answering.base import Stamp

NOW = 1_795_000_000.25


def stamp() -> Stamp:
    """Return a stamp whose tokens count: 1, 2, …"""
    numbers = itertools.count(1)
    return Stamp(lambda: NOW, lambda: str(next(numbers)))


def events(written: Iterable[bytes]) -> list[tuple[str | None, Any]]:
    """Return name and data of each event; `[DONE]` stays text."""
    found = []
    for block in b"".join(written).decode().split("\n\n"):
        if not block:
            continue
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = fields["data"]
        found.append((fields.get("event"), data if data == "[DONE]" else json.loads(data)))
    return found
