"""Numbers as people write them: with a sign of money, a decimal comma, as a percentage."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

__all__ = ["comma_help", "count_help", "number_help", "share_help"]

_NUMBER = re.compile(
    r"(?P<sign>US\$|USD|\$)?\s*(?P<digits>[0-9]{1,9}(?:[.,][0-9]{1,9})?)\s*"
    r"(?P<unit>%|US\$|USD|\$)?\Z",
    re.IGNORECASE,
)
#: A whole number with signs between thousands, or with a letter for them.
_GROUPED = re.compile(r"[0-9]{1,3}(?:[,.' _][0-9]{3})+")
_SHORT = re.compile(r"(?P<digits>[0-9]{1,9}(?:\.[0-9]{1,9})?) ?(?P<unit>[km])", re.IGNORECASE)
_THOUSANDS = {"k": (1000, 1024), "m": (1000**2, 1024**2)}
#: What stands before a comma in flow style, at the end of the line so far.
_BEFORE = re.compile(r"(?:\A|[\s{,])(?P<key>[A-Za-z_]\w*): *(?:US\$|\$)?(?P<whole>[0-9]{1,9}),\Z")


def number_help(text: str, path: Sequence[str | int], schema: Mapping[str, Any]) -> str | None:
    """Say how a text that was meant as a number is written; None where it is none.

    `schema` is the one of the number: what it says of its unit and its bounds is told.
    """
    found = _NUMBER.match(text.strip())
    if found is None or not path or not isinstance(path[-1], str):
        return None
    if found["unit"] == "%":
        return _percent(Decimal(found["digits"].replace(",", ".")), path, schema)
    help_text, unit = _written(str(path[-1]), found["digits"]), _unit(schema)
    if unit is None:
        return help_text
    return f"{help_text} ({unit}{', no sign' if found['sign'] or found['unit'] else ''})"


def count_help(text: str, path: Sequence[str | int]) -> str | None:
    """Say how a text that was meant as a whole number is written: `200k`, `100,000`."""
    plain, key = text.strip(), str(path[-1])
    if _GROUPED.fullmatch(plain):
        return f"write {key}: {int(re.sub('[^0-9]', '', plain))}"
    found = _SHORT.fullmatch(plain)
    if found is None:
        return None
    number, (thousand, binary) = Decimal(found["digits"]), _THOUSANDS[found["unit"].lower()]
    if number * thousand % 1:
        return None
    help_text = f"write {key}: {int(number * thousand)}"
    if number >= 4 and not number % 4:  # windows are counted both ways
        help_text += f", or {int(number * binary)} where {found['unit']} is {binary:,}"
    return help_text


def _percent(value: Decimal, path: Sequence[str | int], schema: Mapping[str, Any]) -> str | None:
    if schema.get("maximum") == 1:
        return f"it is 0..1, no percentage: write {path[-1]}: {_plain(value / 100)}"
    if path[-1] == "spread":
        points = _plain(value)
        meaning = f"with spread: {points} the targets within {points} points of the best"
        return f"it is in points, not percent: {meaning} share the requests"
    if path[-1] == "weight":
        return f"it is in points, not percent: write weight: {_plain(value)}"
    return None


def share_help(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Say what was perhaps meant by a number above 1 where a share, 0..1, belongs."""
    if (schema.get("minimum"), schema.get("maximum")) != (0, 1):
        return None
    if not 1 < value <= 100:
        return "it is 0..1"
    return f"it is 0..1: did you mean {_plain(Decimal(str(value)) / 100)}?"


def comma_help(before: str, fraction: str) -> str | None:
    """Say how a number is written that a comma in flow style cut in two.

    `before` is the line up to what YAML takes for the next key, `fraction` that key.
    """
    found = _BEFORE.search(before)
    if found is None or not re.fullmatch(r"[0-9]{1,9}", fraction):
        return None
    whole = _written(found["key"], f"{found['whole']},{fraction}")
    return f"{whole}; the comma ends the value here"


def _written(key: str, digits: str) -> str:
    """Say how digits are written; a comma before three of them may mean thousands."""
    whole, comma, rest = digits.partition(",")
    number = f"write {key}: {Decimal(digits.replace(',', '.')):f}"
    if not comma:
        return number
    thousands = len(rest) == 3 and whole.lstrip("0") != ""
    return f"{number} with a point{f', or {key}: {int(whole + rest)}' if thousands else ''}"


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _unit(schema: Mapping[str, Any]) -> str | None:
    """Return the unit of money that a schema describes, None where it is no money."""
    told = str(schema.get("description", ""))
    if "USD" not in told:
        return None
    per_million, per_request = "per million" in told, "USD per request" in told
    return "USD per million tokens" if per_million else "USD per request" if per_request else "USD"
