"""What to write instead of a value, made of the value itself where it is known what was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmroute.config.addresses import AddressError, classify
from llmroute.config.quoting import is_expression_place
from llmroute.config.redact import variable_name
from llmroute.config.wording import written

__all__ = ["auth_help", "mended", "of_other_type", "shorter"]

#: Keys by which other tools are given a credential.
_CREDENTIALS = frozenset({"api_key", "apikey", "key", "token", "bearer", "api_token", "secret"})


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


def _forms(value: str, title: str) -> Iterator[str]:
    plain = value.strip()
    yield plain
    yield plain.lower()
    yield re.sub(r"[\s_]+", "-", plain.lower())
    yield "".join(plain.split())
    if title == "URL" and "://" not in plain:
        yield from _addresses(plain)


def _addresses(text: str) -> Iterator[str]:
    try:
        reach = classify(f"https://{text}").reach
    except AddressError:
        return
    yield f"{'https' if reach == 'public' else 'http'}://{text}"


def of_other_type(kinds: Sequence[str], value: Any, path: Sequence[str | int]) -> str | None:
    """Say how a value of another type is written where the kinds in question belong."""
    if isinstance(value, list) and "array" not in kinds:
        fitting = [item for item in value if isinstance(item, str) and "string" in kinds]
        if len(fitting) != len(value) or not value or is_expression_place(path[:-1]):
            return None
        shown = written(fitting, path)
        return shown if len(value) == 1 else f"{shown}; a second one takes a rule of its own"
    if isinstance(value, bool | int | float) and is_expression_place(path) and path[-1] != "prefer":
        return written([f"`{json.dumps(value)}`"], path)
    return None


def shorter(path: Sequence[str | int], *, lets: bool) -> str:
    """Say how a text that is too long is made shorter; `lets` tells whether the file has `let`."""
    if not is_expression_place(path):
        return "make it shorter"
    if lets:
        return "split it: name parts of it under `let`, and write the names here"
    return "make it shorter, or write several requirements"
