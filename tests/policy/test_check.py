"""Findings about files that the schema cannot make."""

from __future__ import annotations

import pytest

from llmroute.config.yaml import parse
from llmroute.policy import check_policy, check_workspace

BUDGETS = "budgets: [{name: team, scope: {tag: x}, period: month, amount: 5, hard: true}]\n"


@pytest.mark.parametrize("budgets", [BUDGETS, BUDGETS.replace("true", "false")])
def test_budgets_that_nothing_holds_are_refused(budgets):
    document, _ = parse(f"{budgets}ledger: false\n", "llmroute.yaml")
    assert document is not None
    (finding,) = check_workspace(document)
    assert (finding.rule, finding.severity) == ("budget-unenforced", "error")
    assert (finding.line, finding.col) == (1, 1)


@pytest.mark.parametrize(
    "text", [BUDGETS, f"{BUDGETS}ledger: true\n", f"{BUDGETS}ledger: {{keep: 9d}}\n"]
)
def test_budgets_beside_a_ledger_are_right(text):
    document, _ = parse(text, "llmroute.yaml")
    assert document is not None
    assert check_workspace(document) == []


@pytest.mark.parametrize("text", ["ledger: false\n", "ledger: false\nbudgets: []\n"])
def test_a_ledger_that_is_off_needs_no_budgets(text):
    document, _ = parse(text, "llmroute.yaml")
    assert document is not None
    assert check_workspace(document) == []


def test_names_under_let_cannot_read_one_another_and_are_told_so():
    text = "policy: p\nlet:\n  a: facts.tools\n  b: a || facts.images\n"
    document, _ = parse(text, "policies/p.yaml")
    assert document is not None
    (finding,) = check_policy(document)
    assert (finding.rule, finding.line, finding.col) == ("unknown-field", 4, 6)
    assert "cannot read one another" in finding.message
    assert finding.help == "write out here what a stands for"


@pytest.mark.parametrize(
    ("prefer", "helped"),
    [
        ("prices", 'did you mean "price"?'),
        ("Quality", 'did you mean "quality"?'),
        ("costs", "did you mean prefer: {cost: {half: 0.01}}?"),
        ("latencies", "did you mean prefer: {latency: {half: 2s}}?"),
        ("trougput", "did you mean prefer: {throughput: {half: 50}}?"),
        ("fact", 'did you mean "facts"?'),
        ("code", 'did you mean "coding"?'),
        ("price.half", "price is a preference, no field: it stands alone, prefer: price"),
        (
            "coding && latency",
            "latency is a preference, no field: it stands alone, prefer: {latency: {half: 2s}}",
        ),
    ],
)
def test_the_names_of_preferences_are_suggested(prefer, helped):
    text = f"policy: p\nlet: {{coding: facts.code}}\nrules:\n  - prefer: {prefer}\n"
    document, _ = parse(text, "policies/p.yaml")
    assert document is not None
    (finding,) = check_policy(document)
    assert (finding.rule, finding.line, finding.help) == ("unknown-field", 4, helped)


def test_a_preference_without_its_half_is_told_once():
    text = "policy: p\nrules:\n  - prefer: latency\n"
    document, _ = parse(text, "policies/p.yaml")
    assert document is not None
    (finding,) = check_policy(document)
    assert (finding.rule, finding.help) == ("prefer-half", "write prefer: {latency: {half: 2s}}")
