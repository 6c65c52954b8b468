"""An expression that a comment cuts is one finding, at the comment."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute.config.workspace import read_workspace
from llmroute.policy.check import check_expressions

POLICY = """\
policy: p
rules:
  - name: a
    weight: 1
    prefer: price
    when: """


def told(root: Path, expression: str) -> list[tuple[str, int, int, str]]:
    (root / "policies").mkdir()
    (root / "policies" / "p.yaml").write_text(POLICY + expression, encoding="utf-8")
    workspace, findings = read_workspace(root, {})
    found = [*findings, *check_expressions(workspace)]
    return [
        (one.rule, one.line, one.col, str(one.help)) for one in found if one.file.endswith("p.yaml")
    ]


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("request.user == 'room #12'", 33),
        ("contains(request.tags, 'team  #1')", 41),
        ("facts.code && #facts.math", 25),
    ],
)
def test_a_comment_that_cuts(expression: str, column: int, tmp_path: Path) -> None:
    ((rule, line, col, help_text),) = told(tmp_path, expression)
    assert (rule, line, col) == ("cut-by-comment", 6, column)
    assert help_text.endswith(f'"{expression}"')


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("facts.code = facts.math # note", "expression-syntax"),
        ("facts.coed # note", "unknown-field"),
        ("contain(request.tags, 'a') # note", "unknown-function"),
        ("facts.tokens > 5 # note", "bare-number"),
    ],
)
def test_a_comment_behind_another_fault(expression: str, rule: str, tmp_path: Path) -> None:
    assert [item[0] for item in told(tmp_path, expression)] == [rule]
