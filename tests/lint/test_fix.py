"""Safe fixes: what they write, what they leave alone, and that no decision changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmroute.config.diagnostics import Diagnostic, Edit
from llmroute.errors import UsageError
from llmroute.lint import lint
from llmroute.lint import registry as registry_module
from llmroute.lint.edits import apply, compatible
from llmroute.lint.fix import Change, fixes, to_diff, write
from llmroute.lint.project import Project
from llmroute.lint.registry import Rule

PROVIDER = """\
# about this file
provider: one
locality: cloud   # where it is
endpoint: {transport: http, protocol: openai-chat, base_url: "https://a.example/v1", auth: none}
models:
  - model: m
    cost: {input: 1, output: 2}  # a price
"""
POLICY = "policy: p\nrules:\n  - {name: a, weight: 1, prefer: price}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "policies").mkdir()
    (tmp_path / "providers.d" / "one.yaml").write_text(PROVIDER)
    (tmp_path / "policies" / "p.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _fixed(root: Path, file: str, old: str, new: str) -> str:
    """Spoil a file, fix it, and return its text."""
    path = root / file
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())
    write(fixes([root], {}))
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("file", "old", "new", "made"),
    [
        ("providers.d/one.yaml", "locality: cloud", "localty: cloud", "locality: cloud"),
        ("providers.d/one.yaml", "input: 1", "inptu: 1", "input: 1"),
        ("providers.d/one.yaml", "input: 1", '"inptu": 1', '"input": 1'),
        ("providers.d/one.yaml", "input: 1", 'input: "1"', "input: 1"),
        ("providers.d/one.yaml", "input: 1", "input: 1_000", "input: 1000"),
        ("providers.d/one.yaml", "input: 1", "input: 3e-6", "input: 0.000003"),
        ("providers.d/one.yaml", "# about", "description: no # about", 'description: "no" # about'),
        ("providers.d/one.yaml", "- model: m", "- model: 12:30", None),
        ("providers.d/one.yaml", "input: 1", "input: 017", None),
        ("providers.d/one.yaml", "locality: cloud", "locality: clod", None),
        ("providers.d/one.yaml", "locality: cloud", "place: cloud", None),
        ("policies/p.yaml", "prefer: price", "when: !(facts.code), prefer: price", None),
    ],
)
def test_what_is_fixed(root: Path, file: str, old: str, new: str, made: str | None) -> None:
    before = (root / file).read_text()
    text = _fixed(root, file, old, new)
    if made is not None:
        assert text == before.replace(old, made)
    elif "when" in new:
        assert '"!(facts.code)"' in text
    else:
        wanted = before.replace(old, new)
        assert text in (wanted, wanted.replace("12:30", '"12:30"'))


@pytest.mark.parametrize(
    "rule",
    [
        "prefer: [price, quality]",
        "prefer: {quality: {half: 0.5}}",
        "prefer: price, when: [facts.code, facts.tools]",
        "prefer: price, when: {a: facts.code}",
        "prefer: !(quality)",
    ],
)
def test_quotes_that_would_mean_something_else_are_not_added(root: Path, rule: str) -> None:
    text = POLICY.replace("prefer: price", rule)
    assert _fixed(root, "policies/p.yaml", POLICY, text) == text


def test_of_two_keys_that_may_mean_the_same_neither_is_mended(root: Path) -> None:
    text = PROVIDER.replace("input: 1, output: 2", "inptu: 1, inpt: 2")
    assert _fixed(root, "providers.d/one.yaml", PROVIDER, text) == text


def test_everything_else_stays(root: Path) -> None:
    path = root / "providers.d" / "one.yaml"
    text = "\ufeff" + PROVIDER.replace("\n", "\r\n").replace("input", "inptu")[:-2]
    path.write_bytes(text.encode())
    write(fixes([path], {}))
    assert path.read_bytes().decode() == text.replace("inptu", "input")


def test_fixes_are_repeated_until_nothing_is_left(root: Path) -> None:
    path = root / "policies" / "p.yaml"
    path.write_text(POLICY.replace("weight: 1", 'wieght: "1"'))
    (change,) = fixes([root], {})
    assert change.new == POLICY
    assert change.mended == 2
    assert path.read_text() != POLICY
    write([change])
    assert fixes([root], {}) == []


def test_only_what_was_asked_for_is_changed(root: Path) -> None:
    for path in (root / "providers.d" / "one.yaml", root / "policies" / "p.yaml"):
        path.write_text(path.read_text().replace("weight", "wieght").replace("input", "inptu"))
    (change,) = fixes([root / "policies"], {})
    assert change.path == root / "policies" / "p.yaml"


def test_a_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(PROVIDER.replace("input", "inptu"))
    (change,) = fixes([path])
    assert change.new == PROVIDER
    (again,) = fixes([tmp_path])
    assert again == change


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        fixes([tmp_path / "absent"])


@pytest.fixture
def harmful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two rules with fixes: one changes a weight, the other a description."""

    def weight(project: Project) -> Iterator[Diagnostic]:
        for document in project.policies.values():
            if document.data["rules"][0]["weight"] == 1:
                item = document.diagnostic("bad-fix", "m", ("rules", 0, "weight"))
                yield item.with_fix("2")

    def description(project: Project) -> Iterator[Diagnostic]:
        for document in project.policies.values():
            if document.data.get("description") == "x":
                item = document.diagnostic("good-fix", "m", ("description",))
                yield item.with_fix("better")

    made = (Rule("bad-fix", "warning", weight), Rule("good-fix", "warning", description))
    for module in ("check", "registry"):
        monkeypatch.setattr(f"llmroute.lint.{module}.rules", lambda: made)
    assert registry_module.rules() == made
    return iter(())


