"""Descriptions of sets of cases: as few conditions as can be, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from llmroute.lab.diffing.boxes import Table
from llmroute.lab.domain.domain import Dimension, Domain

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOOLS = Dimension("facts.tools", (False, True))
TASK = Dimension("request.task", (None, "code", "chat"))
SIZE = Dimension("input_tokens", (None, 0, 100, 101, 5000))
TAGS = Dimension("request.tags", ([], ["a"], ["b"], ["a", "b"], ["other"], ["a", "other"]))


def told(wanted: Any, *dimensions: Dimension, limit: int = 1000) -> list[list[str]]:
    """Describe the cases whose values meet a condition."""
    domain = Domain(dimensions, NOW)
    cases = list(domain.cases(limit))
    usual = {d.name: d.values[0] for d in dimensions}
    mask = sum(
        1 << number for number, case in enumerate(cases) if wanted({**usual, **dict(case.choices)})
    )
    boxes = list(Table(dimensions, cases).boxes(mask))
    held = 0
    for box in boxes:
        held |= box.mask
        assert box.mask >> box.first & 1
    assert held == mask
    return [[f"unless {c.text}" if c.unless else c.text for c in box.conditions] for box in boxes]


def size_of(values: Any) -> int:
    return 8 if values["input_tokens"] is None else values["input_tokens"]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (lambda _: True, []),
        (lambda v: v["facts.tools"], ["facts.tools is true"]),
        (lambda v: not v["facts.tools"], ["unless facts.tools is true"]),
        (lambda v: v["request.task"] == "chat", ['request.task is "chat"']),
        (lambda v: v["request.task"] is not None, ["request.task is not unset"]),
        (lambda v: v["request.task"] != "chat", ['unless request.task is "chat"']),
        (lambda v: size_of(v) > 100, ["input_tokens is at least 101"]),
        (lambda v: size_of(v) < 100, ["unless input_tokens is at least 100"]),
        (lambda v: v["input_tokens"] in (100, 101), ["input_tokens is 100 to 101"]),
        (lambda v: v["input_tokens"] is not None, ["input_tokens is set"]),
        (lambda v: v["input_tokens"] == 100, ["input_tokens is 100"]),
        (lambda v: "a" in v["request.tags"], ['request.tags has "a"']),
        (lambda v: {"a", "b"} <= {*v["request.tags"]}, ['request.tags has "a" and "b"']),
        (lambda v: {"a", "b"} & {*v["request.tags"]}, ['request.tags has "a" or "b"']),
        (lambda v: "a" not in v["request.tags"], ['unless request.tags has "a"']),
        (lambda v: v["request.tags"], ["request.tags is not []"]),
    ],
)
def test_one_condition(wanted: Any, text: list[str]):
    assert told(wanted, TOOLS, TASK, SIZE, TAGS) == [text]


def test_conditions_together_and_apart():
    assert told(lambda v: v["facts.tools"] and "a" in v["request.tags"], TOOLS, TAGS) == [
        ["facts.tools is true", 'request.tags has "a"']
    ]
    either = told(lambda v: v["facts.tools"] or "a" in v["request.tags"], TOOLS, TAGS)
    assert sorted(either) == [["facts.tools is true"], ['request.tags has "a"']]


def test_prompts_are_told_by_what_is_special():
    code = "What is the capital of Austria?\n\ndef f(x):\n    return x + 1\n\nprint(f(2))\n"
    prompts = Dimension("prompt", ("What is the capital of Austria?", code))
    assert told(lambda v: v["prompt"] == code, prompts) == [["prompt is one with code"]]


def test_cases_that_were_not_looked_at_contradict_nothing():
    assert told(lambda v: v["facts.tools"], TOOLS, TASK, limit=2) == [["facts.tools is true"]]


def test_nothing_is_nothing():
    assert told(lambda _: False, TOOLS) == []
