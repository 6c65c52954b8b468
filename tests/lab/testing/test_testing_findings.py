"""What is wrong with tests before they run: names, requests, tests that cannot fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute.config.diagnostics import Diagnostic
from llmroute.lab.testing.testing import check_tests
from tests.lab.testing.testing_bench import POLICY, beside, read, run, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


def found(root: Path, test: str) -> list[Diagnostic]:
    results = run(root, f"- {{name: t, {test}}}\n")
    assert results.outcomes == () or results.broken == ()
    assert list(results.broken) == check_tests(read(root))
    return list(results.broken)


FINE = "request: {}, expect: {error: false}"


@pytest.mark.parametrize(
    ("test", "rule", "message", "hint", "at"),
    [
        (
            "request: {}, expect: {target: far/bigg}",
            *(
                "unknown-target",
                "there is no target `far/bigg`",
                'did you mean "far/big"?',
                "far/bigg",
            ),
        ),
        (
            "request: {}, expect: {target: far}",
            *(
                "unknown-target",
                "there is no target `far`",
                "write a model of it, far/MODEL",
                "far",
            ),
        ),
        (
            "request: {}, expect: {target: finder/f}",
            *("unknown-target", "there is no target `finder/f`"),
            "nobody is asked in a test: add discovered: {finder: [{model: f}]}",
            "finder/f",
        ),
        (
            "request: {}, expect: {provider: farr}",
            *("unknown-provider", "there is no provider `farr`", 'did you mean "far"?', "farr"),
        ),
        (
            "request: {}, expect: {never: [far/big, nere]}",
            *("unknown-provider", "there is no provider `nere`", 'did you mean "near"?', "nere"),
        ),
        (
            "request: {}, expect: {order: [far/big, near/n]}",
            *("unknown-target", "there is no target `near/n`", 'did you mean "near/m"?', "near/n"),
        ),
        (
            "request: {}, expect: {rejected: {far/bog: usable}}",
            *(
                "unknown-target",
                "there is no target `far/bog`",
                'did you mean "far/big"?',
                "far/bog",
            ),
        ),
        (
            "request: {}, expect: {rejected: {far/big: thrifty ones stay cheep}}",
            "unknown-requirement",
            "there is no requirement `thrifty ones stay cheep`",
            'did you mean "thrifty ones stay cheap"?',
            "thrifty ones stay cheep",
        ),
        (
            "request: {}, expect: {rejected: {far/big: tool}}",
            *("unknown-requirement", "there is no requirement `tool`"),
            *('did you mean "tools"?', "tool}"),
        ),
        (
            "request: {}, unavailable: [farr], expect: {error: false}",
            *("unknown-provider", "there is no provider `farr`", 'did you mean "far"?', "farr"),
        ),
        (
            "request: {}, live: {far/smal: {success: 1}}, expect: {error: false}",
            *("unknown-target", "there is no target `far/smal`"),
            *('did you mean "far/small"?', "far/smal"),
        ),
        (
            "request: {}, affinity: far/bigg, expect: {error: false}",
            *(
                "unknown-target",
                "there is no target `far/bigg`",
                'did you mean "far/big"?',
                "far/bigg",
            ),
        ),
        (
            "request: {route: {only: [neer]}}, expect: {error: false}",
            *("unknown-provider", "there is no provider `neer`", 'did you mean "near"?', "neer"),
        ),
        (
            "request: {}, budgets: {team: 1}, expect: {error: false}",
            *("unknown-budget", "there is no budget `team`", "there is none at all", "team"),
        ),
        (
            "request: {}, discovered: {findr: []}, expect: {error: false}",
            *(
                "unknown-provider",
                "there is no provider `findr`",
                'did you mean "finder"?',
                "findr",
            ),
        ),
        (
            "request: {}, discovered: {near: []}, expect: {error: false}",
            "test-discovered",
            "`near` discovers nothing: its models are those that its file declares",
            *(None, "near"),
        ),
        (
            "request: {}, discovered: {finder: [{model: f}, {model: f}]}, expect: {error: false}",
            *("schema-duplicate", "the model `f` is there twice; the first is in line 3"),
            *("keep one, or rename one", "f}]}"),
        ),
        (
            "request: {metadata: {privcy: private}}, expect: {error: false}",
            "test-request",
            'metadata "privcy" is not declared under inputs of llmroute.yaml; did',
            *(None, "request"),
        ),
        (
            "request: {messages: [{role: usr}]}, expect: {error: false}",
            *("test-request", "messages[0].role is 'usr'; use one of system, developer,"),
            *(None, "request"),
        ),
        (
            "request: {}, now: {date: '2026-02-30'}, expect: {error: false}",
            *("schema-date", "there is no day 2026-02-30", None, "'2026-02-30'"),
        ),
        (
            "request: {}, now: {date: '2026-11-22', weekday: 1}, expect: {error: false}",
            *("test-weekday", "2026-11-22 is weekday 7, not 1", "leave one of them", "1}"),
        ),
        (
            "request: {}, expect: {never: []}",
            *("test-cannot-fail", "`never` is empty: it holds whatever the policy does"),
            *("say what must come out, or leave it out", "[]"),
        ),
        (
            "request: {}, expect: {rejected: {}}",
            *("test-cannot-fail", "`rejected` is empty: it holds whatever the policy does"),
            *(None, "{}}"),
        ),
        (
            "request: {}, expect: {never: [far, finder]}",
            "test-cannot-fail",
            "`finder` has no target in this test: it can never be in any place",
            *("add discovered: {finder: [{model: …}]}, or leave it out", "finder"),
        ),
        (
            "request: {}, expect: {}",
            *("schema-length", "`expect` needs at least 1 key", None, "expect: {}"),
        ),
        (
            "request: {}, expect: {tarjet: far/big}",
            *("schema-unknown-key", "", 'did you mean "target"?', "tarjet"),
        ),
        (
            "request: {}, discovered: {finder: [{model: f, cost: 5}]}, expect: {error: false}",
            *("schema-type", "", None, "5"),
        ),
    ],
)
def test_one_finding(
    root: Path, test: str, rule: str, message: str, hint: str | None, at: str
) -> None:
    (item,) = found(root, test)
    assert item.rule == rule
    assert item.message.startswith(message)
    assert hint is None or item.help == hint
    line = f"  - {{name: t, {test}}}"
    assert (item.line, item.col) == (3, line.rindex(at) + 1)
    assert item.file.endswith("p.test.yaml")


def test_every_finding_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    policy = POLICY + "tests:\n  - {name: a, request: {}, expect: {target: near/x}}\n"
    root = write(tmp_path / "ws", policy)
    beside(root, "- {name: a, request: {}, expect: {never: []}}\n", "a.test.yaml")
    beside(root, f"- {{name: a, {FINE}}}\n- {{name: a, {FINE}}}\n", "b.test.yaml")
    (root / "policies" / "c.test.yaml").write_text(
        "policy: q\ntests: [" + f"{{name: a, {FINE}}}]\n"
    )
    (root / "policies" / "d.test.yaml").write_text("policy: p\ntests: [")
    (root / "policies" / "e.test.yaml").write_text("policy: p\ntests: no\n")
    told = {(Path(item.file).name, item.rule) for item in check_tests(read(root))}
    assert told == {
        ("p.yaml", "unknown-target"),
        ("a.test.yaml", "test-cannot-fail"),
        ("b.test.yaml", "schema-duplicate"),
        ("c.test.yaml", "unknown-policy"),
        ("d.test.yaml", "yaml-syntax"),
        ("e.test.yaml", "yaml-bool-word"),
    }


def test_what_is_wrong_for_all_tests_of_a_file_is_told_once(root: Path) -> None:
    path = beside(root, f"- {{name: a, {FINE}}}\n- {{name: b, {FINE}}}\n")
    path.write_text(f"discovered: {{findr: []}}\n{path.read_text()}")
    from llmroute.lab.testing.testing import run_tests

    (item,) = run_tests(read(root)).broken
    assert (item.rule, item.line, item.col) == ("unknown-provider", 1, 14)


def test_a_file_that_is_linked_from_elsewhere_does_not_count(root: Path, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"policy: p\ntests: [{{name: a, {FINE}}}]\n")
    (root / "policies" / "x.test.yaml").symlink_to(tmp_path / "x.yaml")
    assert [item.rule for item in check_tests(read(root))] == ["file-outside"]


def test_a_link_that_leads_round_in_circles_is_a_finding(root: Path) -> None:
    (root / "policies" / "x.test.yaml").symlink_to("x.test.yaml")
    assert [item.rule for item in check_tests(read(root))] == ["file-unreadable"]


@pytest.mark.parametrize("content", ["5", "{text: a}"])
def test_an_image_is_added_only_to_what_is_a_message(root: Path, content: str) -> None:
    message = f"{{images: true, messages: [{{role: user, content: {content}}}]}}"
    results = run(root, f"- {{name: t, request: {message}, expect: {{error: false}}}}\n")
    assert [item.rule for item in results.broken] == ["test-request"]


@pytest.mark.parametrize(
    ("expect", "rule", "message", "at"),
    [
        (
            "cost: {far/big: [2, 1]}",
            *("test-cannot-pass", "nothing costs at least 2 and at most 1", "[2"),
        ),
        (
            "charge: {usage: {input: 9, output: 1}, cost: {far/big: [0.2, 0.1]}}",
            *("test-cannot-pass", "nothing costs at least 0.2 and at most 0.1", "[0.2"),
        ),
        (
            "charge: {usage: {input: 9, cached: 10, output: 1}, cost: {far/big: 1}}",
            *("test-usage", "`input` is 9, less than `cached`, which count within it", "9,"),
        ),
        (
            (
                "charge: {usage: {input: 9, cached: 5, cache_written: 5, output: 1}, "
                "cost: {far/big: 1}}"
            ),
            "test-usage",
            "`input` is 9, less than `cached` and `cache_written`, which count within it",
            "9,",
        ),
        (
            "charge: {usage: {input: 9, cache_written_1h: 1, output: 1}, cost: {far/big: 1}}",
            "test-usage",
            "`cache_written` is 0, less than `cache_written_1h`, a part of it",
            "1, output",
        ),
    ],
)
def test_what_no_policy_can_meet(root: Path, expect: str, rule: str, message: str, at: str) -> None:
    test = f"request: {{}}, expect: {{{expect}}}"
    (item,) = found(root, test)
    assert (item.rule, item.message) == (rule, message)
    assert item.col == f"  - {{name: t, {test}}}".index(at, 30) + 1
