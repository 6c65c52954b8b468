"""`llmroute test`: what it runs, what it prints, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from signal import SIGINT
from threading import Timer
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from llmroute.cli.records import finding_record
from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.formats.records import to_json
from tests.cli.conftest import ROOT, bare_environment
from tests.lab.testing.testing_bench import POLICY, beside, write

GOOD = "- {name: small first, request: {input_tokens: 1000}, expect: {target: far/small}}\n"
BAD = "- {name: near first, request: {input_tokens: 1000}, expect: {target: near/m}}\n"

#: Points as in tests/lab/testing/bench.py; 1,000 tokens in and 500 out cost 1 + 1 thousandths of
#: a dollar at far/small, $1.33 per million tokens of that mix, and ten times that at far/big.
FAILURE = """\
FAIL p: near first
ws/policies/p.test.yaml:4:72: expected `near/m` first, got `far/small`; `near/m` is in place 3 \
[test-target]
   |
 4 |   - {name: near first, request: {input_tokens: 1000}, expect: {target: near/m}}
   |                                                                        ^^^^^^
  policy p · tokens 1,000, tools no, images no, json_schema no, task chat
  → far/small with 14 points, level with far/big
    decided by a tie-break: equal points, and the lower estimated cost

  1. far/small  14 points · $0.00200 for about 1,000 tokens in, 500 out
     far first         10  ████████████████████  10 × 1  (yes)
     quick              4  ████████              8 × 0.5  (1 s, prior)

  2. far/big  14 points · $0.0200 for about 1,000 tokens in, 500 out
     far first         10  ████████████████████  10 × 1  (yes)
     quick              4  ████████              8 × 0.5  (1 s, prior)

  then:
  3. near/m  5.333336 points · price unknown
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


def test_all_pass(process: Any, root: Path) -> None:
    beside(root, GOOD)
    result = process("test", "--config", "ws")
    assert (result.code, result.err) == (0, "")
    assert result.out == "ok    ws/policies/p.test.yaml  1 passed\n1 test: 1 passed\n"


def test_a_failure_is_shown_with_what_happened(process: Any, root: Path) -> None:
    beside(root, GOOD + BAD)
    result = process("test", "--config", "ws")
    assert (result.code, result.err) == (1, "")
    assert result.out.startswith(FAILURE)
    assert result.out.endswith(
        "\n\nFAIL  ws/policies/p.test.yaml  1 passed, 1 failed\n2 tests: 1 passed, 1 failed\n"
    )
    assert process("test", "--config", "ws").out == result.out


def test_the_shipped_policies(process: Any, tmp_path: Path) -> None:
    result = process("test", "--threshold", "100", cwd=ROOT)
    assert (result.code, result.err) == (0, "")
    assert "coverage of rules and requirements: 100 %" in result.out


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ([], ["inside", "near first", "other", "small first"]),
        (["ws"], ["inside", "near first", "other", "small first"]),
        (["p"], ["inside", "near first", "small first"]),
        (["mine"], ["inside", "near first", "small first"]),
        (["policy/q"], ["other"]),
        (["p", "q"], ["inside", "near first", "other", "small first"]),
        (["ws/policies"], ["inside", "near first", "other", "small first"]),
        (["ws/policies/p.yaml"], ["inside", "near first", "small first"]),
        (["ws/policies/p.test.yaml"], ["near first", "small first"]),
        (["ws/policies/q.test.yaml", "ws/policies/q.yaml"], ["other"]),
        (["apart.test.yaml"], ["apart"]),
        (["-k", "FIRST"], ["near first", "small first"]),
        (["-k", "p: near"], ["near first"]),
        (["q", "-k", "o"], ["other"]),
    ],
)
def test_what_is_run(here: Any, root: Path, what: list[str], names: list[str]) -> None:
    inside = "tests: [{name: inside, request: {}, expect: {error: false}}]\n"
    (root / "policies" / "p.yaml").write_text(POLICY + inside)
    (root / "policies" / "q.yaml").write_text(POLICY.replace("policy: p", "policy: q"))
    beside(root, GOOD + BAD)
    for folder, name in (
        (root / "policies" / "q.test.yaml", "other"),
        (Path("apart.test.yaml"), "apart"),
    ):
        test = f"{{name: {name}, request: {{}}, expect: {{error: false}}}}"
        folder.write_text(f"policy: q\ntests: [{test}]\n")
    result = here("test", "--config", "ws", "--json", *what)
    assert sorted(test["name"] for test in json.loads(result.out)["tests"]) == names


