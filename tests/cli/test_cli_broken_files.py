"""Broken files: each kind gives its place and what to write instead, and no traceback.

Lines and columns are counted by hand in the texts below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

PROVIDER = """\
provider: mine
locality: cloud
endpoint:
  transport: http
  protocol: openai-chat
  base_url: https://api.example.com/v1
  auth: none
models:
  - model: small
    capabilities: {tools: true}
    cost: {input: 1, output: 2}
"""
POLICY = """\
policy: mine
require:
  - name: stays local
    target: target.locality == 'local'
rules:
  - name: a rule
    weight: 1
    prefer: price
"""


class Case(NamedTuple):
    """A line (1-based) of the good file replaced by others, and what must be said."""

    file: str
    line: int
    text: str
    place: str
    said: str


_BOMB = "description: &a [x, x]\nmodels: [*a, *a, *a]"
_DEEP = "models: " + "[" * 40 + "]" * 40

CASES = {
    "unknown key": Case("provider", 2, "localty: cloud", "2:1", 'did you mean "locality"?'),
    "wrong type": Case("provider", 10, "    context_window: lots", "10:21", "a whole number"),
    "bad enum": Case("provider", 2, "locality: clod", "2:11", 'did you mean "cloud"?'),
    "missing key": Case("provider", 5, "  plain_http: false", "3:1", "`protocol`"),
    "duplicate key": Case("provider", 3, "locality: cloud\nendpoint:", "3:1", "line 2"),
    "tab": Case("provider", 4, "\ttransport: http", "4:1", "spaces"),
    "alias bomb": Case("provider", 8, _BOMB, "8:14", "each value is written out in place"),
    "deep nesting": Case("provider", 8, _DEEP, "8:40", "32"),
    "no as a string": Case("provider", 2, "description: no", "2:14", '"no"'),
    "3e-6": Case("provider", 11, "    cost: {input: 3e-6, output: 2}", "11:19", "0.000003"),
    "unknown capability": Case(
        "provider", 10, "    capabilities: {tool: true}", "10:20", 'did you mean "tools"?'
    ),
    "policy naming an unknown field": Case(
        "policy", 4, "    target: target.localty == 'local'", "4:20", 'did you mean "locality"?'
    ),
    "malformed secret reference": Case(
        "provider", 7, "  auth: {bearer: env:MY-KEY}", "7:18", "env:NAME"
    ),
    "secret in plain text": Case(
        "provider", 7, "  auth: {bearer: sk-abcdefghijklmnop}", "7:18", "env:NAME"
    ),
    "file name differs": Case("provider", 1, "provider: other", "1:11", "provider: mine"),
    "huge file": Case("provider", 1, "# " + "x" * 1_100_000, "1:1", "1,048,576"),
    "unquoted !": Case(
        "policy", 8, "    when: !facts.code\n    prefer: price", "8:11", 'when: "!facts.code"'
    ),
    "unquoted backtick": Case("policy", 8, "    prefer: `1`", "8:13", 'prefer: "`1`"'),
    "unquoted @": Case(
        "policy", 8, "    prefer: @.target.quality.chat", "8:13", '"@.target.quality.chat"'
    ),
    "unquoted [": Case(
        "policy", 8, "    prefer: [target.quality.chat][0]", "8:13", '"[target.quality.chat][0]"'
    ),
    "unquoted {": Case("policy", 8, "    prefer: {a: facts.code}.a", "8:13", '"{a: facts.code}.a"'),
}


def _broken(root: Path, case: Case) -> Path:
    good = PROVIDER if case.file == "provider" else POLICY
    lines = good.splitlines()
    lines[case.line - 1] = case.text
    folders = {"provider": "providers.d", "policy": "policies"}
    for folder in folders.values():
        (root / folder).mkdir()
    (root / "providers.d" / "mine.yaml").write_text(PROVIDER)
    path = root / folders[case.file] / "mine.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path.relative_to(root)


@pytest.mark.parametrize("name", CASES)
def test_lint_names_the_place_and_the_cure(here: Any, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = _broken(tmp_path, case)
    result = here("lint")
    assert result.code == 1
    start = f"{path}:{case.place}: "
    found = result.out.split(start, 1)
    assert len(found) == 2, result.out
    about = found[1].split("\npolicies/")[0].split("\nproviders.d/")[0]
    assert case.said in about
    assert "sk-abcdefghijklmnop" not in result.out


@pytest.mark.parametrize("name", ["unknown key", "alias bomb", "huge file", "unquoted !"])
def test_run_refuses_with_the_same_words(here: Any, tmp_path: Path, name: str) -> None:
    path = _broken(tmp_path, CASES[name])
    result = here("run", "hi")
    assert (result.code, result.out) == (3, "")
    assert f"{path}:{CASES[name].place}: " in result.err


def test_all_files_are_reported_at_once(process: Any, tmp_path: Path) -> None:
    _broken(tmp_path, CASES["bad enum"])
    (tmp_path / "policies" / "other.yaml").write_text("policy: other\nruls: []\n")
    (tmp_path / "llmroute.yaml").write_text("default_policy: absent\n")
    result = process("lint")
    assert result.code == 1
    for start in ("providers.d/mine.yaml:2:11:", "policies/other.yaml:2:1:", "llmroute.yaml:1:17:"):
        assert start in result.out
    assert "Traceback" not in result.err
