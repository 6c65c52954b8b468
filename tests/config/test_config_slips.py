"""Slips that the parser notices only further on are told of where they were made."""

from __future__ import annotations

import pytest

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.yaml import MAX_BYTES, parse


def found(text: str) -> list[Diagnostic]:
    return parse(text, "a.yaml")[1]


def only(text: str) -> Diagnostic:
    findings = found(text)
    assert len(findings) == 1, [str(finding) for finding in findings]
    return findings[0]


def place(finding: Diagnostic) -> tuple[str, int, int]:
    return finding.rule, finding.line, finding.col


@pytest.mark.parametrize(
    ("text", "line", "col"),
    [
        ('let:\n  a: "facts.code\n  b: facts.tools\n', 2, 6),
        ('let:\n  a: "facts.code\n  b: "facts.tools"\n', 2, 6),
        ("description: 'open\npolicy: x\n", 1, 14),
        ("e: {a: 'open\n  b: c}\n", 1, 8),
        ("rules:\n  - name: 'open\n  - name: 'shut'\n", 2, 11),
    ],
)
def test_an_open_quote_wants_its_closing_quote(text: str, line: int, col: int) -> None:
    finding = only(text)
    assert place(finding) == ("yaml-syntax", line, col)
    assert "add the closing quote" in str(finding.help)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("'contains(request.tags, 'x')'", "write a: \"contains(request.tags, 'x')\""),
        ('"request.user == "x""', "write a: 'request.user == \"x\"'"),
        ("'facts.language == 'de' || x'  # German", "write a: \"facts.language == 'de' || x\""),
    ],
)
def test_a_quote_inside_quotes_of_its_kind(value: str, written: str) -> None:
    finding = found(f"let:\n  a: {value}\n  b: facts.code\n")[0]
    assert place(finding) == ("yaml-syntax", 2, 6)
    assert str(finding.help).endswith(written)


def test_an_apostrophe_is_written_twice_and_the_rest_is_read() -> None:
    findings = found("- name: 'it's cheap'\n  weight: no\n")
    assert [place(one) for one in findings] == [("yaml-syntax", 1, 9), ("yaml-bool-word", 2, 11)]
    assert "written twice" in str(findings[0].help)
    findings = found("- {name: 'it's, or so', weight: no}\n")
    assert [place(one) for one in findings] == [("yaml-syntax", 1, 10), ("yaml-bool-word", 1, 33)]


@pytest.mark.parametrize("value", ["'a' == 'b'", "'a'=='b'", '"a".b', '"a"[0]', "'a' && b"])
def test_an_expression_that_begins_with_a_text_is_quoted_as_a_whole(value: str) -> None:
    assert place(only(f"let:\n  a: {value}\n")) == ("yaml-quote", 2, 6)


@pytest.mark.parametrize(("text", "col"), [('a: "x\\d"\n', 6), ('let:\n  a: "x\\d"\n', 8)])
def test_a_backslash_in_double_quotes_is_doubled(text: str, col: int) -> None:
    findings = found(f"{text}no: 1\n")
    assert [one.rule for one in findings] == ["yaml-syntax", "yaml-bool-word"]
    assert findings[0].col == col
    assert "write \\\\" in str(findings[0].help)


@pytest.mark.parametrize(
    ("text", "line", "col", "key"),
    [
        ("- name: x\n  weight:10\n  prefer: y\n", 2, 3, "weight"),
        ("- name:x\n  weight: 10\n", 1, 3, "name"),
        ("- name: x\n  prefer:y\n", 2, 3, "prefer"),
        ("policy:x\nrules: []\n", 1, 1, "policy"),
    ],
)
def test_a_colon_without_its_space(text: str, line: int, col: int, key: str) -> None:
    finding = only(text)
    assert place(finding) == ("yaml-syntax", line, col)
    assert finding.help == f"put a space behind `{key}:`"


@pytest.mark.parametrize("text", ["tags:\n  - env:prod\nb: c: d\n", "a: b\nsee http://x: y: z\n"])
def test_another_colon_is_not_taken_for_it(text: str) -> None:
    assert all("put a space" not in str(finding.help) for finding in found(text))


@pytest.mark.parametrize("text", ["a: {b: c}}\n", "a: [b]]\n", "- {a: b}]\n"])
def test_a_bracket_too_many_is_removed(text: str) -> None:
    finding = only(text)
    assert finding.col == len(text) - 1
    assert str(finding.help).startswith("remove it")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("let:\n  a: f(x, # note\n    y)\n", 'a: "f(x, y)"'),
        ("let:\n  a: x && # note\n\n    # more\n    y\n  b: z\n", 'a: "x && y"'),
    ],
)
def test_a_comment_in_the_middle_of_an_expression(text: str, written: str) -> None:
    finding = only(text)
    assert place(finding) == ("cut-by-comment", 2, text.split("\n")[1].index("#") + 1)
    assert str(finding.help).endswith(written)


def test_a_comment_before_a_key_that_stands_wrong_is_no_cut() -> None:
    assert only("- name: x # the name\n    weight: 10\n").rule == "yaml-syntax"


def test_many_quotes_take_no_time() -> None:
    assert found("a: '" + "'x' (" * (MAX_BYTES // 6))
