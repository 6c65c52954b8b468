"""What came of tests as JUnit XML, which CI systems read.

One `testsuite` for each file; a failed test carries its failures and the explanation of what
happened, a broken file is an `error`. Written with the standard library, which only ever builds
here: no XML is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from llmroute.config.diagnostics import Diagnostic
from llmroute.lab.testing.bench import Outcome
from llmroute.lab.testing.xmltext import legal, numbered
from llmroute.policy.explaining.explain import explain

__all__ = ["junit"]


def junit(outcomes: Sequence[Outcome], broken: Sequence[Diagnostic] = ()) -> str:
    """Return the XML document; `broken` is what kept tests from running."""
    root = ET.Element("testsuites", _counts(outcomes, broken) | {"name": "llmroute"})
    for file in dict.fromkeys(outcome.case.document.label for outcome in outcomes):
        _suite(root, file, [o for o in outcomes if o.case.document.label == file])
    if broken:
        suite = ET.SubElement(root, "testsuite", _counts((), broken) | {"name": "files"})
        names = numbered(f"{item.file}:{item.line}:{item.col}" for item in broken)
        for name, item in zip(names, broken, strict=True):
            _error(suite, name, item)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(outcomes: Iterable[Outcome], broken: Sequence[Diagnostic]) -> dict[str, str]:
    known = list(outcomes)
    return {
        "tests": str(len(known) + len(broken)),
        "failures": str(sum(not outcome.passed for outcome in known)),
        "errors": str(len(broken)),
        "skipped": "0",
        "time": f"{sum(outcome.seconds for outcome in known):.3f}",
    }


def _suite(root: ET.Element, file: str, outcomes: Sequence[Outcome]) -> None:
    suite = ET.SubElement(root, "testsuite", _counts(outcomes, ()) | {"name": legal(file)})
    for outcome in outcomes:
        case = outcome.case
        place = case.document.place(case.path())
        where = {"file": legal(file), "line": str(place.line)}
        named = {"classname": legal(case.policy), "name": legal(case.name), **where}
        element = ET.SubElement(suite, "testcase", named | {"time": f"{outcome.seconds:.3f}"})
        if not outcome.passed:
            _failure(element, outcome)


def _failure(element: ET.Element, outcome: Outcome) -> None:
    message = "; ".join(item.message for item in outcome.failures)
    attributes = {"type": outcome.failures[0].rule, "message": legal(message)}
    body = [*map(str, outcome.failures), "", explain(outcome.decision)]
    ET.SubElement(element, "failure", attributes).text = legal("\n".join(body))


def _error(suite: ET.Element, name: str, item: Diagnostic) -> None:
    where = {"classname": "files", "name": legal(name), "file": legal(item.file)}
    element = ET.SubElement(suite, "testcase", where | {"line": str(item.line), "time": "0"})
    attributes = {"type": item.rule, "message": legal(item.message)}
    ET.SubElement(element, "error", attributes).text = legal(str(item))