def test_a_path_says_which_workspace(here: Any, root: Path) -> None:
    beside(root, GOOD)
    assert here("test", "ws/policies/p.test.yaml").code == 0
    assert here("test", "ws").code == 0


def test_json(here: Any, root: Path) -> None:
    beside(root, BAD)
    result = here("test", "--config", "ws", "--json", "--coverage")
    assert result.code == 1
    shown = json.loads(result.out)
    assert shown["summary"] == {"tests": 1, "passed": 0, "failed": 1}
    (test,) = shown["tests"]
    (failure,) = test.pop("failures")
    assert (failure["rule"], failure["line"]) == ("test-target", 3)
    assert test == {
        "policy": "p",
        "name": "near first",
        "file": "ws/policies/p.test.yaml",
        "line": 3,
        "passed": False,
        "winner": "far/small",
    }
    assert shown["coverage"]["rules"][0] == {
        "policy": "p",
        "rule": "far first",
        "held": 1,
        "not_held": None,
        "changed_the_winner": 1,
    }


def test_coverage_and_its_threshold(here: Any, root: Path) -> None:
    beside(root, GOOD)
    assert here("test", "--config", "ws", "--coverage").code == 0
    # Of 1 + 1 + 2 for the rules and 3 + 3 for the requirements, 1 + 1 + 1 and 1 + 1.
    fine = here("test", "--config", "ws", "--threshold", "50")
    assert (fine.code, fine.err) == (0, "")
    low = here("test", "--config", "ws", "--threshold", "50.1")
    assert (low.code, low.err) == (1, "llmroute: 50 % is covered, less than --threshold 50.1\n")
    assert "p       hard ones to the big  -     1             -\n" in low.out
    assert "p: rule `hard ones to the big`: no test in which its condition held\n" in low.out
    assert low.out.endswith("coverage of rules and requirements: 50 % (5 of 10)\n")


def test_a_policy_without_tests_counts(here: Any, root: Path) -> None:
    (root / "policies" / "q.yaml").write_text(POLICY.replace("policy: p", "policy: q"))
    beside(root, GOOD)
    assert "(5 of 20)" in here("test", "--config", "ws", "--coverage").out
    assert "(5 of 10)" in here("test", "--config", "ws", "--coverage", "p").out


def read_xml(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - our own


def test_junit(here: Any, root: Path, tmp_path: Path) -> None:
    beside(root, GOOD + BAD)
    assert here("test", "--config", "ws", "--junit", "out.xml").code == 1
    report = read_xml(tmp_path / "out.xml")
    assert (report.attrib["tests"], report.attrib["failures"]) == ("2", "1")
    beside(root, "- {name: a}\n")
    assert here("test", "--config", "ws", "--junit", "out.xml").code == 3
    assert read_xml(tmp_path / "out.xml").attrib["errors"] == "2"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("policies/p.test.yaml", "policy: p\ntests: [", "p.test.yaml:3:1: "),
        ("policies/p.test.yaml", "", "p.test.yaml:1:1: the file is empty"),
        ("policies/p.test.yaml", "policy: p\ntests: []\n", "p.test.yaml:2:1: "),
        (
            "policies/p.test.yaml",
            "policy: pp\ntests: [{name: a, request: {}, expect: {error: true}}]\n",
            "there is no policy `pp`",
        ),
        ("policies/p.yaml", POLICY.replace("target.model", "target.modl"), "unknown-field"),
        ("providers.d/far.yaml", "provider: far\n", "schema-missing-key"),
        ("llmroute.yaml", "inputs: 5\n", "schema-type"),
    ],
)
def test_broken_files(here: Any, root: Path, file: str, text: str, said: str) -> None:
    beside(root, GOOD)
    (root / file).write_text(text)
    result = here("test", "--config", "ws")
    assert (result.code, result.err) == (3, "")
    assert said in result.out
    assert result.out.endswith("; no test was run\n")
    shown = json.loads(here("test", "--config", "ws", "--json").out)
    assert shown["findings"]
    assert shown["tests"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-k", "zzz"], "no test has 'zzz' in its `policy: name`"),
        (["--threshold", "101"], "--threshold is 101; it must be from 0 to 100"),
        (["--threshold", "nan"], "--threshold is nan"),
        (["pp"], 'there is no policy "pp"; did you mean "p"?'),
        (["none.test.yaml"], "none.test.yaml: there is no such file or folder"),
        (["ws/llmroute.yaml"], "this is not a policy of ws"),
        (["--junit", "no/such/folder.xml"], "--junit: cannot write no/such/folder.xml"),
        (["--config", "nowhere"], "nowhere: there is no such workspace folder"),
    ],
)
def test_wrong_usage(here: Any, root: Path, arguments: list[str], said: str) -> None:
    beside(root, GOOD)
    given = arguments if "--config" in arguments else ["--config", "ws", *arguments]
    result = here("test", *given)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_no_tests_at_all(here: Any, root: Path) -> None:
    result = here("test", "--config", "ws")
    assert result.code == 2
    assert "there is no test; write some under `tests:`" in result.err


