"""The real Gemini CLI: the declared protocol reads it, and it asks the Gemini simulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmroute.adapter import collect
from llmroute.errors import TargetError
from llmroute.sim import Answer, Fault, Sim, ToolUse
from llmroute.types import Request
from tests.adapter.declared.foreign import complete, stream
from tests.agents.programs import gemini


@pytest.fixture
def sim() -> Iterator[Sim]:
    with Sim("gemini") as server:
        yield server


def test_an_answer(sim: Sim, tmp_path: Path) -> None:
    sim.script(Answer("Hello there.", input_tokens=1000, cached=300), times=None)
    target = gemini(sim.url, tmp_path)
    request = Request.of("Say hello")
    for answer in (complete(target, request), collect(stream(target, request), target)):
        assert (answer.text, answer.finish_reason) == ("Hello there.", "stop")
        assert answer.model == "gemini-2.5-flash"
        # "Hello there." has 12 characters: a token each four.
        assert (answer.usage.input, answer.usage.cached, answer.usage.output) == (1000, 300, 3)
    assert sim.requests[-1].path.endswith("models/gemini-2.5-flash:streamGenerateContent")


def test_an_answer_that_the_program_stopped_was_cut(sim: Sim, tmp_path: Path) -> None:
    look = ToolUse("glob", {"pattern": "*"})
    sim.script(Answer("Let me look.", tools=(look,), finish="tool_calls"), times=None)
    answer = complete(gemini(sim.url, tmp_path), Request.of("Say hello"))
    assert answer.finish_reason == "length"
    assert (answer.text or "").startswith("Let me look.")


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_what_has_words_looks_whole(finish: str, sim: Sim, tmp_path: Path) -> None:
    """The program tells why an answer ended only where that left it without a word."""
    sim.script(Answer("Hello there.", finish=finish), times=None)
    answer = complete(gemini(sim.url, tmp_path), Request.of("Say hello"))
    assert (answer.text, answer.finish_reason) == ("Hello there.", "stop")


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Fault.failure("auth"), "auth"),
        (Fault.failure("quota"), "quota"),
        (Fault.failure("rate_limit"), "rate_limit"),
        (Fault.failure("context"), "context"),
        (Fault.failure("bad_request"), "invalid_request"),
        (Fault.failure("overloaded"), "overloaded"),
        (Fault.truncate(after=1), "transient"),
        (Fault.reset("midway", after=1), "transient"),
        (Answer("", finish="content_filter"), "policy"),
        (Answer("", finish="length"), "empty"),
        (Fault.empty(), "empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_failures(step: Fault | Answer, kind: str, sim: Sim, tmp_path: Path) -> None:
    sim.script(step, times=None)
    with pytest.raises(TargetError) as found:
        complete(gemini(sim.url, tmp_path), Request.of("Say hello"))
    assert found.value.kind == kind, found.value


def test_what_the_server_said_is_shown(sim: Sim, tmp_path: Path) -> None:
    sim.script(Fault.failure("auth"), times=None)
    with pytest.raises(TargetError) as found:
        complete(gemini(sim.url, tmp_path), Request.of("Say hello"))
    assert found.value.message == "API key not valid. Please pass a valid API key."
