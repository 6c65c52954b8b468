"""The agent CLIs are npm packages: requirements/agents/package.json.

Where they are not on the path nothing is collected here, and the summary says so; the gate
installs them and runs this folder by itself, where collecting nothing is a failure.
"""

from __future__ import annotations

import shutil

import pytest

MISSING = [name for name in ("codex", "gemini", "node") if shutil.which(name) is None]
collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING:
        named = ", ".join(MISSING)
        terminalreporter.write_line(f"tests/agents did not run: {named} not found on the path")
