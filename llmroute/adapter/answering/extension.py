"""The object `llmroute` that clients may add to a request, and that every answer carries.

In a request it holds what the protocols have no field for::

    {"tags": ["hard"], "task": "code", "metadata": {"privacy": "private"},
     "route": {"max_cost": 0.01}}

In an answer it says who answered, at what cost in USD, and what was dropped or changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmroute.adapter.answering.base import Reader
from llmroute.errors import UsageError
from llmroute.types import Response

__all__ = ["NAME", "read_extension", "write_extension"]

NAME = "llmroute"
_FIELDS: Mapping[str, type] = {"tags": list, "task": str, "metadata": dict, "route": dict}


def read_extension(reader: Reader) -> dict[str, Any]:
    """Take the object out of a request and return it as fields of a canonical request.

    Raises:
        UsageError: a field is unknown or has another type.

    """
    inner = Reader(reader.take(NAME, Mapping) or {})
    found = {name: inner.take(name, kind) for name, kind in _FIELDS.items()}
    try:
        inner.end()
    except UsageError as exc:
        raise UsageError(f"{NAME}: {exc}; known are {', '.join(_FIELDS)}") from exc
    return {name: value for name, value in found.items() if value is not None}


def write_extension(response: Response, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """Return the object of an answer."""
    return {
        "target": response.target,
        "cost": None if response.cost is None else format(response.cost, "f"),
        "attempts": len(response.attempts),
        "warnings": [*warnings, *response.warnings],
    }
