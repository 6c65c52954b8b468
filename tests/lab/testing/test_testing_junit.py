"""The JUnit report: read back by an XML parser, whatever stands in the names."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from llmroute.lab.testing.testing import Results, junit
from tests.lab.testing.testing_bench import run, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


def parsed(results: Results) -> ET.Element:
    return ET.fromstring(junit(results.outcomes, results.broken).encode())  # noqa: S314 - our own


def test_passed_and_failed(root: Path) -> None:
    results = run(
        root,
        "- {name: good, request: {}, expect: {error: false}}\n"
        "- {name: bad, request: {}, expect: {target: near/m, locality: local}}\n",
    )
    report = parsed(results)
    assert report.tag == "testsuites"
    counted = {k: report.attrib[k] for k in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    (suite,) = report
    assert suite.attrib["name"].endswith("policies/p.test.yaml")
    good, bad = suite
    assert (good.attrib["classname"], good.attrib["name"], good.attrib["line"]) == (
        "p",
        "good",
        "3",
    )
    assert list(good) == []
    (failure,) = bad
    assert failure.attrib["type"] == "test-target"
    assert "expected `near/m` first, got `far/small`" in failure.attrib["message"]
    text = failure.text or ""
    assert "p.test.yaml:4:47: expected `near/m` first" in text
    assert "[test-locality]" in text
    assert "→ far/small with 14 points, level with far/big" in text


def test_what_xml_cannot_hold_is_left_out_and_the_rest_escaped(root: Path) -> None:
    name = 'a]]> & <b> "c" \\x1b[31m \\0 \\uFFFF 😀'
    quoted = name.replace('"c"', '\\"c\\"')
    report = parsed(run(root, f'- {{name: "{quoted}", request: {{}}, expect: {{error: true}}}}\n'))
    case = report[0][0]
    assert case.attrib["name"] == 'a]]> & <b> "c" [31m   😀'
    assert case[0].attrib["message"] == "expected that no target is eligible, got `far/small`"


def test_broken_files_are_errors(root: Path) -> None:
    results = run(root, "- {name: a, request: {}, expect: {target: far/bog}}\n")
    report = parsed(results)
    assert (report.attrib["tests"], report.attrib["errors"]) == ("1", "1")
    error = report[0][0][0]
    assert (error.tag, error.attrib["type"]) == ("error", "unknown-target")
    assert 'did you mean "far/big"?' in (error.text or "")
