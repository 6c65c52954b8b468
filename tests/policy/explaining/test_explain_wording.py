"""Texts from outside stay on one line, and are not acted on by a terminal."""

from __future__ import annotations

import pytest

from llmroute.policy.explaining.wording import clean


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain — ünïcode 日本", "plain — ünïcode 日本"),
        (" two\r\nlines\t", "two lines"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u2028b\u200bc\x9b", "a b\\u200bc\\x9b"),
    ],
)
def test_clean(given, shown):
    assert clean(given) == shown
