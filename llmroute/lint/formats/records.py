"""Findings as plain data, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from llmroute.config import printing
from llmroute.config.diagnostics import Diagnostic

__all__ = ["to_json", "to_record", "to_records"]


def to_records(found: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Return findings as flat objects; see `to_record`."""
    return [to_record(item) for item in found]


def to_record(item: Diagnostic) -> dict[str, Any]:
    """Return a finding as a flat object.

    `fix`, where there is one, is an object in it: `line`, `col`, `end_line`, `end_col` of what is
    replaced in the same file, and `text`, what to write there.
    """
    record = {field.name: getattr(item, field.name) for field in fields(item)}
    # The edit is one of the finding's own file.
    record["fix"] = item.fix and {k: v for k, v in item.fix._asdict().items() if k != "file"}
    return record


def to_json(found: Sequence[Diagnostic]) -> str:
    """Return findings as a JSON list."""
    return printing.to_json(to_records(found)) + "\n"
