"""Durations as people write them: a number of seconds, or `500ms`, `5s`, `10m`, `1h`."""

from __future__ import annotations

import math
import re

__all__ = ["seconds"]

_FORM = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)\Z")
_FACTOR = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(value: float | str) -> float:
    """Return a duration in seconds.

    Raises:
        ValueError: the text is no duration, or the duration is not above zero and finite.

    """
    result = _from_text(value) if isinstance(value, str) else float(value)
    if isinstance(value, bool) or not (math.isfinite(result) and result > 0):
        raise ValueError(f"{value!r} is no duration; write seconds above 0, or 500ms, 5s, 10m, 1h")
    return result


def _from_text(text: str) -> float:
    match = _FORM.match(text)
    if match is None:
        return math.nan
    number = float(match[1])
    return number / 1000 if match[2] == "ms" else number * _FACTOR[match[2]]
