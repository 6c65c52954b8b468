"""Findings as workflow commands of GitHub Actions, which shows them in the changed files.

Source: GitHub's "Workflow commands for GitHub Actions", and the escaping of `actions/toolkit`
(`command.ts`): `%`, CR and LF everywhere, in properties `:` and `,` too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmroute.config.diagnostics import Diagnostic

__all__ = ["to_github"]

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_DATA: Mapping[str, str] = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY: Mapping[str, str] = {**_DATA, ":": "%3A", ",": "%2C"}


def to_github(found: Sequence[Diagnostic]) -> str:
    """Return one command per finding, each on its line."""
    return "".join(f"{_command(item)}\n" for item in found)


def _command(item: Diagnostic) -> str:
    place = {"file": item.file, "line": item.line, "endLine": item.end_line, "col": item.col}
    if item.end_line in (None, item.line):  # columns count only within one line
        place["endColumn"] = item.end_col
    properties = {**place, "title": f"llmroute {item.rule}"}
    shown = ",".join(
        f"{name}={_escaped(str(value), _PROPERTY)}"
        for name, value in properties.items()
        if value is not None
    )
    text = f"{item.message}\n{item.help}" if item.help else item.message
    return f"::{_COMMANDS[item.severity]} {shown}::{_escaped(text, _DATA)}"


def _escaped(text: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(char, char) for char in text)
