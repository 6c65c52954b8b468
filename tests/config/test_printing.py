"""JSON for terminals."""

from __future__ import annotations

import json
import unicodedata

import pytest

from llmroute.config.printing import to_json

#: The bidirectional controls of Unicode (UAX 9), and marks that hide or join text unseen.
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
UNSEEN = "\u200b\u2060\ufeff\xad\u2028\u2029\U000e0041"
CONTROLS = "".join(c for c in map(chr, range(0x110000)) if unicodedata.category(c) == "Cc")


@pytest.mark.parametrize("char", [*CONTROLS, *BIDI, *UNSEEN])
def test_what_steers_or_hides_is_escaped(char: str) -> None:
    text = to_json({f"a{char}": [f"{char}b"]})
    assert char not in text.replace("\n", "") or char == " "
    assert all(one.isprintable() for one in text.replace("\n", ""))
    assert json.loads(text) == {f"a{char}": [f"{char}b"]}


def test_halves_of_characters_are_escaped_one_by_one() -> None:
    assert to_json("\udc80") == '"\\udc80"'


def test_text_stays_readable() -> None:
    text = "Größe, 日本語, שלום, \N{FAMILY}\u200d🎉, می\u200cخواهم, e\u0301"
    assert to_json(text) == f'"{text}"'
    assert to_json({"b": 1, "a": [None]}) == '{\n  "b": 1,\n  "a": [\n    null\n  ]\n}'
