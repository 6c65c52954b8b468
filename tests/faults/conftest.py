"""Fixtures: a good server, a bench with two targets, and the table of what was seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from llmroute.sim import Model, Sim
from tests.faults.bench import FORMS, Bench, Record, Seen, told
from tests.faults.table import LINES


@pytest.fixture(scope="session")
def good() -> Iterator[Sim]:
    model = Model("m", context=4_000_000, loaded=4_000_000)
    with Sim("lm_studio", models=[model]) as server:
        yield server


@pytest.fixture
def bench(tmp_path: Path, good: Sim) -> Iterator[Bench]:
    before = _descriptors()
    made = Bench(tmp_path, good)
    yield made
    made.close()
    deadline = time.monotonic() + 2
    while (left := _descriptors()) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left <= before, "sockets or pipes were left open"


def _descriptors() -> int:
    """Count this process's open sockets and pipes."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(str(entry.readlink()))
    return sum(link.startswith(("socket:", "pipe:")) for link in links)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Note a line of the table: row, fault, what is expected, and what was seen."""
    lines = request.config.stash.setdefault(LINES, [])

    def note(row: int, fault: str, expected: str, seen: Seen | str, form: str = "") -> None:
        observed = seen if isinstance(seen, str) else told(seen)
        line = {"row": row, "fault": fault, "expected": expected, "observed": observed}
        lines.append({**line, "form": form})

    return note
