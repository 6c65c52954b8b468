"""Findings as SARIF 2.1.0 (OASIS standard), which code scanning and editors read.

Places are counted in characters (`columnKind`), and files are named relative to the folder that
llmroute ran in (`%SRCROOT%`), or by an absolute URI where they stand elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from llmroute import __version__
from llmroute.config.diagnostics import Diagnostic, Edit
from llmroute.config.printing import to_json
from llmroute.lint.guide import Page, pages, to_text

__all__ = ["SCHEMA", "to_sarif"]

#: Where the schema of the format is published.
SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_BASE = "%SRCROOT%"


def to_sarif(found: Sequence[Diagnostic]) -> str:
    """Return a SARIF log with one run: the findings, and the documentation of their rules."""
    names = sorted({item.rule for item in found})
    driver = {
        "name": "llmroute",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(name) for name in names],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, names.index(item.rule)) for item in found],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return to_json(log) + "\n"


def _rule(name: str) -> dict[str, Any]:
    page = pages().get(name)
    described: dict[str, Any] = {"id": name, "name": _pascal(name)}
    if page is None:
        return described
    return described | {
        "shortDescription": {"text": page.what},
        "fullDescription": {"text": page.why or page.what},
        "help": {"text": to_text(page), "markdown": _markdown(page)},
        "defaultConfiguration": {"level": page.severity},
    }


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _markdown(page: Page) -> str:
    parts = [page.what, page.more]
    parts += [
        f"**{title}**\n\n```yaml\n{block}```"
        for title, block in (("Wrong", page.wrong), ("Right", page.right))
        if block
    ]
    return "\n\n".join(part for part in (*parts, page.why) if part)


def _result(item: Diagnostic, index: int) -> dict[str, Any]:
    text = f"{item.message}; {item.help}" if item.help else item.message
    location = {"artifactLocation": _artifact(item.file), "region": _region(item)}
    result: dict[str, Any] = {
        "ruleId": item.rule,
        "ruleIndex": index,
        "level": item.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"llmroute/v1": _fingerprint(item)},
    }
    if item.fix:
        result["fixes"] = [_fix(item.fix, item)]
    return result


def _artifact(file: str) -> dict[str, str]:
    path = Path(file)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": _BASE}


def _region(item: Diagnostic) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": item.line, "startColumn": item.col}
    region["endLine"] = item.end_line or item.line
    region["endColumn"] = item.end_col or item.col
    if item.source:
        region["snippet"] = {"text": item.source}
    return region


def _fingerprint(item: Diagnostic) -> str:
    """Return what stays the same while lines move: rule, file, and the line's text."""
    parts = (item.rule, Path(item.file).name, (item.source or "").strip(), item.message)
    return sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _fix(edit: Edit, item: Diagnostic) -> dict[str, Any]:
    region = {
        "startLine": edit.line,
        "startColumn": edit.col,
        "endLine": edit.end_line,
        "endColumn": edit.end_col,
    }
    replacement = {"deletedRegion": region, "insertedContent": {"text": edit.text}}
    change = {"artifactLocation": _artifact(edit.file), "replacements": [replacement]}
    description = {"text": item.help or item.message}
    return {"description": description, "artifactChanges": [change]}
