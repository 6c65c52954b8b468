"""`explain-policy`: the table of stages, in 80 columns, as JSON, of files and of names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llmroute.policy.expressions import codegen
from tests.cli.conftest import NOBODY, write_workspace

POLICY = """\
policy: balanced
let:
  coding: contains(request.tags, 'code')
require:
  - name: long prompts stay cheap
    when: facts.tokens > `20000`
    target: target.cost.input <= `2`
rules:
  - {name: good, weight: 5, prefer: quality}
  - {name: fast, weight: 5, prefer: {latency: {half: 2s}}}
  - {name: cheap in the cloud, weight: 5, when: target.locality == 'cloud', prefer: price}
  - {name: worth it, weight: 5, when: coding, prefer: {cost: {half: 0.05}}}
  - {name: same family, weight: 1, prefer: "contains(request.tags, target.model)"}
"""
SETTINGS = """\
require:
  - {name: no trials, target: "target.model != 'trial'"}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = write_workspace(tmp_path / "ws", {"first": NOBODY, "second": NOBODY}, POLICY)
    (made / "llmroute.yaml").write_text(SETTINGS)
    return made


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_every_stage_is_named(here: Any, root: Path) -> None:
    result = here("explain-policy", "balanced", "--config", str(root), "--format", "json")
    assert (result.code, result.err) == (0, "")
    shown = json.loads(result.out)
    assert (shown["policy"], shown["targets"], shown["unasked"]) == ("balanced", 2, [])
    # Both targets have the same price and the same model: one class, by price as by model.
    price, model = (
        "once per request and price: 1 class of 2 targets",
        ("once per request and class: 1 class of 2 targets"),
    )
    # Price and locality, both the same.
    joined = model
    holds = ", where its `when` holds"
    rows = [
        (r["name"], r["part"], r["stage_alone"], r["stage"], r["cost"], r["classes"])
        for r in shown["rows"]
    ]
    assert rows == [
        ("coding", None, "request", "request", "once per request", None),
        ("no trials", "target", "load", "load", "once, when the policy is compiled", None),
        ("long prompts stay cheap", "when", "request", "request", "once per request", None),
        (
            *("long prompts stay cheap", "target", "load", "load"),
            *("once, when the policy is compiled", None),
        ),
        ("good", "prefer", "task", "task", "once per task and target, then kept", None),
        ("fast", "prefer", "live", "live", "when a measurement of the target changes", None),
        ("cheap in the cloud", "when", "load", "target", joined, 1),
        ("cheap in the cloud", "prefer", "estimate", "target", joined + holds, 1),
        ("worth it", "when", "request", "request", "once per request", None),
        ("worth it", "prefer", "estimate", "estimate", price + holds, 1),
        ("same family", "prefer", "target", "target", model, 1),
    ]


def test_a_record(here: Any, root: Path) -> None:
    result = here("explain-policy", "--json", "--config", str(root), "balanced")
    records = json.loads(result.out)["rows"]
    assert records[1] == {
        "kind": "requirement",
        "name": "no trials",
        "part": "target",
        "origin": "workspace",
        "expression": "target.model != 'trial'",
        "built_in": False,
        "stage": "load",
        "stage_alone": "load",
        "reason": "reads target only",
        "cost": "once, when the policy is compiled",
        "classes": None,
        "interpreted": None,
    }
    built_in = [r["expression"] for r in records if r["built_in"]]
    assert built_in == ["quality", "latency (half at 2s)", "price", "cost (half at 0.05)"]


