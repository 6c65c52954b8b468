"""The program at its edges: piped text, bad bytes, signals, streams that cannot be written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llmroute.sim import Fault
from tests.cli.conftest import bare_environment

PROGRAM = [sys.executable, "-m", "llmroute.cli"]


@pytest.mark.parametrize("how", [(), ("--no-stream",)])
def test_piped_text_follows_the_prompt(process: Any, pair: Any, how: tuple[str, ...]) -> None:
    root = str(pair.root)
    result = process("run", "--config", root, *how, "Explain this", stdin="x = 1\n")
    assert result.code == 0
    assert pair.first.inferences[0].body["messages"][0]["content"] == "Explain this\n\nx = 1\n"


def test_an_empty_stdin_adds_nothing(process: Any, pair: Any) -> None:
    assert process("run", "--config", str(pair.root), "hi").code == 0
    assert pair.first.inferences[0].body["messages"][0]["content"] == "hi"


def test_decide_counts_piped_text(here: Any, pair: Any) -> None:
    result = here("decide", "--config", str(pair.root), "--json", "x", stdin="y " * 4000)
    # x, two line ends, 4,000 words of one letter and 4,000 blanks: 4,001 small letters × 0.06,
    # 4,001 beginnings of words × 0.712, 4,000 blanks × 0.073, 2 line ends × 0.216, and 7 for the
    # frame: 240.06 + 2,848.712 + 292 + 0.432 + 7 = 3,388.204.
    assert json.loads(result.out)["facts"]["tokens"] == 3388


def test_a_closed_stdin_adds_nothing(tmp_path: Path, pair: Any) -> None:
    done = _shell(tmp_path, f'run --config "{pair.root}" hi <&-')
    assert (done.returncode, done.stdout) == (0, b"m heard: hi\n")


def _shell(folder: Path, command: str) -> subprocess.CompletedProcess[bytes]:
    line = f'exec "{sys.executable}" -m llmroute.cli {command}'
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=bare_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize("command", ["run", "decide"])
@pytest.mark.parametrize(
    "given", [([b"caf\xe9"], b""), ([], b"caf\xe9"), ([b"-"], b"\xff"), ([b"hi"], b"\xff")]
)
def test_bytes_that_are_no_text(
    tmp_path: Path, pair: Any, command: str, given: tuple[list[bytes], bytes]
) -> None:
    done = subprocess.run(
        [*PROGRAM, command, "--config", str(pair.root), *given[0]],
        input=given[1],
        cwd=tmp_path,
        env=bare_environment(tmp_path),
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"the prompt is not UTF-8 text" in done.stderr


@pytest.mark.parametrize("at", ["headers", "first_token"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_hanging_run_quietly(
    tmp_path: Path, pair: Any, at: str, number: int, code: int
) -> None:
    for path in (pair.root / "providers.d").iterdir():
        path.write_text(path.read_text().replace("first_token: 300ms", "first_token: 60s"))
    pair.first.script(Fault.hang() if at == "headers" else Fault.hang("first_token"))
    with subprocess.Popen(
        [*PROGRAM, "run", "--config", str(pair.root), "hi"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=bare_environment(tmp_path),
    ) as program:
        _until(lambda: bool(pair.first.inferences))
        program.send_signal(number)
        out, err = program.communicate(timeout=20)
    assert (program.returncode, out, err) == (code, b"", b"")


def _until(happened: Any) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


SLOW = """\
provider: slow
locality: local
endpoint:
  transport: process
  protocol: claude-code
  command: [{python}, {script}]
  auth: none
models:
  - model: m
    capabilities: {{streaming: true}}