def test_a_fix_that_changes_a_decision_is_not_made(root: Path, harmful: None) -> None:
    path = root / "policies" / "p.yaml"
    path.write_text(POLICY.replace("rules:", "description: x\nrules:"))
    assert len(lint([root], {})) == 2
    (change,) = fixes([root], {})
    assert change.new == POLICY.replace("rules:", "description: better\nrules:")
    assert change.mended == 1


def test_a_file_that_changed_meanwhile_is_left_alone(root: Path) -> None:
    path = root / "policies" / "p.yaml"
    with pytest.raises(UsageError, match="changed meanwhile"):
        write([Change(path, "old", "new", 1)])
    assert path.read_text() == POLICY


def test_the_diff_is_unified(root: Path) -> None:
    change = Change(root / "policies" / "p.yaml", "a\nb", "a\nc", 1)
    assert to_diff([change]) == (
        "--- a/policies/p.yaml\n+++ b/policies/p.yaml\n@@ -1,2 +1,2 @@\n a\n"
        "-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
    )


def _edit(start: tuple[int, int], end: tuple[int, int], text: str = "x") -> Edit:
    return Edit("f", *start, *end, text)


def test_edits_never_overlap() -> None:
    first, second = _edit((1, 1), (1, 4)), _edit((1, 3), (1, 6))
    assert compatible([second, first]) == [first]
    beside = _edit((1, 4), (1, 6))
    assert compatible([beside, first]) == [first, beside]
    here = _edit((1, 2), (1, 2), "a")
    assert compatible([here, here, here._replace(text="b")]) == [here]


def test_edits_of_lines() -> None:
    text = "one\r\ntwo\rthree\n"
    assert apply(text, [_edit((2, 1), (3, 1), "")]) == "one\r\nthree\n"
    assert apply(text, [_edit((3, 1), (3, 6)), _edit((1, 1), (1, 1), "0 ")]) == "0 one\r\ntwo\rx\n"
    assert apply(text, [_edit((9, 1), (9, 9), "end")]) == f"{text}end"


def test_what_a_link_leads_out_to_is_left_alone(root: Path) -> None:
    outside = root.parent / "outside.yaml"
    outside.write_text(POLICY.replace("policy: p", "policy: q").replace("weight", "wieght"))
    (root / "policies" / "q.yaml").symlink_to(outside)
    assert fixes([root], {}) == []
    inside = root / "policies" / "q.yaml"
    inside.unlink()
    inside.symlink_to(root / "q.txt")
    (root / "q.txt").write_text(outside.read_text())
    write(fixes([root], {}))
    assert inside.is_symlink()
    assert "weight" in (root / "q.txt").read_text()


def test_the_diff_shows_no_secret(root: Path) -> None:
    """What stands near a fix is masked as an excerpt masks it, and so are changed lines."""
    old = "a: 1\nauth: {bearer: 0123456789abcdef}\nlocalty: cloud\ntoken: abcdef0123456789 # x\n"
    new = old.replace("localty", "locality").replace(" # x", " # y")
    assert to_diff([Change(root / "policies" / "p.yaml", old, new, 2)]) == (
        "--- a/policies/p.yaml\n+++ b/policies/p.yaml\n@@ -1,4 +1,4 @@\n a: 1\n"
        " auth: {bearer: ****************}\n-localty: cloud\n-token: ********************\n"
        "+locality: cloud\n+token: ********************\n"
    )


def test_a_line_that_looks_like_the_head_of_a_diff_is_none(root: Path) -> None:
    old = "-- a: 1\n@@ -1 +1 @@\nx\n"
    told = to_diff([Change(root / "policies" / "p.yaml", old, old.replace("-- a", "++ b"), 1)])
    assert told.splitlines()[2:] == [
        "@@ -1,3 +1,3 @@",
        "--- a: 1",
        "+++ b: 1",
        " @@ -1 +1 @@",
        " x",
    ]


@pytest.mark.parametrize("value", ["[facts.code]", "{code: facts.code}"])
def test_a_list_or_map_under_let_is_not_quoted(root: Path, value: str) -> None:
    """It is true whatever is in it, so the condition that reads it would always hold."""
    text = POLICY.replace("rules:", f"let:\n  coding: {value}\nrules:")
    text = text.replace("weight: 1", "weight: 1, when: coding")
    (root / "policies" / "p.yaml").write_text(text)
    assert "yaml-quote" in {item.rule for item in lint([root], {})}
    assert fixes([root], {}) == []
