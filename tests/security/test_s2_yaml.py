"""S2: YAML: size ≤1 MiB, aliases, merges, custom tags, duplicate keys and depth >32 refused with
line and column, 1.2 scalars.
"""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.config.yaml import MAX_BYTES, decode, parse

LAUGHS = "a: &a [x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "rule", "line", "col"),
    [
        ("x" * (MAX_BYTES + 1), "yaml-size", 1, 1),
        (LAUGHS, "yaml-alias", 1, 4),
        ("a: 1\nb: *a", "yaml-alias", 2, 4),
        ("a: 1\nb: &x 2", "yaml-alias", 2, 4),
        ("a: 1\n<<: {b: 2}", "yaml-merge", 2, 1),
        ("a:\n  b: !!python/object/apply:os.system [ls]", "yaml-tag", 2, 6),
        ("a: !custom x", "yaml-tag", 1, 4),
        ("a: !!binary aGk=", "yaml-tag", 1, 4),
        ("a: 1\nb: 2\na: 3", "yaml-duplicate-key", 3, 1),
        ("a: {b: 1, b: 2}", "yaml-duplicate-key", 1, 11),
        ('a: 1\n"\\x61": 2', "yaml-duplicate-key", 2, 1),
        ("\u00e9: 1\ne\u0301: 2", "yaml-key", 2, 1),
        ("a: " + "[" * 32, "yaml-depth", 1, 35),
        ("[" * 33, "yaml-depth", 1, 33),
        ("{a: " * 100_000, "yaml-depth", 1, 129),
        ("- " * 100_000, "yaml-depth", 1, 65),
        ("a: \x00", "yaml-encoding", 1, 4),
        ("a: 1\nb: \ud800", "yaml-encoding", 2, 4),
        ("a: \u2028b", "yaml-encoding", 1, 4),
        ("a: 1\n---\nb: 2", "yaml-documents", 2, 1),
        ("%YAML 1.1\n---\na: 1", "yaml-syntax", 1, 1),
        ("a: no", "yaml-bool-word", 1, 4),
        ("a: 0o17", "yaml-number", 1, 4),
    ],
)
def test_what_is_refused_and_where(text: str, rule: str, line: int, col: int) -> None:
    findings = parse(text, "a.yaml")[1]
    assert (findings[0].rule, findings[0].line, findings[0].col) == (rule, line, col)


@pytest.mark.parametrize("raw", [b"a: \xff", b"\xff\xfea\x00", b"a: \xed\xa0\x80", b"\x80"])
def test_bytes_that_are_no_text(raw: bytes) -> None:
    text, findings = decode(raw, "a.yaml")
    assert text is None
    assert findings[0].rule == "yaml-encoding"


def test_the_scalars_are_those_of_yaml_12() -> None:
    text = 'a: 12:30:45\nb: 2026-11-29\nc: "no"\nd: 0x1F\ne: .5\nf: ~\ng: 1_000'
    document, _ = parse(text, "a.yaml")
    assert document is not None
    assert document.data["b"] == "2026-11-29"
    assert document.data["c"] == "no"
    assert document.data["f"] is None


def test_a_depth_of_32_is_read() -> None:
    document, findings = parse("[" * 32 + "]" * 32, "a.yaml")
    assert document is not None
    assert findings == []


BOMBS = {
    "laughs": LAUGHS * 200,
    "duplicate keys": "a: 1\n" * 200_000,
    "keys with loose accents": "e\u0301: 1\n" * 100_000,
    "distinct keys with accents": "".join(f"\u00e9{n}: 1\n" for n in range(30_000)),
    "anchors": "- &a x\n" * 140_000,
    "brackets": "[" * 1_000_000,
    "closed brackets": "- " + "[" * 31 + "]" * 31 + "\n" + "- [[[]]]\n" * 20_000,
    "quotes": "a: " + '"' * 1_000_000,
    "one long key": "k" * 1_000_000 + ": 1",
    "one long value": "a: " + "\\" * 1_000_000,
    "colons": ": " * 500_000,
    "zeros": "a: " + "0" * 1_000_000,
    "nines": "a: " + "9" * 1_000_000,
    "controls": "a: '" + "\x00" * 1_000_000 + "'",
    "block scalars": "|\n" * 500_000,
    "tabs": "\t" * 1_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_text_takes_long_or_much_memory(name: str) -> None:
    tracemalloc.start()
    started = time.process_time()
    try:
        parse(BOMBS[name], "a.yaml")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 8
    assert peak < 300 * 2**20


PIECES = st.sampled_from(
    ["a", ":", " ", "\n", "- ", "? ", "[", "]", "{", "}", ",", "&x", "*x", "<<", "!t", "!!str ",
     "'", '"', "|", ">", "#", "%", "@", "`", "\t", "---\n", "...",
     "\ufeff", "\x00", "\ud800", "e\u0301",
     "auth: ", "when: ", "let:\n  ", "prefer: ", "1e999", ".nan", "0x", "no", "${A}", "  "]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=80)))
def test_no_text_crashes_it(text: str) -> None:
    document, findings = parse(text, "a.yaml")
    assert document is not None or findings
    lines = text.count("\n") + text.count("\r") + 2
    assert all(1 <= finding.line <= lines and finding.col >= 1 for finding in findings)
    "".join(map(str, findings))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_it(raw: bytes) -> None:
    text, findings = decode(raw, "a.yaml")
    assert findings if text is None else parse(text, "a.yaml")
