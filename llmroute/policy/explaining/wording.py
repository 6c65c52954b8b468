"""Sentences with texts from outside that can neither break a layout nor a terminal.

A sentence is a tuple of our own words and of `Outside` texts: rule names, target ids,
conditions. Each renderer writes the latter in its own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

__all__ = [
    "Outside",
    "Sentence",
    "clean",
    "code",
    "format_decimal",
    "format_points",
    "format_weight",
    "joined",
    "named",
    "plain",
    "signed",
    "target_id",
    "told",
]


@dataclass(frozen=True, slots=True)
class Outside:
    """A text that comes from a file, a server or the caller."""

    text: str
    kind: Literal["name", "target", "code", "text"] = "text"


Sentence = tuple[str | Outside, ...]


def named(text: str) -> Outside:
    """Return the name of a rule, to be quoted."""
    return Outside(text, "name")


def target_id(text: str) -> Outside:
    """Return the id of a target."""
    return Outside(text, "target")


def code(text: str) -> Outside:
    """Return an expression."""
    return Outside(text, "code")


def told(text: str) -> Outside:
    """Return any other text from outside."""
    return Outside(text)


def joined(parts: Sequence[Sentence]) -> Sentence:
    """Return `a, b and c`."""
    made: list[str | Outside] = []
    for position, part in enumerate(parts):
        if position:
            made.append(" and " if position == len(parts) - 1 else ", ")
        made += part
    return tuple(made)


def clean(text: str) -> str:
    """Put a text on one line, and write what a terminal would act on as its escape sequence.

    White space becomes single blanks. Control and formatting characters, such as those of ANSI
    sequences and of changes of the writing direction, become visible.
    """
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(map(_visible, line))


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def plain(sentence: Sentence) -> str:
    """Return a sentence as plain text: names in quotes, expressions in backticks."""
    return "".join(part if isinstance(part, str) else _plain(part) for part in sentence)


def _plain(part: Outside) -> str:
    text = clean(part.text)
    if part.kind == "name":
        return f"'{text}'"
    return f"`{text}`" if part.kind == "code" else text


def format_points(micro: int) -> str:
    """Write micro-points as points, without trailing zeros: 24493800 → 24.4938."""
    return format_decimal(Decimal(micro) / 1_000_000)


def format_weight(milli: int) -> str:
    """Write a weight in thousandths: 2500 → 2.5."""
    return format_decimal(Decimal(milli) / 1000)


def signed(micro: int) -> str:
    """Write a difference of points with its sign: +12, −3 as -3, 0 as 0."""
    return f"{'+' if micro > 0 else ''}{format_points(micro)}"


def format_decimal(number: Decimal) -> str:
    """Write a number in full, without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
