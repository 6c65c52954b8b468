"""Rows 64–71: programs as providers, with small real ones that misbehave."""

from __future__ import annotations

import json
import resource
import stat
import sys
import time
from pathlib import Path

import pytest

from llmroute import Router
from tests.faults.bench import PROMPT, Bench, Record, Seen, failed_over

RESULT = {
    "type": "result",
    "is_error": False,
    "result": "Hi there",
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 4},
}
#: The end of Claude Code's output, as Python code of a program; see `claude -p --output-format`.
GOOD = f"print({json.dumps(json.dumps(RESULT))})"
PROGRAM = """\
transport: process
  protocol: claude-code
  command: ["{command}"]"""
PATIENT = "{first_token: 20s, idle: 20s, total: 30s}"


def program(bench: Bench, code: str) -> Path:
    """Write an executable Python program."""
    path = bench.root / "agent"
    lines = (f"#!{sys.executable}", "import json, os, sys, time", code, "")
    path.write_text("\n".join(lines))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def runs(bench: Bench, code: str, timeouts: str = PATIENT) -> Path:
    path = program(bench, code)
    bench.first(endpoint=PROGRAM.format(command=path), timeouts=timeouts, locality="cloud")
    return path


def answered(seen: Seen, text: str = "Hi there") -> None:
    assert seen.outcomes == [("first/m", "ok")]
    assert seen.answered.text == text


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def gone(pids: list[int], within: float = 2.0) -> bool:
    deadline = time.monotonic() + within
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, pids))


def noting(bench: Bench) -> str:
    path = str(bench.root / "pids")
    return f"def note(): open({path!r}, 'a').write(f'{{os.getpid()}}\\n')\nnote()\n"


def noted(bench: Bench) -> list[int]:
    return [int(line) for line in (bench.root / "pids").read_text().split()]


def test_row_64_program_that_hangs(bench: Bench, record: Record, form: str) -> None:
    runs(bench, f"{noting(bench)}time.sleep(60)", "{first_token: 500ms}")
    seen = bench.ask(form)
    failed_over(seen, "timeout", "waited for the first token (0.5 s)")
    assert 0.49 <= seen.first.duration < 1.5
    assert gone(noted(bench))
    record(64, "program hangs", "process group killed at the timer, F", seen, form)


FAMILY = "for _ in range(2):\n    if os.fork() == 0:\n        note(); time.sleep(60)\n"


@pytest.mark.parametrize("ends", [False, True], ids=["hangs", "answers"])
def test_row_65_program_that_forks(bench: Bench, record: Record, form: str, ends: bool) -> None:
    wait = f"while open({str(bench.root / 'pids')!r}).read().count('\\n') < 3: time.sleep(0.01)\n"
    runs(bench, noting(bench) + FAMILY + wait + (GOOD if ends else "time.sleep(60)"),
         PATIENT if ends else "{first_token: 1s}")  # fmt: skip
    seen = bench.ask(form)
    if ends:
        answered(seen)
    else:
        failed_over(seen, "timeout")
    pids = noted(bench)
    assert len(pids) == 3
    assert gone(pids)
    fault = "answers" if ends else "hangs"
    record(65, f"program forks two children and {fault}", "none of them left", seen, form)


def test_row_66_a_gigabyte_on_standard_error(bench: Bench, record: Record) -> None:
    block = "block = b'x' * (1 << 20)\n"
    flood = f"{block}for _ in range(1000): os.write(2, block)\n"
    runs(bench, flood + GOOD)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = bench.ask()
    answered(seen)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # in KiB
    record(66, "1 GB on standard error", "drained, capped", seen, "complete")


@pytest.mark.parametrize(
    ("code", "words", "output"),
    [
        ("print('Welcome!')", "not JSON", "a greeting"),
        ("pass", "without its terminator", "nothing"),
        (f"print({json.dumps(json.dumps(RESULT)[:-10])})", "not JSON", "JSON that breaks off"),
    ],
    ids=["text", "nothing", "cut"],
)
def test_row_67_garbage_with_exit_0(
    bench: Bench, record: Record, form: str, code: str, words: str, output: str
) -> None:
    runs(bench, code)
    seen = bench.ask(form)
    failed_over(seen, "malformed", words)
    record(67, f"exit code 0, its output is {output}", "F", seen, form)


def test_row_68_valid_json_with_a_bad_exit(bench: Bench, record: Record, form: str) -> None:
    runs(bench, f"{GOOD}; sys.stdout.flush(); sys.exit('out of memory')")
    seen = bench.ask(form)
    failed_over(seen, "unavailable", "ended with exit code 1: out of memory")
    record(68, "valid answer, exit code 1", "F", seen, form)


def test_row_69_a_long_line(bench: Bench, record: Record, form: str) -> None:
    runs(bench, f"print(json.dumps({{**{RESULT!r}, 'result': 'x' * 300_000}}))")
    seen = bench.ask(form)
    answered(seen, "x" * 300_000)
    record(69, "line of 300,000 bytes", "read whole", seen, form)


def test_row_70_a_long_prompt(bench: Bench, record: Record, form: str) -> None:
    told = "said = json.loads(sys.stdin.read())['message']['content'][0]['text']\n"
    told += "seen = json.dumps([len(said), max(map(len, sys.argv)) < 1000, len(os.environ) < 9])\n"
    runs(bench, f"{told}print(json.dumps({{**{RESULT!r}, 'result': seen}}))")
    seen = bench.ask(form, "long prompt " * 17_000)
    answered(seen, f"[{12 * 17_000}, true, true]")
    observed = "→ `first` answers: the whole prompt came on standard input, none of it in arguments"
    record(70, "prompt of 200 KB", "stdin, never argv", observed, form)


def test_row_71_program_that_disappears(bench: Bench, record: Record, form: str) -> None:
    runs(bench, GOOD).unlink()
    seen = bench.ask(form)
    failed_over(seen, "unavailable", "was not found", counted=False)
    assert "install agent" in (seen.first.help or "")
    observed = "unavailable: the command was not found, install it → `second` answers"
    record(71, "program is gone", "F0, says what to do", observed, form)


def test_row_71_program_that_was_never_there(bench: Bench, form: str) -> None:
    runs(bench, GOOD).unlink()
    with Router.load(bench.root, environment={}) as router:
        decision = router.decide(PROMPT)
        (rejected,) = decision.rejections
        assert (rejected.target, decision.winner.id) == ("first/m", "second/m")
        assert "was not found" in rejected.reason
        assert "install it" in (rejected.help or "")


def test_row_71_login_that_expired(bench: Bench, record: Record, form: str) -> None:
    runs(bench, "sys.exit('Not logged in · Please run /login')")
    seen = bench.ask(form)
    failed_over(seen, "auth", "Please run /login", counted=False)
    assert seen.standing == "credential off"
    record(71, "login has expired", "F0, says what to do", seen, form)


def test_directories_of_programs_are_gone(bench: Bench) -> None:
    runs(bench, f"print(json.dumps({{**{RESULT!r}, 'result': os.getcwd()}}))")
    assert not Path(bench.ask().answered.text or "").exists()
