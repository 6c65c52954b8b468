"""Running policy tests: each expectation met and not met, and what a test says of the world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmroute.lab.testing.testing import SUFFIX, run_tests
from tests.lab.testing.testing_bench import POLICY, beside, read, run, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


def single(root: Path, expect: str, request: str = "{input_tokens: 1000}", more: str = "") -> Any:
    results = run(root, f"- name: t\n  request: {request}\n  {more}\n  expect: {expect}\n")
    assert results.broken == ()
    (outcome,) = results.outcomes
    return outcome


@pytest.mark.parametrize(
    "expect",
    [
        "{target: far/small}",
        "{provider: far}",
        "{locality: cloud}",
        "{order: [far/small, far/big, near/m]}",
        "{order: [far/small, near/m]}",
        "{order: [near/m]}",
        "{error: false}",
        "{cost_below: 0.0020001}",
        "{margin_at_least: 0}",
    ],
)
def test_what_comes_true(root: Path, expect: str) -> None:
    assert single(root, expect).passed


@pytest.mark.parametrize(
    ("expect", "rule", "message"),
    [
        (
            "{target: far/big}",
            "test-target",
            "expected `far/big` first, got `far/small`; `far/big` is in place 2",
        ),
        ("{provider: near}", "test-provider", "expected a target of `near` first, got `far/small`"),
        (
            "{locality: local}",
            "test-locality",
            "expected a local target first, got `far/small`, which is cloud",
        ),
        (
            "{never: [near/m]}",
            "test-never",
            "expected `near/m` in no place, got `near/m` in place 3",
        ),
        (
            "{never: [far]}",
            "test-never",
            "expected `far` in no place, got `far/small` of `far` in place 1",
        ),
        (
            "{order: [near/m, far/big]}",
            "test-order",
            "expected `far/big` behind `near/m`, they are in places 3 and 2",
        ),
        (
            "{rejected: {near/m: thrifty ones stay cheap}}",
            "test-rejected",
            "expected `near/m` to be rejected by `thrifty ones stay cheap`; `near/m` is in place 3",
        ),
        ("{error: true}", "test-error", "expected that no target is eligible, got `far/small`"),
        (
            "{cost_below: 0.002}",
            "test-cost-below",
            "expected a cost below $0.002, `far/small` costs $0.00200",
        ),
        (
            "{margin_at_least: 0.5}",
            "test-margin-at-least",
            "expected a margin of at least 0.5 points, `far/small` leads `far/big` by 0",
        ),
    ],
)
def test_what_does_not(root: Path, expect: str, rule: str, message: str) -> None:
    (failure,) = single(root, expect).failures
    assert (failure.rule, failure.message) == (rule, message)
    # Under the head of the file, `policy` and `tests`, a test has its name, request, a blank line.
    assert (failure.file.endswith(f"p{SUFFIX}"), failure.line) == (True, 6)
    assert failure.source is not None
    assert expect in failure.source


def test_each_failure_points_at_its_own_place(root: Path) -> None:
    outcome = single(root, "{never: [finder, near/m], target: far/big}", more=FOUND)
    assert [(item.rule, item.col) for item in outcome.failures] == [
        ("test-never", 22),
        ("test-never", 30),
        ("test-target", 47),
    ]


FOUND = "discovered: {finder: [{model: f}]}"


def test_where_nobody_is_eligible_every_demand_on_the_first_fails(root: Path) -> None:
    expect = "{target: near/m, provider: near, locality: local, order: [near/m], error: false,"
    expect += " cost_below: 1, margin_at_least: 0}"
    outcome = single(root, expect, more="unavailable: [near, far]")
    assert [item.rule for item in outcome.failures] == [
        *("test-target", "test-provider", "test-locality", "test-order"),
        *("test-error", "test-cost-below", "test-margin-at-least"),
    ]
    assert all(
        "no target is eligible" in i.message for i in outcome.failures if "order" not in i.rule
    )
    assert "`near/m` is rejected by `usable`" in outcome.failures[0].message


def test_an_unknown_price_is_not_below_anything(root: Path) -> None:
    (failure,) = single(root, "{cost_below: 1000}", "{route: {only: [near]}}").failures
    assert failure.message == "expected a cost below $1000, the price of `near/m` is unknown"


def test_the_only_one_leads_by_any_margin(root: Path) -> None:
    assert single(root, "{margin_at_least: 1000}", "{route: {only: [near]}}").passed


def test_a_target_may_be_rejected_for_several_reasons(root: Path) -> None:
    expect = "{rejected: {far: private stays local, far/small: context_window, far/big: usable}}"
    request = "{metadata: {privacy: private}, input_tokens: 9000}"
    assert single(root, expect, request, "unavailable: [far/big]").passed


def test_a_provider_is_rejected_with_each_of_its_targets(root: Path) -> None:
    (failure,) = single(
        root, "{rejected: {far: thrifty ones stay cheap}}", "{tags: [thrifty]}"
    ).failures
    assert "expected `far/small` to be rejected" in failure.message


@pytest.mark.parametrize(
    ("request_", "more", "expect"),
    [
        # 14 + 5 = 19 for the big one.
        ("{tags: [hard], input_tokens: 1000}", "", "{target: far/big, margin_at_least: 5}"),
        ("{tools: true}", "", "{target: far/big, rejected: {far/small: tools, near: tools}}"),
        ("{images: true}", "", "{rejected: {far: vision, near: vision}, error: true}"),
        ("{json_schema: true}", "", "{rejected: {far: json_schema}, error: true}"),
        ("{stream: true}", "", "{rejected: {near/m: streaming}}"),
        ("{system: 'x', prompt: 'y', route: {order: [near]}}", "", "{target: near/m}"),
        ("{input_tokens: 5000}", "", "{rejected: {far/small: context_window}}"),
        # 10 + 8 / 401 = 10.02 at far, 8 / 1.1 = 7.27 at near/m.
        ("{}", "live: {far: {first_token: 400s}, near/m: {first_token: 100ms}}", "{provider: far}"),
        # The target's own value counts: 10 + 8 / 1.25 = 16.4, and 10 + 8 / 3 = 12.67 at far/small.
        (
            "{}",
            "live: {far: {first_token: 2s}, far/big: {first_token: 250ms}}",
            "{target: far/big, margin_at_least: 3.7}",
        ),
        ("{}", "unavailable: [far]", "{target: near/m, rejected: {far: usable}}"),
        ("{}", "discovered: {finder: [{model: f}]}", "{order: [near/m, finder/f]}"),
        (
            "{}",
            "discovered: {finder: [{model: f, locality: cloud}]}",
            "{order: [near/m, finder/f], never: [finder/f]}",
        ),
    ],
)
def test_what_a_test_says_of_the_world(root: Path, request_: str, more: str, expect: str) -> None:
    outcome = single(root, expect, request_, more)
    if "never" in expect:
        assert [item.rule for item in outcome.failures] == ["test-never"]
    elif "near/m, finder/f" in expect:
        # Equal points: near/m has no price and so stands behind the free one.
        assert [item.rule for item in outcome.failures] == ["test-order"]
    else:
        assert outcome.passed, [str(item) for item in outcome.failures]


def test_time_and_budgets(tmp_path: Path) -> None:
    policy = """\
