"""Reading parsed JSON by declared paths, without trusting its shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llmroute.adapter.jsontext import JsonError, parse
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Usage

__all__ = [
    "CITED",
    "UsagePaths",
    "malformed",
    "mapping",
    "parse_event",
    "pick",
    "text",
    "usage_from",
]

#: The warning of an answer whose sources have no place in the canonical one.
CITED = "citations were left out of the answer"

#: Counts that a bill adds up.
_COUNTS = ("input", "output", "cached", "cache_written", "cache_written_1h")


def malformed(message: str, native: Any = None) -> TargetError:
    """Return the error for an answer that its protocol does not allow."""
    return TargetError(ErrorKind.MALFORMED, message, native=native)


def parse_event(data: str) -> Mapping[str, Any]:
    """Read the JSON object of one stream event.

    Raises:
        TargetError: it is not a JSON object.

    """
    try:
        value = parse(data)
    except JsonError as exc:
        raise malformed(f"a stream event is not JSON: {exc}", data[:500]) from exc
    return mapping(value, "a stream event")


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a value that must be a JSON object.

    Raises:
        TargetError: it is something else.

    """
    if not isinstance(value, Mapping):
        raise malformed(f"{what} is not a JSON object but {type(value).__name__}")
    return value


def pick(data: Any, path: str) -> Any:
    """Return the value at a dotted path (`choices.0.message`), or None where it is not there."""
    for key in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(key)
        elif isinstance(data, list) and key.isdigit() and int(key) < len(data):
            data = data[int(key)]
        else:
            return None
    return data


def text(value: Any, what: str) -> str:
    """Return text that may be absent, as a string or as a list of text parts.

    Raises:
        TargetError: it is neither.

    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [pick(part, "text") for part in value if pick(part, "type") == "text"]
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
    raise malformed(f"{what} is not text but {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class UsagePaths:
    """Where a protocol keeps its token counts.

    `input` lists paths whose counts add up to the whole prompt: Anthropic counts cached and
    cache-written tokens apart from the rest, OpenAI includes both. `parts` is a list of usages
    of the same shape: the calls that the provider made for one answer.
    """

    input: tuple[str, ...]
    output: str
    cached: str = ""
    cache_written: str = ""
    cache_written_1h: str = ""
    reasoning: str = ""
    tier: str = ""
    speed: str = ""
    region: str = ""
    parts: str = ""


def usage_from(data: Any, paths: UsagePaths) -> Usage:
    """Read token counts; what is missing, negative or no count marks the usage as estimated."""
    usage = _usage(data, paths)
    found = pick(data, paths.parts) if paths.parts else None
    if not isinstance(found, list) or not found:
        return usage
    parts = tuple(_part(item, paths) for item in found)
    if len(parts) == 1 and not parts[0].model:
        return usage
    sums = {name: sum(getattr(part, name) for part in parts) for name in _COUNTS}
    estimated = usage.estimated or any(part.estimated for part in parts)
    return replace(usage, **sums, reasoning=usage.reasoning, parts=parts, estimated=estimated)


def _part(item: Any, paths: UsagePaths) -> Usage:
    return replace(_usage({"usage": item}, paths), model=_word(item, "model"))


def _usage(data: Any, paths: UsagePaths) -> Usage:
    main, *more = paths.input
    base, output = _count(pick(data, main)), _count(pick(data, paths.output))
    parts = [_count(pick(data, path)) or 0 for path in more]
    return Usage(
        input=(base or 0) + sum(parts),
        output=output or 0,
        cached=_optional(data, paths.cached),
        cache_written=_optional(data, paths.cache_written),
        cache_written_1h=_optional(data, paths.cache_written_1h),
        reasoning=_optional(data, paths.reasoning),
        tier=_word(data, paths.tier),
        estimated=base is None or output is None,
        speed=_word(data, paths.speed),
        region=_word(data, paths.region),
    )


def _word(data: Any, path: str) -> str | None:
    value = pick(data, path) if path else None
    return value if isinstance(value, str) else None


def _optional(data: Any, path: str) -> int:
    return (_count(pick(data, path)) or 0) if path else 0


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == int(value) else None
