"""Keeping secrets and prompts out of errors, whatever a provider echoes and a client carries.

Errors are logged, recorded and shown, so an error that leaves the adapter holds no part of a
secret that could be used or recognised:

- the secret itself, in upper or lower case, and as JSON, a URL, Base64 or hexadecimal digits
  would write it; of each, every run of at least 8 characters;
- what a provider leaves of it when it masks it itself (`sk-abc***wxyz`).

Its message quotes no 24 characters of the prompt in a row either, and no whole message from 12
characters on; `native`, which is for the caller alone, keeps them. Exceptions of HTTP clients
hold headers, and frames of tracebacks hold local variables: the error is cut off from the former,
and the latter are emptied.
"""

from __future__ import annotations

import re
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from urllib.parse import quote

from llmroute.adapter.jsontext import JsonError, compact, parse
from llmroute.catalog.model import Endpoint
from llmroute.errors import TargetError
from llmroute.types import Message

__all__ = ["scrub"]

#: Characters in a row that are taken for a part of a secret. A secret with fewer is looked for as
#: a word of its own, and not at all below the second figure: that would only garble messages.
_RUN, _LEAST = 8, 4
#: A prompt is looked for by windows of so many characters of the message, at steps of so many.
_WINDOW, _STEP = 16, 8
#: A whole message of the prompt from so many characters on is looked for as well.
_WHOLE = 12
#: How providers mask: what stands for the middle of a key, between its first and last characters.
_MASK = re.compile(r"[*•●·∙…█]+|\.{2,}|x{3,}|X{3,}")
#: So much of a key beside a mask tells that it is this one.
_BESIDE_MASK = 3
#: Names of environment variables whose values are nobody's business, and logins in addresses.
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LOGIN = re.compile(r"://[^/@\s:]*:([^/@\s]+)@")


def scrub(error: TargetError, endpoint: Endpoint, messages: Sequence[Message] = ()) -> None:
    """Blacken an endpoint's secrets in an error, and the prompt in its message.

    What the error came of is cut off, because it may hold both.
    """
    _sever(error)
    secrets = [secret for secret in _secrets(endpoint) if len(secret) >= _LEAST]
    if secrets:
        error.code = error.code and _blackened(error.code, secrets)
        error.request_id = error.request_id and _blackened(error.request_id, secrets)
        error.help = error.help and _blackened(error.help, secrets)
        error.native = _native(error.native, secrets)
    message = _blackened(error.message, secrets)
    _say(error, _unquoted(message, list(_texts(messages))))


def _say(error: TargetError, message: str) -> None:
    if message != error.message:
        error.message = message
        error.args = (message,)


def _sever(error: TargetError) -> None:
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        following = link.__cause__ or link.__context__
        link.__cause__ = link.__context__ = None
        link = following


def _secrets(endpoint: Endpoint) -> Iterator[str]:
    if endpoint.auth and endpoint.auth.secret:
        yield endpoint.auth.secret.reveal()
    for name, value in endpoint.variables().items():
        if _SECRET_NAME.search(name):
            yield value
        yield from _LOGIN.findall(value)


def _native(native: Any, secrets: Sequence[str]) -> Any:
    """Return a provider's body without secrets, as data where it was data."""
    if native is None:
        return None
    if isinstance(native, str):
        return _blackened(native, secrets)
    try:
        text = compact(native)
    except (RecursionError, TypeError, ValueError):
        return _blackened(str(native), secrets)
    cleaned = _blackened(text, secrets)
    if cleaned == text:
        return native
    try:
        return parse(cleaned)
    except JsonError:
        return cleaned


def _blackened(text: str, secrets: Iterable[str]) -> str:
    spans = [span for secret in secrets for span in _spans(text, secret)]
    return _replaced(text, spans, "***")


def _replaced(text: str, spans: Iterable[tuple[int, int]], by: str) -> str:
    """Replace stretches of a text; those that overlap or touch count as one."""
    parts: list[str] = []
    end = 0
    for first, last in sorted(spans):
        if first > end or not parts:
            parts += [text[end:first], by]
        end = max(end, last)
    return "".join(parts) + text[end:]


def _spans(text: str, secret: str) -> Iterator[tuple[int, int]]:
    lower, small = text.translate(_LOWER), secret.translate(_LOWER)
    if len(secret) < _RUN:
        word = re.compile(rf"(?<!\w){re.escape(small)}(?!\w)")
        yield from (found.span() for found in word.finditer(lower))
        return
    for form in {form.translate(_LOWER) for form in _forms(secret)}:
        yield from _runs(lower, form)
    yield from _beside_masks(lower, small)


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as JSON, addresses, Base64 and hexadecimal digits write it.

    In Base64 it depends on what stands before: with 0, 1 or 2 bytes its own groups differ. Cut
    off are the characters that it shares with its neighbours.
    """
    data = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield compact(secret)[1:-1]
    yield quote(data, safe="")
    yield data.hex()
    for before, cut in ((0, 0), (1, 2), (2, 3)):
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + data).decode().rstrip("=")[cut:-1]


def _runs(text: str, form: str) -> Iterator[tuple[int, int]]:
    """Yield where a text holds a run of a form's characters."""
    runs = {form[i : i + _RUN] for i in range(len(form) - _RUN + 1)}
    for start in range(len(text) - _RUN + 1):
        if text[start : start + _RUN] in runs:
            yield start, start + _RUN


def _beside_masks(text: str, secret: str) -> Iterator[tuple[int, int]]:
    for mask in _MASK.finditer(text):
        start, end = mask.span()
        before = _common(text[:start][::-1], secret, ends=False)
        after = _common(text[end:], secret, ends=True)
        if max(before, after) >= _BESIDE_MASK:
            yield start - before, end + after


def _common(text: str, secret: str, *, ends: bool) -> int:
    """Return how many characters beside a mask are the secret's first or last ones."""
    sizes = range(min(len(text), len(secret)), 0, -1)
    if ends:
        return next((size for size in sizes if text.startswith(secret[-size:])), 0)
    return next((size for size in sizes if text.startswith(secret[:size][::-1])), 0)


def _texts(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the texts of a prompt, in one line each, as the messages of errors are."""
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list | tuple) else [{"text": content}]
        for part in parts:
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str):
                yield _CONTROL.sub(" ", text)


def _unquoted(message: str, texts: Iterable[str]) -> str:
    spans = [span for text in texts for span in _quotes(message, text.strip())]
    return _replaced(message, spans, "[prompt]")


def _quotes(message: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a message quotes a text."""
    if len(text) >= _WHOLE and (start := message.find(text)) >= 0:
        yield start, start + len(text)
        return
    for start in range(0, len(message) - _WINDOW + 1, _STEP):
        if (at := text.find(message[start : start + _WINDOW])) >= 0:
            back = _same(message[:start][::-1], text[max(0, at - start) : at][::-1])
            rest = len(message) - start
            yield start - back, start + _same(message[start:], text[at : at + rest])


def _same(one: str, other: str) -> int:
    """Return how many characters two texts have in common from their start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
