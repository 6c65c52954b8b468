"""What recorded runs of the Claude Code CLI 2.1.330 mean.

The facts of each run's `result` line are copied here; where the recordings lie beside the
checkout, the copies and the whole recordings are held against each other. The run `badflag` has
nothing on stdout; `test_real_claude.py` runs it anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from llmroute.adapter.classify import classify
from llmroute.adapter.protocols import ProviderError
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Response
from tests.adapter.wire import SHARED, endpoint, folded

K = ErrorKind
RUNS = SHARED / "real" / "claude-code"
USAGE = {
    "input_tokens": 1000,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 300,
    "output_tokens": 50,
}


def good(result: str = "Hello from the fake server.", **more: Any) -> dict[str, Any]:
    told = {"subtype": "success", "is_error": False, "result": result, "stop_reason": "end_turn"}
    return {**told, "terminal_reason": "completed", "usage": USAGE, **more}


def bad(result: str, status: int | None = None, kind: str | None = None, **more: Any) -> Any:
    told = {"subtype": "success", "is_error": True, "result": result}
    named = {"api_error_status": status, "api_error_type": kind, "stop_reason": "stop_sequence"}
    return {**told, **named, "terminal_reason": "api_error", **more}


def too_many_turns(most: int) -> dict[str, Any]:
    told = {"subtype": "error_max_turns", "is_error": True, "stop_reason": "tool_use"}
    errors = [f"Reached maximum number of turns ({most})"]
    return {**told, "terminal_reason": "max_turns", "errors": errors}


#: Run → what its `result` line says. Where a text is long, its beginning.
FACTS: Mapping[str, dict[str, Any]] = {
    "json-ok": good(),
    "json-schema": good(
        '{"name":"Ada","age":36}',
        stop_reason="tool_use",
        structured_output={"name": "Ada", "age": 36},
    ),
    "json-verbose": good(),
    "maxturns-1": too_many_turns(1),
    "miderr-nofallback": bad("API Error: Overloaded", 529, "overloaded_error"),
    "nokey": bad("Not logged in · Please run /login"),
    "noretry-e401": bad("Invalid API key · Fix external API key", 401, "authentication_error"),
    "noretry-e404": bad("There's an issue with the selected model", 404, "not_found_error"),
    "noretry-e429": bad("API Error: Request rejected (429)", 429, "rate_limit_error"),
    "noretry-e500": bad("API Error: 500 Internal server error", 500, "api_error"),
    "noretry-e529": bad("API Error: 529 Overloaded", 529, "overloaded_error"),
    "noretry-ecredit": bad("Credit balance is too low", 400, "invalid_request_error"),
    "noretry-ectx": bad(
        "Prompt is too long", 400, "invalid_request_error", terminal_reason="prompt_too_long"
    ),
    "noretry-refused": bad("API Error: Connection refused", api_error="connection_failed"),
    "stop-refusal": bad(
        "API Error: Sonnet 5.5's safeguards flagged this message", stop_reason="refusal"
    ),
    "stream-partial": good(),
    "stream-tooluse": too_many_turns(2),
    "stream-verbose": good(),
    "timeout-api": bad("Request timed out."),
}
KINDS: Mapping[str, ErrorKind] = {
    "maxturns-1": K.TRANSIENT,
    "miderr-nofallback": K.OVERLOADED,
    "nokey": K.AUTH,
    "noretry-e401": K.AUTH,
    "noretry-e404": K.MODEL_MISSING,
    "noretry-e429": K.RATE_LIMIT,
    "noretry-e500": K.TRANSIENT,
    "noretry-e529": K.OVERLOADED,
    "noretry-ecredit": K.QUOTA,
    "noretry-ectx": K.CONTEXT,
    "noretry-refused": K.UNAVAILABLE,
    "stream-tooluse": K.TRANSIENT,
    "timeout-api": K.TIMEOUT,
}


def wholes() -> Iterator[Any]:
    """Yield each run: as its last line alone, and, where they are there, as recorded."""
    for name, facts in FACTS.items():
        lines = [{"type": "system", "tools": ["StructuredOutput"]}] if "schema" in name else []
        yield pytest.param(name, [*lines, {"type": "result", **facts}], id=f"{name}:facts")
        if RUNS.exists():
            yield pytest.param(name, [*lines, *recorded(RUNS / f"{name}.stdout")], id=name)


def recorded(path: Path) -> list[Any]:
    """Return the lines of a run; with `json` it is one object, with `--verbose` as well a list."""
    text = path.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return lines[0] if isinstance(lines[0], list) else lines


def read(lines: list[Any]) -> Response:
    return folded("claude-code", "".join(json.dumps(line) + "\n" for line in lines))


def failed(lines: list[Any]) -> TargetError:
    try:
        read(lines)
    except ProviderError as exc:
        return classify(exc.body, endpoint=endpoint(), model="m", status=exc.status)
    except TargetError as exc:
        return exc
    raise AssertionError("the run did not fail")


@pytest.mark.parametrize(("name", "lines"), list(wholes()))
def test_runs(name: str, lines: list[Any]) -> None:
    if name in KINDS:
        error = failed(lines)
        assert error.kind is KINDS[name]
        assert error.message.startswith(FACTS[name].get("result") or FACTS[name]["errors"][0])
        return
    response = read(lines)
    if name == "stop-refusal":
        assert (response.finish_reason, response.text) == ("content_filter", None)
        assert "safeguards flagged" in (response.refusal or "")
        return
    assert (response.text, response.finish_reason) == (FACTS[name]["result"], "stop")
    usage = response.usage
    assert (usage.input, usage.cached, usage.cache_written, usage.output) == (1500, 300, 200, 50)


@pytest.mark.skipif(not RUNS.exists(), reason="the recordings do not lie beside the checkout")
def test_the_facts_are_the_recordings() -> None:
    names = {path.stem for path in RUNS.glob("*.stdout")}
    assert names == set(FACTS)
    for name in names:
        last = recorded(RUNS / f"{name}.stdout")[-1]
        for key, value in FACTS[name].items():
            said = last.get(key)
            if key == "usage":
                assert {k: said[k] for k in USAGE} == USAGE
            elif key == "result":
                assert said.startswith(value)
            else:
                assert said == value, (name, key)
