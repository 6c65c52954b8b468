"""Reading a folder: what counts, what is refused, what stands in, and what it amounts to."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.policy_checks import check_extends, check_policy
from llmroute.config.provider_checks import Surroundings, check_provider
from llmroute.config.schema import check
from llmroute.config.settings_checks import Known, check_settings
from llmroute.config.shipped import data_root
from llmroute.config.workspace import find_root, load_workspace, read_workspace
from llmroute.config.yaml import parse
from llmroute.errors import ConfigError

PROVIDER = (
    "provider: {}\nlocality: local\n"
    "endpoint: {{transport: http, protocol: openai-chat, base_url: 'http://127.0.0.1:1'}}\n"
    "models: [{{model: small}}]\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "providers.d" / "mine.yaml", PROVIDER.format("mine"))
    write(tmp_path / "policies" / "plain.yaml", "policy: plain\n")
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def found(root: Path) -> list[tuple[str, str, str]]:
    findings = read_workspace(root, {})[1]
    return [(f.severity, f.rule, Path(f.file).name) for f in findings]


def only(root: Path) -> Diagnostic:
    findings = read_workspace(root, {})[1]
    assert len(findings) == 1, [str(finding) for finding in findings]
    return findings[0]


def test_a_workspace_holds_its_documents(root: Path) -> None:
    write(root / "llmroute.yaml", "default_policy: plain\naliases: {s: mine/small}\n")
    workspace = load_workspace(root, {"A": "1"})
    assert list(workspace.providers) == ["mine"]
    assert list(workspace.policies) == ["plain"]
    assert workspace.settings is not None
    assert workspace.settings.data["default_policy"] == "plain"
    assert workspace.environment == {"A": "1"}
    assert workspace.root == root


def test_a_workspace_cannot_be_changed(root: Path) -> None:
    workspace = load_workspace(root, {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        workspace.root = root  # type: ignore[misc]
    with pytest.raises(TypeError):
        workspace.providers["x"] = None  # type: ignore[index]
    with pytest.raises(TypeError):
        workspace.environment["x"] = ""  # type: ignore[index]


def test_the_environment_is_read_where_none_is_given(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMROUTE_TEST_VARIABLE", "here")
    assert load_workspace(root).environment["LLMROUTE_TEST_VARIABLE"] == "here"


def test_all_errors_of_all_files_come_at_once(root: Path) -> None:
    write(root / "providers.d" / "a.yaml", "provider: b\nlocality: moon\n")
    write(root / "providers.d" / "b.yaml", "a: [\n")
    write(root / "policies" / "c.yaml", "policy: c\nselect: {spread: -1}\nextends: c\n")
    write(root / "llmroute.yaml", "default_policy: plian\n")
    with pytest.raises(ConfigError) as caught:
        load_workspace(root, {})
    rules = [(Path(d.file).name, d.rule) for d in caught.value.diagnostics]
    assert rules == [
        ("a.yaml", "schema-missing-key"),
        ("a.yaml", "schema-missing-key"),
        ("a.yaml", "provider-name"),
        ("a.yaml", "schema-enum"),
        ("b.yaml", "yaml-syntax"),
        ("c.yaml", "schema-range"),
        ("c.yaml", "policy-extends"),
        ("llmroute.yaml", "unknown-policy"),
    ]
    assert 'did you mean "plain"?' in str(caught.value)
    workspace = read_workspace(root, {})[0]
    assert (list(workspace.providers), list(workspace.policies)) == (["mine"], ["plain"])
    assert workspace.settings is None


def test_the_parts_that_a_root_lacks_are_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "providers.d").mkdir()
    write(tmp_path / "providers.d" / "mine.yaml", PROVIDER.format("mine"))
    workspace = read_workspace(tmp_path, {})[0]
    assert list(workspace.providers) == ["mine"]
    assert "balanced" in workspace.policies
    assert workspace.settings is None
    empty = write(tmp_path / "empty" / "note.txt", "").parent
    assert "ollama" in read_workspace(empty, {})[0].providers


def test_the_shipped_workspace_is_right() -> None:
    workspace, findings = read_workspace(data_root(), {})
    assert [item for item in findings if item.severity == "error"] == []
    assert {"openai", "anthropic", "ollama"} <= workspace.providers.keys()


@pytest.mark.parametrize(
    "name", ["extra.yml", "extra.yaml~", ".#extra.yaml", "README.md", "t.test.yaml"]
)
def test_only_yaml_files_count(root: Path, name: str) -> None:
    write(root / "policies" / name, "not: [right\n")
    warned = [("warning", "file-ignored", "extra.yml")] if name.endswith(".yml") else []
    assert found(root) == warned


def test_a_settings_file_with_the_wrong_ending_is_told(root: Path) -> None:
    write(root / "llmroute.yml", "timezone: UTC\n")
    assert found(root) == [("warning", "file-ignored", "llmroute.yml")]


def test_an_empty_settings_file_is_none(root: Path) -> None:
    write(root / "llmroute.yaml", "# later\n")
    assert load_workspace(root, {}).settings is None


def test_a_folder_without_files_is_warned_of(root: Path) -> None:
    (root / "policies" / "plain.yaml").unlink()
    assert found(root) == [("warning", "file-none", "policies")]


def test_a_missing_root_is_an_error(tmp_path: Path) -> None:
    assert only(tmp_path / "nope").rule == "file-missing"


def test_a_link_that_leads_out_is_refused(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = write(tmp_path_factory.mktemp("other") / "far.yaml", PROVIDER.format("far"))
    (root / "providers.d" / "far.yaml").symlink_to(outside)
    assert only(root).rule == "file-outside"


def test_a_linked_folder_that_leads_out_is_refused(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = write(tmp_path_factory.mktemp("other") / "policies" / "a.yaml", "policy: a\n")
    (root / "policies" / "plain.yaml").unlink()
    (root / "policies").rmdir()
    (root / "policies").symlink_to(outside.parent)
    assert only(root).rule == "file-outside"


def test_a_link_inside_the_root_is_followed(root: Path) -> None:
    write(root / "store" / "x", PROVIDER.format("linked"))
    (root / "providers.d" / "linked.yaml").symlink_to("../store/x")
    assert list(load_workspace(root, {}).providers) == ["linked", "mine"]


def test_a_root_behind_a_link_works(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("other") / "link"
    link.symlink_to(root)
    assert list(load_workspace(link, {}).providers) == ["mine"]


def test_links_to_nowhere_and_in_a_circle_are_explained(root: Path) -> None:
    (root / "providers.d" / "gone.yaml").symlink_to("nowhere")
    (root / "providers.d" / "loop.yaml").symlink_to("loop.yaml")
    assert [(rule, name) for _, rule, name in found(root)] == [
        ("file-unreadable", "gone.yaml"),
        ("file-unreadable", "loop.yaml"),
    ]


def test_only_regular_files_are_opened(root: Path) -> None:
    (root / "providers.d" / "folder.yaml").mkdir()
    os.mkfifo(root / "providers.d" / "pipe.yaml")
    assert [(rule, name) for _, rule, name in found(root)] == [
        ("file-irregular", "folder.yaml"),
        ("file-irregular", "pipe.yaml"),
    ]


def test_what_everybody_can_write_is_refused(root: Path) -> None:
    (root / "providers.d" / "mine.yaml").chmod(0o666)
    finding = only(root)
    assert (finding.rule, finding.severity) == ("file-writable", "error")
    assert "chmod o-w" in str(finding.help)
    (root / "providers.d" / "mine.yaml").chmod(0o644)
    (root / "policies").chmod(0o777)
    assert only(root).rule == "file-writable"


def test_a_huge_file_is_not_read(root: Path) -> None:
    with (root / "providers.d" / "huge.yaml").open("wb") as file:
        file.truncate(50_000_000)
    finding = only(root)
    assert finding.rule == "yaml-size"
    assert str(finding).count("\n") == 1


def test_a_file_that_is_no_text_is_refused(root: Path) -> None:
    (root / "providers.d" / "binary.yaml").write_bytes(b"a: \xfe\xff")
    assert only(root).rule == "yaml-encoding"


def test_policies_that_extend_each_other_in_a_circle(root: Path) -> None:
    for name, parent in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        write(root / "policies" / f"{name}.yaml", f"policy: {name}\nextends: {parent}\n")
    workspace, findings = read_workspace(root, {})
    assert [(Path(f.file).name, f.rule, f.line, f.col) for f in findings] == [
        (f"{name}.yaml", "policy-extends", 2, 10) for name in "abc"
    ]
    assert "a → b → c → a" in findings[0].message
    assert list(workspace.policies) == ["d", "plain"]


def test_a_reference_to_a_broken_file_is_no_second_error(root: Path) -> None:
    write(root / "policies" / "broken.yaml", "policy: [\n")
    write(root / "llmroute.yaml", "default_policy: broken\n")
    assert [rule for _, rule, _ in found(root)] == ["yaml-syntax"]


def test_the_fingerprint_is_of_the_meaning(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = load_workspace(root, {}).fingerprint
    assert re.fullmatch("[0-9a-f]{64}", first)
    other = tmp_path_factory.mktemp("copy")
    reordered = "# a comment\n" + "\n".join(reversed(PROVIDER.format("mine").splitlines())) + "\n"
    write(other / "providers.d" / "mine.yaml", reordered)
    write(other / "policies" / "plain.yaml", '{"policy": "plain"}\n')
    assert load_workspace(other, {"X": "y"}).fingerprint == first
    write(other / "policies" / "plain.yaml", "policy: plain\ndescription: changed\n")
    assert load_workspace(other, {}).fingerprint != first


def test_labels_are_relative_to_the_current_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root / "policies" / "x.yaml", "policy: y\n")
    monkeypatch.chdir(root / "policies")
    assert only(root).file == "x.yaml"
    monkeypatch.chdir("/")
    assert only(root).file == str(root / "policies" / "x.yaml").removeprefix("/")


def test_the_root_is_the_nearest_folder_upwards(root: Path) -> None:
    deep = root / "a" / "b"
    deep.mkdir(parents=True)
    assert find_root(deep, {}) == root
    assert find_root(root, {}) == root


def test_else_the_root_is_the_users_folder(tmp_path: Path) -> None:
    config, home = tmp_path / "config", tmp_path / "home"
    (home / ".config" / "llmroute").mkdir(parents=True)
    assert find_root(tmp_path, {"HOME": str(home)}) == home / ".config" / "llmroute"
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(config)}
    assert find_root(tmp_path, environment) == data_root()
    (config / "llmroute").mkdir(parents=True)
    assert find_root(tmp_path, environment) == config / "llmroute"
    assert find_root(tmp_path, {"XDG_CONFIG_HOME": "relative"}) == data_root()
    assert find_root(tmp_path, {}) == data_root()


def test_an_unset_secret_is_a_note_and_no_error(root: Path) -> None:
    text = PROVIDER.format("mine").replace(
        "'http://127.0.0.1:1'", "'http://[::1]', auth: {bearer: env:K}"
    )
    write(root / "providers.d" / "mine.yaml", text)
    assert found(root) == [("note", "secret-unset", "mine.yaml")]
    assert list(load_workspace(root, {}).providers) == ["mine"]
    assert read_workspace(root, {"K": "set"})[1] == []


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("locality: local, http://192.168.1.5, plain_http: true", None),
        ("locality: local, http://gpu-box:1, plain_http: true", None),
        ("locality: local, https://gpu-box.lan", None),
        ("locality: local, http://192.168.1.5", "base-url-http"),
        ("locality: local, https://example.com", "base-url-local"),
        ("locality: cloud, https://example.com", None),
        ("locality: cloud, http://localhost:9", None),
        ("locality: cloud, http://example.com, plain_http: true", "base-url-http"),
        ("locality: local, http://2130706433", "base-url"),
        ("locality: cloud, https://example.com?k=1", "base-url"),
        ("locality: cloud, https://${X-y}.example.com", "variable-form"),
    ],
)
def test_what_a_base_url_may_be(root: Path, line: str, rule: str | None) -> None:
    locality, url, *more = line.split(", ")
    text = PROVIDER.format("mine").replace("locality: local", locality)
    url_text = ", ".join([f"'{url}'", *more])
    write(root / "providers.d" / "mine.yaml", text.replace("'http://127.0.0.1:1'", url_text))
    assert [finding for _, finding, _ in found(root)] == ([rule] if rule else [])


def test_a_variable_that_holds_no_address_is_named_and_not_shown(root: Path) -> None:
    url = "'${OPENAI_BASE_URL:-http://127.0.0.1:1/v1}'"
    text = PROVIDER.format("mine").replace("'http://127.0.0.1:1'", url)
    write(root / "providers.d" / "mine.yaml", text)
    _, findings = read_workspace(root, {"OPENAI_BASE_URL": "garbage"})
    assert [(finding.rule, finding.message) for finding in findings] == [
        ("base-url", "OPENAI_BASE_URL holds neither a URL nor a host")
    ]
    assert "http://127.0.0.1:1/v1" in str(findings[0].help)
    assert "garbage" not in str(findings[0])


def test_a_variable_inside_a_bad_base_url_is_named(root: Path) -> None:
    url = "'${LM_STUDIO_URL:-http://127.0.0.1:1}/v1'"
    text = PROVIDER.format("mine").replace("'http://127.0.0.1:1'", url)
    write(root / "providers.d" / "mine.yaml", text)
    _, findings = read_workspace(root, {"LM_STUDIO_URL": "garbage"})
    assert [finding.rule for finding in findings] == ["base-url"]
    assert findings[0].message.endswith("replaced: LM_STUDIO_URL)")


@settings(deadline=None, max_examples=120, database=None)
@given(st.data())
def test_no_damage_to_a_shipped_file_makes_an_exception(data: st.DataObject) -> None:
    files = sorted(data_root().glob("*/*.yaml"))
    text = data.draw(st.sampled_from(files)).read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        junk = data.draw(
            st.sampled_from(
                [
                    "!",
                    "`",
                    "[",
                    "{",
                    "]",
                    "*a",
                    ": ",
                    "- ",
                    "\n",
                    "\t",
                    "no",
                    "'",
                    "auth: ",
                    "&",
                    "~",
                    "",
                ]
            )
        )
        text = text[:start] + junk + text[start + data.draw(st.integers(0, 5)) :]
    document, findings = parse(text, "x.yaml")
    if document is not None:
        findings += [
            f for name in ("provider", "policy", "workspace") for f in check(document, name)
        ]
        findings += check_provider(document, Surroundings({}, Path("/nowhere")))
        findings += [*check_policy(document), *check_extends({"x": document}, {"x"})]
        findings += check_settings(document, Known(set(), set()))
    assert all(str(finding) for finding in findings)
