"""Findings in each form: what other programs read must be what was found."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from llmroute.config.diagnostics import Diagnostic, Edit
from llmroute.lint.formats.github import to_github
from llmroute.lint.formats.junit import to_junit
from llmroute.lint.formats.records import to_json, to_records
from llmroute.lint.formats.sarif import to_sarif

ERROR = Diagnostic(
    rule="unknown-field",
    severity="error",
    file="policies/a b,c.yaml",
    line=4,
    col=20,
    message='100% wrong:\r\nno "x" <here> & there',
    help='did you mean "y"?',
    end_line=4,
    end_col=27,
    source="    target: target.localty == 'lokal'",
)
NOTE = Diagnostic("secret-unset", "note", "providers.d/ü.yaml", 2, 3, "no secret \x1b[31m \x00")
FIXED = Diagnostic(
    "yaml-bool-word", "error", "llmroute.yaml", 1, 5, "no", end_line=1, end_col=7
).with_fix('"no"')
ALL = [ERROR, NOTE, FIXED]


def test_github_commands_are_escaped() -> None:
    lines = to_github(ALL).splitlines()
    assert lines[0] == (
        "::error file=policies/a b%2Cc.yaml,line=4,endLine=4,col=20,endColumn=27,"
        "title=llmroute unknown-field::"
        '100%25 wrong:%0D%0Ano "x" <here> & there%0Adid you mean "y"?'
    )
    assert lines[1].startswith("::notice file=providers.d/ü.yaml,line=2,col=3,title=")
    assert len(lines) == 3
    assert to_github([]) == ""


def test_a_place_of_many_lines_has_no_end_column() -> None:
    long = Diagnostic("r", "warning", "f:g", 1, 1, "m", end_line=3, end_col=2)
    assert to_github([long]) == (
        "::warning file=f%3Ag,line=1,endLine=3,col=1,title=llmroute r::m\n"
    )


def test_json_is_flat_but_for_the_fix() -> None:
    records = json.loads(to_json(ALL))
    assert records == to_records(ALL)
    assert records[0]["fix"] is None
    assert records[2]["fix"] == {
        "line": 1,
        "col": 5,
        "end_line": 1,
        "end_col": 7,
        "text": '"no"',
    }


def _log(found: list[Diagnostic]) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(to_sarif(found))
    return log


def test_sarif_has_what_the_standard_demands() -> None:
    log = _log(ALL)
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["secret-unset", "unknown-field", "yaml-bool-word"]
    for rule in rules:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["name"])
        assert rule["help"]["text"]
        assert rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]


def test_sarif_places() -> None:
    first, second, third = _log(ALL)["runs"][0]["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {
        "uri": "policies/a%20b%2Cc.yaml",
        "uriBaseId": "%SRCROOT%",
    }
    region = place["region"]
    assert (region["startLine"], region["startColumn"]) == (4, 20)
    assert (region["endLine"], region["endColumn"]) == (4, 27)
    assert region["snippet"]["text"] == ERROR.source
    other = second["locations"][0]["physicalLocation"]
    assert other["artifactLocation"]["uri"] == "providers.d/%C3%BC.yaml"
    assert "snippet" not in other["region"]
    (change,) = third["fixes"][0]["artifactChanges"]
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"] == {"text": '"no"'}
    assert replacement["deletedRegion"]["endColumn"] == 7


def test_sarif_names_files_elsewhere_absolutely(tmp_path: Path) -> None:
    item = Diagnostic("yaml-tab", "error", str(tmp_path / "a b.yaml"), 1, 1, "m")
    place = _log([item])["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": (tmp_path / "a b.yaml").as_uri()}


def test_sarif_fingerprints_survive_moved_lines() -> None:
    moved = Diagnostic(
        **{name: getattr(ERROR, name) for name in ERROR.__dataclass_fields__} | {"line": 9}
    )
    one, two = (_log([item])["runs"][0]["results"][0] for item in (ERROR, moved))
    assert one["partialFingerprints"] == two["partialFingerprints"]


def test_sarif_without_findings() -> None:
    (run,) = _log([])["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


@pytest.mark.parametrize(
    ("failing", "failures"), [(("error",), 2), (("error", "warning", "note"), 3), ((), 0)]
)
def test_junit_counts_by_the_fail_level(failing: tuple[str, ...], failures: int) -> None:
    root = ET.fromstring(to_junit(ALL, failing))  # noqa: S314
    assert root.attrib["tests"] == "3"
    assert root.attrib["failures"] == str(failures) == str(len(root.findall(".//failure")))
    assert len(root.findall(".//system-out")) == 3 - failures
    assert [suite.attrib["name"] for suite in root] == sorted(item.file for item in ALL)


def test_junit_keeps_texts_and_drops_what_xml_cannot_hold() -> None:
    text = to_junit(ALL, ("error", "note"))
    root = ET.fromstring(text)  # noqa: S314
    messages = [found.attrib["message"] for found in root.iter("failure")]
    assert ERROR.message in messages
    assert "no secret [31m " in messages
    assert "\x1b" not in text


def test_junit_without_findings_has_one_passed_case() -> None:
    root = ET.fromstring(to_junit([], ("error",)))  # noqa: S314
    assert root.attrib["tests"] == "1"
    assert root.attrib["failures"] == "0"


def test_an_edit_of_another_place() -> None:
    item = Diagnostic("r", "note", "f", 3, 1, "m").with_fix("x", (1, 1, 2, 1))
    assert item.fix == Edit("f", 1, 1, 2, 1, "x")


def test_junit_cases_have_names_of_their_own() -> None:
    """GitLab and others keep one case for each name of a class."""
    twice = [Diagnostic("schema-missing-key", "error", "p.yaml", 1, 1, m) for m in ("a", "b")]
    root = ET.fromstring(to_junit(twice, ("error",)))  # noqa: S314 - our own text
    names = [case.attrib["name"] for case in root.iter("testcase")]
    assert names == ["schema-missing-key at 1:1", "schema-missing-key at 1:1 (2)"]