"""


def test_sigterm_leaves_no_child_and_no_folder(tmp_path: Path, pair: Any) -> None:
    temp, mark, script = tmp_path / "temp", tmp_path / "pid", tmp_path / "slow.py"
    temp.mkdir()
    script.write_text(
        f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()) + ' ')\ntime.sleep(60)\n"
    )
    provider = pair.root / "providers.d" / "slow.yaml"
    provider.write_text(SLOW.format(python=sys.executable, script=script))
    with subprocess.Popen(
        [*PROGRAM, "run", "--config", str(pair.root), "--target", "slow", "hi"],
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        env=bare_environment(tmp_path, TMPDIR=str(temp)),
    ) as program:
        _until(lambda: mark.exists() and mark.read_text().endswith(" "))
        program.terminate()
        assert program.wait(20) == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
    assert list(temp.iterdir()) == []


def test_sigterm_ends_the_simulators(tmp_path: Path) -> None:
    temp = tmp_path / "temp"
    temp.mkdir()
    with subprocess.Popen(
        [*PROGRAM, "sim", "claude"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=bare_environment(tmp_path, TMPDIR=str(temp)),
    ) as program:
        assert program.stderr is not None
        program.stderr.readline()
        program.terminate()
        assert program.wait(20) == 143
    assert list(temp.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--only", ""), "--only names nothing"),
        (("--ignore", ","), "--ignore names nothing"),
        (("--order", " "), "--order names nothing"),
        (("--only", "first", "--only", ""), "--only names nothing"),
        (("--tag", ""), "--tag is empty"),
        (("--policy", ""), "--policy is empty"),
        (("--max-cost", "-1"), "max-cost is -1"),
        (("--max-cost", "nan"), "max-cost is nan"),
        (("--input-tokens", "-1"), "input-tokens is -1"),
    ],
)
def test_values_that_say_nothing(here: Any, pair: Any, options: tuple[str, ...], said: str) -> None:
    result = here("decide", "--config", str(pair.root), *options, "hi")
    assert (result.code, result.out) == (2, "")
    assert said in result.err


@pytest.mark.parametrize("where", [">&-", "> /dev/full"])
@pytest.mark.parametrize("command", ["schema policy", "lint --rules", "run --json hi", "--help"])
def test_output_that_cannot_be_written(tmp_path: Path, command: str, where: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    done = _shell(tmp_path, f"{command} {where}")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr
    assert b"llmroute: cannot write to standard output: " in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("where", ["2>&-", "2> /dev/full"])
def test_a_closed_stderr_changes_nothing(tmp_path: Path, pair: Any, where: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    fine = _shell(tmp_path, f'run --config "{pair.root}" hi {where}')
    assert (fine.returncode, fine.stdout) == (0, b"m heard: hi\n")
    assert _shell(tmp_path, f"run --max-cost x hi {where}").returncode == 2


@pytest.mark.parametrize("how", [(), ("--no-stream",)])
def test_the_next_is_not_promised_where_it_is_too_dear(
    here: Any, pair: Any, how: tuple[str, ...]
) -> None:
    dear = pair.root / "providers.d" / "second.yaml"
    dear.write_text(dear.read_text().replace("{input: 1, output: 2}", "{input: 100, output: 200}"))
    policy = pair.root / "policies" / "balanced.yaml"
    policy.write_text(policy.read_text() + "fallback: {max_price_ratio: 2}\n")
    pair.first.script(Fault.status(401))
    result = here("run", "--config", str(pair.root), *how, "hi")
    assert result.code == 1
    assert pair.second.inferences == []
    assert "trying the next" not in result.err


GENERIC = ("--provider", "groq=openai-compatible", "--base-url", "http://127.0.0.1:9/v1")


def test_init_does_not_pretend_to_change_a_provider(here: Any, tmp_path: Path) -> None:
    assert here("init", *GENERIC, "--model", "a").code == 0
    before = (tmp_path / "providers.d" / "groq.yaml").read_text()
    again = here("init", *GENERIC, "--model", "b")
    assert (again.code, again.out) == (1, "")
    assert "groq.yaml exists" in again.err
    assert (tmp_path / "providers.d" / "groq.yaml").read_text() == before


@pytest.mark.parametrize(
    "arguments",
    [
        (*GENERIC, "--model", "two words"),
        (*GENERIC, "--model", ""),
        (*GENERIC, "--key", "A B"),
        ("--provider", "null=ollama"),
    ],
)
def test_init_writes_no_wrong_file(here: Any, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = here("init", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "would be wrong" in result.err
    assert list(tmp_path.iterdir()) == []


def test_lint_of_nothing(here: Any) -> None:
    result = here("lint", "/nonexistent")
    assert (result.code, result.out) == (2, "")
    assert "no such file" in result.err


def test_an_idle_pipe_beside_a_prompt_argument_is_left_out(tmp_path):
    argv = [sys.executable, "-m", "llmroute.cli", "decide", "--offline", "--assume-usable", "hi"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out = process.stdout.read()
        assert process.wait(10) == 0
        assert "nothing came on stdin" in process.stderr.read()
    assert "tokens 8" in out