@pytest.mark.parametrize("columns", ["80", "100"])
def test_the_table_fits_its_width(
    here: Any, root: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    result = here("explain-policy", "balanced", "--config", str(root), "--measure")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "policy balanced · 2 targets · every expression runs as compiled Python"
    assert max(map(len, lines)) <= int(columns)
    assert re.match(r"EXPRESSION +STAGE +REASON +COST +TIME$", lines[2])
    assert re.search(r" \d+\.\d\d µs$", lines[4])
    assert 'requirement "no trials" (llmroute.yaml)' in squeezed(result.out)
    assert re.search(r"\n  coding: +request +reads ", result.out)
    assert "\n    contains(request.tags," in result.out
    assert "load → target" in result.out


def test_a_file_is_part_of_its_workspace(here: Any, root: Path) -> None:
    by_name = here("explain-policy", "balanced", "--config", str(root))
    assert here("explain-policy", str(root / "policies" / "balanced.yaml")).out == by_name.out


def test_a_file_of_its_own_is_held_against_the_workspace(
    here: Any, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "policy: mine\nrules:\n  - {name: cheap, weight: 1, prefer: price}\n"
    )
    result = here("explain-policy", "mine.yaml", "--config", str(root), "--json")
    shown = json.loads(result.out)
    assert (shown["policy"], shown["targets"]) == ("mine", 2)
    assert [row["name"] for row in shown["rows"]] == ["no trials", "cheap"]


def test_times_are_measured_on_demand(here: Any, root: Path) -> None:
    options = ("explain-policy", "balanced", "--config", str(root), "--json")
    assert "microseconds" not in json.loads(here(*options).out)["rows"][0]
    measured = json.loads(here(*options, "--measure").out)["rows"]
    assert all(row["microseconds"] > 0 for row in measured)


def test_servers_that_were_not_asked_are_named(here: Any) -> None:
    told = here("explain-policy", "balanced").out.splitlines()[1]
    assert told == "without the models that lm_studio, ollama name when asked"


def test_an_interpreted_expression_is_said_to_be(
    here: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(codegen._WHOLES, "comparator")
    result = here("explain-policy", "balanced", "--config", str(root))
    # 7 expressions beside 4 built-in preferences; all but two calls of contains() and the name
    # `coding` compare something.
    assert "4 of 7 expressions run interpreted" in result.out
    assert "interpreted: node of type 'comparator'" in squeezed(result.out)


def test_text_from_files_cannot_break_the_terminal(here: Any, root: Path) -> None:
    path = root / "policies" / "balanced.yaml"
    path.write_text(
        'policy: balanced\nrules:\n  - {name: "a\\e[31mb", weight: 1, prefer: "facts.code ||\\n'
        "    facts.task == '\\e[31m'\"}\n"
    )
    result = here("explain-policy", "balanced", "--config", str(root))
    assert "\x1b" not in result.out
    assert 'rule "a\\x1b[31mb"' in result.out


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("balancd", 2, 'there is no policy "balancd"; did you mean "balanced"?'),
        ("absent.yaml", 2, "absent.yaml: there is no such policy file"),
    ],
)
def test_what_is_not_there(here: Any, root: Path, given: str, code: int, said: str) -> None:
    result = here("explain-policy", given, "--config", str(root))
    assert (result.code, result.out) == (code, "")
    assert said in result.err


@pytest.mark.parametrize("inside", [True, False])
def test_a_bad_file_gives_its_findings(here: Any, root: Path, tmp_path: Path, inside: bool) -> None:
    path = (root / "policies" if inside else tmp_path) / "bad.yaml"
    path.write_text(
        "policy: bad\nrules:\n  - {name: cheap, weight: 1, prefer: targt.locality == 'local'}\n"
    )
    result = here("explain-policy", str(path), "--config", str(root))
    assert (result.code, result.out) == (3, "")
    assert "bad.yaml:3:" in result.err
    assert "targt" in result.err
    as_json = here("explain-policy", str(path), "--config", str(root), "--json")
    assert json.loads(as_json.out)["error"]["findings"][0]["file"].endswith("bad.yaml")


def test_contradicting_forms_are_a_usage_error(here: Any, root: Path) -> None:
    result = here("explain-policy", "balanced", "--json", "--format", "text")
    assert result.code == 2
    assert "--json and --format text exclude each other" in result.err
