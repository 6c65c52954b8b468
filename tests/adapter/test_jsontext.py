from __future__ import annotations

import pytest

from llmroute.adapter.jsontext import JsonError, compact, parse


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "-1e999",
        "9" * 5000,
        "[" * 100_000,
        '{"a":' * 100_000,
        r'"\ud800"',
        r'{"\uDC00": 1}',
        "{",
        "",
        "{'a': 1}",
        '{"a": 1} x',
    ],
)
def test_what_nothing_can_represent_is_refused(text: str) -> None:
    with pytest.raises(JsonError):
        parse(text)


def test_what_stays() -> None:
    assert parse(rb'{"a": "\ud83d\ude00", "b": 1e3, "a2": 12345678901234567890}') == {
        "a": "\U0001f600",
        "b": 1000.0,
        "a2": 12345678901234567890,
    }
    assert parse('{"a": 1, "a": 2}') == {"a": 2}
    assert parse(b'\xef\xbb\xbf{"a": "\xff"}') == {"a": "\ufffd"}


def test_written_without_spaces() -> None:
    assert compact({"a": [1, "ü"]}) == '{"a":[1,"ü"]}'
    with pytest.raises(ValueError, match="JSON"):
        compact({"a": float("nan")})
