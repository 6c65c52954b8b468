"""The JSON Schema check: every fault of a document, at its place, in the words of the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Literal

from llmroute.config.branches import applicable
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.lookup import Context
from llmroute.config.messages import describe
from llmroute.config.shipped import data_root

__all__ = ["SchemaName", "check", "schema_text"]

SchemaName = Literal["provider", "policy", "protocol", "test", "workspace"]

#: So many faults of one file are told; a file with more is of another kind.
_MAX_FAULTS = 100


def schema_text(name: SchemaName) -> str:
    """Return the text of a shipped schema, as editors and `check-jsonschema` take it."""
    return (data_root() / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")


def check(document: Document, schema_name: SchemaName) -> list[Diagnostic]:
    """Return every fault of a document against a schema, in the order of the file."""
    schema, validator = _validator(schema_name)
    context = Context(document, schema)
    found = (
        finding
        for error in validator.iter_errors(document.data)
        for single in _flat(error)
        for finding in describe(single, context)
    )
    findings = islice(found, _MAX_FAULTS)
    unique = {(f.rule, f.line, f.col, f.message): f for f in findings}
    return sorted(unique.values(), key=lambda finding: (finding.line, finding.col))


@cache
def _validator(name: SchemaName) -> tuple[dict[str, Any], Any]:
    """Build a schema and its validator once: both are immutable."""
    import jsonschema_rs  # 40 ms, only where a document is checked

    schema: dict[str, Any] = json.loads(schema_text(name))
    return schema, jsonschema_rs.Draft202012Validator(schema)


def _flat(error: Any) -> Iterator[Any]:
    """Replace a failed choice by the faults of the alternative that was meant."""
    chosen = applicable(error)
    if chosen is None:
        yield error
        return
    for inner in chosen:
        yield from _flat(inner)
