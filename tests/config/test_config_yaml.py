"""Parsing: data, exact places, and every refusal that a text file of cases cannot hold."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.schema import check
from llmroute.config.yaml import MAX_BYTES, Document, decode, parse

SETTINGS = settings(deadline=None, max_examples=150, database=None)


def document(text: str) -> Document:
    parsed, findings = parse(text, "a.yaml")
    assert findings == []
    assert parsed is not None
    return parsed


def only(text: str) -> Diagnostic:
    findings = parse(text, "a.yaml")[1]
    assert len(findings) == 1, [str(finding) for finding in findings]
    return findings[0]


def places(text: str) -> list[tuple[str, int, int]]:
    return [(f.rule, f.line, f.col) for f in parse(text, "a.yaml")[1]]


def cut(parsed: Document, *path: str | int, key: bool = False) -> str:
    """The text that a place covers."""
    span = parsed.place(path, key=key)
    assert span.line == span.end_line
    return parsed.source.line(span.line)[span.col - 1 : span.end_col - 1]


def test_data_is_plain() -> None:
    text = "a: 1\nb: [x, 2.5, true, ~]\nc:\n  - d: 'no'\n    e: |\n      two\n      lines\n"
    assert document(text).data == {
        "a": 1,
        "b": ["x", 2.5, True, None],
        "c": [{"d": "no", "e": "two\nlines\n"}],
    }


def test_places_cover_exactly_their_text() -> None:
    parsed = document("# note\nmodels:\n  - {name: 'ü x', tags: [a, \"b\"]}\n  - name: z   # end\n")
    assert cut(parsed, "models", key=True) == "models"
    assert cut(parsed, "models", 0, "name") == "'ü x'"
    assert cut(parsed, "models", 0, "tags") == '[a, "b"]'
    assert cut(parsed, "models", 0, "tags", 1) == '"b"'
    assert cut(parsed, "models", 0, "tags", key=True) == "tags"
    assert cut(parsed, "models", 1, "name") == "z"
    assert parsed.place(("models", 1, "name")) == (4, 11, 4, 12)


def test_a_place_that_does_not_exist_is_its_parents_key() -> None:
    parsed = document("a:\n  b: {c: 1}\n")
    assert cut(parsed, "a", "b", "missing") == "b"
    assert cut(parsed, "a", "x", "y", 3) == "a"
    assert parsed.place(("x",)).line == 1


def test_an_empty_value_is_at_its_key() -> None:
    assert cut(document("a:\n  b:\n"), "a", "b") == "b"


def test_columns_count_characters_not_bytes_or_cells() -> None:
    parsed = document("k: ['日本', '😀', last]\n")
    assert parsed.place(("k", 2)) == (1, 16, 1, 20)
    finding = only("k: ['日本', '😀', no]\n")
    assert (finding.line, finding.col, finding.end_col) == (1, 16, 18)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_do_not_move_places(ending: str) -> None:
    text = ending.join(["a: 1", "", "b:", "  - no", "c: `x`", "d: 3e-6", ""])
    expected = [("yaml-bool-word", 4, 5), ("yaml-quote", 5, 4), ("yaml-number", 6, 4)]
    assert places(text) == expected
    assert parse(text, "a.yaml")[1][1].source == "c: `x`"


def test_tabs_of_indentation_are_one_finding_and_the_rest_is_read() -> None:
    text = "a:\n\tb: 1\n\tc: no\nd:\te\n"
    assert places(text) == [("yaml-tab", 2, 1), ("yaml-bool-word", 3, 5)]
    finding = parse(text, "a.yaml")[1][0]
    assert "1 more below" in finding.message
    assert "two spaces" in str(finding.help)


@pytest.mark.parametrize("text", ["a:\n  b: 1\n\tc: 2\nd: 3\n", "a:\n  - b: 1\n \tc: 2\n"])
def test_a_tab_whose_width_fits_nowhere_is_one_finding(text: str) -> None:
    assert [(rule, line) for rule, line, _ in places(text)] == [("yaml-tab", 3)]


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("- {name: x, target: !target.tools}", 'target: "!target.tools"'),
        ("- {name: x, target: `true`}", 'target: "`true`"'),
        ("- {name: x, target: !target.free} # {", 'target: "!target.free"'),
        ("- {target: !a[?b == `1`].{c: d}, name: x}", 'target: "!a[?b == `1`].{c: d}"'),
        ("- {target: !contains(a, 'b}'), name: x}", "target: \"!contains(a, 'b}')\""),
        ("- {\"{\": '[', target: @.a}", 'target: "@.a"'),
        ("- {name: x,\n     target: !b}", 'target: "!b"'),
        ("- target: !a}", 'target: "!a}"'),
    ],
)
def test_an_expression_in_flow_style_ends_before_the_bracket_around_it(
    line: str, written: str
) -> None:
    finding = only(f"require:\n  {line}\n")
    assert (finding.rule, finding.help) == ("yaml-quote", f"write {written}")


@pytest.mark.parametrize("value", ["| x", "> x", "- a", "? a", ", a", "] a", "} a"])
def test_a_character_that_no_value_begins_with_is_named(value: str) -> None:
    finding = only(f"let:\n  a: {value}\n")
    assert (finding.line, finding.col, finding.help) == (2, 6, f'write a: "{value}"')
    assert finding.message.startswith(f"an expression that begins with `{value[0]}` must be quoted")
    assert "inside" not in finding.message


@pytest.mark.parametrize("value", ["| x", "> x", "- a", "? a"])
def test_text_that_begins_like_a_block_is_explained_by_its_character(value: str) -> None:
    finding = only(f"description: {value}\n")
    assert f"`{value[0]}`" in finding.message
    assert "in quotes" in str(finding.help)


def test_a_tab_after_the_colon_is_allowed() -> None:
    assert document("a:\t1\n").data == {"a": 1}


def test_a_byte_order_mark_is_refused_and_the_rest_is_read() -> None:
    assert places("\ufeffa: no\n") == [("yaml-encoding", 1, 1), ("yaml-bool-word", 1, 4)]


@pytest.mark.parametrize(
    "char", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u2028", "\ud800", "\ufffe"]
)
def test_a_control_character_is_refused_and_shown_harmless(char: str) -> None:
    findings = parse(f"a: 1\nb: 'x{char}y'\nc: no\n", "a.yaml")[1]
    assert [(f.rule, f.line, f.col) for f in findings] == [
        ("yaml-encoding", 2, 6),
        ("yaml-bool-word", 3, 4),
    ]
    assert f"U+{ord(char):04X}" in findings[0].message
    assert char not in str(findings[0])


def test_an_escaped_control_character_is_data() -> None:
    assert document('a: "\\e[31m"\n').data == {"a": "\x1b[31m"}


def test_bytes_that_are_no_utf8_are_placed() -> None:
    text, findings = decode("a: 1\nü: ".encode() + b"\xff\n", "a.yaml")
    assert text is None
    assert [(f.rule, f.line, f.col) for f in findings] == [("yaml-encoding", 2, 4)]
    assert "0xff" in findings[0].message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused(encoding: str) -> None:
    raw = "a: b\n".encode(encoding)
    text, findings = decode(raw, "a.yaml")
    findings = findings if text is None else parse(text, "a.yaml")[1]
    assert findings[0].rule == "yaml-encoding"


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    finding = only("a: " + "x" * MAX_BYTES)
    assert (finding.rule, finding.line, finding.col) == ("yaml-size", 1, 1)
    assert "1,048,579" in finding.message
    assert decode(b"x" * (MAX_BYTES + 1), "a.yaml")[1][0].rule == "yaml-size"
    assert only("é" * (MAX_BYTES // 2 + 1)).rule == "yaml-size"


@pytest.mark.parametrize(
    "bomb",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "a:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 700)),
        "let:\n  a: " + "[" * 100_000,
    ],
    ids=["lists", "maps", "block lists", "keys", "block maps", "in an expression"],
)
def test_deep_nesting_is_refused_not_followed(bomb: str) -> None:
    parsed, findings = parse(bomb, "a.yaml")
    assert parsed is None
    assert "yaml-depth" in [finding.rule for finding in findings]


MEBI = MAX_BYTES - 1000


@pytest.mark.parametrize(
    "text",
    [
        "? " * (MEBI // 2),
        "{" + "a: 1, " * (MEBI // 6) + "}",
        "auth: " + "{a: x," * (MEBI // 6),
        "auth: {" + "a: no, " * (MEBI // 7) + "}",
        "".join(f"k{number}: 1\n" for number in range(MEBI // 12)),
        "u: " + "://" * (MEBI // 3),
        "a: b: " * (MEBI // 6),
        "&a " * (MEBI // 3),
        "- `x`\n" * (MEBI // 6),
    ],
    ids=["keys", "pairs", "auth", "values", "lines", "url", "colons", "anchors", "backticks"],
)
def test_a_mebibyte_of_malice_takes_seconds_at_most(text: str) -> None:
    start = time.perf_counter()
    parsed, findings = parse(text, "a.yaml")
    findings += check(parsed, "provider") if parsed else []
    printed = "".join(map(str, findings))
    assert findings
    assert len(printed) < 100_000
    assert time.perf_counter() - start < 30


def test_a_line_too_long_to_show_still_hides_its_secrets() -> None:
    text = "auth: {header: x, more: [" + "a, " * 1000 + "z], value: @canary-0123456789}\n"
    finding = only(text)
    assert finding.rule == "yaml-quote"
    assert finding.source is None
    assert "canary" not in repr(finding)


def test_thirty_two_levels_are_read() -> None:
    assert document("[" * 32 + "]" * 32).data is not None
    assert only("[" * 33 + "]" * 33).rule == "yaml-depth"


def test_an_alias_bomb_stays_small() -> None:
    lines = ["a0: &a0 [lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    parsed, findings = parse("\n".join(lines), "a.yaml")
    assert {finding.rule for finding in findings} == {"yaml-alias"}
    assert len(findings) == 100
    assert parsed is None or len(json.dumps(parsed.data)) < 10_000
    assert (findings[0].line, findings[0].col) == (1, 5)


def test_a_file_of_faults_ends_at_a_hundred() -> None:
    assert len(parse("- no\n" * 5000, "a.yaml")[1]) == 100


def test_every_unquoted_expression_of_a_file_is_found() -> None:
    text = (
        "let:\n  a: !x\n  b: `1`\n  c: @.x\n  d: [0]\n  e: {a: b}\n  f: fine\n  g: *x\n  h: &x z\n"
    )
    quotes = [("yaml-quote", line, 6) for line in (2, 3, 4, 5, 6, 8)]
    assert places(text) == [*quotes, ("yaml-alias", 9, 6)]


def test_a_quoted_expression_is_fine() -> None:
    text = 'let: {a: "!x", b: "`1`", c: \'@.x\', d: "[0]", e: "{a: b}"}\n'
    assert list(document(text).data["let"].values()) == ["!x", "`1`", "@.x", "[0]", "{a: b}"]


def test_the_shown_form_of_an_expression_can_be_pasted() -> None:
    finding = only("let:\n  a: !contains(tags, \"x\") && `1` == 'it''s'   # note\n")
    written = str(finding.help).removeprefix("write ")
    assert yaml.safe_load(written) == {"a": "!contains(tags, \"x\") && `1` == 'it''s'"}


def test_only_expression_places_are_told_of_expressions() -> None:
    assert only("description: @home\n").message.startswith("text that begins with `@`")
    assert only("description: !home\n").rule == "yaml-tag"
    assert document("models: [a]\nexpect: {target: {a: b}}\n").data["models"] == ["a"]


def test_a_preference_map_is_no_unquoted_expression() -> None:
    text = "rules:\n  - prefer: {latency: {half: 2s}}\n  - prefer: {latncy: {half: 2s}}\n"
    assert document(text).data["rules"][0] == {"prefer": {"latency": {"half": "2s"}}}


def test_dates_and_versions_stay_text() -> None:
    assert document("a: 2026-11-01\nb: 2026-11-01 10:00:00\nc: 1.2.3\n").data == {
        "a": "2026-11-01",
        "b": "2026-11-01 10:00:00",
        "c": "1.2.3",
    }


def test_an_empty_file_is_no_data() -> None:
    assert document("").data is None
    assert document("# only a comment\n---\n").data is None


def test_the_first_of_two_equal_keys_counts() -> None:
    parsed, findings = parse("a: 1\nb: 2\na: 3\n", "a.yaml")
    assert parsed is not None
    assert parsed.data == {"a": 1, "b": 2}
    assert [(f.line, f.col, f.end_col) for f in findings] == [(3, 1, 2)]


def test_merge_keys_are_refused_but_not_their_text() -> None:
    assert places("<<: {a: 1}\n") == [("yaml-merge", 1, 1)]
    assert document("'<<': {a: 1}\n").data == {"<<": {"a": 1}}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)
    | st.text(st.characters(max_codepoint=0xD7FF), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcdefgh_", min_size=2, max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@SETTINGS
@given(VALUES)
def test_json_is_read_as_what_it_means(value: Any) -> None:
    parsed, findings = parse(json.dumps(value, ensure_ascii=True, indent=1), "a.yaml")
    numbers = [finding for finding in findings if finding.rule == "yaml-number"]
    assert numbers == findings  # JSON may write 1e-05, which YAML 1.1 takes for text
    assert parsed is not None
    if not numbers:
        assert parsed.data == value


@SETTINGS
@given(st.lists(st.text(st.characters(max_codepoint=0xD7FF), max_size=20)))
def test_places_of_values_hold_their_text(values: list[str]) -> None:
    lines = [f"k{number}: {json.dumps(value)}" for number, value in enumerate(values)]
    parsed, findings = parse("\n".join(lines), "a.yaml")
    assert findings == []
    assert parsed is not None
    for number, value in enumerate(values):
        assert cut(parsed, f"k{number}") == json.dumps(value)
        assert parsed.data[f"k{number}"] == value


@SETTINGS
@given(st.text(max_size=60) | st.text("abn!`@[]{}*&<:-?#'\"|>%~ \n\t\r,.0123e_\\", max_size=60))
def test_no_text_makes_an_exception(text: str) -> None:
    parsed, findings = parse(text, "a.yaml")
    assert isinstance(parsed, Document) or findings
    for finding in findings:
        assert finding.line >= 1
        assert finding.col >= 1
        assert str(finding).startswith(f"a.yaml:{finding.line}:{finding.col}: ")
