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
#: Signs that often stand alone or in one token with their neighbours, counted once more.
_SIGNS = {"full stops": b".", "quotation marks": b'"', "colons": b":", "commas": b","}

#: What is counted, in order. A text in ASCII has only those up to the commas.
FEATURES = (
    *_PLAIN,
    *_GROUPS,
    *_PAIRS,
    *_SIGNS,
    *_WIDE,
    *(f"Chinese from U+{(byte & 15) << 12:04X}" for byte in _CHINESE),
    "letter beyond ASCII inside a word",
)
_GROUP_BYTES = tuple(_GROUPS.values())
_PAIR_BYTES = tuple(before << 4 | after for before, after in _PAIRS.values())
_PLAIN_BYTES = tuple(_PLAIN.values())
_SIGN_BYTES = tuple(_SIGNS.values())
_WIDE_BYTES = tuple(range(_LATIN, _LATIN + len(_WIDE)))
_INSIDE = _LOWER << 4 | _LATIN
#: Bytes of a character after its first.
_REST = bytes(range(0x80, 0xC0))

#: The known families. `generic` stands for every tokenizer that is not among the others.
FAMILIES = ("generic", "o200k", "cl100k", "claude")

#: Tokens per occurrence of each feature, a column for each family; from `bench/tokens.py --fit`.
_TABLE: Mapping[str, tuple[float, ...]] = {
    "small letters": (0.06, 0.06, 0.06, 0.06),
    "capitals": (0.128, 0.149, 0.1, 0.165),
    "digits": (0.276, 0.228, 0.269, 0.338),
    "blanks": (0.073, 0.083, 0.083, 0.07),
    "line ends": (0.216, 0.1, 0.1, 0.816),
    "signs": (0.25, 0.25, 0.25, 0.277),
    "small word or part begins": (0.712, 0.699, 0.693, 0.721),
    "number begins": (1.147, 1.347, 1.121, 0.909),
    "letter beside digit": (1.021, 1.081, 1.117, 0.848),
    "indentation": (1.078, 1.103, 1.121, 0.459),
    "small letter after a sign": (0.499, 0.303, 0.28, 0.831),
    "blank after a sign": (0.595, 0.637, 0.64, 0.504),
    "sign begins a line": (1.064, 0.656, 0.782, 1.024),
    "capital after a blank": (0.315, 0.185, 0.397, 0.313),
    "capital after a sign": (0.616, 0.31, 0.37, 1.111),
    "sign after a sign": (-0.109, -0.068, -0.123, -0.13),
    "blank after a blank": (-0.06, -0.06, -0.06, -0.06),
    "full stops": (-0.1, -0.1, -0.1, -0.1),
    "quotation marks": (0.003, 0.06, 0.071, -0.1),
    "colons": (0.535, 0.684, 0.789, 0.072),
    "commas": (0.209, 0.062, 0.138, 0.385),
    "Latin letters beyond ASCII": (1.851, 1.246, 2.157, 1.727),
    "Greek and Cyrillic": (0.413, 0.259, 0.438, 0.535),
    "Hebrew, Arabic and their neighbours": (0.797, 0.338, 0.857, 1.188),
    "Indic, Thai and their neighbours": (0.969, 0.331, 1.237, 1.316),
    "typographic signs": (1.644, 1.648, 1.683, 1.752),
    "kana and Chinese punctuation": (0.896, 0.73, 0.973, 0.966),
    "full-width forms": (2, 1.466, 2, 2),
    "Hangul": (1.048, 0.706, 1.122, 1.298),
    "emoji and all beyond": (3, 3, 3, 3),
    "Chinese from U+4000": (0.5, 0.5, 0.5, 0.5),
    "Chinese from U+5000": (0.977, 0.792, 1.242, 1.078),
    "Chinese from U+6000": (0.824, 0.741, 0.916, 0.824),
    "Chinese from U+7000": (0.947, 0.65, 1.241, 0.968),
    "Chinese from U+8000": (0.906, 0.623, 1.158, 0.986),
    "Chinese from U+9000": (2, 1.383, 2, 2),
    "letter beyond ASCII inside a word": (0.557, 0, 0.293, 1.845),
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
    counts += map(data.count, _SIGN_BYTES)
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
