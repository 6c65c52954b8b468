"""The expectations `cost` and `charge`: what requests and answers cost at some targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute.config.schema import check
from llmroute.config.yaml import parse
from tests.lab.testing.testing_bench import run, write

#: far/big costs 10 and 20 USD per million tokens; of its cached tokens nothing is said.
TEST = "- {{name: a, request: {{input_tokens: 1000}}, expect: {{{expect}}}}}"


def _messages(root: Path, expect: str) -> list[str]:
    results = run(write(root), TEST.format(expect=expect))
    assert not results.broken, results.broken
    return [item.message for outcome in results.outcomes for item in outcome.failures]


@pytest.mark.parametrize(
    "expect",
    [
        # 1,000 x 10 + 500 x 20 and 1,000 x 1 + 500 x 2 millionths
        "cost: {far/big: 0.02, far/small: 0.002, near/m: null}",
        "cost: {far/big: [0.019, 0.02]}",
        "cost: {far/big: [0.02, 0.03]}",
        # 2,000 x 10 + 100 x 20
        "charge: {usage: {input: 2000, output: 100}, cost: {far/big: 0.022, near/m: null}}",
        "charge: {usage: {input: 2000, output: 100, cached: 500}, cost: {far/big: 0.022}}",
    ],
)
def test_costs_as_expected_pass(tmp_path: Path, expect: str) -> None:
    assert _messages(tmp_path, expect) == []


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("cost: {far/big: 0.03}", "expected `far/big` to cost $0.03, got $0.02"),
        (
            "cost: {far/big: [0.01, 0.019]}",
            "expected `far/big` to cost from $0.01 to $0.019, got $0.02",
        ),
        ("cost: {far/big: null}", "expected that the price of `far/big` is unknown, got $0.02"),
        ("cost: {near/m: 0}", "expected `near/m` to cost $0, got an unknown price"),
        (
            "charge: {usage: {input: 0, output: 1}, cost: {far/big: 0}}",
            "expected `far/big` to cost $0, got $0.00002",
        ),
    ],
)
def test_other_costs_fail_with_both(tmp_path: Path, expect: str, message: str) -> None:
    assert _messages(tmp_path, expect) == [message]


def test_a_failure_stands_at_the_target(tmp_path: Path) -> None:
    expect = "charge: {usage: {input: 0, output: 1}, cost: {far/big: 0}}"
    results = run(write(tmp_path), TEST.format(expect=expect))
    (outcome,) = results.outcomes
    (failure,) = outcome.failures
    assert failure.rule == "test-charge"
    assert failure.source is not None
    assert failure.source[: failure.col - 1].endswith("far/big: ")


@pytest.mark.parametrize(
    "expect",
    [
        "cost: {far/bgi: 0.02}",
        "charge: {usage: {input: 0, output: 1}, cost: {far/bgi: 0}}",
    ],
)
def test_an_unknown_target_is_an_error(tmp_path: Path, expect: str) -> None:
    results = run(write(tmp_path), TEST.format(expect=expect))
    assert [item.rule for item in results.broken] == ["unknown-target"]
    assert results.broken[0].help == 'did you mean "far/big"?'


@pytest.mark.parametrize(
    "expect",
    [
        "cost: {}",
        "cost: {far/big: [1]}",
        "cost: {far/big: -1}",
        "charge: {usage: {input: 1}, cost: {far/big: 0}}",
        "charge: {usage: {input: 1, output: 1}, cost: {}}",
        "charge: {usage: {input: 1, output: 1}}",
    ],
)
def test_expectations_of_another_shape_are_refused(expect: str) -> None:
    text = f"policy: p\ntests:\n  {TEST.format(expect=expect)}\n"
    document, found = parse(text, "p.test.yaml")
    assert document is not None
    assert not found
    assert check(document, "test")
