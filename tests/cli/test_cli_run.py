"""`run` against simulators on real sockets: answers, failover, what stderr tells."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from llmroute import Router
from llmroute.cli.reporting import Reporter, patience, summary
from llmroute.sim import Fault, Pace, Sim
from llmroute.types import Attempt, Response, Usage, Wait


def _down(sim: Sim) -> None:
    sim.kill()


#: What happens to the first target → what stderr must say of it.
FAILURES = {
    "down": (_down, "first/m: unavailable: "),
    "refusing": (lambda sim: sim.script(Fault.status(401)), "(status 401)"),
    "rate-limited": (lambda sim: sim.script(Fault.status(429)), "(status 429)"),
    "hanging": (
        lambda sim: sim.script(Fault.hang()),
        "first/m: timeout: waited for the first token (0.3 s)",
    ),
    "hanging after its headers": (
        lambda sim: sim.script(Fault.hang("first_token")),
        "first/m: timeout: waited for the first token (0.3 s)",
    ),
    "a web page": (lambda sim: sim.script(Fault.html()), "first/m: malformed: "),
    "no JSON": (lambda sim: sim.script(Fault.garbage()), "first/m: malformed: "),
    "empty": (lambda sim: sim.script(Fault.empty()), "first/m: empty: "),
}


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", FAILURES)
def test_the_next_target_answers(here: Any, pair: Any, name: str, how: tuple[str, ...]) -> None:
    happen, said = FAILURES[name]
    happen(pair.first)
    result = here("run", "--config", str(pair.root), *how, "hi")
    assert result.code == 0
    assert result.out == "m heard: hi\n"
    failed, summary = result.err.splitlines()
    assert failed.startswith("first/m: ")
    assert said in failed
    assert failed.endswith("→ trying the next")
    assert summary.startswith("second/m · ")
    assert summary.endswith(" · 2 attempts")


def test_the_summary_tells_what_calls_cost_that_did_not_answer() -> None:
    calls = (
        Attempt("a/1", "timeout", 0.0, 1.0, cost=Decimal("0.25")),
        Attempt("b/1", "auth", 1.0, 0.5),
        Attempt("c/1", "ok", 1.5, 1.0, cost=Decimal(2)),
    )
    made = Response("hi", "stop", Usage(1, 2), "m", "c/1", cost=Decimal(2), attempts=calls)
    assert summary(made) == (
        "c/1 · 1 tokens in, 2 out · $2.00 + $0.250 for what did not answer · 2.50 s · 3 attempts"
    )


def test_the_summary_counts_tokens_and_money(here: Any, pair: Any) -> None:
    # The simulator counts a token per four characters: "hi" is 1, "m heard: hi" (11) is 3.
    # 1 × $1 + 3 × $2 per million tokens = $0.000007.
    result = here("run", "--config", str(pair.root), "hi")
    assert result.err.startswith("first/m · 1 tokens in, 3 out · $0.00000700 · ")
    assert result.err.endswith(" · 1 attempt\n")
    assert here("run", "--config", str(pair.root), "--quiet", "hi").err == ""


def test_json_is_one_object_with_the_whole_answer(here: Any, pair: Any) -> None:
    pair.first.script(Fault.status(503))
    result = here("run", "--config", str(pair.root), "--json", "hi")
    answer = json.loads(result.out)
    assert answer["text"] == "m heard: hi"
    assert answer["target"] == "second/m"
    assert answer["cost"] == "0.000007"
    assert (answer["usage"]["input"], answer["usage"]["output"]) == (1, 3)
    assert [item["target"] for item in answer["attempts"]] == ["first/m", "second/m"]
    assert answer["attempts"][0]["status"] == 503
    assert answer["decision"]["winner"] == "first/m"


def test_nobody_answers(here: Any, pair: Any) -> None:
    pair.first.kill()
    pair.second.kill()
    result = here("run", "--config", str(pair.root), "hi", "--json")
    assert result.code == 1
    failed, other, *rest = result.err.splitlines()
    assert failed.startswith("first/m: unavailable: ")
    assert other.startswith("second/m: unavailable: ")
    assert rest[0] == "llmroute: no answer after 2 attempts:"
    assert all(" was not called again: its circuit is open until " in line for line in rest[1:])
    assert result.err.count("refused the connection") == 2
    error = json.loads(result.out)["error"]
    assert error["kind"] == "RouteFailed"
    assert {item["outcome"] for item in error["attempts"]} == {"unavailable"}


def test_an_answer_that_breaks_off_is_told(here: Any, pair: Any) -> None:
    pair.first.pace(Pace(0.0, 10.0)).script(Fault.truncate(after=2, ending="cut"))
    result = here("run", "--config", str(pair.root), "hi")
    assert result.code == 1
    assert result.out in ("m \n", "m heard: \n")
    assert "trying the next" not in result.err
    failed, last = result.err.splitlines()
    assert "broke off its answer" in failed
    assert last == "llmroute: the answer broke off"


def test_every_failure_is_told_once(here: Any, pair: Any) -> None:
    pair.first.script(Fault.status(400, body={"error": {"message": "no such thing"}}))
    result = here("run", "--config", str(pair.root), "hi", "--target", "first")
    assert (result.code, result.out) == (1, "")
    failed, last = result.err.splitlines()
    assert failed == "first/m: invalid_request: no such thing (status 400)"
    assert last == "llmroute: no answer after 1 attempt"


def test_verbose_tells_of_every_wait(here: Any, pair: Any) -> None:
    pair.first.script(Fault.status(429, retry_after=0.05))
    call = ("run", "--config", str(pair.root), "hi", "--target", "first")
    failed, wait, summary = here(*call, "--verbose").err.splitlines()
    assert failed.startswith("first/m: rate_limit: ")
    assert wait.startswith("first/m: waiting ")
    assert wait.endswith(" ms: the provider answered 429")
    assert summary.startswith("first/m · ")
    pair.first.script(Fault.status(429, retry_after=0.05))
    assert "waiting" not in here(*call).err


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0004, "1 ms"), (0.25, "250 ms"), (0.9999, "1000 ms"), (1.01, "1.1 s"), (59.0, "59 s")],
)
def test_a_wait_in_words_is_not_shorter_than_it_is(
    capsys: pytest.CaptureFixture[str], pair: Any, seconds: float, said: str
) -> None:
    with Router.load(pair.root) as router:
        reporter = Reporter(router.decide("hi"), waits="all")
    reporter.waits(Wait("a/1", seconds, "why"))
    assert capsys.readouterr().err == f"a/1: waiting {said}: why\n"


def test_stdin_and_system_reach_the_model(process: Any, pair: Any) -> None:
    root = str(pair.root)
    result = process("run", "--config", root, "--system", "Be brief", stdin="two\nlines")
    assert (result.code, result.out) == (0, "m heard: two lines\n")
    sent = pair.first.inferences[0].body["messages"]
    assert sent[0] == {"role": "system", "content": "Be brief"}
    assert sent[1]["content"] == "two\nlines"


def test_the_user_is_told_to_the_provider_and_is_the_caller_of_what_is_spent(
    here: Any, pair: Any
) -> None:
    root = str(pair.root)
    assert here("run", "--config", root, "--user", "alice", "hi").code == 0
    assert pair.first.inferences[0].body["user"] == "alice"
    rows = json.loads(here("spend", "--config", root, "--by", "caller", "--json").out)["rows"]
    assert [(row["caller"], row["requests"]) for row in rows] == [("alice", 1)]
    assert "--user is empty" in here("run", "--config", root, "--user", " ", "hi").err


def test_tool_calls_are_printed_as_json(here: Any, pair: Any, tmp_path: Path) -> None:
    tool = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    (tmp_path / "tool.json").write_text(json.dumps(tool))
    result = here("run", "--config", str(pair.root), "--tool", "tool.json", "get weather")
    call = json.loads(result.out)
    assert (call["name"], call["arguments"]) == ("get_weather", {})


def test_a_schema_is_followed(here: Any, pair: Any, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"const": 7}}, "required": ["n"]}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    result = here("run", "--config", str(pair.root), "--json-schema", "schema.json", "a number")
    assert json.loads(result.out) == {"n": 7}


def test_a_target_that_cannot_stream_answers_in_one_piece(here: Any, pair: Any) -> None:
    for path in (pair.root / "providers.d").iterdir():
        path.write_text(path.read_text().replace("streaming: true, ", ""))
    result = here("run", "--config", str(pair.root), "hi")
    assert (result.code, result.out) == (0, "m heard: hi\n")


def test_explain_comes_first(here: Any, pair: Any) -> None:
    result = here("run", "--config", str(pair.root), "--explain", "hi")
    assert result.err.startswith("policy balanced · ")
    assert "→ first/m with 10 points, 10 ahead of second/m" in result.err


def test_with_only_a_local_server_it_answers(process: Any) -> None:
    with Sim("ollama") as ollama:
        result = process("run", "hi", OLLAMA_HOST=ollama.url)
    assert result.code == 0
    assert result.out.endswith("heard: hi\n")
    assert result.err.startswith("ollama/")


def test_with_nothing_up_it_says_what_to_start_or_set(process: Any) -> None:
    result = process("run", "hi")
    assert (result.code, result.out) == (1, "")
    for advice in ("ollama serve", "lms server start", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        assert advice in result.err
    assert "Traceback" not in result.err


def test_a_sixth_provider_is_one_file(process: Any, tmp_path: Path) -> None:
    assert process("init").code == 0
    with Sim("openai", models=["tiny"], key="secret") as server:
        (tmp_path / "providers.d" / "sixth.yaml").write_text(
            "provider: sixth\n"
            "locality: cloud\n"
            "endpoint:\n"
            "  transport: http\n"
            "  protocol: openai-chat\n"
            f"  base_url: {server.url}/v1\n"
            '  auth: {bearer: "env:SIXTH_KEY"}\n'
            "models:\n"
            "  - model: tiny\n"
            "    capabilities: {streaming: true}\n"
        )
        linted = process("lint", "providers.d/sixth.yaml", SIXTH_KEY="secret")
        assert (linted.code, linted.out.count("[price-missing]")) == (1, 1)
        assert linted.out.endswith("1 warning\n")
        result = process("run", "--target", "sixth/tiny", "hi", SIXTH_KEY="secret")
    assert (result.code, result.out) == (0, "tiny heard: hi\n")
    assert "price unknown" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "frist", "hi"], 'did you mean "first"?'),
        (["--ignore", "secnd", "hi"], 'did you mean "second"?'),
        (["--policy", "balancd", "hi"], 'did you mean "balanced"?'),
        (["--require", "vison", "hi"], 'did you mean "vision"?'),
        (["--require", "tools,vison", "hi"], 'there is no capability "vison"'),
        (["--require", ",", "hi"], "--require names nothing; write capabilities, or leave it"),
        (["--metadata", "privacy", "hi"], "write --metadata NAME=VALUE"),
        (["--timeout", "soon", "hi"], "write seconds above 0, or 500ms, 5s, 10m, 1h"),
        (["--max-tokens", "0", "hi"], "it must be at least 1"),
        (["--image", "photo.txt", "hi"], "is no image by its name"),
        (["--json-schema", sys.executable, "hi"], "is no JSON: it is not UTF-8 text"),
        (["--tool", "absent.json", "hi"], "cannot read absent.json"),
        (["", "--quiet"], "there is no prompt"),
        (["two", "words"], "put text of several words in quotes"),
    ],
)
def test_usage_errors_say_what_to_write(
    here: Any, pair: Any, arguments: list[str], said: str
) -> None:
    result = here("run", "--config", str(pair.root), *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert pair.first.inferences == []


def _looks(*found: str | None) -> tuple[Callable[[], str | None], Event]:
    """Who is asked at each look, and an event that is set at the last of them."""
    left, over = list(found), Event()

    def asking() -> str | None:
        target = left.pop(0) if left else None
        if not left:
            over.set()
        return target

    return asking, over


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (("a/1", "a/1", "a/1"), ["a/1"]),
        (("a/1", "b/1", "b/1"), ["b/1"]),
        (("a/1", None, "a/1"), []),
        (("a/1", "a/1", "b/1", "b/1"), ["a/1", "b/1"]),
    ],
)
def test_who_is_slow_to_begin_is_told_once(
    capsys: pytest.CaptureFixture[str], found: tuple[str | None, ...], told: list[str]
) -> None:
    asking, over = _looks(*found)
    with patience(asking, 0.001):
        assert over.wait(10)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"{target}: waiting for its first content" for target in told]


def test_once_something_is_heard_nobody_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    with patience(lambda: "a/1", 60.0) as heard:
        heard.set()
    assert capsys.readouterr().err == ""
