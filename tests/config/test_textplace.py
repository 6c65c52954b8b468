"""A piece of a text is found in the file, whatever way YAML writes the text."""

from __future__ import annotations

import pytest

from llmroute.config.textplace import piece_of
from llmroute.config.yaml import parse

# Each case: a file with one key `k`, the piece that is looked for, its line and columns.
FOUND = [
    ("k: one two three\n", "two", (1, 8, 11)),
    ("k: 'one ''two'' three'\n", "'two'", (1, 9, 16)),
    ("k: 'it''s two'\n", "two", (1, 11, 14)),
    ('k: "one \\"two\\" three"\n', "two", (1, 11, 14)),
    ('k: "\\u00fc\\t two"\n', "two", (1, 14, 17)),
    ('k: "one\\\n  two"\n', "two", (2, 3, 6)),
    ("k: one\n  two three\n", "three", (2, 7, 12)),
    ("k: 'one\n\n  two'\n", "two", (3, 3, 6)),
    ("k: |\n  one\n    two\n", "two", (3, 5, 8)),
    ("k: >- # why\n  one\n  two\n", "two", (3, 3, 6)),
    ("k: >\r\n  one\r\n  two\r\n", "two", (3, 3, 6)),
    ("{k: ü💶 two}\n", "two", (1, 8, 11)),
    ("k: >2+\n   one\n\n  two\n", "two", (4, 3, 6)),
]


@pytest.mark.parametrize(("text", "piece", "place"), FOUND)
def test_piece_is_found_in_the_file(text, piece, place):
    document, found = parse(text, "f.yaml")
    assert document is not None
    assert not found
    value = document.data["k"]
    span = piece_of(
        document.source.lines,
        document.root.children["k"].span,
        value,
        value.index(piece),
        len(piece),
    )
    line, col, end = place
    assert span == (line, col, line, end)


def test_piece_over_two_lines_ends_with_the_first():
    document, _ = parse("k: >\n  one two\n  three\n", "f.yaml")
    span = piece_of(
        document.source.lines, document.root.children["k"].span, document.data["k"], 4, None
    )
    assert span == (2, 7, 2, 10)


def test_text_that_is_not_there_has_no_place():
    document, _ = parse("k: one two\n", "f.yaml")
    span = document.root.children["k"].span
    assert piece_of(document.source.lines, span, "one three", 4, 5) is None
