"""Findings about workspaces, single files in them, and files on their own."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest

from llmroute.config.diagnostics import Diagnostic
from llmroute.errors import UsageError
from llmroute.lint import RULES, lint, render, summary, to_records
from llmroute.lint.check import lint_workspace

PROVIDER = """\
provider: one
locality: local
endpoint: {transport: http, protocol: ollama-chat, base_url: "http://127.0.0.1:1"}
discover: {}
"""
BASE = "policy: base\nlet: {urgent: \"contains(request.tags, 'urgent')\"}\nrules: []\n"
CHILD = (
    "policy: child\nextends: base\nrules:\n"
    "  - {name: r, weight: 1, when: urgent && target.localty == 'local', prefer: price}\n"
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "policies").mkdir()
    (tmp_path / "providers.d" / "one.yaml").write_text(PROVIDER)
    (tmp_path / "policies" / "base.yaml").write_text(BASE)
    (tmp_path / "policies" / "child.yaml").write_text(CHILD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _places(found: list[Diagnostic]) -> list[tuple[str, str, int]]:
    return [(item.rule, item.file, item.line) for item in found]


def test_a_workspace(root: Path) -> None:
    assert _places(lint([root], {})) == [("unknown-field", "policies/child.yaml", 4)]


def test_one_file_is_checked_in_its_workspace(root: Path) -> None:
    assert len(lint([root / "policies" / "child.yaml"], {})) == 1
    assert lint([root / "policies" / "base.yaml"], {}) == []
    assert len(lint([root / "policies"], {})) == 1
    assert lint([root / "providers.d"], {}) == []


def test_a_workspace_is_read_once_for_all_of_its_files(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell makes `policies/*.yaml` many paths."""
    made: list[Path] = []

    def counting(folder: Path, *more: Any, **options: Any) -> Any:
        made.append(folder)
        return lint_workspace(folder, *more, **options)

    monkeypatch.setattr("llmroute.lint.check.lint_workspace", counting)
    found = lint([*(root / "policies").glob("*.yaml"), *(root / "providers.d").glob("*.yaml")], {})
    assert (len(found), made) == (1, [root])


@pytest.mark.parametrize(
    "name", ["providers.d/more/two.yaml", "providers.d/.two.yaml", "policies/notes.md"]
)
def test_a_file_that_is_not_read_is_told_of(root: Path, name: str) -> None:
    (root / "providers.d" / "more").mkdir()
    (root / name).write_text("provider: [\n")
    assert _places(lint([root / name], {})) == [("file-ignored", name, 1)]


def test_a_folder_that_is_not_read_is_told_of(root: Path) -> None:
    (root / "policies" / "more").mkdir()
    assert _places(lint([root / "policies/more"], {})) == [("file-ignored", "policies/more", 1)]


def test_a_finding_is_reported_once(root: Path) -> None:
    assert len(lint([root, root / "policies", root / "policies" / "child.yaml"], {})) == 1


def test_a_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(PROVIDER.replace("locality: local", "locality: near"))
    found = lint([path])
    assert [(item.rule, item.line, item.col) for item in found] == [("schema-enum", 2, 11)]


