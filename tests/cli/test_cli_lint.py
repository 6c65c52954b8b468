"""`llmroute lint` as a process: forms, levels, exit codes, explanations, fixes, watching."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import bare_environment, write_workspace

ADDRESS = "http://127.0.0.1:9"
BAD = "policy: balanced\nrules:\n  - {name: a, wieght: 10, prefer: target.provider == 'second'}\n"
GOOD = BAD.replace("wieght", "weight")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_workspace(tmp_path / "ws", {"first": ADDRESS, "second": ADDRESS}, BAD)


PRETTY = """\
policies/balanced.yaml:3:15: unknown key `wieght` in item 1 of `rules` [schema-unknown-key]
   |
 3 |   - {name: a, wieght: 10, prefer: target.provider == 'second'}
   |               ^^^^^^
   = help: did you mean "weight"?
1 error; `llmroute lint --fix` mends 1 of them
"""
GITHUB = (
    "::error file=policies/balanced.yaml,line=3,endLine=3,col=15,endColumn=21,"
    "title=llmroute schema-unknown-key::unknown key `wieght` in item 1 of `rules`"
    '%0Adid you mean "weight"?\n'
)


def test_pretty_and_github(process: Any, root: Path) -> None:
    path = "policies/balanced.yaml"
    told = process("lint", path, cwd=root)
    assert (told.code, told.out, told.err) == (1, PRETTY, "")
    assert process("lint", path, "--format", "github", cwd=root).out == GITHUB


def test_json_in_both_ways(process: Any, root: Path) -> None:
    short = process("lint", "--json", cwd=root)
    long = process("lint", "--format", "json", cwd=root)
    assert short.out == long.out
    (record,) = (r for r in json.loads(long.out) if r["severity"] == "error")
    assert record["fix"] == {"line": 3, "col": 15, "end_line": 3, "end_col": 21, "text": "weight"}
    assert json.loads(process("lint", "--json", "policies", cwd=root).out) == [record]


def test_sarif_and_junit(process: Any, root: Path) -> None:
    log = json.loads(process("lint", "--format", "sarif", "policies", cwd=root).out)
    (result,) = log["runs"][0]["results"]
    assert result["ruleId"] == "schema-unknown-key"
    told = process("lint", "--format", "junit", "policies", cwd=root)
    tree = ET.fromstring(told.out)  # noqa: S314
    assert tree.attrib["failures"] == "1"


WARNED = "policy: balanced\nrules: []\n# llmroute: ignore[yaml-tab]\n"


@pytest.mark.parametrize(
    ("text", "level", "code"),
    [
        (BAD, "error", 1),
        (BAD, "never", 0),
        (WARNED, "error", 0),
        (WARNED, "warning", 1),
        (WARNED, "note", 1),
        (GOOD, "warning", 0),
    ],
)
def test_the_fail_level(here: Any, root: Path, text: str, level: str, code: int) -> None:
    path = root / "policies" / "balanced.yaml"
    path.write_text(text)
    assert here("lint", str(path), "--fail-level", level).code == code


def test_what_cannot_be_read_is_another_code(process: Any, root: Path) -> None:
    (root / "policies" / "folder.yaml").mkdir()
    told = process("lint", "--fail-level", "never", cwd=root)
    assert told.code == 3
    assert "file-irregular" in told.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--diff"], "--fix --diff"),
        (["--watch", "--fix"], "leave out --fix"),
        (["--json", "--format", "sarif"], "--json is --format json"),
        (["--format", "serif"], 'did you mean "sarif"?'),
        (["--fail-level", "eror"], 'did you mean "error"?'),
        (["--explain", "yaml-tabs"], 'did you mean "yaml-tab"?'),
        (["absent.yaml"], "there is no such file"),
        (["absent.yaml", "--fix"], "there is no such file"),
    ],
)
def test_wrong_usage(here: Any, root: Path, arguments: list[str], said: str) -> None:
    told = here("lint", *arguments)
    assert told.code == 2
    assert said in told.err


EXPLAINED = """\
yaml-quote (error)

A text must be quoted.

Wrong:

    rules:
      - name: chat only
        weight: 10
        when: !(facts.code)
        prefer: price

Right:

    rules:
      - name: chat only
        weight: 10
        when: "!(facts.code)"
        prefer: price

Why: `!`, a backtick, `@`, `[` and `{` begin something else in YAML, so that the expression would
never arrive. `--fix` puts it into quotes.
"""


def test_explain(process: Any) -> None:
    told = process("lint", "--explain", "yaml-quote")
    assert (told.code, told.out) == (0, EXPLAINED)
    record = json.loads(process("lint", "--explain", "yaml-quote", "--json").out)
    assert (record["rule"], record["severity"]) == ("yaml-quote", "error")
    assert record["why"].startswith("`!`, a backtick")


def test_rules_lists_all(process: Any) -> None:
    listed = process("lint", "--rules").out.splitlines()
    names = [line.split()[0] for line in listed]
    assert names == sorted(names)
    assert {"yaml-tab", "unknown-field", "ignore-unused"} <= set(names)
    assert list(json.loads(process("lint", "--rules", "--json").out)) == names


DIFF = """\
--- a/policies/balanced.yaml
+++ b/policies/balanced.yaml
@@ -1,3 +1,3 @@
 policy: balanced
 rules:
-  - {name: a, wieght: 10, prefer: target.provider == 'second'}
+  - {name: a, weight: 10, prefer: target.provider == 'second'}
"""


def test_fix(process: Any, root: Path) -> None:
    path = root / "policies" / "balanced.yaml"
    shown = process("lint", "--fix", "--diff", cwd=root)
    assert (shown.code, shown.out) == (1, DIFF)
    assert path.read_text() == BAD
    fixed = process("lint", "--fix", "policies", cwd=root)
    assert (fixed.code, fixed.out) == (0, "no findings\n")
    assert fixed.err == "llmroute: made 1 fix in 1 file\n"
    assert path.read_text() == GOOD
    again = process("lint", "--fix", "--diff", cwd=root)
    assert (again.code, again.out) == (0, "")


def test_watch_without_watchfiles(here: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    told = here("lint", "--watch", str(root))
    assert told.code == 2
    assert "pip install 'llmroute[watch]'" in told.err


def _until(path: Path, text: str, act: Any = None) -> None:
    """Wait until a file holds a text; `act` is done again and again meanwhile."""
    ending = time.monotonic() + 30
    while text not in path.read_text():
        assert time.monotonic() < ending, path.read_text()
        if act:
            act()
        time.sleep(0.3)


def test_watch(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    path, out = root / "policies" / "balanced.yaml", tmp_path / "out"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path[1:]])
    environment = bare_environment(tmp_path, PYTHONPATH=paths)
    with out.open("w") as stream:
        running = subprocess.Popen(
            [sys.executable, "-m", "llmroute.cli", "lint", "--watch", "policies"],
            cwd=root,
            env=environment,
            stdout=stream,
            stderr=stream,
        )
        try:
            _until(out, "watching for changes")
            assert "1 error" in out.read_text()
            _until(out, "no findings", lambda: path.write_text(GOOD))
        finally:
            running.send_signal(signal.SIGINT)
            code = running.wait(timeout=30)
    assert code == 130
    assert "Traceback" not in out.read_text()