def test_names_cannot_steer_a_terminal(here: Any, root: Path) -> None:
    beside(root, '- {name: "a\\e[31m", request: {}, expect: {error: true}}\n')
    result = here("test", "--config", "ws", "--coverage")
    assert "\x1b" not in result.out
    assert "FAIL p: a\\x1b[31m" in result.out


def test_watching_needs_its_package(process: Any, root: Path, tmp_path: Path) -> None:
    (tmp_path / "watchfiles.py").write_text("raise ImportError('gone')\n")
    beside(root, GOOD)
    result = process(
        "test", "--config", "ws", "--watch", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}"
    )
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "llmroute: --watch needs the package watchfiles: pip install 'llmroute[watch]'\n"
    )


def test_watching_runs_again_after_a_change(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    beside(root, GOOD)
    started = subprocess.Popen(
        [sys.executable, "-m", "llmroute.cli", "test", "--config", "ws", "--watch"],
        cwd=tmp_path,
        env=bare_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert started.stdout is not None
    patience = Timer(40, started.kill)
    patience.start()
    try:
        lines = iter(started.stdout.readline, "")
        assert any("watching for changes" in line for line in lines)
        beside(root, BAD)
        assert any(line == "FAIL p: near first\n" for line in lines)
        assert any("watching for changes" in line for line in lines)
        beside(root, "- {name: a}\n")
        assert any("no test was run" in line for line in lines)
        assert any("watching for changes" in line for line in lines)
        beside(root, GOOD)
        assert any("1 test: 1 passed" in line for line in lines)
    finally:
        started.send_signal(SIGINT)
        assert started.wait(10) == 130
        patience.cancel()
        started.stdout.close()


def test_a_finding_is_a_record_as_lints() -> None:
    fixed = Diagnostic("r", "error", "f", 2, 3, "m", end_line=2, end_col=5).with_fix("ab")
    record = json.loads(json.dumps(finding_record(fixed)))
    assert record["fix"] == {"line": 2, "col": 3, "end_line": 2, "end_col": 5, "text": "ab"}
    assert [record] == json.loads(to_json([fixed]))


def test_broken_files_are_findings_in_json(here: Any, root: Path) -> None:
    beside(root, "- {name: a}\n")
    (found, *_) = json.loads(here("test", "--config", "ws", "--json").out)["findings"]
    assert (found["rule"], found["line"], found["fix"]) == ("schema-missing-key", 3, None)


def test_json_cannot_steer_a_terminal(here: Any, root: Path) -> None:
    name = "a\\e[31m \\x9b1m \\u202e"
    beside(root, f'- {{name: "{name}", request: {{}}, expect: {{error: true}}}}\n')
    result = here("test", "--config", "ws", "--json")
    assert result.out.replace("\n", "").isprintable()
    assert json.loads(result.out)["tests"][0]["name"] == "a\x1b[31m \x9b1m \u202e"
