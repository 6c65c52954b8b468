"""The program around its commands: help, wrong usage, bugs, interrupts, closed pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from llmroute.cli import app
from llmroute.cli.parser import Commands

COMMANDS = ("run", "decide", "providers", "lint", "check", "init", "schema", "sim", "demo")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(here: Any, command: str) -> None:
    result = here(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert "--config DIR" in result.out
    assert "--json" in result.out
    assert f"llmroute {command}" in result.out.split("examples:")[1]


def test_help_lists_every_command(here: Any) -> None:
    text = here("--help").out
    assert all(f"\n    {command} " in text for command in COMMANDS)


def test_version(here: Any) -> None:
    assert here("--version").out == "llmroute 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lnt"], """there is no command 'lnt'; did you mean "lint"?"""),
        (["run", "--model", "x", "hi"], 'unknown option --model; did you mean "--target"?'),
        (["run", "--timeout", "0", "hi"], "'0' is no duration; write seconds above 0"),
        (["--jsno"], 'unknown option --jsno; did you mean "--json"?'),
        (["lint", "--jsn"], 'unknown option --jsn; did you mean "--json"?'),
        (["run", "--polcy=x", "hi"], 'unknown option --polcy; did you mean "--policy"?'),
        (["run", "--max-tokens", "many", "hi"], "'many' is no whole number"),
        (["sim", "--first-token", "long"], "'long' is no number"),
        (["schema", "polcy"], 'did you mean "policy"?'),
        (["sim", "olama"], "choose from openai, anthropic, ollama, lm_studio, claude"),
        (["decide", "--config", "absent", "hi"], "absent"),
    ],
)
def test_wrong_usage_exits_2(here: Any, arguments: list[str], said: str) -> None:
    result = here(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("llmroute: ")
    assert said in result.err


def test_without_a_command_it_shows_its_help(here: Any) -> None:
    result = here()
    assert (result.code, result.out) == (2, "")
    assert result.err == here("--help").out


@pytest.mark.parametrize(("options", "shown"), [((), False), (("-W", "default"), True)])
def test_warnings_of_packages_are_for_those_who_ask(
    tmp_path: Path, options: tuple[str, ...], shown: bool
) -> None:
    code = (
        "import sys, warnings; from llmroute.cli import app; "
        "app.COMMANDS = (); app.parse = lambda *_: warnings.warn('old') or sys.exit(0); app.main()"
    )
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert (done.returncode, "UserWarning: old" in done.stderr) == (0, shown)


def test_usage_errors_are_json_too(here: Any, pair: Any) -> None:
    result = here("run", "--json", "--config", str(pair.root), "--policy", "x", "hi")
    assert result.code == 2
    assert json.loads(result.out)["error"]["kind"] == "UsageError"


def test_options_may_stand_before_the_command(here: Any, pair: Any) -> None:
    result = here("--json", "--config", str(pair.root), "providers")
    assert [item["provider"] for item in json.loads(result.out)] == ["first", "second"]


def _command_that(raises: BaseException) -> Any:
    def run(args: Namespace) -> int:
        raise raises

    def add(commands: Commands) -> None:
        commands.add("break", run, "Break")

    return (add,)


def test_a_bug_is_one_line_and_exit_3(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "COMMANDS", _command_that(KeyError("x")))
    result = here("break")
    assert result.code == 3
    assert len(result.err.splitlines()) == 1
    assert "KeyError" in result.err
    assert "this is a bug" in result.err
    assert "Traceback" in here("break", "--debug").err


def test_an_interrupt_is_quiet(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "COMMANDS", _command_that(KeyboardInterrupt()))
    result = here("break")
    assert (result.code, result.out, result.err) == (130, "", "")


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "llmroute.cli", "schema", "policy"],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(root)},
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_sim_runs_until_it_is_interrupted(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "llmroute.cli", "sim", "ollama"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
        env={"PATH": os.defpath, "PYTHONPATH": str(root)},
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        line = program.stdout.readline()
        program.stderr.readline()
        try:
            program.send_signal(signal.SIGINT)
            assert program.wait(10) == 0
        finally:
            program.kill()
    assert line.startswith("export OLLAMA_HOST=http://127.0.0.1:")


def test_deciding_loads_nothing_heavy(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    code = (
        "import sys; from llmroute.cli import main; "
        "code = main(['decide', '--offline', '--assume-usable', '--json', 'hi']); "
        "heavy = {'rich', 'httpx', 'asyncio', 'litellm', 'pyreqwest', 'tenacity'}; "
        "print(*sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(root)},
    )
    assert (done.returncode, done.stderr) == (0, "\n")
