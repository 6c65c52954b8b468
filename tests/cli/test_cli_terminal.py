"""The program on a terminal, wide and narrow: tables that fit, and waits that are told."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmroute.sim import Fault
from tests.cli.conftest import bare_environment

#: What makes text bold or coloured.
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """Runs the program on a terminal of so many columns, and returns what it shows."""

    def __init__(self, home: Path) -> None:
        self._environment = bare_environment(home, TERM="xterm-256color")

    def __call__(self, columns: int, *arguments: str, **more: str) -> list[str]:
        """Return the lines, styles included; `more` are variables of the environment."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        call = [sys.executable, "-m", "llmroute.cli", *arguments]
        with subprocess.Popen(
            call,
            env={**self._environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
        ) as running:
            os.close(slave)
            shown = b"".join(_pieces(master))
            assert running.wait(60) == 0
        os.close(master)
        return shown.decode().splitlines()


def _pieces(master: int) -> Iterator[bytes]:
    """Yield what comes until the other end is closed, which a terminal tells as an error."""
    try:
        while piece := os.read(master, 65536):
            yield piece
    except OSError:
        return


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture
def asked(pair: Any, here: Any) -> str:
    """The workspace's folder, after two requests."""
    root = str(pair.root)
    for _ in range(2):
        assert here("run", "--config", root, "hi").code == 0
    return root


COMMANDS = {
    "providers": ("providers",),
    "log": ("log",),
    "spend": ("spend",),
    "plot": ("spend", "--format", "plot"),
}


@pytest.mark.parametrize("columns", [50, 60, 80, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_longer_than_the_terminal(
    terminal: Terminal, asked: str, name: str, columns: int
) -> None:
    lines = [_STYLE.sub("", line) for line in terminal(columns, "--config", asked, *COMMANDS[name])]
    assert any("first" in line for line in lines)
    assert [line for line in lines if len(line) > columns] == []


@pytest.mark.parametrize("columns", [50, 60, 80, 120])
def test_what_is_copied_stays_in_one_piece(terminal: Terminal, asked: str, columns: int) -> None:
    shown = "\n".join(_STYLE.sub("", line) for line in terminal(columns, "--config", asked, "log"))
    assert len(re.findall(r"^[0-9a-z]{26}\b", shown, re.MULTILINE)) == 2
    assert len(re.findall(r"\bfirst/m\b", shown)) == 2


def test_a_wide_terminal_gets_a_table_and_a_narrow_one_blocks(
    terminal: Terminal, asked: str
) -> None:
    wide = terminal(160, "--config", asked, "spend")
    assert re.match(r"\x1b\[1mTARGET +REQUESTS +ATTEMPTS ", wide[2])
    assert re.match(r"first/m +2 +2 +0 ", wide[3])
    narrow = terminal(40, "--config", asked, "spend")
    # "  requests: 2 · attempts: 2 · failed: 0 ·" has 41 characters
    assert narrow[2:4] == ["\x1b[1mfirst/m\x1b[0m", "  requests: 2 · attempts: 2 ·"]


def test_a_wait_is_told_where_a_person_looks_on(terminal: Terminal, pair: Any) -> None:
    """Of 0.6 s the call itself takes a little: what is left of them is rounded up."""
    pair.first.script(Fault.status(429, retry_after=0.6))
    shown = terminal(80, "run", "--config", str(pair.root), "--target", "first", "hi")
    told = [line for line in shown if "waiting" in line]
    assert len(told) == 1
    assert re.fullmatch(r"first/m: waiting (5\d\d|600) ms: the provider answered 429", told[0])


def test_a_quiet_run_tells_of_no_wait(terminal: Terminal, pair: Any) -> None:
    pair.first.script(Fault.status(429, retry_after=0.6))
    shown = terminal(80, "run", "--config", str(pair.root), "--target", "first", "hi", "--quiet")
    assert [line for line in shown if "waiting" in line] == []


@pytest.mark.parametrize("more", [{}, {"COLUMNS": "0"}, {"COLUMNS": "many"}])
def test_a_terminal_that_does_not_tell_its_width_has_80_columns(
    terminal: Terminal, asked: str, more: dict[str, str]
) -> None:
    call = ("--config", asked, "spend")
    assert terminal(0, *call, **more)[1:] == terminal(80, *call)[1:]  # the first tells the time
    assert any("first/m" in line for line in terminal(0, *call, **more))
