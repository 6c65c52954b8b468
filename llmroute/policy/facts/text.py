"""A text as the textual facts see it: a capped sample, and its words in plain bytes.

Everything works on bytes at the speed of C: capitals become small, all else than letters and
digits becomes a blank, and what lies beyond ASCII stays as it is in UTF-8.
"""

from __future__ import annotations

from functools import cached_property

__all__ = ["SAMPLE", "Text", "word_set"]

#: Characters that the textual facts look at: so many from the start, and from the end if longer.
SAMPLE = 16_000
_TAIL = 4_000

_SIGNS = bytes(i for i in range(128) if not chr(i).isalnum())
_WORDS = bytes.maketrans(_SIGNS + bytes(range(65, 91)), b" " * len(_SIGNS) + bytes(range(97, 123)))
_NO_DIGITS = bytes(i for i in range(256) if not 48 <= i < 58)
_REST = bytes(range(0x80, 0xC0))
#: Words that diversity is counted over: its value falls with a text's length.
_WINDOW = 200


def word_set(words: str) -> frozenset[bytes]:
    """Return blank-separated words as `Text.words` has them."""
    return frozenset(words.encode().split())


class Text:
    """One text; nothing is worked out before it is read."""

    def __init__(self, whole: str) -> None:
        self._whole = whole

    @cached_property
    def sample(self) -> str:
        """The text, or its first 16,000 and last 4,000 characters."""
        whole = self._whole
        if len(whole) <= SAMPLE + _TAIL:
            return whole
        return f"{whole[:SAMPLE]}\n{whole[-_TAIL:]}"

    @cached_property
    def data(self) -> bytes:
        """The sample in UTF-8, lone surrogates kept."""
        return self.sample.encode("utf-8", "surrogatepass")

    @cached_property
    def plain(self) -> bytes:
        """The sample's words in small letters, with blanks between them."""
        return self.data.translate(_WORDS)

    @cached_property
    def words(self) -> list[bytes]:
        """The sample's words: runs of letters and digits, small where they are ASCII."""
        return self.plain.split()

    @cached_property
    def vocabulary(self) -> frozenset[bytes]:
        """The different words of the sample."""
        return frozenset(self.words)

    @property
    def average_word_length(self) -> float:
        """Characters per word, 0 without words."""
        words = self.words
        if not words:
            return 0.0
        length = sum(map(len, words))
        if not self.sample.isascii():
            length = len(b"".join(words).translate(None, _REST))
        return round(length / len(words), 2)

    @property
    def lexical_diversity(self) -> float:
        """Different words among the first 200, over their number; 0 without words."""
        first = self.words[:_WINDOW]
        return round(len(set(first)) / len(first), 3) if first else 0.0

    @property
    def digits(self) -> float:
        """The share of digits (0-9) among the sample's characters, 0 of an empty text."""
        size = len(self.sample)
        return round(len(self.data.translate(None, _NO_DIGITS)) / size, 3) if size else 0.0
