"""Findings about files that the schema cannot make."""

from __future__ import annotations

from llmroute.config.yaml import parse
from llmroute.policy import check_workspace


def test_budgets_that_nothing_holds_are_told_of():
    text = "budgets: [{name: team, scope: {tag: x}, period: month, amount: 5, hard: true}]\n"
    document, _ = parse(text, "llmroute.yaml")
    assert document is not None
    (finding,) = check_workspace(document)
    assert (finding.rule, finding.severity) == ("budget-unenforced", "warning")
    assert (finding.line, finding.col) == (1, 1)
