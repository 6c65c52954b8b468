"""Sorting a provider's error into the error tree, and reading when to come back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from llmroute.adapter.errortable import DEFAULT_HELP, RULES, STALE, ErrorRule
from llmroute.adapter.jsontext import JsonError, compact, parse
from llmroute.adapter.transports.base import shown_url
from llmroute.catalog.model import Endpoint
from llmroute.errors import ErrorKind, TargetError

__all__ = [
    "LONGEST_WAIT",
    "MAX_NATIVE",
    "ErrorFacts",
    "classify",
    "help_for",
    "is_stale",
    "kind_of",
    "retry_after",
]

#: How much of a provider's error body is kept, in characters.
MAX_NATIVE = 8192
_REQUEST_ID = ("x-request-id", "request-id")
_SHOWN = 300
#: The header `x-should-retry` of OpenAI and Anthropic, which goes before the status.
_SHOULD_RETRY = {"true": True, "false": False}
#: A wait that is longer than a day is no wait but a mistake; in seconds.
LONGEST_WAIT = 86_400.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """What an error body says: its message, and every code and type in it, lower case."""

    message: str
    codes: tuple[str, ...] = ()
    request_id: str | None = None

    @classmethod
    def of(cls, body: Any) -> ErrorFacts:
        """Read an error body of any known shape.

        Shapes: `{"error": {"message", "type", "code", "details"}}` (OpenAI, Anthropic),
        `{"error": "text"}` (Ollama, LM Studio), `{"message": "text"}`, plain text.
        """
        if not isinstance(body, Mapping):
            return cls(_text(body))
        error = body.get("error", body)
        request_id = body.get("request_id")
        request_id = request_id if isinstance(request_id, str) else None
        if not isinstance(error, Mapping):
            return cls(_text(error), _strings(body.get("code")), request_id)
        details = error.get("details")
        deep = details.get("error_code") if isinstance(details, Mapping) else None
        codes = _strings(deep, error.get("code"), error.get("type"))
        return cls(_text(error.get("message") or error), codes, request_id)


def _text(value: Any) -> str:
    """Return a provider's text in one line, without what a terminal would take for a command."""
    if isinstance(value, str):
        return _CONTROL.sub(" ", value).strip()
    try:
        return "" if value is None else compact(value)
    except (TypeError, ValueError):
        return str(value)


def _strings(*values: Any) -> tuple[str, ...]:
    return tuple(v for v in values if isinstance(v, str) and v)


def kind_of(status: int | None, facts: ErrorFacts) -> ErrorKind:
    """Name the kind of an error.

    `status` is None for an error inside a stream. What no rule knows is the server's fault
    from 500 on and inside a stream, and the request's fault otherwise.
    """
    number, message = status or 0, facts.message.lower()
    codes = frozenset(code.lower() for code in facts.codes)
    for rule in RULES:
        if _fits(rule, number, codes, message):
            return rule.kind
    return ErrorKind.INVALID_REQUEST if 400 <= number < 500 else ErrorKind.TRANSIENT


def is_stale(error: TargetError) -> bool:
    """Whether a target refused thoughts of its own, without which it would answer."""
    said = error.message.lower()
    return error.code == "invalid_encrypted_content" or any(text in said for text in STALE)


def _fits(rule: ErrorRule, status: int, codes: frozenset[str], message: str) -> bool:
    return (
        (not rule.status or status in rule.status)
        and (not rule.codes or not rule.codes.isdisjoint(codes))
        and (not rule.texts or any(text in message for text in rule.texts))
        and rule.but_not.isdisjoint(codes)
    )


def classify(
    body: Any,
    *,
    endpoint: Endpoint,
    model: str,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    help_texts: Mapping[ErrorKind, str] | None = None,
) -> TargetError:
    """Make the error of a failed call from what the provider sent.

    `body` is parsed JSON, or bytes of whatever came; `help_texts` are the protocol's own words
    on what to do, with placeholders as in `DEFAULT_HELP`.
    """
    headers = headers or {}
    native = _native(body)
    facts = ErrorFacts.of(native)
    kind = kind_of(status, facts)
    message = facts.message[:_SHOWN] or "the provider gave no reason"
    request_id = next((headers[n] for n in _REQUEST_ID if n in headers), facts.request_id)
    error = TargetError(
        kind,
        message,
        status=status,
        code=facts.codes[0] if facts.codes else None,
        request_id=request_id,
        retry_after=retry_after(headers),
        native=_capped(native),
        help=help_for(kind, endpoint, model, help_texts),
    )
    error.repeatable = _SHOULD_RETRY.get(headers.get("x-should-retry", ""))
    return error


def _native(body: Any) -> Any:
    if not isinstance(body, bytes):
        return body
    try:
        return parse(body)
    except JsonError:
        return body[:MAX_NATIVE].decode("utf-8", "replace")


def _capped(native: Any) -> Any:
    text = _text(native)
    return native if len(text) <= MAX_NATIVE else text[:MAX_NATIVE]


def help_for(
    kind: ErrorKind,
    endpoint: Endpoint,
    model: str,
    help_texts: Mapping[ErrorKind, str] | None = None,
) -> str | None:
    """Return what a user can do about a kind of error; see `classify` for `help_texts`."""
    texts = {**DEFAULT_HELP, **(help_texts or {})}
    if kind not in texts:
        return None
    reference = endpoint.auth.reference if endpoint.auth else "of this provider"
    where = shown_url(endpoint.base_url)
    return texts[kind].format(reference=reference, model=model, base_url=where)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return how long the provider asks to wait, in seconds, or None.

    `retry-after-ms` goes first, as in the OpenAI and Anthropic SDKs; `retry-after` is a number
    of seconds or an HTTP date (RFC 9110, 10.2.3), which counts from the answer's own `date`,
    else from `now`.
    What is not a finite number above 0, or is more than a day, is ignored.
    """
    wait = _asked(headers, now)
    return wait if wait is not None and 0 < wait <= LONGEST_WAIT else None


def _asked(headers: Mapping[str, str], now: datetime | None) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    until, since = _date(value), _date(headers.get("date")) or now or datetime.now(UTC)
    return (until - since).total_seconds() if until else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _date(value: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        parsed = parsedate_to_datetime(value or "")
    except (IndexError, OverflowError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