def test_a_policy_alone_knows_its_parents(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    path = tmp_path / "child.yaml"
    path.write_text(CHILD)
    assert [(item.rule, item.line) for item in lint([path])] == [("unknown-field", 4)]
    path.write_text(CHILD.replace("localty", "locality"))
    assert lint([path]) == []


def test_a_folder_of_loose_files(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(PROVIDER)
    (tmp_path / "two.yaml").write_text(PROVIDER)
    assert [item.rule for item in lint([tmp_path])] == ["provider-name"]


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_nothing_to_check(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"there is no"):
        lint([tmp_path / name])


def test_the_environment_is_asked_only_if_given(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(PROVIDER.replace("http://127.0.0.1:1", "${ADDRESS}"))
    assert lint([path]) == []
    assert [item.rule for item in lint([path], {})] == ["variable-unset"]


def test_plain_rendering(root: Path) -> None:
    found = lint([root], {})
    stream = io.StringIO()
    render(found, stream)
    text = stream.getvalue()
    assert text.startswith("policies/child.yaml:4:")
    assert text.endswith("\n1 error\n")
    assert "\x1b" not in text


def test_colour_on_a_terminal(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream, found = Terminal(), lint([root], {})
    render(found, stream)
    plain = io.StringIO()
    render(found, plain)
    assert "\x1b[" in stream.getvalue()
    assert re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()) == plain.getvalue()


def test_summary_counts_by_severity() -> None:
    def one(severity: str) -> Diagnostic:
        return Diagnostic("r", severity, "f", 1, 1, "m")  # type: ignore[arg-type]

    assert summary([]) == "no findings"
    assert summary([one("note"), one("error"), one("error")]) == "2 errors, 1 note"


def test_records_are_flat() -> None:
    record = to_records([Diagnostic("r", "error", "f", 2, 3, "m", help="h")])[0]
    assert (record["rule"], record["line"], record["col"], record["help"]) == ("r", 2, 3, "h")


def test_every_rule_that_is_made_is_explained() -> None:
    package = Path(__file__).parents[2] / "llmroute"
    made = set()
    for path in [*(package / "config").glob("*.py"), *(package / "policy").glob("*.py")]:
        text = path.read_text()
        made |= set(
            re.findall(
                r'(?:diagnostic|finding|_plain|Finding|_encoding|mistake)\(\s*"([a-z]+(?:-[a-z]+)+)"',
                text,
            )
        )
        made |= set(re.findall(r'return "([a-z]+(?:-[a-z]+)+)", ', text))
        made |= set(
            re.findall(r'"((?:yaml|schema|file|secret|variable)-[a-z]+(?:-[a-z]+)*)"', text)
        )
    assert len(made) > 30
    assert made <= set(RULES)
    assert list(RULES) == sorted(RULES)


TESTED = "policy: base\ntests:\n  - {name: t, request: {prompt: hi}, expect: {error: true}}\n"


def test_files_of_tests_are_read_too(root: Path) -> None:
    path = root / "policies" / "base.test.yaml"
    path.write_text(TESTED)
    (root / "policies" / "child.yaml").unlink()
    (root / "policies" / "base.yaml").write_text("policy: base\nrules: []\n")
    assert lint([root], {}, analyses=False) == []
    path.write_text(TESTED.replace("error", "eror").replace("base", "absent"))
    assert _places(lint([path], {})) == [("schema-unknown-key", "policies/base.test.yaml", 3)]
    path.write_text(TESTED.replace("base", "absent"))
    assert _places(lint([path], {})) == [("unknown-policy", "policies/base.test.yaml", 1)]


def test_a_file_of_tests_alone(tmp_path: Path) -> None:
    path = tmp_path / "base.test.yaml"
    path.write_text(TESTED.replace("tests:", "tsts:"))
    assert [(item.rule, item.line) for item in lint([path])] == [("schema-unknown-key", 2)]


def test_a_policy_that_extends_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text(BASE + "extends: base\n")
    assert _places(lint([path]))[0][0] == "policy-extends"


def test_yaml_in_folders_further_down_is_told_of_with_the_workspace(root: Path) -> None:
    """It used to be silent: only one that lint was asked for was told of."""
    for name in ("policies/old/child.yaml", "policies/old/.hidden.yaml", "policies/.git/x.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("policy: [\n")
    (root / "policies" / "old" / "notes.md").write_text("as they were\n")
    (root / "policies" / "child.yaml").write_text(CHILD.replace("localty", "locality"))
    (root / "policies" / "link").symlink_to(root / "providers.d", target_is_directory=True)
    told = [("file-ignored", "policies/old/child.yaml", 1)]
    assert _places(lint([root], {}, analyses=False)) == told
    both = [root, root / "policies/old/child.yaml"]
    assert _places(lint(both, {}, analyses=False)) == told


def test_no_more_than_twenty_files_further_down_are_told_of(root: Path) -> None:
    (root / "policies" / "old").mkdir()
    (root / "policies" / "child.yaml").write_text(CHILD.replace("localty", "locality"))
    for number in range(30):
        (root / "policies" / "old" / f"{number}.yaml").write_text("policy: x\n")
    assert len(lint([root], {}, analyses=False)) == 20
