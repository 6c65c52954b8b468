"""Plain scalars by the core schema of YAML 1.2, without the words that readers disagree about.

YAML 1.1 readers (many editors, linters and older tools) read `no`, `3e-6`, `017` and `12:30`
otherwise than YAML 1.2 ones. Such a scalar is refused with what to write instead, so that a file
means the same to everybody. Source: YAML 1.2.2, section 10.3.2; YAML 1.1 type repository.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

__all__ = ["Fault", "quoted", "resolve"]

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_YES, _NO = ("y", "yes", "on"), ("n", "no", "off")
_BOOL_WORDS = {
    form: truth
    for words, truth in ((_YES, True), (_NO, False))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"(?:[-+]?(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?\Z")
_OTHER_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_OCTAL = re.compile(r"[-+]?0[0-7]+\Z")
_PREFIXED = re.compile(r"[-+]?0([ox])([0-9a-fA-F]+)\Z|[-+]?0(b)([01_]+)\Z")
_UNDERSCORES = re.compile(
    r"[-+]?(?:0x[0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?)\Z"
)
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_MAX_DIGITS = 18
_BASES = {"o": 8, "x": 16, "b": 2}
_NUMERIC_START = frozenset("0123456789+-.")


class Fault(NamedTuple):
    """Why a plain scalar is refused, what to write, and the value that was probably meant."""

    rule: str
    message: str
    help: str
    value: Any


def quoted(text: str) -> str:
    """Return text as a quoted YAML scalar, in double quotes where these need no escapes."""
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def resolve(text: str) -> Any | Fault:
    """Return the value of a plain scalar, or a `Fault` where readers would disagree about it."""
    if text in _WORDS:
        return _WORDS[text]
    if text in _BOOL_WORDS:
        return _bool_word(text)
    if text[0] in _NUMERIC_START:
        return _number(text)
    return text


def _bool_word(text: str) -> Fault:
    truth = "true" if _BOOL_WORDS[text] else "false"
    return Fault(
        "yaml-bool-word",
        f"`{text}` is {truth} to some YAML readers and text to others",
        f"write {truth}, or {quoted(text)} in quotes where the word is meant",
        _BOOL_WORDS[text],
    )


def _number(text: str) -> Any | Fault:
    if _INT.match(text):
        return _integer(text)
    if _FLOAT.match(text):
        return _float(text)
    if _SPECIAL.match(text):
        message = f"`{text}` is not a number that can be compared or priced"
        return _fault(message, "leave the key out where nothing is known", text)
    if _OCTAL.match(text):
        return _octal(text)
    if _OTHER_FLOAT.match(text):
        return _other_float(text)
    return _exotic(text)


def _integer(text: str) -> int | Fault:
    if len(text) > _MAX_DIGITS:
        message = f"`{_short(text)}` has more digits than a number here can have ({_MAX_DIGITS})"
        return _fault(message, f"write {quoted(_short(text))} where text is meant", 0)
    return int(text, 0)


def _float(text: str) -> float | Fault:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        message = f"`{_short(text)}` is beyond every number that can be stored"
        return _fault(message, "write a smaller number", 0.0)
    return value


def _octal(text: str) -> Fault:
    decimal, octal = int(text[-_MAX_DIGITS:]), int(text[-_MAX_DIGITS:], 8)
    message = f"`{_short(text)}` is {octal} to some YAML readers and {decimal} to others"
    return _fault(message, f"write {decimal}, or {quoted(_short(text))}", decimal)


def _other_float(text: str) -> Fault:
    """Refuse a number of YAML 1.2 that YAML 1.1 takes for text: no dot, or no sign."""
    message = f"`{_short(text)}` is a number to some YAML readers and text to others"
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _fault(message, "write a smaller number", 0.0)
    forms = " or ".join(_decimal_forms(text, number))
    help_text = f"write {forms}; in quotes where text is meant" if forms else "write fewer digits"
    value = float(number)
    return _fault(message, help_text, 0.0 if abs(value) == float("inf") else value)


def _decimal_forms(text: str, number: Decimal) -> list[str]:
    """Write the number with a dot and a signed exponent, and in full where that is short."""
    forms = []
    mantissa, mark, exponent = text.lower().partition("e")
    if mark and len(text) <= _MAX_DIGITS:
        whole = mantissa if "." in mantissa and mantissa[-1] != "." else mantissa.rstrip(".") + ".0"
        sign = "" if exponent[0] in "+-" else "+"
        forms.append(f"{_leading(whole)}e{sign}{exponent}")
    if -_MAX_DIGITS < number.adjusted() < _MAX_DIGITS and len(text) <= _MAX_DIGITS:
        forms.append(_leading(format(number, "f")))
    return forms


def _leading(text: str) -> str:
    """Put exactly one zero before a bare dot and none before other digits."""
    sign = text[0] if text[0] in "+-" else ""
    digits = text[len(sign) :].lstrip("0")
    return sign + (digits if digits[:1].isdigit() else f"0{digits}")


def _exotic(text: str) -> Any | Fault:
    if match := _PREFIXED.match(text):
        kind, digits = match[1] or match[3], (match[2] or match[4]).replace("_", "")
        return _based(text, kind, digits)
    if _UNDERSCORES.match(text) and "_" in text:
        plain = text.replace("_", "")
        message = f"`{_short(text)}` is a number to some YAML readers and text to others"
        return _fault(message, f"write {_short(plain)}, or {quoted(_short(text))}", text)
    if _SEXAGESIMAL.match(text):
        message = f"`{_short(text)}` is a number in base 60 to some YAML readers"
        return _fault(message, f"write {quoted(_short(text))} in quotes", text)
    return text


def _based(text: str, kind: str, digits: str) -> Any | Fault:
    try:
        value = int(digits[:_MAX_DIGITS], _BASES[kind])
    except ValueError:  # 0o19: text to every reader
        return text
    message = f"`{_short(text)}` is {value} to some YAML readers and text to others"
    signed = -value if text.startswith("-") else value
    return _fault(message, f"write {signed}, or {quoted(_short(text))}", signed)


def _fault(message: str, help_text: str, value: Any) -> Fault:
    return Fault("yaml-number", message, help_text, value)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"
