"""The stand-in for the `claude` program, run as a process."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from sim_wire import keys, recorded

from llmroute.sim import Answer, ClaudeStandIn, Fault, Pace
from llmroute.sim.claude_facts import ERRORS

STREAM = ["-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"]
SAFE = ["--tools", "", "--system-prompt", "x", "--max-turns", "1", "--no-session-persistence"]
SAFE += ["--setting-sources", "", "--strict-mcp-config", "--disable-slash-commands"]
SONNET = ["--model", "sonnet"]


@pytest.fixture
def claude() -> Iterator[ClaudeStandIn]:
    with ClaudeStandIn() as made:
        yield made


def run(
    claude: ClaudeStandIn, *arguments: str, typed: str = "say hi", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(claude.path), *arguments],
        input=typed,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", **environment},
        timeout=10,
        check=False,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_streamed_answer(claude: ClaudeStandIn) -> None:
    done = run(claude, *STREAM, *SAFE, *SONNET)
    assert (done.returncode, done.stderr) == (0, "")
    found = lines(done)
    assert [line["type"] for line in found[:2]] == ["system", "system"]
    text = [
        line["event"]["delta"]["text"]
        for line in found
        if line["type"] == "stream_event" and line["event"]["type"] == "content_block_delta"
    ]
    assert "".join(text) == "claude-sonnet-5-5 heard: say hi"
    last = found[-1]
    assert (last["type"], last["is_error"], last["terminal_reason"]) == (
        "result",
        False,
        "completed",
    )
    assert last["result"] == "claude-sonnet-5-5 heard: say hi"
    # "say hi" and the system prompt "x" are 7 characters, the answer 31: 2 and 8 tokens, at 2 and
    # 10 dollars a million.
    assert (last["usage"]["input_tokens"], last["usage"]["output_tokens"]) == (2, 8)
    assert last["total_cost_usd"] == 0.000084
    assert last["modelUsage"]["claude-sonnet-5-5"]["costBasis"] == "list"


@pytest.mark.parametrize(
    ("name", "arguments", "behaviour"),
    [
        ("stream-partial", [*STREAM, *SONNET], "ok"),
        ("stream-verbose", ["-p", "--output-format", "stream-json", "--verbose"], "ok"),
        ("json-ok", ["-p", "--output-format", "json"], "ok"),
        ("miderr-nofallback", [*STREAM, *SONNET], "error_event"),
        ("noretry-e401", ["-p", "--output-format", "json"], "401"),
        ("noretry-refused", ["-p", "--output-format", "json"], "refused"),
        ("noretry-ectx", ["-p", "--output-format", "json"], "context"),
        ("nokey", ["-p", "--output-format", "json"], "nologin"),
        ("stop-refusal", ["-p", "--output-format", "json"], "refusal"),
        ("maxturns-1", ["-p", "--output-format", "json"], "max_turns"),
    ],
)
def test_lines_have_the_keys_of_recorded_ones(
    claude: ClaudeStandIn, name: str, arguments: list[str], behaviour: str
) -> None:
    real = recorded(name)
    ours = lines(run(claude, *arguments, LLMROUTE_SIM_CLAUDE=behaviour))
    printed: dict[str, set[str]] = {}
    for line in ours:
        printed.setdefault(_kind(line), set()).update(line)
    assert printed == {kind: set(names) for kind, names in real["lines"].items()}
    last = ours[-1]
    assert keys(last["usage"]) == set(real["usage"])
    assert {field: last.get(field) for field in real["result"]} == real["result"]
    used = next(iter(last["modelUsage"].values()), {})
    assert set(used) in (set(real["model_usage"]), set())


def _kind(line: dict[str, Any]) -> str:
    event = line.get("event", {}).get("type", "")
    return f"{line['type']}/{line.get('subtype') if line['type'] == 'system' else ''}/{event}"


def test_verbose_json_is_a_list(claude: ClaudeStandIn) -> None:
    done = run(claude, "-p", "--output-format", "json", "--verbose")
    assert [line["type"] for line in json.loads(done.stdout)] == ["system", "assistant", "result"]


def test_plain_text(claude: ClaudeStandIn) -> None:
    assert run(claude, "-p").stdout == "claude-opus-5-5 heard: say hi\n"
    done = run(claude, "-p", LLMROUTE_SIM_CLAUDE="401")
    assert (done.returncode, done.stdout) == (1, "Invalid API key · Fix external API key\n")


def test_the_prompt_of_the_command_line_comes_first(claude: ClaudeStandIn) -> None:
    assert run(claude, "-p", "one", typed="two").stdout == "claude-opus-5-5 heard: one two\n"
    assert run(claude, "-p", "one", typed="").stdout == "claude-opus-5-5 heard: one\n"


def test_a_long_prompt(claude: ClaudeStandIn) -> None:
    done = run(claude, "-p", "--output-format", "json", typed="x" * 400_000)
    assert json.loads(done.stdout)["usage"]["input_tokens"] == 100_000


def test_streamed_input_with_an_image(claude: ClaudeStandIn) -> None:
    content = [{"type": "text", "text": "what?"}, {"type": "image", "source": {}}]
    typed = json.dumps({"type": "user", "message": {"role": "user", "content": content}})
    done = run(claude, *STREAM, "--input-format", "stream-json", typed=typed + "\n")
    last = lines(done)[-1]
    assert last["result"].endswith("heard: what? (and saw 1 image)")
    assert last["usage"]["input_tokens"] == 258
    done = run(claude, *STREAM, "--input-format", "stream-json", typed="garbage\n")
    assert done.returncode == 1
    assert done.stderr == (
        "Error parsing streaming input line (type=unknown, 7 chars): SyntaxError\n"
    )


def test_a_structured_answer(claude: ClaudeStandIn) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    done = run(claude, "-p", "--output-format", "json", "--json-schema", json.dumps(schema))
    last = json.loads(done.stdout)
    jsonschema_rs.validate(schema, last["structured_output"])
    assert json.loads(last["result"]) == last["structured_output"]
    assert (last["stop_reason"], last["num_turns"]) == ("tool_use", 2)
    assert set(last) == set(recorded("json-schema")["lines"]["result//"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-p", "--no-such-flag"], "error: unknown option '--no-such-flag'"),
        (["-p", "--nosuch=5"], "error: unknown option '--nosuch=5'"),
        (["-p", "-x"], "error: unknown option '-x'"),
        (["-p", "print"], ""),
        (["-p", "--model"], "error: option '--model <model>' argument missing"),
        (
            ["-p", "--output-format", "xml"],
            (
                "error: option '--output-format <format>' argument 'xml' is invalid. Allowed "
                "choices are text, json, stream-json."
            ),
        ),
        (
            ["-p", "--output-format", "stream-json"],
            "Error: When using --print, --output-format=stream-json requires --verbose",
        ),
        (
            ["-p", "--include-partial-messages"],
            "Error: --include-partial-messages requires --print and --output-format=stream-json.",
        ),
        (
            ["-p", "--input-format", "stream-json"],
            "Error: --input-format=stream-json requires output-format=stream-json.",
        ),
        (["-p", "--system-prompt-file", "/nope"], "Error: System prompt file not found: /nope"),
    ],
)
def test_what_the_command_line_refuses(
    claude: ClaudeStandIn, arguments: list[str], says: str
) -> None:
    done = run(claude, *arguments)
    assert done.stderr == (f"{says}\n" if says else "")
    assert done.returncode == (1 if says else 0)
    assert bool(done.stdout) is not bool(says)


def test_more_of_the_command_line(claude: ClaudeStandIn) -> None:
    assert run(claude, "--version").stdout == "2.1.330 (Claude Code)\n"
    assert "(Did you mean --output-format?)" in run(claude, "-p", "--outputformat", "x").stderr
    assert run(claude, "-p", typed="").stderr.startswith("Error: Input must be provided")
    assert "--json-schema is not valid JSON" in run(claude, "-p", "--json-schema", "{").stderr
    done = run(claude, "-p", "--output-format=text", "--add-dir", "a", "b", "--effort", "low")
    assert done.returncode == 0


@pytest.mark.parametrize("word", sorted(ERRORS))
def test_failures(claude: ClaudeStandIn, word: str) -> None:
    done = run(claude, *STREAM, *SONNET, LLMROUTE_SIM_CLAUDE=word)
    last = lines(done)[-1]
    assert (done.returncode, last["type"], last["is_error"]) == (1, "result", True)
    assert last["api_error_status"] == ERRORS[word].status
    assert last["total_cost_usd"] == 0


def test_scripted_behaviour(claude: ClaudeStandIn) -> None:
    claude.script(Fault.status(529), "hello", Answer()).behave("429", model="claude-haiku-5-5")
    codes = [run(claude, "-p", *SONNET) for _ in range(3)]
    assert [done.returncode for done in codes] == [1, 0, 0]
    assert "529 Overloaded" in codes[0].stdout
    assert [done.stdout for done in codes[1:]] == ["hello\n", "\n"]
    assert run(claude, "-p", *SONNET).returncode == 0
    assert run(claude, "-p", "--model", "haiku").returncode == 1
    assert run(claude, "-p", "--model", "haiku").returncode == 0


def test_until_cleared(claude: ClaudeStandIn) -> None:
    claude.script(Fault.quota(), times=None)
    assert [run(claude, "-p").returncode for _ in range(2)] == [1, 1]
    assert run(claude.clear(), "-p").returncode == 0


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (Fault.status(401), "401"),
        (Fault.failure("context"), "context"),
        (Fault.failure("rate_limit"), "429"),
        (Fault.quota(), "credit"),
        (Fault.hang(), "hang"),
        (Fault.hang("midway"), "hang_midway"),
        (Fault.garbage(), "garbage"),
        (Fault.reset(), "dropped"),
        (Fault.truncate(), "truncate"),
        (Fault.error_event(), "error_event"),
    ],
)
def test_faults_have_words(claude: ClaudeStandIn, fault: Fault, word: str) -> None:
    claude.script(fault)
    assert json.loads((claude.home / "script.json").read_text())[0]["behaviour"] == word


def test_a_fault_without_a_word(claude: ClaudeStandIn) -> None:
    with pytest.raises(ValueError, match="'drip'"):
        claude.script(Fault.drip())


def test_calls_are_recorded(claude: ClaudeStandIn, tmp_path: Path) -> None:
    subprocess.run(
        [str(claude.path), "-p", *SONNET],
        input="hi",
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "SECRET": "x"},
        check=True,
        capture_output=True,
    )
    (call,) = claude.requests
    assert (call["arguments"], call["prompt"]) == (["-p", *SONNET], "hi")
    assert (call["folder"], call["behaviour"]) == (str(tmp_path), "ok")
    assert "SECRET" in call["environment"]
    assert "HOME" not in call["environment"]


@pytest.mark.parametrize(
    ("word", "code", "out", "err"),
    [
        ("crash", 1, "", "Error: the program has crashed\n"),
        ("garbage", 0, "Welcome! Please update to continue.\n", ""),
        ("exit_nonzero", 3, "claude-opus-5-5 heard: say hi\n", ""),
        ("empty", 0, "\n", ""),
    ],
)
def test_other_ways_to_end(claude: ClaudeStandIn, word: str, code: int, out: str, err: str) -> None:
    done = run(claude, "-p", LLMROUTE_SIM_CLAUDE=word)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)


def test_truncate_and_crash_midway_have_no_result(claude: ClaudeStandIn) -> None:
    for word, code in (("truncate", 0), ("crash_midway", 1)):
        done = run(claude, *STREAM, LLMROUTE_SIM_CLAUDE=word)
        assert done.returncode == code
        assert all(line["type"] != "result" for line in lines(done))


def test_a_long_line_and_a_flood(claude: ClaudeStandIn) -> None:
    done = run(claude, *STREAM, LLMROUTE_SIM_CLAUDE="long_line")
    assert max(map(len, done.stdout.splitlines())) > 64 * 1024
    assert lines(done)[-1]["type"] == "result"
    done = run(claude, "-p", LLMROUTE_SIM_CLAUDE="flood")
    assert len(done.stderr) == 32 * 1024 * 1024


@pytest.mark.parametrize("word", ["hang", "hang_midway", "fork"])
def test_hanging(claude: ClaudeStandIn, word: str) -> None:
    process = subprocess.Popen(
        [str(claude.path), *STREAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "LLMROUTE_SIM_CLAUDE": word},
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("hi")
    process.stdin.close()
    if word == "hang_midway":
        while '"text": "claude-opus-5-5 "' not in process.stdout.readline():
            pass
    while not claude.requests:
        time.sleep(0.005)
    assert process.poll() is None
    os.killpg(process.pid, 9)
    process.stdout.read()
    process.stdout.close()
    process.wait()


def test_killed_it_is_missing(claude: ClaudeStandIn) -> None:
    claude.kill()
    with pytest.raises(FileNotFoundError):
        run(claude, "-p")
    claude.revive()
    assert run(claude, "-p").returncode == 0


def test_pace() -> None:
    with ClaudeStandIn(pace=Pace(first_token=0.3)) as claude:
        begun = time.perf_counter()
        assert run(claude, "-p").returncode == 0
        assert time.perf_counter() - begun > 0.3
