"""What tests exercised: conditions seen true and false, requirements, targets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmroute.config.shipped import data_root
from llmroute.config.workspace import read_workspace
from llmroute.lab.testing.testing import Coverage, run_tests
from tests.lab.testing.testing_bench import run, write

POLICY = """\
policy: p
let: {thrifty: "contains(request.tags, 'thrifty')"}
require:
  - {name: thrifty ones stay cheap, when: thrifty, target: target.cost.input <= `1`}
  - {name: cloud models are priced, when: target.locality == 'cloud', target: target.cost.input}
  - {name: not the smallest, target: "target.model != 's'"}
rules:
  - {name: far first, weight: 10, prefer: target.provider == 'far'}
  - name: hard ones to the big
    when: contains(request.tags, 'hard')
    weight: 5
    prefer: target.model == 'big'
  - {name: near if local, when: target.locality == 'local', weight: 1, prefer: "`1`"}
  - {name: idle, weight: 1, prefer: "`0.5`"}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "ws", POLICY)


def covered(root: Path, *tests: str) -> Coverage:
    results = run(root, "".join(f"- {{name: t{n}, {t}}}\n" for n, t in enumerate(tests)))
    assert results.broken == ()
    return results.coverage(["p"])


ANY = "request: {}, expect: {error: false}"
HARD = "request: {tags: [hard]}, expect: {target: far/big}"
THRIFTY = "request: {tags: [thrifty]}, expect: {target: far/small}"
NOBODY = "request: {}, unavailable: [near, far], expect: {error: true}"
SMALLEST = "request: {}, discovered: {finder: [{model: s}]}, expect: {error: false}"
UNPRICED = "discovered: {finder: [{model: x, locality: cloud, cost: null}]}"
FREE = f"request: {{}}, {UNPRICED}, expect: {{error: false}}"
PRIVATE = "request: {metadata: {privacy: private}}, expect: {target: near/m}"


def counts(coverage: Coverage) -> dict[str, tuple[int | None, ...]]:
    rules = {s.rule.name: tuple(s.counts.values()) for s in coverage.rules.values()}
    required = {s.require.name: tuple(s.counts.values()) for s in coverage.requirements.values()}
    return {**rules, **required}


def test_one_plain_test(root: Path) -> None:
    assert counts(covered(root, ANY)) == {
        # held, did not hold, changed the winner
        "far first": (1, None, 1),
        "hard ones to the big": (0, 1, 0),
        "near if local": (1, 1, 0),
        "idle": (1, None, 0),
        # rejected, let pass, did not apply
        "private stays local": (0, 0, 1),
        "thrifty ones stay cheap": (0, 0, 1),
        "cloud models are priced": (0, 1, 1),
        "not the smallest": (0, 1, None),
    }


def test_what_no_test_shows_is_named(root: Path) -> None:
    coverage = covered(root, ANY, HARD)
    assert coverage.missing == [
        "p: requirement `private stays local`: no test in which it rejected a target",
        "p: requirement `private stays local`: no test in which it let a target pass",
        "p: requirement `thrifty ones stay cheap`: no test in which it rejected a target",
        "p: requirement `thrifty ones stay cheap`: no test in which it let a target pass",
        "p: requirement `cloud models are priced`: no test in which it rejected a target",
        "p: requirement `not the smallest`: no test in which it rejected a target",
    ]
    # Two for each conditional rule, one for the others; three for each conditional requirement.
    assert coverage.counted == (6 + 11 - 6, 2 + 2 + 1 + 1 + 3 + 3 + 3 + 2)
    assert coverage.percent == pytest.approx(100 * 11 / 17)


def test_everything_was_seen(root: Path) -> None:
    coverage = covered(root, ANY, HARD, THRIFTY, SMALLEST, FREE, PRIVATE)
    assert (coverage.missing, coverage.percent) == ([], 100)
    assert counts(coverage)["hard ones to the big"] == (1, 5, 1)
    # Without the rule those of far have 4.5 points and near/m 6.83. That changes nothing where the
    # request is hard (9.5), thrifty (near/m has no price) or private (nobody else is left).
    assert counts(coverage)["far first"][2] == 3
    json.dumps(coverage.to_dict())


def test_where_nobody_is_left_a_rule_was_not_seen_to_apply(root: Path) -> None:
    seen = counts(covered(root, NOBODY))
    assert seen["far first"] == (0, None, 0)
    assert seen["near if local"] == (0, 0, 0)
    assert seen["not the smallest"] == (0, 1, None)


def test_targets(root: Path) -> None:
    coverage = covered(root, ANY, HARD, SMALLEST)
    shown = {n: (s.won, s.eligible, s.rejected) for n, s in coverage.targets.items()}
    assert shown == {
        "far/big": (1, 3, 0),
        "far/small": (2, 3, 0),
        "near/m": (0, 3, 0),
        "finder/s": (0, 0, 1),
    }


def test_a_policy_without_rules_and_requirements_is_covered(tmp_path: Path) -> None:
    root = write(tmp_path / "ws", "policy: p\n", "default_policy: p\n")
    assert covered(root, ANY).percent == 100


def test_the_shipped_policies_pass_and_are_covered_in_full() -> None:
    workspace, _ = read_workspace(data_root(), {})
    results = run_tests(workspace)
    assert results.broken == ()
    assert [str(item) for outcome in results.failed for item in outcome.failures] == []
    coverage = results.coverage(sorted(workspace.policies))
    assert coverage.missing == []
    assert {outcome.case.policy for outcome in results.outcomes} == set(workspace.policies)
