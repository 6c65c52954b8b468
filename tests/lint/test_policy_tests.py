"""Rules about the tests of policies: in the policies' files, beside them, and alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint import lint
from llmroute.lint.fix import fixes
from tests.lint.rulecase import CLOUD, HOME

ON = date(2026, 11, 22)
POLICY = "policy: p\nrules: [{name: a, weight: 1, prefer: price}]\n"
HEAD = "policy: p\ntests:\n"
IDLE = "  - {name: t, request: {}, expect: {never: []}}\n"
#: Something that each test may well fail on.
HOLDS = "expect: {error: false}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("cloud", CLOUD), ("home", HOME)):
        (tmp_path / "providers.d").mkdir(exist_ok=True)
        (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _beside(root: Path, tests: str) -> Path:
    path = root / "policies" / "p.test.yaml"
    path.write_text(HEAD + tests)
    return path


def _found(place: Path) -> list[Diagnostic]:
    return lint([place], {}, today=ON)


@pytest.mark.parametrize("alone", [False, True])
def test_a_test_beside_the_policy_that_cannot_fail(root: Path, alone: bool) -> None:
    path = _beside(root, IDLE)
    (item,) = _found(path if alone else root)
    assert (item.rule, item.file) == ("test-cannot-fail", "policies/p.test.yaml")
    assert (item.line, item.col, item.end_col) == (3, 28, 34)


def test_a_file_of_tests_outside_a_workspace(tmp_path: Path) -> None:
    path = tmp_path / "p.test.yaml"
    path.write_text(HEAD + IDLE)
    (item,) = _found(path)
    assert (item.rule, item.file, item.line) == ("test-cannot-fail", str(path), 3)


@pytest.mark.parametrize(
    ("test", "columns", "helped"),
    [
        ("expect: {target: cloud/smal}", [45], 'did you mean "cloud/small"?'),
        (f"affinity: cloud/smal, {HOLDS}", [38], 'did you mean "cloud/small"?'),
        (f"live: {{clud: {{}}}}, unavailable: [clud/a], {HOLDS}", [35, 60], "clo"),
        (f"discovered: {{hom: []}}, {HOLDS}", [41], 'did you mean "home"?'),
        ("expect: {rejected: {home/any: usable}, never: [home]}", [], ""),
    ],
)
def test_names_that_nothing_has(root: Path, test: str, columns: list[int], helped: str) -> None:
    _beside(root, f"  - {{name: t, request: {{}}, {test}}}\n")
    items = _found(root)
    assert [(item.rule, item.line, item.col) for item in items] == [
        ("unknown-target", 3, column) for column in columns
    ]
    assert all(helped in str(item.help) for item in items)


def test_what_is_meant_can_be_ignored(root: Path) -> None:
    path = _beside(root, "  # llmroute: ignore[test-cannot-fail] shows the form\n" + IDLE)
    assert _found(root) == _found(path) == []
    path.write_text(HEAD + IDLE.rstrip() + " # llmroute: ignore[test-cannot-fail] a form\n")
    assert _found(root) == []


def test_an_idle_comment_in_a_file_of_tests_is_told_and_mended(root: Path) -> None:
    right = f"  - {{name: t, request: {{}}, {HOLDS}}}\n"
    path = _beside(root, "  # llmroute: ignore[test-cannot-fail] no more\n" + right)
    for place in (root, path):
        (item,) = _found(place)
        assert (item.rule, item.line) == ("ignore-unused", 3)
        (change,) = fixes([place], {})
        assert (change.path, change.new) == (path, HEAD + right)


def test_comments_in_a_file_of_tests_outside_a_workspace(tmp_path: Path) -> None:
    path = tmp_path / "p.test.yaml"
    path.write_text(HEAD + "  # llmroute: ignore[test-cannot-fail] a form\n" + IDLE)
    assert _found(path) == []
    path.write_text(HEAD + "  # llmroute: ignore[let-unused] a form\n" + IDLE)
    assert [item.rule for item in _found(path)] == ["test-cannot-fail"], "alone, who knows"
    assert not fixes([path], {})


def test_tests_of_a_workspace_without_policies_are_read_too(root: Path) -> None:
    (root / "policies" / "p.yaml").unlink()
    path = _beside(root, IDLE)
    (item,) = _found(path)
    assert (item.rule, item.line) == ("unknown-policy", 1)


@pytest.mark.parametrize(
    ("condition", "column", "length", "helped"),
    [
        ("target.provider == 'clod'", 19, 6, "did you mean 'cloud'?"),
        ("('clod' != target.provider)", 1, 6, "did you mean 'cloud'?"),
        ("target.provider == 'x'", 19, 3, "providers are cloud, home"),
        ("target.id == 'cloud/smal'", 13, 12, "did you mean 'cloud/small'?"),
        ("target.id == 'cloud'", 13, 7, "compare target.provider: target.provider == 'cloud'"),
        ("contains(['home', 'clod'], target.provider)", 18, 6, "did you mean 'cloud'?"),
        ('contains(`["clod"]`, target.provider)', 9, 10, "did you mean 'cloud'?"),
        ("target.provider == 'cloud'", None, 0, ""),
        ("target.id == 'home/whatever'", None, 0, ""),
        ("target.id != 'cloud/small'", None, 0, ""),
        ("target.model == 'smal'", None, 0, ""),  # home may discover it
        ("request.metadata.provider == 'clod'", None, 0, ""),
        ("target.upstream == 'clod'", None, 0, ""),
        ("target.provider == 'openai'", None, 0, ""),  # comes with llmroute, is left out here
        ("target.id == 'openai/gpt'", None, 0, ""),
        ("target.id == 'openai'", 13, 8, "providers are cloud, home"),
    ],
)
def test_conditions_on_what_no_target_has(
    root: Path, condition: str, column: int | None, length: int, helped: str
) -> None:
    text = POLICY + "require:\n  - name: r\n    target: "
    (root / "policies" / "p.yaml").write_text(text + condition + "\n")
    items = [item for item in _found(root) if item.rule == "unknown-target"]
    if column is None:
        assert items == []
        return
    (item,) = items
    assert (item.line, item.col, item.end_col) == (5, 13 + column, 13 + column + length)
    assert (item.severity, item.help) == ("warning", helped)


def test_models_are_known_where_nobody_discovers(root: Path) -> None:
    (root / "providers.d" / "home.yaml").unlink()
    text = POLICY.replace("prefer: price", "prefer: \"target.model == 'smal'\"")
    (root / "policies" / "p.yaml").write_text(text)
    (item,) = (item for item in _found(root) if item.rule == "unknown-target")
    assert item.help == "did you mean 'small'?"


def test_shipped_policies_are_about_shipped_providers(root: Path) -> None:
    assert _found(root) == []


def test_the_day_is_given(root: Path) -> None:
    assert _found(root) == []
    later = lint([root], {}, today=date(2027, 6, 1))
    assert [item.rule for item in later] == ["price-stale"]
    assert "212 days old" in later[0].message


def test_aliases_of_what_is_not_there(root: Path) -> None:
    names = "{a: cloud/smal, b: cloud/small, c: home/any, d: policy/p}"
    (root / "llmroute.yaml").write_text(f"aliases: {names}\n")
    (item,) = _found(root)
    assert (item.rule, item.line, item.col) == ("unknown-target", 1, 14)
    assert item.help == 'did you mean "cloud/small"?'


def test_a_condition_over_several_lines(root: Path) -> None:
    text = POLICY + "require:\n  - name: r\n    target: >-\n      target.discovered ||\n"
    (root / "policies" / "p.yaml").write_text(text + "      target.provider == 'clod'\n")
    (item,) = (item for item in _found(root) if item.rule == "unknown-target")
    assert (item.line, item.col, item.end_col) == (7, 26, 32)
