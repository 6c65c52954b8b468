"""A fix never changes a decision: what loaded before decides after it as `llmroute diff` says.

A file that did not load decided nothing; what it says once it is mended is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from llmroute.cli import main
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.workspace import Workspace, read_workspace
from llmroute.lab.diffing.diff import Compared, Names, Side, compare
from llmroute.lint.fix import fixes, write
from llmroute.lint.project import Project
from llmroute.lint.registry import Rule
from llmroute.policy.check import check_expressions
from llmroute.router import Router

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FILES = {
    "providers.d/far.yaml": """\
provider: far
locality: cloud
endpoint: {transport: http, protocol: openai-chat, base_url: "https://f.example/v1", auth: none}
defaults: {capabilities: {streaming: true, tools: true}}
models:
  - {model: big, context_window: 100000, cost: {input: 10, output: 20}}
  - {model: small, context_window: 5000, cost: {input: 1, output: 2}}
""",
    "providers.d/home.yaml": """\
provider: home
locality: local
endpoint: {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:9", auth: none}
models:
  - {model: m, capabilities: {streaming: true}, cost: {input: 0, output: 0}}
""",
    "policies/p.yaml": """\
policy: p
description: far first
let: {coding: "contains(request.tags, 'code')"}
require:
  - {name: stays, when: "contains(request.tags, 'secret')", target: target.provider == 'home'}
rules:
  - {name: cheap, weight: 20, prefer: price}
  - {name: big for code, weight: 40, when: coding, prefer: target.model == 'big'}
fallback: {attempts: 3}
""",
    "policies/q.yaml": """\
policy: q
extends: p
rules:
  - {name: cheap, weight: 5, prefer: price}
""",
    "llmroute.yaml": "default_policy: p\ninputs: {privacy: {enum: [private, public]}}\n",
}
#: A file, what stands in it, and what is written there instead. The first ones do not load; the
#: others do, and what is to be mended is in another part of the workspace, or in a comment.
FAULTS = (
    ("providers.d/far.yaml", "locality: cloud", "localty: cloud"),
    ("providers.d/far.yaml", "input: 10", 'input: "10"'),
    ("providers.d/far.yaml", "context_window: 100000", "context_window: 100_000"),
    ("providers.d/far.yaml", "output: 20", "output: 2e1"),
    ("providers.d/home.yaml", "streaming: true", "streaming: yes"),
    ("providers.d/home.yaml", "input: 0,", "inptu: 0,"),
    ("policies/p.yaml", "description: far first", "description: no"),
    ("policies/p.yaml", "weight: 20", 'weight: "20"'),
    ("policies/p.yaml", "weight: 40", "wieght: 40"),
    ("policies/p.yaml", "when: coding", "when: !(coding)"),
    ("policies/q.yaml", "weight: 5", "weight: 0_5"),
    ("policies/q.yaml", "rules:", "rulse:"),
    (
        "providers.d/far.yaml",
        "locality: cloud",
        "# llmroute: ignore[yaml-tab] no\nlocality: cloud",
    ),
    ("policies/p.yaml", "rules:", "# llmroute: ignore[rule-inert] is not\nrules:"),
    ("policies/p.yaml", "policy: p", "policy: p # llmroute: ignore[weight-drowns] is not"),
    ("policies/q.yaml", "extends: p", "extends: p # llmroute: ignore[rule-duplicate] is not"),
)


def spoiled(root: Path, *faults: tuple[str, str, str]) -> Path:
    texts = dict(FILES)
    for file, old, new in faults:
        texts[file] = texts[file].replace(old, new, 1)
    for file, text in texts.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def loaded(root: Path) -> Workspace:
    """Return what loads of a workspace; a policy with a wrong expression does not."""
    workspace, _ = read_workspace(root, {})
    wrong = {f.file for f in check_expressions(workspace) if f.severity == "error"}
    bases = {name: doc.data.get("extends") for name, doc in workspace.policies.items()}
    good = {
        name: doc
        for name, doc in workspace.policies.items()
        if doc.label not in wrong and bases[name] in (None, *bases)
    }
    return replace(workspace, policies=good)


def differences(before: Workspace, after: Workspace) -> list[Compared]:
    """Compare what loaded before, every policy on every case that tells the two apart."""
    kept = replace(
        after,
        settings=after.settings if before.settings else None,
        providers={name: after.providers[name] for name in before.providers},
        policies={name: after.policies[name] for name in before.policies},
    )
    routers = Router(before), Router(kept)
    found = []
    for name in before.policies:
        sides = [Side(r.policy(name).source, r.targets, inputs(r.workspace)) for r in routers]
        found.append(compare(sides[0], sides[1], Names(name, name, name), now=NOW))
    return found


def inputs(workspace: Workspace) -> object:
    return workspace.settings.data.get("inputs") if workspace.settings else None


def mend(root: Path) -> int:
    """Make the safe fixes; return how many there were."""
    made = fixes([root], {})
    write(made)
    return sum(change.mended for change in made)


def assert_same(root: Path, before: Workspace) -> None:
    for compared in differences(before, loaded(root)):
        assert (compared.changed, compared.reranked, compared.repriced) == (0, 0, 0)
        assert compared.notes == ()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[2])
def test_a_fix_changes_no_decision(tmp_path: Path, fault: tuple[str, str, str]):
    root = spoiled(tmp_path, fault)
    before = loaded(root)
    assert mend(root)
    assert_same(root, before)


@pytest.mark.parametrize("seed", range(25))
def test_nor_do_many_together(tmp_path: Path, seed: int):
    rng = Random(seed)
    root = spoiled(tmp_path, *rng.sample(FAULTS, rng.randint(2, 8)))
    before = loaded(root)
    assert mend(root)
    assert_same(root, before)


def test_what_is_compared_would_show_a_change(tmp_path: Path):
    before = loaded(spoiled(tmp_path / "a"))
    after = loaded(spoiled(tmp_path / "b", ("policies/p.yaml", "weight: 40", "weight: 4")))
    found = {compared.names.title: compared for compared in differences(before, after)}
    assert found["p"].changed
    assert sorted(found) == ["p", "q"]


HARMFUL = ("weight", "wins", "requires", "prices")


@pytest.fixture(params=HARMFUL)
def harmful(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A rule whose fix would change decisions, beside one whose fix does not."""
    places = {
        "weight": ("p", ("rules", 1, "weight"), "4"),
        "wins": ("p", ("rules", 1, "prefer"), "target.model == 'small'"),
        "requires": ("p", ("require", 0, "target"), "target.provider == 'far'"),
        "prices": ("far", ("models", 0, "cost", "input"), "1"),
    }
    name, path, text = places[request.param]

    def bad(project: Project) -> Iterator[Diagnostic]:
        document = {**project.policies, **project.providers}[name]
        item = document.diagnostic("bad-fix", "m", path)
        if str(document.source.line(item.line))[item.col - 1 :].startswith(text):
            return
        yield item.with_fix(text)

    def good(project: Project) -> Iterator[Diagnostic]:
        document = project.policies["p"]
        if document.data["description"] == "far first":
            yield document.diagnostic("good-fix", "m", ("description",)).with_fix("better")

    made = (Rule("bad-fix", "warning", bad), Rule("good-fix", "warning", good))
    for module in ("check", "registry"):
        monkeypatch.setattr(f"llmroute.lint.{module}.rules", lambda: made)
    return str(request.param)


def test_a_fix_that_would_is_not_made(tmp_path: Path, harmful: str):
    root = spoiled(tmp_path)
    before = loaded(root)
    assert mend(root) == 1
    assert "description: better" in (root / "policies" / "p.yaml").read_text()
    assert_same(root, before)


def test_diff_itself_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    loading = [fault for fault in FAULTS if "ignore[" in fault[2]]
    old, new = (spoiled(tmp_path / name, *loading) for name in ("old", "new"))
    assert mend(new) == len(loading)
    assert main(["diff", str(old), str(new)]) == 0
    assert capsys.readouterr().out.endswith("no decision changes\n")
