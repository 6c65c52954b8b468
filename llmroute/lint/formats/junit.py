"""Findings as JUnit XML: one test suite per file, one test case per finding."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["to_junit"]

#: What XML 1.0 allows, section 2.2; everything else is left out.
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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

    suite = Element("testsuite", {"name": _legal(file)})
    for item in items:
        suite.append(_case(item, failing=item.severity in failing))
    failures = sum(item.severity in failing for item in items)
    suite.attrib |= _numbers(len(items), failures)
    return suite


def _case(item: Diagnostic, *, failing: bool) -> Element:
    from xml.etree.ElementTree import Element, SubElement

    name = f"{item.rule} at {item.line}:{item.col}"
    case = Element("testcase", {"name": name, "classname": _legal(item.file), "time": "0"})
    case.attrib |= {"file": _legal(item.file), "line": str(item.line)}
    if failing:
        about = {"type": item.severity, "message": _legal(item.message)}
        SubElement(case, "failure", about).text = _legal(str(item))
    else:
        SubElement(case, "system-out").text = _legal(str(item))
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


def _legal(text: str) -> str:
    return _FORBIDDEN.sub("", text)
