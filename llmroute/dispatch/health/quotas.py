"""What a provider's headers say of the rate limit that an answer counted against.

OpenAI's are `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, resets as Go durations
(`6m0s`); Anthropic's `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-…`, resets
as RFC 3339 times. A limit of -1 or 0 means unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Quota", "quotas"]

_OPENAI = re.compile(r"x-ratelimit-limit-([a-z_-]+)\Z")
_ANTHROPIC = re.compile(r"(anthropic(?:-priority|-fast)?-ratelimit-[a-z-]+)-limit\Z")
_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|us|µs|ns|s))+\Z")
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
#: Resets further off say nothing of the next requests, in seconds.
_FURTHEST = 86_400.0


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit: what it counts, the free share 0..1, and seconds until it is free again."""

    name: str
    free: float
    reset: float


def quotas(headers: Mapping[str, str], now: datetime) -> tuple[Quota, ...]:
    """Return the limits that headers tell of; `now` stands in for a `date` that they lack."""
    return tuple(_found(headers, now))


def _found(headers: Mapping[str, str], now: datetime) -> Iterator[Quota]:
    for name, value in headers.items():
        if match := _OPENAI.match(name):
            what = match[1]
            left, reset = (headers.get(f"x-ratelimit-{k}-{what}") for k in ("remaining", "reset"))
            quota = _quota(what, value, left, _duration(reset))
        elif match := _ANTHROPIC.match(name):
            what = match[1]
            left, reset = (headers.get(f"{what}-{key}") for key in ("remaining", "reset"))
            quota = _quota(what, value, left, _until(reset, headers, now))
        else:
            continue
        if quota is not None:
            yield quota


def _quota(name: str, limit: str, left: str | None, reset: float | None) -> Quota | None:
    most, rest = _number(limit), _number(left)
    if most is None or most <= 0 or rest is None or rest < 0 or reset is None:
        return None
    return Quota(name, min(rest / most, 1.0), min(reset, _FURTHEST))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _duration(text: str | None) -> float | None:
    """Read a Go duration; a bare number is seconds."""
    if text is None:
        return None
    if _GO_DURATION.match(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _GO_PART.findall(text))
    seconds = _number(text)
    return seconds if seconds is not None and seconds >= 0 else None


def _until(text: str | None, headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds from an answer's own `date` to a time; None where either is no time."""
    from email.utils import parsedate_to_datetime

    try:
        reset = datetime.fromisoformat(text or "")
        since = parsedate_to_datetime(headers["date"]) if "date" in headers else now
        return max((reset - since).total_seconds(), 0.0)
    except (ValueError, OverflowError, TypeError):  # of the last kind: one names no time zone
        return None
