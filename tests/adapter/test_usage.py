"""What usage blocks say of the bill: how an answer was served, and the calls made for it."""

from __future__ import annotations

from typing import Any

import pytest

from llmroute.adapter.protocols import protocol
from llmroute.types import Usage
from tests.adapter.wire import target

PLAIN = {"input_tokens": 100, "output_tokens": 10}


def read(name: str, answer: dict[str, Any]) -> Usage:
    return protocol(name).decode(answer, target(name)).usage


def anthropic(**usage: Any) -> Usage:
    content = [{"type": "text", "text": "a"}]
    answer = {"id": "m", "model": "served", "content": content, "stop_reason": "end_turn"}
    return read("anthropic-messages", {**answer, "usage": {**PLAIN, **usage}})


def test_tier_speed_and_region_of_anthropic() -> None:
    found = anthropic(service_tier="batch", speed="fast", inference_geo="us")
    assert (found.tier, found.speed, found.region) == ("batch", "fast", "us")
    assert (anthropic(speed=None, inference_geo=3).speed, anthropic().region) == (None, None)


def test_the_tier_of_openai() -> None:
    choice = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 1}
    answer = {"id": "c", "model": "m", "choices": [choice], "usage": usage}
    assert read("openai-chat", {**answer, "service_tier": "flex"}).tier == "flex"
    assert read("openai-chat", answer).tier is None


def test_a_compaction_adds_to_the_bill() -> None:
    """The counts at the top are those of the messages alone."""
    found = anthropic(
        iterations=[
            {"type": "compaction", "input_tokens": 900, "output_tokens": 40},
            {
                "type": "message",
                "input_tokens": 100,
                "output_tokens": 10,
                "cache_read_input_tokens": 50,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_1h_input_tokens": 20},
            },
        ]
    )
    assert (found.input, found.output, found.cached) == (1_080, 50, 50)
    assert (found.cache_written, found.cache_written_1h) == (30, 20)
    assert found.parts == (Usage(900, 40), Usage(180, 10, 50, 30, 20))


def test_a_part_of_another_model_names_it() -> None:
    found = anthropic(iterations=[{"type": "fallback_message", "model": "other", **PLAIN}])
    assert [part.model for part in found.parts] == ["other"]


@pytest.mark.parametrize("iterations", [[], None, "x", {}, [{"type": "message", **PLAIN}]])
def test_one_call_is_no_sum(iterations: Any) -> None:
    assert anthropic(iterations=iterations) == Usage(100, 10)


def test_a_part_without_counts_makes_the_whole_an_estimate() -> None:
    assert anthropic(iterations=[PLAIN, {"type": "compaction"}]).estimated
    assert anthropic(iterations=[PLAIN, 7]).estimated
