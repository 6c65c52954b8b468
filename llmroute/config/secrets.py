"""Secret references: `env:NAME` and `file:PATH`, resolved once and never shown.

A reference is written only where the schema allows one (`auth`). The value it leads to is
wrapped in `Secret`, whose every textual form is `***`, and which refuses to be pickled.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from llmroute.config.expand import expand
from llmroute.config.opening import read_regular

__all__ = ["Secret", "SecretError", "SecretSource", "check_reference", "resolve"]

_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)\Z")
_FILE = re.compile(r"file:(\S.*)\Z")
_SENDABLE = re.compile(r"[\x20-\x7e]+\Z")
_MAX_BYTES = 65_536


class SecretError(Exception):
    """A reference is well formed but leads nowhere; the message says what to do."""


class Secret:
    """A value that must not be seen: only `reveal()` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself, for the wire."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(Secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret came from, so that it can be read once more after it was exchanged.

    `environment` are the variables as they are now, `root` is the folder of relative files.
    """

    reference: str
    environment: Mapping[str, str] = field(repr=False)
    root: Path

    def changed(self, known: Secret | None) -> Secret | None:
        """Return the secret as it is now; None where it is the known one, or cannot be read."""
        try:
            found = resolve(self.reference, self.environment, self.root)
        except SecretError:
            return None
        return None if found == known else found


def check_reference(reference: str) -> str | None:
    """Return what is wrong with a reference's form, or None; never the text itself."""
    if _ENV.match(reference):
        return None
    if reference.startswith("env:"):
        return "the part after env: is not an environment variable's name; write env:NAME"
    if not reference.startswith("file:"):
        return "a secret is written as env:NAME or file:PATH, never in plain text"
    if _FILE.match(reference) is None:
        return "file: needs a path; write file:/run/secrets/name"
    return None


def resolve(reference: str, environment: Mapping[str, str], root: Path) -> Secret:
    """Return the secret that a well-formed reference leads to; files are relative to `root`.

    Raises:
        SecretError: the variable is unset or empty, or the file is missing, empty or readable
            by others, or the value cannot be sent in a header.

    """
    if match := _ENV.match(reference):
        value = environment.get(match[1], "").strip()
        if not value:
            raise SecretError(f"set {match[1]}")
        return _sendable(value, match[1])
    if match := _FILE.match(reference):
        path = _path(match[1], environment, root)
        return _sendable(_read(path), str(path))
    raise SecretError(check_reference(reference) or "write env:NAME or file:PATH")


def _path(text: str, environment: Mapping[str, str], root: Path) -> Path:
    try:
        expanded = expand(text, environment)
    except ValueError as exc:
        raise SecretError(str(exc)) from exc
    if expanded.startswith("~/"):
        return Path(environment.get("HOME") or Path.home()) / expanded[2:]
    return root / expanded


def _read(path: Path) -> str:
    try:
        status, data = read_regular(path, _MAX_BYTES)
    except OSError as exc:
        raise SecretError(f"cannot read {path}: {exc.strerror}; create it with mode 600") from exc
    except ValueError as exc:
        raise SecretError(f"{path!s:.200} is no path; write file:/run/secrets/name") from exc
    if data is None or len(data) > _MAX_BYTES:
        raise SecretError(f"{path} is not a small regular file; put the secret there alone")
    _check_mode(path, status.st_mode)
    text = _decoded(data)
    if text is None:
        raise SecretError(f"{path} is not a file of UTF-8 text; put the secret there alone")
    return text.strip()


def _decoded(data: bytes) -> str | None:
    """Decode a file; the error of one that is no text would carry its bytes."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _check_mode(path: Path, mode: int) -> None:
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and os.name != "nt":
        raise SecretError(f"{path} can be read by others; run chmod 600 {path}")


def _sendable(value: str, where: str) -> Secret:
    if not value:
        raise SecretError(f"{where} is empty; put the secret into it")
    if not _SENDABLE.match(value):
        raise SecretError(f"{where} holds characters that no header can carry; check its value")
    return Secret(value)
