"""JSON from the wire, read without trusting it.

RFC 8259 has no NaN and no infinities, leaves the range of numbers and the depth open, and
allows half of a surrogate pair where no character stands for it. Each of these has crashed
clients, so each is an error here, of one kind, with a message.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["JsonError", "compact", "parse"]

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONG_NUMBER = 400


class JsonError(ValueError):
    """The text is not JSON that can be used; the message says why."""


def _constant(name: str) -> Any:
    raise JsonError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonError(f"the number {text[:20]} is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > _LONG_NUMBER:
        raise JsonError(f"a number of {len(text)} digits is out of range")
    return int(text)


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_float, parse_int=_int)


def parse(text: str | bytes) -> Any:
    """Read JSON text; of duplicate keys the last one counts.

    Raises:
        JsonError: the text is not JSON, is nested too deeply, or holds a number or a character
            that nothing can represent.

    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", errors="replace")
    try:
        value = _DECODER.decode(text)
    except JsonError:
        raise
    except ValueError as exc:
        raise JsonError(str(exc)) from exc
    except RecursionError as exc:
        raise JsonError("the JSON is nested too deeply") from exc
    if _SURROGATE.search(text):
        _refuse_lone_surrogates(value)
    return value


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        compact(value).encode()
    except (UnicodeEncodeError, RecursionError) as exc:
        raise JsonError("the JSON holds half of a surrogate pair") from exc


def compact(value: Any) -> str:
    """Write JSON without spaces and with characters as they are.

    Raises:
        ValueError: the value holds NaN or an infinity.
        TypeError: the value holds something that JSON cannot say.

    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
