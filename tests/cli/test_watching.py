"""Watching files: what is watched, and that no change is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmroute.cli import watching
from llmroute.errors import UsageError
from tests.cli.conftest import bare_environment

pytest.importorskip("watchfiles")
PATIENCE = 30.0


class _Enough(Exception):  # noqa: N818 - it ends a watch that would go on
    pass


def _watched(paths: list[Path], act: Callable[[int], None], rounds: int) -> None:
    """Watch until `act` was done so often; it gets the number of the round."""
    done = 0

    def counted() -> int:
        nonlocal done
        done += 1
        act(done)
        if done == rounds:
            raise _Enough
        return 0

    with _limited(), pytest.raises(_Enough):
        watching.watch(paths, counted)


@contextmanager
def _limited() -> Iterator[None]:
    """Fail rather than wait for ever."""

    def late(*_: object) -> None:
        raise TimeoutError("no change was seen")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_edit_during_an_action_is_not_lost(tmp_path: Path) -> None:
    path, seen = tmp_path / "a.yaml", []
    path.write_text("0")

    def act(number: int) -> None:
        seen.append(path.read_text())
        if number < 3:
            path.write_text(str(number))  # after the file was read, before the next wait

    _watched([tmp_path], act, 3)
    assert seen == ["0", "1", "2"]


def test_a_file_that_is_replaced(tmp_path: Path) -> None:
    path, seen = tmp_path / "a.yaml", []
    path.write_text("old")

    def act(number: int) -> None:
        seen.append(path.read_text())
        if number == 1:
            (tmp_path / "a.yaml~").write_text("new")
            (tmp_path / "a.yaml~").replace(path)

    _watched([path], act, 2)
    assert seen == ["old", "new"]


def test_the_parts_of_a_workspace_count_also_when_they_are_made_later(tmp_path: Path) -> None:
    (tmp_path / "providers.d").mkdir()
    policy = tmp_path / "policies" / "p.yaml"
    seen = []

    def act(number: int) -> None:
        seen.append(policy.read_text() if policy.exists() else None)
        if number == 1:
            policy.parent.mkdir()
        elif number == 2:
            policy.write_text("a")

    _watched([tmp_path], act, 3)
    assert seen == [None, None, "a"]


def test_errors_are_told_and_do_not_end_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(number: int) -> None:
        (tmp_path / "b\x1b.yaml").write_text(str(number))
        if number == 1:
            raise UsageError("this is wrong")

    _watched([tmp_path], act, 2)
    told = capsys.readouterr().err
    assert "llmroute: this is wrong\n" in told
    assert "llmroute: changed: b\\x1b.yaml\n" in told


def test_a_folder_that_goes_and_comes_back(tmp_path: Path) -> None:
    folder, seen = tmp_path / "ws", []
    folder.mkdir()

    def act(number: int) -> None:
        seen.append(folder.exists())
        if number == 1:
            folder.rmdir()
        elif number == 2:
            folder.mkdir()
        elif number == 3:
            (folder / "a.yaml").write_text("")

    _watched([folder], act, 4)
    assert seen == [True, False, True, True]


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        watching.watch([tmp_path / "absent"], lambda: 0)


@pytest.mark.parametrize("command", ["lint", "test"])
def test_both_commands_see_a_change_right_after_their_first_run(
    command: str, tmp_path: Path
) -> None:
    """The file is changed as soon as the first run has told of it."""
    policies = tmp_path / "ws" / "policies"
    policies.mkdir(parents=True)
    (tmp_path / "ws" / "providers.d").mkdir()
    (tmp_path / "ws" / "providers.d" / "x.yaml").write_text("provider: [\n")
    out = tmp_path / "out"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path[1:]])
    with out.open("w") as stream:
        running = subprocess.Popen(
            [sys.executable, "-m", "llmroute.cli", "--config", "ws", command, "--watch"],
            cwd=tmp_path,
            env=bare_environment(tmp_path, PYTHONPATH=paths),
            stdout=stream,
            stderr=stream,
        )
        try:
            _until(out, "yaml-syntax")
            (tmp_path / "ws" / "providers.d" / "x.yaml").write_text("provider: x\n")
            _until(out, "changed: x.yaml")
            _until(out, "schema-missing-key")
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(30) == 130


def _until(path: Path, text: str) -> None:
    ending = time.monotonic() + PATIENCE
    while text not in path.read_text():
        assert time.monotonic() < ending, path.read_text()
        time.sleep(0.02)
