"""Texts for JUnit reports: without what XML cannot hold, and names that no other case has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

__all__ = ["legal", "numbered"]

#: What XML 1.0 cannot hold (section 2.2), not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def legal(text: str) -> str:
    """Leave out what XML cannot hold; escaping is the writer's part."""
    return _FORBIDDEN.sub("", text)


def numbered(names: Iterable[str]) -> Iterator[str]:
    """Yield the names, a repeated one with its number: CI systems keep one case for each name."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"
