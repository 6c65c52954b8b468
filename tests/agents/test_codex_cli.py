"""The real Codex CLI: the declared protocol reads it, and it asks the OpenAI simulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmroute.adapter import collect
from llmroute.errors import TargetError
from llmroute.sim import Answer, Fault, Sim, ToolUse
from llmroute.types import Request
from tests.adapter.declared.foreign import PARAMETERS, complete, stream
from tests.adapter.wire import at
from tests.agents.programs import codex

#: The program gives this model its tools in items, in namespaces; the other one in `tools`.
MODELS = ("gpt-6-sol", "gpt-5.5")
TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello"}]


@pytest.fixture
def sim() -> Iterator[Sim]:
    with Sim("openai") as server:
        yield server


def asked(sim: Sim) -> list[dict[str, Any]]:
    return [request.body for request in sim.requests if request.path == "/v1/responses"]


@pytest.mark.parametrize("model", MODELS)
def test_an_answer(model: str, sim: Sim, tmp_path: Path) -> None:
    counts = {"input_tokens": 1000, "cached": 300, "output_tokens": 42}
    sim.script(Answer("Hello there.", reasoning="x" * 120, **counts), times=None)
    target = codex(sim.url, tmp_path, model)
    request = Request.of(TALK, reasoning_effort="low")
    for answer in (complete(target, request), collect(stream(target, request), target)):
        assert (answer.text, answer.finish_reason) == ("Hello there.", "stop")
        usage = answer.usage
        # The simulator counts a token for four characters: 120 are 30.
        assert (usage.input, usage.cached, usage.output, usage.reasoning) == (1000, 300, 42, 30)
    body = asked(sim)[0]
    assert (body["model"], body["reasoning"]["effort"]) == (model, "low")
    texts = [part["text"] for item in body["input"] for part in item.get("content") or ()]
    assert "Be brief." in texts
    assert texts[-1] == "Say hello"


def test_a_json_schema(sim: Sim, tmp_path: Path) -> None:
    schema = {**PARAMETERS, "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = complete(codex(sim.url, tmp_path), Request.of("Where?", response_format=form))
    assert answer.text == '{"city":"text"}'
    assert asked(sim)[0]["text"]["format"]["schema"] == schema


@pytest.mark.parametrize(
    ("model", "call"),
    [
        ("gpt-6-sol", ToolUse("list_agents", {})),
        ("gpt-5.5", ToolUse("exec_command", {"cmd": "true"})),
    ],
)
def test_its_own_tools_are_no_part_of_the_answer(
    model: str, call: ToolUse, sim: Sim, tmp_path: Path
) -> None:
    sim.script(Answer("I'll look.", tools=(call,), finish="tool_calls"), "Done.")
    answer = complete(codex(sim.url, tmp_path, model), Request.of("Do it"))
    assert (answer.text, answer.tool_calls) == ("Done.", ())
    assert answer.reasoning == "I'll look.\n\n"
    _, second = asked(sim)
    made, result = (item for item in second["input"] if "call_id" in item)
    assert (made["type"], made["name"]) == ("function_call", call.name)
    assert (result["type"], result["call_id"]) == ("function_call_output", made["call_id"])
    assert "unsupported" not in str(result["output"])


def test_an_answer_that_is_told_again_counts_once(sim: Sim, tmp_path: Path) -> None:
    """The connection broke when all was told but the end; the program asked again by itself."""
    sim.script(Fault.truncate(after=40), "Hello there.")
    target = codex(sim.url, tmp_path)
    words = (
        w if isinstance(w, tuple) else w.replace("stream_max_retries=0", "stream_max_retries=1")
        for w in target.provider.endpoint.command
    )
    answer = complete(at(target, command=tuple(words)), Request.of("Say hello"))
    assert answer.text == "Hello there."
    assert len(asked(sim)) == 2


def test_a_cut_answer(sim: Sim, tmp_path: Path) -> None:
    """The program calls its turn failed and ends with 1, but the text was told."""
    sim.script(Answer("Hello th", finish="length"), times=None)
    target, request = codex(sim.url, tmp_path), Request.of("Say hello")
    for answer in (complete(target, request), collect(stream(target, request), target)):
        assert (answer.text, answer.finish_reason) == ("Hello th", "length")
        assert answer.usage.estimated


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Fault.failure("auth"), "auth"),
        (Fault.failure("permission"), "auth"),
        (Fault.failure("quota"), "quota"),
        (Fault.failure("rate_limit"), "rate_limit"),
        (Fault.failure("context"), "context"),
        (Fault.failure("model_missing"), "model_missing"),
        (Fault.failure("bad_request"), "invalid_request"),
        (Fault.failure("too_large"), "too_large"),
        (Fault.failure("overloaded"), "overloaded"),
        (Fault.failure("server_error"), "transient"),
        (Fault.truncate(after=1), "transient"),
        (Fault.reset("midway", after=1), "transient"),
        (Fault.error_event(after=1), "transient"),
        (Answer("Hel", finish="failed"), "transient"),
        (Answer("Hel", finish="content_filter"), "policy"),
        (Fault.empty(), "empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_failures(step: Fault | Answer, kind: str, sim: Sim, tmp_path: Path) -> None:
    sim.script(step, times=None)
    with pytest.raises(TargetError) as found:
        complete(codex(sim.url, tmp_path), Request.of("Say hello"))
    assert found.value.kind == kind, found.value


def test_what_the_server_said_is_shown(sim: Sim, tmp_path: Path) -> None:
    with pytest.raises(TargetError) as found:
        complete(codex(sim.url, tmp_path, "gpt-9"), Request.of("Say hello"))
    assert found.value.kind == "model_missing"
    assert found.value.message.startswith("The model `gpt-9` does not exist")
