"""How many tokens a text has, estimated by counting, without any tokenizer.

A tokenizer first cuts a text into words, numbers, punctuation and blanks, then cuts the rarer ones
further. So the estimate is a weighted sum of what can be counted at once: bytes by class, and
where one class follows another (a word begins, a number begins, a line is indented). The weights
were fitted to the real tokenizers by `bench/tokens.py --fit`, which also measures the error on
other texts; docs/policies.md states it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import mul

__all__ = ["FAMILIES", "FEATURES", "count_features", "estimate", "weigh"]

#: Of a longer text so many stretches of so many characters are counted, evenly spread.
_STRETCHES, _STRETCH = 64, 512
_WHOLE = _STRETCHES * _STRETCH

#: Classes of a character's first byte, each a number below 16; 0 is Chinese, whose first bytes
#: are counted one by one.
_LOWER, _UPPER, _DIGIT, _BLANK, _LINE, _MARK = range(1, 7)
_WIDE = {
    "Latin letters beyond ASCII": (0xC2, 0xCE),
    "Greek and Cyrillic": (0xCE, 0xD4),
    "Hebrew, Arabic and their neighbours": (0xD4, 0xE0),
    "Indic, Thai and their neighbours": (0xE0, 0xE2),
    "typographic signs": (0xE2, 0xE3),
    "kana and Chinese punctuation": (0xE3, 0xE4),
    "full-width forms": (0xEF, 0xF0),
    "Hangul": (0xEA, 0xEE),
    "emoji and all beyond": (0xF0, 0x100),
}
_CHINESE = range(0xE4, 0xEA)
_LATIN = 7


def _class_of(byte: int) -> int:
    if byte < 0x80:
        kinds = {_LOWER: str.islower, _UPPER: str.isupper, _DIGIT: str.isdigit}
        sign = chr(byte)
        plain = _LINE if sign in "\r\n" else _BLANK if sign in " \t" else _MARK
        return next((kind for kind, holds in kinds.items() if holds(sign)), plain)
    wide = enumerate(_WIDE.values(), start=_LATIN)
    return next((kind for kind, (first, end) in wide if first <= byte < end), 0)


_CLASSES = bytes(map(_class_of, range(256)))


def _all_but(*pairs: tuple[int, int]) -> bytes:
    kept = {before << 4 | after for before, after in pairs}
    return bytes(code for code in range(256) if code not in kept)


#: Pairs of classes that are counted together, as the bytes to leave out.
_GROUPS = {
    "small word or part begins": _all_but(
        (_BLANK, _LOWER), (_MARK, _LOWER), (_LINE, _LOWER), (_UPPER, _LOWER)
    ),
    "number begins": _all_but((_BLANK, _DIGIT), (_MARK, _DIGIT), (_LINE, _DIGIT)),
    "letter beside digit": _all_but(
        (_DIGIT, _LOWER), (_DIGIT, _UPPER), (_LOWER, _DIGIT), (_UPPER, _DIGIT)
    ),
}
_PAIRS = {
    "indentation": (_LINE, _BLANK),
    "small letter after a sign": (_MARK, _LOWER),
    "blank after a sign": (_MARK, _BLANK),
    "sign begins a line": (_LINE, _MARK),
    "capital after a blank": (_BLANK, _UPPER),
    "capital after a sign": (_MARK, _UPPER),
    "sign after a sign": (_MARK, _MARK),
    "blank after a blank": (_BLANK, _BLANK),
}
_PLAIN = {
    "small letters": _LOWER,
    "capitals": _UPPER,
    "digits": _DIGIT,
    "blanks": _BLANK,
    "line ends": _LINE,
    "signs": _MARK,
}

#: What is counted, in order. A text in ASCII has only the first seventeen.
FEATURES = (
    *_PLAIN,
    *_GROUPS,
    *_PAIRS,
    *_WIDE,
    *(f"Chinese from U+{(byte & 15) << 12:04X}" for byte in _CHINESE),
    "letter beyond ASCII inside a word",
)
_GROUP_BYTES = tuple(_GROUPS.values())
_PAIR_BYTES = tuple(before << 4 | after for before, after in _PAIRS.values())
_PLAIN_BYTES = tuple(_PLAIN.values())
_WIDE_BYTES = tuple(range(_LATIN, _LATIN + len(_WIDE)))
_INSIDE = _LOWER << 4 | _LATIN
#: Bytes of a character after its first.
_REST = bytes(range(0x80, 0xC0))

#: The known families. `generic` stands for every tokenizer that is not among the others.
FAMILIES = ("generic", "o200k", "cl100k", "claude")

#: Tokens per occurrence of each feature, a column for each family; from `bench/tokens.py --fit`.
_TABLE: Mapping[str, tuple[float, ...]] = {
    "small letters": (0.063, 0.065, 0.086, 0.06),
    "capitals": (0.155, 0.172, 0.134, 0.2),
    "digits": (0.25, 0.245, 0.262, 0.257),
    "blanks": (0.077, 0.09, 0.092, 0.07),
    "line ends": (0.1, 0.1, 0.1, 0.78),
    "signs": (0.26, 0.242, 0.164, 0.295),
    "small word or part begins": (0.676, 0.634, 0.54, 0.739),
    "number begins": (1.316, 1.338, 1.259, 1.325),
    "letter beside digit": (0.942, 0.962, 1.049, 0.857),
    "indentation": (1.294, 1.306, 1.358, 0.49),
    "small letter after a sign": (0.551, 0.394, 0.455, 0.779),
    "blank after a sign": (0.596, 0.67, 0.749, 0.357),
    "sign begins a line": (1.004, 0.465, 0.493, 0.872),
    "capital after a blank": (0.453, 0.33, 0.51, 0.421),
    "capital after a sign": (0.815, 0.542, 0.762, 1.136),
    "sign after a sign": (-0.068, -0.001, 0.057, -0.13),
    "blank after a blank": (-0.06, -0.06, -0.06, -0.06),
    "Latin letters beyond ASCII": (1.743, 1.229, 2.229, 1.578),
    "Greek and Cyrillic": (0.421, 0.259, 0.446, 0.549),
    "Hebrew, Arabic and their neighbours": (0.796, 0.346, 0.836, 1.195),
    "Indic, Thai and their neighbours": (0.964, 0.328, 1.215, 1.32),
    "typographic signs": (1.518, 1.556, 1.61, 1.569),
    "kana and Chinese punctuation": (0.899, 0.729, 0.97, 0.979),
    "full-width forms": (2, 1.908, 2, 2),
    "Hangul": (1.063, 0.707, 1.139, 1.322),
    "emoji and all beyond": (3, 3, 3, 3),
    "Chinese from U+4000": (0.5, 0.5, 0.5, 0.5),
    "Chinese from U+5000": (0.797, 0.637, 0.988, 0.805),
    "Chinese from U+6000": (0.92, 0.658, 1.059, 1.067),
    "Chinese from U+7000": (1.244, 0.92, 1.456, 1.253),
    "Chinese from U+8000": (0.905, 0.519, 1.346, 1.047),
    "Chinese from U+9000": (2, 1.384, 2, 2),
    "letter beyond ASCII inside a word": (0.687, 0, 0.121, 2.035),
}
_WEIGHTS: Mapping[str, tuple[float, ...]] = {
    family: tuple(_TABLE[feature][column] for feature in FEATURES)
    for column, family in enumerate(FAMILIES)
}


def count_features(text: str) -> list[float]:
    """Count a text's features, in the order of `FEATURES`; those at the end may be left out.

    At most 32,768 characters are looked at, in stretches all over the text. Any text will do,
    lone surrogates and NULs included.
    """
    if len(text) <= _WHOLE:
        return _count(text)
    step = (len(text) - _STRETCH) / (_STRETCHES - 1)
    starts = (round(step * number) for number in range(_STRETCHES))
    scale = len(text) / _WHOLE
    sample = "".join([text[start : start + _STRETCH] for start in starts])
    return [scale * value for value in _count(sample)]


def weigh(features: Sequence[float], family: str) -> float:
    """Return the tokens that a family of tokenizers makes of so many features."""
    total: float = sum(map(mul, features, _WEIGHTS[family]))
    return total


def estimate(text: str, family: str = "generic") -> float:
    """Estimate the tokens of a text. Linear in its features, so parts add up to the whole."""
    return weigh(count_features(text), family)


def _count(text: str) -> list[float]:
    data = text.encode("utf-8", "surrogatepass")
    beyond = not text.isascii()
    if beyond:
        data = data.translate(None, _REST)
    classes = data.translate(_CLASSES)
    pairs = _paired(classes)
    of, at = classes.count, pairs.count
    counts: list[float] = [of(kind) for kind in _PLAIN_BYTES]
    counts += [len(pairs.translate(None, others)) for others in _GROUP_BYTES]
    counts += [at(pair) for pair in _PAIR_BYTES]
    if beyond:
        counts += [of(kind) if kind in classes else 0 for kind in _WIDE_BYTES]
        counts += [data.count(first) for first in _CHINESE]
        counts.append(at(_INSIDE))
    return counts


def _paired(classes: bytes) -> bytes:
    """Return a byte a character: its class, and in the upper half the one before's.

    The start counts as the start of a line. Done by shifting one long number: counting single
    bytes is four times as fast as counting pairs.
    """
    number = int.from_bytes(classes, "little")
    size = len(classes)
    return (number | number << 12 | _LINE << 4).to_bytes(size + 2, "little")[:size]
