"""`llmroute diff` with git: revisions, their files, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmroute.cli.diffing_git import Answer, Repository, spawn
from llmroute.errors import UsageError
from tests.cli.conftest import Program
from tests.cli.diffed import KEPT, MOVE, POLICY, git, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose workspace is in a folder of it: tag `v1` as is, HEAD with KEPT."""
    top = tmp_path / "repo"
    root = write(top / "conf")
    git(tmp_path, "init", "--initial-branch=main", "repo")
    git(top, "add", ".")
    git(top, "commit", "-m", "one")
    git(top, "tag", "v1")
    (root / "policies" / "mine.yaml").write_text(POLICY + KEPT)
    git(top, "commit", "-am", "two")
    monkeypatch.chdir(root)
    return top


def test_a_revision_and_the_work_tree(here: Program, repository: Path, monkeypatch):
    monkeypatch.chdir(repository / "conf")
    done = here("diff", "v1")
    assert (done.code, done.err, MOVE in done.out) == (1, "", True)
    assert here("diff", "HEAD").code == 0
    (repository / "conf" / "policies" / "mine.yaml").write_text(POLICY)
    done = here("diff", "HEAD")
    assert (done.code, "home/m → far/big" in done.out) == (1, True)
    assert here("diff", "v1").code == 0


def test_two_revisions(here: Program, repository: Path, monkeypatch):
    monkeypatch.chdir(repository / "conf")
    assert MOVE in here("diff", "v1", "main").out
    assert here("diff", "main", "HEAD").code == 0
    assert MOVE in here("diff", "v1:", "main:").out
    monkeypatch.chdir(repository)
    assert MOVE in here("diff", "v1:conf", "HEAD:conf").out
    assert MOVE in here("diff", "v1:./conf", "HEAD:./conf/").out
    assert MOVE in here("diff", "v1", "main", "--config", "conf").out


def test_a_name_alone_is_a_revision(here: Program, repository: Path, monkeypatch):
    monkeypatch.chdir(repository / "conf")
    git(repository, "branch", "mine", "v1")
    assert MOVE in here("diff", "mine").out
    assert here("diff", "mine", "quick").out.startswith("no decision changes by 1 policy: mine")


def test_a_file_of_a_revision(here: Program, repository: Path, monkeypatch):
    monkeypatch.chdir(repository / "conf")
    path = "conf/policies/mine.yaml"
    assert MOVE in here("diff", f"v1:{path}", f"HEAD:{path}").out
    assert MOVE in here("diff", f"v1:{path}", "mine").out
    assert MOVE in here("diff", f"v1:{path}").out
    assert MOVE in here("diff", "v1:./policies/mine.yaml", "policies/mine.yaml").out
    assert here("diff", "v1:conf/providers.d/far.yaml", "providers.d/far.yaml").code == 0


def test_a_link_inside_a_revision_is_followed(here: Program, repository: Path, monkeypatch):
    monkeypatch.chdir(repository / "conf")
    link = repository / "conf" / "policies" / "linked.yaml"
    link.symlink_to("../linked.txt")
    (repository / "conf" / "linked.txt").write_text(POLICY.replace("mine", "linked"))
    git(repository, "add", ".")
    git(repository, "commit", "-m", "a link")
    assert "2 policies: linked, mine" in here("diff", "HEAD").out
    link.unlink()
    link.symlink_to("/etc/passwd")
    git(repository, "commit", "-am", "a link that leads out")
    done = here("diff", "HEAD", "v1")
    assert done.code == 2
    assert "linked.yaml is a link that leads to no file in there" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), 'git knows no revision "nothing"'),
        (("nothing", "HEAD"), '"nothing": no file, folder or policy of'),
        (("mien", "mine"), 'did you mean "mine"?'),
        (("v1:nowhere",), "v1 has nothing at nowhere"),
        (("v1:conf/policies",), "there is no workspace in conf/policies there"),
        (("mine",), "mine is not compared with anything"),
        (("policies",), "policies is not compared with anything"),
        (("v1:../../x", "HEAD"), "../../x leads out of the repository"),
        (("mine", "HEAD"), "mine is a policy and HEAD is a workspace"),
        (("gone.yaml", "mine"), "gone.yaml: there is no such file"),
        (("policies", "providers.d"), "there is no workspace in this folder"),
        (("v1", "HEAD", "--policy", "mien"), 'neither side has a policy "mien"'),
        (("v1", "--limit", "0"), "--limit is 0"),
        (("v1", "--top", "0"), "--top is 0"),
        (("v1", "--json", "--format", "text"), "exclude each other"),
        (("v1", "--log", "gone.jsonl"), "--log: cannot read gone.jsonl"),
        (("llmroute.yaml", "mine"), "neither a policy nor a provider"),
        (("v1", "--config", "gone"), "gone: there is no such workspace folder"),
        (("--output", "x"), "unknown option --output"),
    ],
)
def test_wrong_usage(here: Program, repository: Path, monkeypatch, arguments, told: str):
    monkeypatch.chdir(repository / "conf")
    done = here("diff", *arguments)
    assert (done.code, done.out if "--json" not in arguments else "") == (2, "")
    assert told in done.err
    assert "Traceback" not in done.err


def test_outside_any_repository(here: Program, root: Path, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    done = here("diff", "HEAD")
    assert done.code == 2
    assert "is in no git repository that can be read: not a git repository" in done.err


def test_git_that_is_missing_or_fails(tmp_path: Path):
    with pytest.raises(UsageError, match="which is not installed"):
        spawn(["git-is-not-here"], tmp_path, b"")
    answers = iter([Answer(0, b"/top\n", b""), Answer(128, b"", b"fatal: broken\nmore")])
    found = Repository(tmp_path, lambda *_: next(answers))
    with pytest.raises(UsageError, match=r"git ls-tree failed: broken$"):
        found.export("HEAD", ["x"], tmp_path)


def test_a_broken_side(here: Program, repository: Path, root: Path, monkeypatch):
    monkeypatch.chdir(repository / "conf")
    policy = repository / "conf" / "policies" / "mine.yaml"
    policy.write_text(POLICY.replace("weight: 3", "wieght: 3"))
    git(repository, "commit", "-am", "broken")
    policy.write_text(POLICY)
    done = here("diff", "HEAD")
    assert done.code == 3
    assert "HEAD:conf/policies/mine.yaml:3:17: unknown key `wieght`" in done.out
    assert "HEAD: " in done.out.splitlines()[-1]
    assert done.out.endswith("; nothing was compared\n")
    done = here("diff", str(root), "HEAD:conf", "--json")
    assert done.code == 3
    assert {item["rule"] for item in json.loads(done.out)["findings"]} >= {"schema-unknown-key"}
    done = here("diff", "HEAD:conf/policies/mine.yaml", "mine")
    assert (done.code, "HEAD:conf/policies/mine.yaml:3" in done.out) == (3, True)
