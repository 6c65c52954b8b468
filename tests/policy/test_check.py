"""Findings about files that the schema cannot make."""

from __future__ import annotations

from llmroute.config.yaml import parse
from llmroute.policy import check_policy, check_workspace


def test_budgets_that_nothing_holds_are_told_of():
    text = "budgets: [{name: team, scope: {tag: x}, period: month, amount: 5, hard: true}]\n"
    document, _ = parse(text, "llmroute.yaml")
    assert document is not None
    (finding,) = check_workspace(document)
    assert (finding.rule, finding.severity) == ("budget-unenforced", "warning")
    assert (finding.line, finding.col) == (1, 1)


def test_names_under_let_cannot_read_one_another_and_are_told_so():
    text = "policy: p\nlet:\n  a: facts.tools\n  b: a || facts.images\n"
    document, _ = parse(text, "policies/p.yaml")
    assert document is not None
    (finding,) = check_policy(document)
    assert (finding.rule, finding.line, finding.col) == ("unknown-field", 4, 6)
    assert "cannot read one another" in finding.message
    assert finding.help == "write out here what a stands for"
