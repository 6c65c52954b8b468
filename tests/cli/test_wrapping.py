"""Tables that fit: which column gives way, where a line is continued, rows one below the other."""

from __future__ import annotations

from llmroute.cli.wrapping import stacked, wrapped


def test_what_fits_stays() -> None:
    assert wrapped(["a", "b"], [["one two", "three"]], 14) == [("one two", "three")]


def test_the_widest_column_gives_way() -> None:
    # 13 columns are 11 and a gap of 2; the second column keeps its 3.
    assert wrapped(["a", "b"], [["one two three", "yes"]], 13) == [
        ("one two", "yes"),
        ("three", ""),
    ]


def test_what_is_indented_is_continued_further_in() -> None:
    assert wrapped(["a"], [["  one two three"]], 9) == [("  one two",), ("    three",)]


def test_words_are_broken_only_if_they_are_very_long() -> None:
    assert wrapped(["a"], [["x" * 36]], 20) == [("x" * 36,)]
    assert wrapped(["a"], [["x" * 40]], 20) == [("x" * 36,), ("x" * 4,)]


def test_a_row_becomes_a_block_whose_short_cells_stay_whole() -> None:
    headers = ["target", "in $/M", "", "cost", "capabilities"]
    row = ["ollama/qwen3:8b", "0.5", "███", "", "tools, streaming, vision, json_schema, reasoning"]
    assert stacked(headers, row, 30) == [
        "ollama/qwen3:8b",
        "  in $/M: 0.5 · ███ ·",
        "  capabilities: tools,",
        "  streaming, vision,",
        "  json_schema, reasoning",
    ]


def test_a_block_is_indented_as_its_first_cell() -> None:
    assert stacked(["a", "b"], ["  when: x", "y"], 20) == ["  when: x", "    b: y"]
