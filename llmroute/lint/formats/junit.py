"""Findings as JUnit XML: one test suite per file, one test case per finding."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lab.testing.xmltext import legal, numbered

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["to_junit"]


def to_junit(found: Sequence[Diagnostic], failing: Collection[str]) -> str:
    """Return findings as a JUnit report.

    Those of the severities in `failing` are failures, the others passed cases with their text;
    without any finding there is one passed case.
    """
    from xml.etree.ElementTree import Element, indent, tostring

    root = Element("testsuites", {"name": "llmroute lint"})
    by_file = sorted(found, key=lambda item: item.file)
    for file, items in groupby(by_file, key=lambda item: item.file):
        root.append(_suite(file, list(items), failing))
    if not found:
        root.append(_clean())
    _count(root, list(root))
    indent(root)
    body = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _suite(file: str, items: Sequence[Diagnostic], failing: Collection[str]) -> Element:
    from xml.etree.ElementTree import Element

    suite = Element("testsuite", {"name": legal(file)})
    names = numbered(f"{item.rule} at {item.line}:{item.col}" for item in items)
    for name, item in zip(names, items, strict=True):
        suite.append(_case(name, item, failing=item.severity in failing))
    failures = sum(item.severity in failing for item in items)
    suite.attrib |= _numbers(len(items), failures)
    return suite


def _case(name: str, item: Diagnostic, *, failing: bool) -> Element:
    from xml.etree.ElementTree import Element, SubElement

    case = Element("testcase", {"name": name, "classname": legal(item.file), "time": "0"})
    case.attrib |= {"file": legal(item.file), "line": str(item.line)}
    if failing:
        about = {"type": item.severity, "message": legal(item.message)}
        SubElement(case, "failure", about).text = legal(str(item))
    else:
        SubElement(case, "system-out").text = legal(str(item))
    return case


def _clean() -> Element:
    from xml.etree.ElementTree import Element, SubElement

    suite = Element("testsuite", {"name": "llmroute lint", **_numbers(1, 0)})
    SubElement(suite, "testcase", {"name": "no findings", "classname": "llmroute", "time": "0"})
    return suite


def _count(root: Element, suites: Sequence[Element]) -> None:
    tests, failures = (
        sum(int(suite.attrib[name]) for suite in suites) for name in ("tests", "failures")
    )
    root.attrib |= _numbers(tests, failures)


def _numbers(tests: int, failures: int) -> dict[str, str]:
    counts = {"tests": tests, "failures": failures, "errors": 0, "skipped": 0, "time": 0}
    return {name: str(count) for name, count in counts.items()}
