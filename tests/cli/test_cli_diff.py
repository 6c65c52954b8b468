"""`llmroute diff`: what it compares, what it prints, how it ends.

far/big costs $10 and $20 a million tokens, far/small $1 and $2, home/m nothing: the rules put
far/big first, far/small second, home/m third.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from llmroute.cli.diffing_git import Answer, Repository, spawn
from llmroute.errors import UsageError
from tests.cli.conftest import Program

FAR = """\
provider: far
locality: cloud
endpoint: {transport: http, protocol: openai-chat, base_url: "https://f.example/v1", auth: none}
defaults: {capabilities: {streaming: true, tools: true, json_schema: true}}
models:
  - model: big
    quality: {default: 0.9, source: x, date: "2026-01-01"}
    cost: {input: 10, output: 20}
  - model: small
    quality: {default: 0.6, source: x, date: "2026-01-01"}
    cost: {input: 1, output: 2}
"""
HOME = """\
provider: home
locality: local
endpoint: {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:9", auth: none}
defaults: {capabilities: {streaming: true, tools: true, json_schema: true}}
models:
  - {model: m, cost: {input: 0, output: 0}}
"""
POLICY = """\
policy: mine
rules:
  - {name: big, weight: 3, prefer: target.id == 'far/big'}
  - {name: small, weight: 2, prefer: target.id == 'far/small'}
"""
KEPT = """\
require:
  - name: secrets stay
    when: contains(request.tags, 'secret')
    target: target.locality == 'local'
"""
SETTINGS = "default_policy: mine\naliases: {quick: policy/mine}\n"
MOVE = "far/big → home/m"


def write(root: Path, **files: str) -> Path:
    """Write a workspace; file names by their stem."""
    made = {"far": FAR, "home": HOME, "mine": POLICY, "llmroute": SETTINGS, **files}
    folders = {"far": "providers.d", "home": "providers.d", "llmroute": "."}
    for name, text in made.items():
        path = root / folders.get(name, "policies") / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    return write(tmp_path / "changed", mine=POLICY + KEPT)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


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


def test_two_workspaces(here: Program, root: Path, changed: Path):
    done = here("diff", str(root), str(changed))
    assert (done.code, done.err) == (1, "")
    assert (
        done.out
        == """\
policy mine: 2 of 4 requests looked at change winner (50.0 %)
  far/big → home/m: 2 requests
    where request.tags has "secret"
      costs $0.0101 → free (-100 %), quality 0.9 → 0.35
      llmroute decide 'What is the capital of Austria?' --tag secret --policy mine \
--assume-usable --offline
  exhaustive: these stand for all requests

decisions change by 1 of 1 policy
"""
    )


def test_the_same_workspace(here: Program, root: Path):
    done = here("diff", str(root), str(root))
    assert (done.code, done.err) == (0, "")
    assert done.out == "no decision changes by 1 policy: mine\nno decision changes\n"


def test_the_example_is_a_command_that_shows_it(here: Program, root: Path, changed: Path):
    done = here("diff", str(root), str(changed), "--json")
    assert done.code == 1
    data = json.loads(done.out)
    (compared,) = data["policies"]
    assert compared["exhaustive"] is True
    (move,) = compared["winners"]
    (found,) = move["classes"]
    assert [item["text"] for item in found["where"]] == ['request.tags has "secret"']
    words = shlex.split(found["command"])[1:]
    for side, folder in (("old", root), ("new", changed)):
        decided = json.loads(here(*words, "--json", "--config", str(folder)).out)
        assert decided["winner"] == found[side]["winner"] == move[side]


def test_markdown(here: Program, root: Path, changed: Path):
    done = here("diff", str(root), str(changed), "--format", "markdown")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == f"### Decisions: `{root}` → `{changed}`"
    assert "**Decisions change by 1 of 1 policy.**" in lines
    assert "#### Policy `mine`: 2 of 4 requests looked at change winner (50.0 %)" in lines
    row = '| `far/big → home/m` | 2 | where request.tags has "secret" | '
    assert f"{row}$0.0101 → free (-100 %) | 0.9 → 0.35 |" in lines
    assert "```sh" in lines


def test_two_policies_by_name_alias_and_file(here: Program, root: Path, tmp_path: Path):
    (root / "policies" / "other.yaml").write_text(POLICY.replace("mine", "other") + KEPT)
    outside = tmp_path / "mine.yaml"
    outside.write_text(POLICY + KEPT)
    config = ("--config", str(root))
    for pair in (("mine", "other"), ("quick", "other"), ("policy/mine", "other")):
        done = here("diff", *pair, *config)
        assert done.code == 1, done
        assert "policy mine → other: 2 of 4" in done.out
        assert MOVE in done.out
    inside = str(root / "policies" / "mine.yaml")
    for pair in (("mine", str(outside)), (inside, str(outside))):
        done = here("diff", *pair, *config)
        assert (done.code, MOVE in done.out) == (1, True), done
    assert here("diff", inside, str(outside)).code == 1
    assert here("diff", inside, inside).code == 0


def test_each_policy_file_is_judged_in_its_workspace(here: Program, root: Path, tmp_path: Path):
    other = write(tmp_path / "far-only", far=FAR.replace("model: big", "model: huge"))
    files = [str(folder / "policies" / "mine.yaml") for folder in (root, other)]
    done = here("diff", *files)
    assert done.code == 1
    assert "far/big → far/small" in done.out
    assert "targets added: far/huge" in done.out
    assert "targets removed: far/big" in done.out


def test_two_provider_files(here: Program, root: Path, tmp_path: Path):
    cheaper = tmp_path / "far-next-year.yaml"
    cheaper.write_text(FAR.replace("input: 10", "input: 5"))
    gone = tmp_path / "far.yaml"
    gone.write_text(FAR.replace("model: big", "model: huge"))
    file = str(root / "providers.d" / "far.yaml")
    done = here("diff", file, str(cheaper))
    assert done.code == 0
    assert "1 request keeps the winner at another estimated cost" in done.out
    done = here("diff", file, str(gone), "--policy", "mine")
    assert done.code == 1
    assert "far/big → far/small" in done.out


def test_policies_and_targets_that_come_and_go(here: Program, root: Path, tmp_path: Path):
    other = write(tmp_path / "other", another=POLICY.replace("mine", "another"))
    done = here("diff", str(root), str(other))
    assert (done.code, "policies added: another" in done.out) == (0, True)
    done = here("diff", str(other), str(root))
    assert (done.code, "policies removed: another" in done.out) == (1, True)


def test_another_default_policy_and_alias(here: Program, root: Path, tmp_path: Path):
    small = POLICY.replace("mine", "thrifty").replace("weight: 3", "weight: 1")
    (root / "policies" / "thrifty.yaml").write_text(small)
    settings = SETTINGS.replace("mine", "thrifty")
    other = write(tmp_path / "other", thrifty=small, llmroute=settings)
    done = here("diff", str(root), str(other))
    assert done.code == 1
    assert "default policy mine → thrifty: 1 of 1 request looked at" in done.out
    assert "alias quick mine → thrifty" in done.out


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


def test_a_broken_provider_file(here: Program, root: Path, tmp_path: Path):
    broken = tmp_path / "far.yaml"
    broken.write_text(FAR.replace("locality: cloud", "localty: cloud"))
    done = here("diff", str(root / "providers.d" / "far.yaml"), str(broken))
    assert done.code == 3
    assert "far.yaml:2:1: unknown key" in done.out


LOG = """\
{"prompt": "a", "tags": ["secret"], "input_tokens": 1000, "count": 3}
not JSON
{"prompt": "b", "input_tokens": 1000, "count": 7, "policy": "quick"}
{"prompt": "c", "policy": "unknown"}
"""


def test_a_log(here: Program, root: Path, changed: Path, tmp_path: Path):
    log = tmp_path / "log.jsonl"
    log.write_text(LOG)
    done = here("diff", str(root), str(changed), "--log", "log.jsonl")
    assert done.code == 1
    # Ten requests of 1,000 tokens in and 500 out at $0.02 each; three are free now.
    assert done.out.startswith("""\
policy mine: 3 of 10 requests change winner (30.0 %)
  estimated cost $0.200 → $0.140 (-30 %)
  far/big → home/m: 3 requests
    first in log.jsonl:1
      costs $0.0200 → free (-100 %), quality 0.9 → 0.35
      llmroute decide a --tag secret --input-tokens 1000 --no-stream --policy mine \
--assume-usable --offline
""")
    assert "log.jsonl:2: this line is no JSON" in done.err
    assert 'log.jsonl:4: there is no policy "unknown"' in done.err
    data = json.loads(here("diff", str(root), str(changed), "--log", str(log), "--json").out)
    assert data["policies"][0]["log"]["old_cost"] == 0.2
    assert len(data["skipped"]) == 2


def test_a_log_for_one_policy(here: Program, root: Path, changed: Path, tmp_path: Path):
    log = tmp_path / "log.jsonl"
    log.write_text(LOG)
    done = here("diff", str(root), str(changed), "--log", str(log), "--policy", "mine")
    assert done.code == 1
    assert "3 of 11 requests change winner" in done.out
    log.write_text("nothing\n\n")
    done = here("diff", str(root), str(changed), "--log", str(log))
    assert done.code == 2
    assert "there is no request in" in done.err


def test_changes_of_the_first_fallback(here: Program, root: Path, tmp_path: Path):
    other = write(tmp_path / "other", mine=POLICY.replace("weight: 2", "weight: -2"))
    done = here("diff", str(root), str(other))
    assert done.code == 0
    assert (
        "1 request keeps the winner, with another first fallback (--ranking shows them)" in done.out
    )
    done = here("diff", str(root), str(other), "--ranking")
    assert (done.code, "far/small → home/m" in done.out) == (0, True)
    done = here("diff", str(root), str(other), "--ranking", "--format", "markdown")
    assert "`far/small → home/m`" in done.out


def test_hostile_names_do_not_reach_the_page(here: Program, root: Path, tmp_path: Path):
    log = tmp_path / "log.jsonl"
    text = "\x1b[31m ``` | <b>"
    log.write_text(json.dumps({"prompt": text, "tags": ["secret"]}))
    other = write(tmp_path / "other", mine=POLICY + KEPT)
    for form in ("text", "markdown"):
        done = here("diff", str(root), str(other), "--log", str(log), "--format", form)
        assert done.code == 1
        assert "\x1b" not in done.out