policy: p
rules:
  - {name: at night, weight: 1, when: now.hour < `6`, prefer: target.id == 'near/m'}
  - {name: sundays, weight: 2, when: now.weekday == `7`, prefer: target.id == 'far/big'}
  - {name: sparing, weight: 4, when: budget.team > `0.9`, prefer: target.id == 'far/small'}
"""
    settings = "budgets: [{name: team, period: day, amount: 1}]\n"
    root = write(tmp_path / "ws", policy, settings)
    rows = [
        ("{hour: 5}", "{}", "near/m"),
        ("{hour: 5, weekday: 7}", "{}", "far/big"),
        ("{date: '2026-11-22'}", "{}", "far/big"),
        ("{hour: 5, weekday: 7}", "{team: 0.91}", "far/small"),
    ]
    text = "".join(
        f"- {{name: t{n}, request: {{}}, now: {now}, budgets: {spent}, "
        f"expect: {{target: {first}}}}}\n"
        for n, (now, spent, first) in enumerate(rows)
    )
    text += "- {name: usual, request: {}, expect: {margin_at_least: 0.001}}\n"
    results = run(root, text)
    assert results.broken == ()
    # At noon of a Monday nothing holds: nobody leads.
    assert [item.passed for item in results.outcomes] == [True, True, True, True, False]


def test_prices_are_those_of_the_day_that_the_files_name(tmp_path: Path) -> None:
    root = write(tmp_path / "ws")
    far = root / "providers.d" / "far.yaml"
    dated = 'date: "2026-11-20", valid_until: "2026-11-30"'
    far.write_text(far.read_text().replace('date: "2026-11-20"', dated))
    priced = "{name: a, request: {}, expect: {order: [far/small, far/big]}}"
    later = (
        "{name: b, request: {}, now: {date: '2026-12-01'}, expect: {order: [far/big, far/small]}}"
    )
    results = run(root, f"- {priced}\n- {later}\n")
    assert results.broken == ()
    assert results.failed == ()


def test_affinity(tmp_path: Path) -> None:
    policy = POLICY + "  - {name: stay, weight: 1, prefer: affinity}\n"
    root = write(tmp_path / "ws", policy)
    assert single(root, "{target: far/big}", more="affinity: far/big").passed


def test_a_file_says_once_what_is_discovered_in_all_its_tests(root: Path) -> None:
    path = beside(root, "- {name: a, request: {}, expect: {rejected: {finder/f: usable}}}\n")
    own = "- {name: b, request: {}, discovered: {finder: []}, expect: {never: [near/m]}}\n"
    path.write_text(f"discovered: {{finder: [{{model: f}}]}}\n{path.read_text()}  {own}")
    results = run_tests(read(root))
    assert results.broken == ()
    known = [{t.id for t in outcome.decision.targets} for outcome in results.outcomes]
    assert ["finder/f" in targets for targets in known] == [True, False]


def test_what_a_server_does_not_list_is_not_installed(tmp_path: Path) -> None:
    root = write(tmp_path / "ws")
    finder = root / "providers.d" / "finder.yaml"
    finder.write_text(finder.read_text() + "models: [{model: declared}]\n")
    text = """\
    - {name: unasked, request: {}, expect: {order: [finder/declared]}}
    - name: asked
      request: {}
      discovered: {finder: [{model: other}]}
      expect: {rejected: {finder/declared: usable}, order: [finder/other]}
    - name: listed
      request: {}
      discovered: {finder: [{model: declared}]}
      expect: {order: [finder/declared]}
    """
    results = run(root, text)
    assert (results.broken, results.failed) == ((), ())


def test_tests_of_policy_and_files_run_together_in_a_fixed_order(tmp_path: Path) -> None:
    policy = POLICY + "tests:\n  - {name: inside, request: {}, expect: {error: false}}\n"
    root = write(tmp_path / "ws", policy)
    beside(root, "- {name: b, request: {}, expect: {error: false}}\n", "b.test.yaml")
    beside(root, "- {name: a, request: {}, expect: {error: false}}\n", "a.test.yaml")
    names = [outcome.case.name for outcome in run_tests(read(root)).outcomes]
    assert names == ["a", "b", "inside"]
    chosen = run_tests(read(root), chosen=lambda case: case.name == "b")
    assert [outcome.case.title for outcome in chosen.outcomes] == ["p: b"]


def test_seconds_are_those_of_the_clock_that_is_given(root: Path) -> None:
    beside(root, "- {name: a, request: {}, expect: {error: false}}\n")
    ticks = iter([1.0, 3.5])
    (outcome,) = run_tests(read(root), clock=lambda: next(ticks)).outcomes
    assert outcome.seconds == 2.5
