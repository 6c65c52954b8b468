"""What a call used and cost where the provider said so in part, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmroute.catalog.cost import Price, Rates
from llmroute.dispatch.usage import charge, partial_usage, usage_of
from llmroute.policy import Policy, PolicySource
from llmroute.types import Chunk, Response, ToolCall, Usage
from tests.build import target
from tests.dispatch.world import DONE, World, says
from tests.loops import run

#: 2 and 10 pico-dollars × 1000 a token: 2 and 10 nano-dollars.
PRICED = replace(target("a/1"), price=Price((Rates(2000, 10_000, 0, 0, 0),)))
FREE = replace(target("b/1"), price=Price((Rates(0, 0, 0, 0, 0),)))
UNKNOWN = replace(target("c/1"), price=None)
DECISION = Policy(PolicySource("p")).decide("hi", (PRICED, FREE, UNKNOWN), input_tokens=100)


def answer(usage, **fields):
    return Response(
        **{"text": "word " * 80, "finish_reason": "stop", "model": "m", **fields}, usage=usage
    )


def test_what_was_reported_is_taken():
    told = Usage(input=7, output=3)
    assert usage_of(answer(told), DECISION, []) is told
    part = Usage(output=3, estimated=True)
    assert usage_of(answer(part), DECISION, []) is part


def test_what_was_not_reported_is_estimated_from_all_that_was_said():
    def output(**fields):
        made = usage_of(answer(Usage(estimated=True), **fields), DECISION, [])
        assert (made.input, made.estimated) == (100, True)
        return made.output

    text = output()
    assert text > 50
    assert output(reasoning="word " * 80) > 1.8 * text
    assert output(tool_calls=(ToolCall("i", "f", "word " * 80),)) > 1.8 * text


@pytest.mark.parametrize(
    ("reported", "said", "output", "estimated"),
    [
        (Usage(input=50, output=500), "x" * 40, 500, False),
        (Usage(input=50, output=0), "", 0, False),
    ],
)
def test_a_broken_call_used_what_was_reported(reported, said, output, estimated):
    made = partial_usage(reported, said, DECISION, PRICED)
    assert (made.input, made.output, made.estimated) == (50, output, estimated)


def test_a_broken_call_used_at_least_what_was_said():
    made = partial_usage(Usage(input=50, output=1), "word " * 100, DECISION, PRICED)
    assert (made.input, made.estimated) == (50, True)
    assert 80 <= made.output <= 200
    alone = partial_usage(None, "word " * 100, DECISION, PRICED)
    assert (alone.output, alone.estimated) == (made.output, True)
    assert alone.input == DECISION.tokens(PRICED)


def test_what_was_used_is_charged_by_the_targets_price():
    warnings = []
    used = Usage(input=100, output=20)
    # 100 × 2 + 20 × 10
    assert charge(PRICED, used, DECISION, partly=False, warnings=warnings) == 400
    assert charge(FREE, used, DECISION, partly=True, warnings=warnings) == 0
    assert charge(UNKNOWN, used, DECISION, partly=False, warnings=warnings) is None
    assert warnings == []


def test_counts_in_part_have_no_cost_and_say_so():
    warnings = []
    assert charge(PRICED, Usage(output=2), DECISION, partly=True, warnings=warnings) is None
    assert warnings == ["the cost is unknown: the provider reported its usage in part"]


@pytest.mark.parametrize("name", ["input", "output", "cached", "cache_written", "reasoning"])
@pytest.mark.parametrize("count", [10**9 + 1, 2**63, 10**309])
@pytest.mark.parametrize("in_a_part", [False, True])
def test_more_tokens_than_any_call_uses_are_a_mistake_of_the_providers(name, count, in_a_part):
    """Neither floats nor databases take them, and budgets would be drained for ever."""
    odd = Usage(**{"input": 5, "output": 5, name: count})
    reported = Usage(input=5, output=5, parts=(odd,)) if in_a_part else odd

    async def work():
        said = (*says("word " * 40)[:-2], (0.1, Chunk(usage=reported)), DONE[1])
        limits = {"limits": {"rpm": 10, "tpm": 10_000}}
        world = World({"a/1": [said]}, data={"a/1": limits})
        response = await world.complete()
        assert response.usage.estimated
        assert 20 < response.usage.output < 100
        assert "more tokens than any call uses" in response.warnings[0]
        assert world.books.settled[0].cost == response.usage.input + response.usage.output
        assert world.health.headroom(world.targets[0]) > 0.8
        await world.assert_settled()

    run(work())


@pytest.mark.parametrize(("gap", "told"), [(1e-5, 60.0), (1e-3, (5 * 60 + 1000) / 6)])
def test_an_answer_that_was_held_back_says_nothing_of_its_speed(gap, told):
    """99 tokens within 1 ms, which no model does; or within 99 ms, beside a prior of five 60s."""
    usage = (0.0, Chunk(usage=Usage(input=10, output=100)))
    texts = ["x"] * 100

    async def work():
        script = (*says(*texts, after=1.0, gap=gap)[:-2], usage, DONE[1])
        world = World({"a/1": [script]})
        await world.complete()
        speed = world.live.of(world.targets[0]).tokens_per_second
        assert speed == pytest.approx(told, rel=0.01)

    run(work())
