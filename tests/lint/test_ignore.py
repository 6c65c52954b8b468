"""Comments that ignore findings: where they count, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.yaml import Document, parse
from llmroute.lint import lint
from llmroute.lint.fix import fixes
from llmroute.lint.ignore import ignores

IDLE = "rules: [{name: a, weight: 0, prefer: price}]"
RULE = "weight-zero"


def _document(text: str) -> Document:
    document, found = parse(text, "x.yaml", Path("x.yaml"))
    assert document is not None, found
    return document


def _lint(root: Path, text: str) -> list[Diagnostic]:
    (root / "llmroute.yaml").write_text("timezone: UTC\n")
    (root / "policies").mkdir()
    (root / "policies" / "p.yaml").write_text(f"{text}policy: p\n")
    return lint([root / "policies" / "p.yaml"], {}, analyses=False)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        f"{IDLE} # llmroute: ignore[{RULE}] counted elsewhere\n",
        f"# llmroute: ignore[{RULE}] counted elsewhere\n{IDLE}\n",
        f"# llmroute:ignore[ {RULE} ]: counted elsewhere\n# and more\n{IDLE}\n",
        f"#llmroute: ignore[{RULE}] counted elsewhere\r\n{IDLE}\r\n",
    ],
)
def test_a_finding_is_ignored(root: Path, text: str) -> None:
    assert _lint(root, text) == []


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (f"{IDLE} # llmroute: ignore[{RULE}]\n", {RULE, "ignore-reason"}),
        (f"{IDLE} # llmroute: ignore because\n", {RULE, "ignore-unknown"}),
        (f"{IDLE} # llmroute: ignore[] because\n", {RULE, "ignore-unknown"}),
        (f"{IDLE} # llmroute: ignore[weight-zer] x\n", {RULE, "ignore-unknown"}),
        (f"{IDLE}\n# llmroute: ignore[{RULE}] below it\n", {RULE, "ignore-unused"}),
        (f"# llmroute: ignore[{RULE}] too far\n\n{IDLE}\n", {RULE, "ignore-unused"}),
        (f"{IDLE} # llmroute: ignore[timezone] other\n", {RULE, "ignore-unused"}),
        (f"{IDLE} # llmroute: ignore[{RULE}, timezone] two\n", {"ignore-unused"}),
        (f"{IDLE} # llmroute: ignore[{RULE}, secret-unset] machine\n", set()),
        (f"{IDLE} # llmroute: ignore[{RULE}, model-retired] tables\n", set()),
    ],
)
def test_comments_are_judged(root: Path, text: str, rules: set[str]) -> None:
    assert {item.rule for item in _lint(root, text)} == rules


def test_an_unknown_rule_is_suggested(root: Path) -> None:
    text = f"{IDLE} # llmroute: ignore[weight-zer] x\n"
    (found,) = (item for item in _lint(root, text) if item.rule == "ignore-unknown")
    assert found.help == 'did you mean "weight-zero"?'
    assert (found.line, found.col) == (1, len(IDLE) + 2)


def test_what_makes_a_file_unloadable_stays(root: Path) -> None:
    (root / "policies").mkdir()
    text = "policy: p\nrules:\n  - {name: a, weight: 1, prefer: foo.bar} {comment}\n"
    comment = "# llmroute: ignore[unknown-field] meant"
    (root / "policies" / "p.yaml").write_text(text.replace("{comment}", comment))
    (root / "llmroute.yaml").write_text("timezone: UTC\n")
    rules = {item.rule: item.message for item in lint([root / "policies"], {})}
    assert set(rules) == {"unknown-field", "ignore-unused"}
    assert "cannot be ignored" in rules["ignore-unused"]


def test_text_is_no_comment() -> None:
    text = (
        'a: "x # llmroute: ignore[r] y"\n'
        "b: 'x\n  # llmroute: ignore[r] y'\n"
        "c: |  # llmroute: ignore[r] in the header\n"
        "  # llmroute: ignore[r] in the text\n"
        "# llmroute: ignore[r] behind the text\n"
        "d: x#llmroute:ignore[r] no blank before it\n"
    )
    assert [item.place.line for item in ignores(_document(text))] == [4, 6]


def test_the_whole_of_a_text_is_covered() -> None:
    text = "# llmroute: ignore[r] y\na: |\n  one\n  two\nb: 1\n"
    (comment,) = ignores(_document(text))
    assert (comment.first, comment.last) == (2, 4)


def test_rules_that_did_not_run_are_not_missed(root: Path) -> None:
    from llmroute.lint.ignore import IgnoreFindings, settle

    document = _document("a: 1 # llmroute: ignore[slow] y\n")
    judge = IgnoreFindings(lambda: ["slow"], {"slow"}, unused=True)
    assert settle([document], [], [], judge) == []
    (found,) = settle([document], [], [], judge._replace(skipped=()))
    assert found.rule == "ignore-unused"
    assert found.fix is not None
    assert found.fix[1:] == (1, 5, 1, 32, "")


def test_of_a_file_alone_nobody_knows_what_is_there_to_ignore(root: Path) -> None:
    """What a rule compares with other files, it does not find without them."""
    text = "policy: p\n# llmroute: ignore[rule-inert] for models to come\nrules: []\n"
    (root / "p.yaml").write_text(text)
    assert lint([root / "p.yaml"], {}) == []
    assert fixes([root / "p.yaml"], {}) == []
