"""S10: CLI providers: argv list, prompt on stdin, NUL and leading `-` refused in substituted
values, empty temporary working directory, environment allow-list, tools off, project settings not
read.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmroute import Router
from llmroute.adapter.transports.process import arguments
from llmroute.catalog.model import Target
from llmroute.config.shipped import data_root
from llmroute.errors import ErrorKind, TargetError
from tests.adapter.wire import at, completed, endpoint, failure, target
from tests.security.canary import PROMPT, SECRET

SYSTEM = "Canary system: answer only what Umbrella may know."
#: A program that answers as `claude` does, and writes down how it was started.
PROGRAM = """#!{python}
import json, os, stat, sys
room = os.path.dirname(os.getcwd())
seen = dict(
    argv=open("/proc/self/cmdline").read().split("\\0")[2:-1], cwd=os.getcwd(), files=os.listdir(),
    environment=dict(os.environ), session=os.getsid(0) == os.getpid(),
    modes={{place: stat.S_IMODE(os.stat(os.path.join(room, place)).st_mode)
           for place in [".", *os.listdir(room)]}},
    system=open(next(a for a in sys.argv if "system-prompt-file" in a).split("=", 1)[1]).read(),
    stdin=sys.stdin.read())
open("{out}", "w").write(json.dumps(seen))
usage = dict(input_tokens=1, output_tokens=1)
print(json.dumps(dict(type="result", is_error=False, result="Hi", stop_reason="end_turn",
                      usage=usage)))
"""


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Target, Path]:
    """Return a target of the shipped file for Claude Code, and where its program tells of it."""
    out, tool = tmp_path / "seen.json", tmp_path / "bin" / "claude"
    tool.parent.mkdir()
    tool.write_text(PROGRAM.format(python=sys.executable, out=out))
    tool.chmod(0o700)
    monkeypatch.setenv("A_SECRET_OF_THE_PROCESS", SECRET)
    (tmp_path / "CLAUDE.md").write_text("never read")
    monkeypatch.chdir(tmp_path)
    environment = {"PATH": str(tool.parent), "HOME": str(tmp_path), "OPENAI_API_KEY": SECRET}
    with Router.load(data_root(), environment=environment) as router:
        return next(t for t in router.targets if t.provider.name == "claude_code"), out


def _seen(shipped: tuple[Target, Path], prompt: Any = None) -> dict[str, Any]:
    conversation = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": PROMPT},
    ]
    assert completed(shipped[0], prompt or conversation).text == "Hi"
    seen: dict[str, Any] = json.loads(shipped[1].read_text())
    return seen


def test_nothing_of_the_prompt_stands_in_the_list_of_processes(
    shipped: tuple[Target, Path],
) -> None:
    seen = _seen(shipped)
    assert PROMPT in json.loads(seen["stdin"])["message"]["content"][0]["text"]
    assert seen["system"] == SYSTEM
    assert "Canary" not in " ".join(seen["argv"])
    assert "Canary" not in json.dumps(seen["environment"])


def test_nobody_else_can_read_its_files(shipped: tuple[Target, Path]) -> None:
    modes = _seen(shipped)["modes"]
    assert modes == {".": 0o700, "work": 0o700, "system": 0o600}


def test_it_works_in_an_empty_folder_that_goes_away(shipped: tuple[Target, Path]) -> None:
    seen = _seen(shipped)
    assert seen["files"] == []
    assert seen["session"]
    assert not Path(seen["cwd"]).exists()
    assert not Path(seen["cwd"]).parent.exists()


def test_it_gets_the_listed_variables_alone(shipped: tuple[Target, Path]) -> None:
    given = _seen(shipped)["environment"]
    declared = shipped[0].provider.endpoint.environment
    assert set(given) - {"LC_CTYPE"} == {"PATH", "HOME", *declared}  # Python sets LC_CTYPE itself
    assert SECRET not in json.dumps(given)


def test_tools_and_settings_of_projects_are_off(shipped: tuple[Target, Path]) -> None:
    argv = _seen(shipped)["argv"]
    for option in ("--tools", "--setting-sources"):
        assert argv[argv.index(option) + 1] == ""
    assert argv[argv.index("--max-turns") + 1] == "1"
    assert {"--strict-mcp-config", "--no-session-persistence", "--disable-slash-commands"} <= {
        *argv
    }
    assert not [word for word in argv if "dangerously" in word or "allowed" in word.lower()]


NAMES = ["--dangerously-skip-permissions", "-p", "-", "--model=x"]


@pytest.mark.parametrize("name", NAMES)
def test_a_value_never_becomes_an_option(name: str, shipped: tuple[Target, Path]) -> None:
    error = failure(lambda: completed(replace(shipped[0], upstream=name)))
    assert error.kind is ErrorKind.CAPABILITY
    assert "option" in error.message
    assert not shipped[1].exists()
    assert arguments([["--model={m}"]], {"m": name}, Path()) == [f"--model={name}"]


@pytest.mark.parametrize("name", ["m\0x", "m\ud800"])
def test_a_value_that_no_argument_can_hold(name: str, shipped: tuple[Target, Path]) -> None:
    error = failure(lambda: completed(replace(shipped[0], upstream=name)))
    assert error.kind is ErrorKind.CAPABILITY
    assert not shipped[1].exists()


def test_a_variable_that_no_program_can_get(shipped: tuple[Target, Path]) -> None:
    error = failure(lambda: completed(at(shipped[0], environment={"A": "x\0y"})))
    assert error.kind is ErrorKind.CAPABILITY


@pytest.mark.parametrize("text", ["$(touch here)", "`id`", "; ls", "a b", "*", "'\"", "\n"])
def test_no_shell_sees_a_value(text: str) -> None:
    code = (
        "import json, sys; sys.stdin.read(); print(json.dumps({'type': 'result', 'is_error': False,"
        " 'result': sys.argv[1], 'stop_reason': 'end_turn', 'usage': {}}))"
    )
    command = (sys.executable, "-c", code, "{model}")
    where = endpoint("", "claude-code", transport="process", command=command)
    assert completed(replace(target(where), upstream=text)).text == text


def test_a_name_of_a_value_is_no_path(tmp_path: Path) -> None:
    """Only what a protocol names is written, under its own name."""
    with pytest.raises(TargetError):
        arguments(["{../../x_file}", "{etc_file}"], {"../../x": "y"}, tmp_path)
    assert list(tmp_path.iterdir()) == []
