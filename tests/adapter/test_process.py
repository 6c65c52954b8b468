"""The process transport against commands that misbehave."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llmroute.adapter import Adapter
from llmroute.adapter.transports.process import ProcessTransport, arguments
from llmroute.catalog.model import Timeouts
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Request
from tests.adapter.wire import call, completed, endpoint, failure, run, streamed, target

K = ErrorKind
USAGE = {"input_tokens": 3, "output_tokens": 1}
RESULT = {
    "type": "result",
    "is_error": False,
    "result": "Hi",
    "stop_reason": "end_turn",
    "usage": USAGE,
}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
EVENT = {"type": "stream_event", "event": DELTA, "parent_tool_use_id": None}
SAY = f"import json, os, sys, time; RESULT = {json.dumps(json.dumps(RESULT))}\n"


def command(code: str, *more: Any, environment: dict[str, str] | None = None) -> Any:
    """Return a target whose command is Python code; `RESULT` is a good last line."""
    where = endpoint(
        "",
        "claude-code",
        transport="process",
        command=(sys.executable, "-c", SAY + code, *more),
        environment=environment or {},
        timeouts=Timeouts(),
    )
    return target(where)


def test_an_answer() -> None:
    response = completed(command("sys.stdin.read(); print(RESULT)"))
    assert (response.text, response.usage.input) == ("Hi", 3)


def test_what_the_process_gets() -> None:
    code = (
        "seen = {'cwd': os.listdir(), 'env': sorted(os.environ), 'argv': sys.argv[1:],"
        "'file': open(sys.argv[2]).read(), 'mode': os.stat(sys.argv[2]).st_mode,"
        "'leader': os.getsid(0) == os.getpid(), 'stdin': json.loads(sys.stdin.read())}\n"
        "print(json.dumps({**json.loads(RESULT), 'result': json.dumps(seen)}))"
    )
    aim = command(code, "{model}", "{system_file}", ("--x", "{nothing}"), environment={"A": "b"})
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    seen = json.loads(completed(aim, prompt).text or "")
    assert seen["cwd"] == []
    assert set(seen["env"]) <= {"A", "LC_CTYPE"}
    assert seen["argv"][0] == "upstream-m"
    assert len(seen["argv"]) == 2
    assert (seen["file"], stat.S_IMODE(seen["mode"])) == ("Be brief.", 0o600)
    assert seen["leader"]
    assert seen["stdin"]["message"]["content"] == [{"type": "text", "text": "hi"}]
    assert not Path(seen["argv"][1]).exists()


def test_a_prompt_of_200_kilobytes_on_stdin() -> None:
    code = "n = len(json.loads(sys.stdin.read())['message']['content'][0]['text'])\n"
    code += "print(json.dumps({**json.loads(RESULT), 'result': str(n)}))"
    assert completed(command(code), "x" * 200_000).text == "200000"


def test_a_command_that_does_not_read_its_prompt() -> None:
    assert completed(command("print(RESULT)"), "x" * 1_000_000).text == "Hi"


def test_lines_above_64_kilobytes_are_read_whole() -> None:
    code = "print(json.dumps({**json.loads(RESULT), 'result': 'x' * 300_000}))"
    assert len(completed(command(code)).text or "") == 300_000


def test_a_megabyte_on_stderr_is_drained() -> None:
    assert completed(command("sys.stderr.write('x' * 1_000_000); print(RESULT)")).text == "Hi"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("print('Welcome!')", K.MALFORMED, "not JSON"),
        ("pass", K.MALFORMED, "terminator"),
        ("print('{}')", K.MALFORMED, "terminator"),
        ("print(RESULT); sys.exit(3)", K.UNAVAILABLE, "exit code 3"),
        ("sys.exit('error: unknown option --x')", K.UNAVAILABLE, "unknown option --x"),
        ("sys.exit('Not logged in · Please run /login')", K.AUTH, "/login"),
        ("os.kill(os.getpid(), 9)", K.UNAVAILABLE, "signal 9"),
        ("print(RESULT[:-5])", K.MALFORMED, "not JSON"),
    ],
)
def test_failures(code: str, kind: ErrorKind, words: str) -> None:
    for ask in (completed, streamed):
        error = failure(lambda ask=ask: ask(command(code)))  # type: ignore[misc]
        assert error.kind is kind
        assert words in str(error)


def test_the_end_of_stderr_is_what_counts() -> None:
    error = failure(lambda: completed(command("sys.exit('x' * 100_000 + '\\nlast words')")))
    assert error.message.endswith("last words")
    assert len(str(error.native)) <= 8192


def test_a_secret_of_the_environment_is_not_shown() -> None:
    aim = command("sys.exit(os.environ['SOME_API_KEY'])", environment={"SOME_API_KEY": "sk-1234"})
    error = failure(lambda: completed(aim))
    assert "sk-1234" not in str(error) + repr(error.native)


def test_a_good_stream_with_a_bad_end_never_finishes() -> None:
    async def work() -> list[Any]:
        aim = command(f"print({json.dumps(json.dumps(EVENT))}); print(RESULT); sys.exit(3)")
        seen = []
        try:
            async for chunk in Adapter().stream(aim, Request.of("hi")):
                seen.append(chunk)
        except TargetError as exc:
            seen.append(exc)
        return seen

    *chunks, error = run(work())
    assert [chunk.text for chunk in chunks] == ["Hi"]
    assert not any(chunk.finish_reason for chunk in chunks)
    assert isinstance(error, TargetError)


def test_a_missing_command() -> None:
    where = endpoint("", "claude-code", transport="process", command=("no-such-command-x",))
    error = failure(lambda: completed(target(where)))
    assert (error.kind, error.code) == (K.UNAVAILABLE, "missing_binary")
    assert "install no-such-command-x" in (error.help or "")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def gone(*pids: int) -> bool:
    deadline = time.monotonic() + 2
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, pids))


#: Forks a child and a grandchild that outlive it and hold its pipes, and writes down who they are.
FAMILY = (
    "import pathlib\n"
    "def note(): open(sys.argv[1], 'a').write(f'{os.getpid()}\\n')\n"
    "note()\n"
    "if os.fork() == 0:\n"
    "    note()\n"
    "    if os.fork() == 0: note()\n"
    "    time.sleep(60)\n"
)


def family(tmp_path: Path, then: str) -> tuple[Any, Path]:
    notes = tmp_path / "pids"
    return command(FAMILY + then, str(notes)), notes


def pids(notes: Path) -> list[int]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if notes.exists() and len(found := notes.read_text().split()) == 3:
            return [int(pid) for pid in found]
        time.sleep(0.01)
    raise AssertionError("the family did not come up")


def test_a_hang_is_killed_with_its_whole_family(tmp_path: Path) -> None:
    aim, notes = family(tmp_path, "time.sleep(60)")

    async def work() -> list[int]:
        task = asyncio.ensure_future(Adapter().complete(aim, Request.of("hi")))
        found = await asyncio.to_thread(pids, notes)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return found

    assert gone(*run(work()))


def test_children_that_are_left_behind_do_not_hold_the_answer_up(tmp_path: Path) -> None:
    aim, notes = family(tmp_path, "time.sleep(0.3)\nprint(RESULT)")
    started = time.monotonic()
    assert completed(aim).text == "Hi"
    assert time.monotonic() - started < 4
    assert gone(*pids(notes))


def test_closing_a_stream_kills_the_process() -> None:
    code = f"print({json.dumps(json.dumps(EVENT))}, flush=True); time.sleep(60)"

    async def work() -> None:
        stream = Adapter().stream(command(code), Request.of("hi"))
        assert (await anext(stream)).text == "Hi"
        await stream.aclose()

    started = time.monotonic()
    run(work())
    assert time.monotonic() - started < 4


def test_spawning_is_injected() -> None:
    seen: list[Any] = []

    async def spawn(argv: Any, environment: Any, directory: Path) -> Any:
        seen.append((argv, environment, directory.name))
        raise OSError(24, "Too many open files")

    where = endpoint("", "claude-code", command=(sys.executable, "{model}"), environment={"A": "b"})

    async def work() -> None:
        await ProcessTransport(spawn).open(call(where, values={"model": "m"}))

    error = failure(lambda: run(work()))
    assert error.kind is K.UNAVAILABLE
    assert "Too many open files" in error.message
    assert seen == [([sys.executable, "m"], {"A": "b"}, "work")]


def test_arguments(tmp_path: Path) -> None:
    values = {"model": "m", "system": "", "odd": "--help"}
    made = arguments(["x", "--m={model}", ["--s", "{system}"], ["--t", "{task}"]], values, tmp_path)
    assert made == ["x", "--m=m"]
    path = tmp_path / "system"
    assert arguments(["--f={system_file}"], values, tmp_path) == [f"--f={path}"]
    assert path.read_text() == ""
    assert arguments(["--m={odd}", '{"json": 1}'], values, tmp_path) == [
        "--m=--help",
        '{"json": 1}',
    ]


@pytest.mark.parametrize(
    ("word", "value"), [("{v}", "-rf"), ("{v}", "--help"), ("a{v}", "\0"), ("{other}", "x")]
)
def test_arguments_that_are_refused(tmp_path: Path, word: str, value: str) -> None:
    error = failure(lambda: arguments([word], {"v": value}, tmp_path))
    assert error.kind is K.CAPABILITY


def test_no_shell_sees_a_value(tmp_path: Path) -> None:
    value = f"$(touch {tmp_path}/pwned); `id` ; *"
    code = "print(json.dumps({**json.loads(RESULT), 'result': sys.argv[1]}))"
    aim = command(code, "{system}")
    prompt = [{"role": "system", "content": value}, {"role": "user", "content": "hi"}]
    assert completed(aim, prompt).text == value
    assert not list(tmp_path.iterdir())
