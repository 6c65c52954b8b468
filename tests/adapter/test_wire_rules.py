"""The rules that a provider file can state of a model's wire, beside those of shipped models."""

from __future__ import annotations

from typing import Any

import pytest

from llmroute.catalog.model import WireRules
from llmroute.catalog.targets import build_target
from tests.adapter.wire import WEATHER, encoded, endpoint, target
from tests.build import provider

ANTHROPIC = "anthropic-messages"


def test_every_rule_comes_from_the_file() -> None:
    data: dict[str, Any] = {
        "reject": ["seed"],
        "rename": {"stop": "ends"},
        "efforts": ["low"],
        "with_tools": {"x": 1},
        "default_effort": "none",
        "reject_reasoning": ["top_p"],
        "thinking": ["adaptive"],
        "system_turns": True,
        "tool_names": 64,
        "max_tools": 128,
        "max_input": 922000,
        "max_stop": 4,
        "min_output": 16,
    }
    made = build_target(provider("p"), {"model": "m", "wire": data}, discovered=False).wire
    assert made == WireRules(
        reject=("seed",),
        rename={"stop": "ends"},
        efforts=("low",),
        with_tools={"x": 1},
        default_effort="none",
        reject_reasoning=("top_p",),
        thinking=("adaptive",),
        system_turns=True,
        tool_names=64,
        max_tools=128,
        max_input=922000,
        max_stop=4,
        min_output=16,
    )
    assert build_target(provider("p"), {"model": "m"}, discovered=False).wire == WireRules()


def test_stop_sequences_beyond_what_is_taken_are_dropped() -> None:
    aim = target("openai-chat", wire=WireRules(max_stop=4))
    made = encoded(aim, stop=("a", "b", "c", "d", "e"))
    assert made.body["stop"] == ["a", "b", "c", "d"]
    assert made.warnings == ("stop was cut to 4 sequences: p/m takes no more",)
    assert encoded(aim, stop=("a", "b", "c", "d")).warnings == ()


def test_fewer_tokens_than_are_taken_become_the_least() -> None:
    aim = target("openai-responses", wire=WireRules(min_output=16))
    made = encoded(aim, max_tokens=15)
    assert made.body["max_output_tokens"] == 16
    assert made.warnings == ("max_tokens 15 became 16: p/m takes no less",)
    for asked in (16, 17):
        assert encoded(aim, max_tokens=asked).body["max_output_tokens"] == asked
        assert encoded(aim, max_tokens=asked).warnings == ()


@pytest.mark.parametrize("default", [None, "low"])
def test_a_model_reasons_unless_it_is_known_not_to(default: str | None) -> None:
    rules = WireRules(reject_reasoning=("temperature",), default_effort=default)
    assert "temperature" not in encoded(target("openai-chat", wire=rules), temperature=0.5).body
    quiet = target("openai-chat", wire=WireRules(("seed",), default_effort="none"))
    assert encoded(quiet, temperature=0.5).body["temperature"] == 0.5


@pytest.mark.parametrize(
    ("header", "version", "sampled"),
    [
        ("anthropic-version", "2023-06-01", True),
        ("anthropic-version", "2026-10-21", False),
        ("Anthropic-Version", "2026-10-21", False),
    ],
)
def test_the_api_version_is_the_header(header: str, version: str, sampled: bool) -> None:
    """The version of October 2026 refuses sampling parameters even at their defaults."""
    aim = target(endpoint(dialect=ANTHROPIC, headers={header: version}))
    made = encoded(aim, temperature=1.0, top_p=1.0, max_tokens=5)
    assert ({"temperature", "top_p"} <= set(made.body)) is sampled
    assert len(made.warnings) == (0 if sampled else 2)
    assert made.body["max_tokens"] == 5


def test_efforts_of_a_model_whose_thinking_is_not_stated_go_out_as_they_are() -> None:
    made = encoded(target(ANTHROPIC), reasoning_effort="max")
    assert made.body["output_config"] == {"effort": "max"}
    assert "thinking" not in made.body


def test_a_rejected_effort_is_dropped_whatever_the_types() -> None:
    rules = WireRules(("reasoning_effort",), thinking=("enabled", "disabled"))
    for effort in ("none", "high"):
        made = encoded(target(ANTHROPIC, wire=rules), reasoning_effort=effort)
        assert "thinking" not in made.body
        assert made.warnings[0].startswith("reasoning_effort was dropped")


@pytest.mark.parametrize(
    "name", ["openai-chat", "openai-responses", "anthropic-messages", "ollama-chat"]
)
def test_a_rejected_flag_of_parallel_calls_is_dropped(name: str) -> None:
    fields: dict[str, Any] = {"tools": (WEATHER,), "parallel_tool_calls": False}
    made = encoded(target(name, wire=WireRules(reject=("parallel_tool_calls",))), **fields)
    assert made.body == encoded(target(name), tools=(WEATHER,)).body
    assert made.warnings == ("parallel_tool_calls was dropped: p/m rejects it",)
    assert encoded(target(name), **fields).warnings != made.warnings


def test_rejected_stream_options_are_left_out() -> None:
    aim = target("openai-chat", wire=WireRules(reject=("stream_options",)))
    assert "stream_options" not in encoded(aim, stream=True).body
    assert encoded(aim, stream=True).warnings == ()
