"""S4: config files: resolved under their root, regular files only, no symlink out, not
world-writable.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from llmroute.config import files, opening
from llmroute.config.files import read_document
from llmroute.config.secrets import SecretError, resolve
from llmroute.config.workspace import read_workspace
from tests.security.canary import refused, workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir(mode=0o755)
    return workspace(folder, "http://127.0.0.1:9")


def _rules(root: Path) -> list[str]:
    return [f.rule for f in read_workspace(root, {})[1] if f.severity == "error"]


def _in_time(work: Callable[[], object]) -> None:
    """Do something that must not hang."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive(), "it hangs"


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_pipe, _folder])
def test_what_is_no_regular_file_is_refused_without_waiting(
    make: Callable[[Path], None], root: Path
) -> None:
    make(root / "providers.d" / "odd.yaml")
    _in_time(lambda: read_workspace(root, {}))
    assert _rules(root) == ["file-irregular"]


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "/etc/hostname", "../../other.yaml"])
def test_no_link_leads_out(target: str, root: Path) -> None:
    (root.parent / "other.yaml").write_text("provider: link\n")
    (root / "providers.d" / "link.yaml").symlink_to(target)
    _in_time(lambda: read_workspace(root, {}))
    rules = _rules(root)
    assert rules in (["file-outside"], ["file-unreadable"])
    shown = [f for f in read_workspace(root, {})[1] if f.file.endswith("link.yaml") and f.source]
    assert not shown


def test_a_device_is_not_read_for_ever(tmp_path: Path) -> None:
    """As the root of everything, `/` holds /dev: then only the kind of file protects."""
    _in_time(lambda: read_document(Path("/dev/zero"), Path("/")))
    _, findings = read_document(Path("/dev/zero"), Path("/"))
    assert [finding.rule for finding in findings] == ["file-irregular"]


def test_a_folder_that_is_a_link_out_is_not_read(root: Path) -> None:
    (root / "providers.d").rename(root.parent / "elsewhere")
    (root / "providers.d").symlink_to(root.parent / "elsewhere")
    assert _rules(root) == ["file-outside"]


def test_a_link_inside_is_followed(root: Path) -> None:
    """Kubernetes mounts configuration in this way."""
    data = root / "providers.d" / "..data"
    data.mkdir()
    (root / "providers.d" / "example.yaml").rename(data / "example.yaml")
    (root / "providers.d" / "example.yaml").symlink_to("..data/example.yaml")
    assert _rules(root) == []


@pytest.mark.parametrize("place", ["", "providers.d", "policies", "llmroute.yaml",
                                   "providers.d/example.yaml", "policies/once.yaml"])  # fmt: skip
def test_nothing_that_everybody_can_write_is_trusted(place: str, root: Path) -> None:
    path = root / place
    path.chmod(path.stat().st_mode | stat.S_IWOTH)
    assert _rules(root) == ["file-writable"]
    assert f"chmod o-w {path}" in str(refused(root))


def test_a_file_that_becomes_a_pipe_once_its_path_is_known(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange happens just before the file is opened; nothing waits for the pipe's writer."""
    path = root / "providers.d" / "example.yaml"

    def exchange(found: Path, most: int) -> opening.Content:
        found.unlink()
        os.mkfifo(found)
        return opening.read_regular(found, most)

    monkeypatch.setattr(files, "read_regular", exchange)
    results: list[list[str]] = []
    _in_time(lambda: results.append([f.rule for f in read_document(path, root)[1]]))
    assert results == [["file-irregular"]]


@pytest.mark.parametrize("back", [False, True], ids=["stays", "is put back"])
def test_a_folder_that_is_exchanged_for_a_link_out(
    back: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "providers.d" / "example.yaml"
    outside, aside = root.parent / "outside", root.parent / "aside"
    outside.mkdir()
    (outside / "example.yaml").write_text("provider: stolen\n")

    def exchange(found: Path, most: int) -> opening.Content:
        found.parent.rename(aside)
        found.parent.symlink_to(outside)
        content = opening.read_regular(found, most)
        if back:
            found.parent.unlink()
            aside.rename(found.parent)
        return content

    monkeypatch.setattr(files, "read_regular", exchange)
    document, findings = read_document(path, root)
    assert document is None
    assert "exchanged while it was read" in findings[0].message


@pytest.mark.parametrize("value", ["../once", "/etc/passwd", "..", "once.yaml/../x", "a/b"])
def test_extends_takes_a_name_and_no_path(value: str, root: Path) -> None:
    policy = f"policy: mine\nextends: {value}\nrules: [{{name: a, weight: 1, prefer: price}}]\n"
    (root / "policies" / "mine.yaml").write_text(policy)
    assert "schema-pattern" in _rules(root)


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", "..", ".hidden", "A B", "x" * 65])
def test_names_are_no_paths(name: str, root: Path) -> None:
    text = (root / "providers.d" / "example.yaml").read_text()
    changed = text.replace("provider: example", f"provider: {name!r}")
    (root / "providers.d" / "example.yaml").write_text(changed)
    assert "schema-pattern" in _rules(root)


def test_a_file_of_a_secret_is_its_owners_alone(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret-value")
    for mode in (0o640, 0o604, 0o660, 0o602, 0o601):
        key.chmod(mode)
        with pytest.raises(SecretError, match="chmod 600"):
            resolve("file:key", {}, tmp_path)
    key.chmod(0o400)
    assert resolve("file:key", {}, tmp_path).reveal() == "s3cret-value"


def test_a_secret_from_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    found: list[str] = []

    def read(place: str) -> None:
        try:
            resolve(f"file:{place}", {}, tmp_path)
        except SecretError as exc:
            found.append(str(exc))

    for place in ("pipe", "/dev/zero", ".", "/dev/null"):
        _in_time(lambda place=place: read(place))  # type: ignore[misc]
    assert [text.split(" is ", 1)[1].split(";")[0] for text in found] == [
        "not a small regular file"
    ] * 4


def test_a_secret_may_stand_outside_because_its_path_is_config(tmp_path: Path) -> None:
    """`file:` takes any path that the configuration names: secret stores mount elsewhere."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "key").write_text("s3cret-value")
    (tmp_path / "key").chmod(0o600)
    assert resolve("file:../key", {}, root).reveal() == "s3cret-value"
    (root / "link").symlink_to(tmp_path / "key")
    assert resolve("file:link", {}, root).reveal() == "s3cret-value"
