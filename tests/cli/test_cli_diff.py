"""`llmroute diff`: what it compares, what it prints, how it ends; `diffed` has the workspace."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.cli.diffed import FAR, KEPT, MOVE, POLICY, SETTINGS, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    return write(tmp_path / "changed", mine=POLICY + KEPT)


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
