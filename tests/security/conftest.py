"""Every place where something could be seen: output, logs, warnings, files that are left."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest


class Sinks:
    """What was written anywhere while a test ran."""

    def __init__(
        self, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, folder: Path
    ) -> None:
        self._capfd = capfd
        self._caplog = caplog
        self._folder = folder
        self.warned: list[warnings.WarningMessage] = []

    def text(self) -> str:
        """Return all of it, with the names and contents of temporary files."""
        captured = self._capfd.readouterr()
        records = [f"{r.getMessage()} {r.exc_text} {vars(r)}" for r in self._caplog.records]
        files = [p for p in self._folder.rglob("*") if p.is_file()]
        left = [f"{path} {path.read_bytes()!r}" for path in files]
        warned = [str(warning.message) for warning in self.warned]
        return "\n".join([captured.out, captured.err, self._caplog.text, *records, *left, *warned])


@pytest.fixture
def sinks(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Sinks]:
    """Watch every sink; loggers of all libraries tell everything."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    watched = Sinks(capfd, caplog, folder)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        watched.warned = warned
        yield watched
