"""What to write instead of a value, made of the value itself where it is known what was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmroute.config.addresses import AddressError, classify
from llmroute.config.diagnostics import did_you_mean
from llmroute.config.quoting import is_expression_place
from llmroute.config.redact import variable_name
from llmroute.config.wording import any_of, written

__all__ = ["auth_help", "key_help", "mended", "of_other_type", "shorter"]

#: Keys by which other tools are given a credential.
_CREDENTIALS = frozenset({"api_key", "apikey", "key", "token", "bearer", "api_token", "secret"})
#: Durations as people write them: 1 min, 30 seconds.
_DURATION = re.compile(
    r"([0-9.]+)\s*(?:(ms|msecs?|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?))",
    re.IGNORECASE,
)
_UNITS = ("ms", "s", "m", "h")


def auth_help(key: str, value: Any) -> str | None:
    """Say where a provider's credential belongs, if that is what an unknown key is for."""
    if key.casefold().replace("-", "_") not in _CREDENTIALS:
        return None
    text = value.removeprefix("env:") if isinstance(value, str) else ""
    name = text if value != text and text.isidentifier() else variable_name(text)
    return f"under endpoint, write auth: {{bearer: env:{name or 'NAME'}}}"


def mended(value: str, schema: Mapping[str, Any], title: str) -> str | None:
    """Return the text that fits a pattern and is nearest to one that does not.

    `title` is what the schema calls such text.
    """
    pattern = schema.get("pattern")
    if not isinstance(pattern, str) or len(value) > 200:
        return None
    try:
        wanted = re.compile(pattern)
    except re.error:  # a pattern of ECMAScript that Python does not read
        return None
    return next((form for form in _forms(value, title) if wanted.search(form)), None)


def key_help(key: str, names: Mapping[str, Any]) -> str:
    """Say what may stand as a key, where `names` is what the schema says of keys."""
    if "enum" in names:
        return did_you_mean(key, names["enum"]) or f"write {any_of(names['enum'])}"
    if meant := mended(key, names, str(names.get("title", ""))):
        return f"write {meant}"
    wanted = re.compile(names.get("pattern", ""))
    letters = "letters" if wanted.search("A") else "small letters"
    signs = [f"`{sign}`" for sign in "_-." if wanted.search(f"a{sign}a")]
    first = "" if wanted.search("2a") else ", a letter first"
    return f"write {any_of([letters, 'digits', *signs])}{first}"


def _forms(value: str, title: str) -> Iterator[str]:
    plain = value.strip()
    yield plain
    yield plain.lower()
    yield re.sub(r"[\s_]+", "-", plain.lower())
    yield re.sub(r"[\s-]+", "_", plain)
    yield "".join(plain.split())
    if title == "duration" and (found := _DURATION.fullmatch(plain)):
        number, *units = found.groups()
        yield number + next(name for name, unit in zip(_UNITS, units, strict=True) if unit)
    if title == "URL" and "://" not in plain:
        yield from _addresses(plain)


def _addresses(text: str) -> Iterator[str]:
    try:
        reach = classify(f"https://{text}").reach
    except AddressError:
        return
    yield f"{'https' if reach == 'public' else 'http'}://{text}"


def of_other_type(
    kinds: Sequence[str], value: Any, path: Sequence[str | int], schema: Mapping[str, Any]
) -> str | None:
    """Say how a value of another type is written where the kinds in question belong."""
    if isinstance(value, list) and "array" not in kinds:
        fitting = [item for item in value if isinstance(item, str) and "string" in kinds]
        if len(fitting) != len(value) or not value or is_expression_place(path[:-1]):
            return None
        shown = written(fitting, path)
        return shown if len(value) == 1 else f"{shown}; a second one takes a rule of its own"
    if isinstance(value, bool | int | float) and is_expression_place(path) and path[-1] != "prefer":
        return written([f"`{json.dumps(value)}`"], path)
    if isinstance(value, int | float) and not isinstance(value, bool) and kinds == ["string"]:
        fits = re.search(schema.get("pattern", ""), json.dumps(value))
        return "put it in quotes" if fits else None
    return None


def shorter(path: Sequence[str | int], *, lets: bool) -> str:
    """Say how a text that is too long is made shorter; `lets` tells whether the file has `let`."""
    if not is_expression_place(path):
        return "make it shorter"
    if lets:
        return "split it: name parts of it under `let`, and write the names here"
    return "make it shorter, or write several requirements"
