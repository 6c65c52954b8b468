"""Tables broken into lines: which column gives way, and where a line is continued."""

from __future__ import annotations

from llmroute.cli.wrapping import wrapped


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
