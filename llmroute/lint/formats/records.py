"""Findings as plain data, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from llmroute.config.diagnostics import Diagnostic

__all__ = ["to_json", "to_records"]


def to_records(found: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Return findings as flat objects; `fix`, where there is one, is an object in it."""
    return [_record(item) for item in found]


def _record(item: Diagnostic) -> dict[str, Any]:
    record = {field.name: getattr(item, field.name) for field in fields(item)}
    # The edit is one of the finding's own file.
    record["fix"] = item.fix and {k: v for k, v in item.fix._asdict().items() if k != "file"}
    return record


def to_json(found: Sequence[Diagnostic]) -> str:
    """Return findings as a JSON list."""
    return json.dumps(to_records(found), indent=2, ensure_ascii=False) + "\n"
