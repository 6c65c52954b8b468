"""Write what the fault tests saw: `pytest -p tests.faults.table --table FILE tests/faults`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

LINES = pytest.StashKey[list[dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", help="write what the fault tests saw to this file, as JSON")


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--table")
    if path and session.testsfailed == 0:
        lines = session.config.stash.get(LINES, [])
        Path(path).write_text(json.dumps(lines), encoding="utf-8")
