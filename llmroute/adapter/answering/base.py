"""What it takes to answer a client: its request read, its answers and errors written."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from llmroute.adapter.jsontext import compact
from llmroute.errors import UsageError
from llmroute.types import Chunk, Request, Response

__all__ = ["Asked", "ClientProtocol", "Failure", "Reader", "Stamp", "StreamWriter", "event"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks.

    `model` is what it names: a target, an alias, a policy. `warnings` name fields that nobody
    obeys. `echo` holds fields that the protocol repeats in its answers; `include_usage` says
    whether a stream of Chat Completions ends with the usage.
    """

    request: Request
    model: str
    include_usage: bool = False
    warnings: tuple[str, ...] = ()
    echo: Mapping[str, Any] = field(default_factory=dict)


class Failure(NamedTuple):
    """An error as the client's protocol says it, before anything was answered."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class StreamWriter(Protocol):
    """Writes one streamed answer as server-sent events."""

    def feed(self, chunk: Chunk) -> list[bytes]:
        """Return the events of one chunk; often there are none."""
        ...

    def finish(self) -> list[bytes]:
        """Return the events that end a whole answer."""
        ...

    def fail(self, error: Exception) -> list[bytes]:
        """Return the events that end an answer which broke after its beginning."""
        ...


class ClientProtocol(Protocol):
    """One protocol in which clients ask."""

    def read(self, body: Any) -> Asked:
        """Read a request from its parsed body.

        Raises:
            UsageError: it is malformed, or asks for what cannot be routed. Nothing that would
                change the answer's meaning is left out silently.

        """
        ...

    def answer(self, response: Response, asked: Asked) -> Mapping[str, Any]:
        """Write a whole answer.

        Raises:
            TargetError: it holds what the protocol cannot say (`malformed`).

        """
        ...

    def writer(self, asked: Asked) -> StreamWriter:
        """Return a fresh writer for one streamed answer."""
        ...

    def failure(self, error: Exception) -> Failure:
        """Write an error that came before any answer."""
        ...


class Stamp(NamedTuple):
    """Where times and ids of answers come from; tests bring their own."""

    now: Callable[[], float] = time.time
    token: Callable[[], str] = lambda: secrets.token_hex(12)


class Reader:
    """Takes fields out of a request's body, so that none is overlooked."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, Mapping):
            raise UsageError(f"the body is {type(body).__name__}; it must be a JSON object")
        self._rest = dict(body)
        self._within = ""
        self.warnings: list[str] = []

    def inner(self, name: str) -> Reader:
        """Take out a field that holds fields; what is wrong with them is told by their place."""
        reader = Reader(self.take(name, Mapping) or {})
        reader._within, reader.warnings = f"{self._within}{name}.", self.warnings
        return reader

    def take(self, name: str, kind: type | tuple[type, ...] = object) -> Any:
        """Take a field out, None where it is absent or null.

        Raises:
            UsageError: it has another type.

        """
        value = self._rest.pop(name, None)
        if value is None or (isinstance(value, kind) and not _flag_for_number(value, kind)):
            return value
        where = f"{self._within}{name}"
        raise UsageError(f"{where} is {value!r}, which this protocol does not allow there")

    def need(self, name: str, kind: type | tuple[type, ...]) -> Any:
        """Take a field out that must be there.

        Raises:
            UsageError: it is missing, or has another type.

        """
        value = self.take(name, kind)
        if value is None:
            raise UsageError(f"{name} is missing")
        return value

    def drop(self, *names: str) -> None:
        """Take out fields that make no difference to what is answered."""
        for name in names:
            self._rest.pop(name, None)

    def warn(self, *names: str) -> None:
        """Take out fields that nobody will obey, and say so where they ask for something."""
        for name in names:
            if self._rest.pop(name, None) not in (None, [], {}):
                told = f"{self._within}{name} was dropped: llmroute does not pass it on"
                self.warnings.append(told)

    def refuse(self, why: str, *names: str) -> None:
        """Refuse fields without which the answer would not be what was asked for."""
        for name in names:
            if self._rest.pop(name, None) not in (None, [], {}, False):
                raise UsageError(f"{name} cannot be routed: {why}")

    def end(self) -> None:
        """Refuse what is left.

        Raises:
            UsageError: a field is not one of the protocol's.

        """
        if self._rest:
            named = ", ".join(sorted(f"{self._within}{name}" for name in self._rest))
            raise UsageError(f"unknown fields in the request: {named}")


def _flag_for_number(value: Any, kind: Any) -> bool:
    """Whether a boolean stands where a number belongs: to Python it is one."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return isinstance(value, bool) and bool not in kinds and object not in kinds


def event(data: Mapping[str, Any] | str, name: str | None = None) -> bytes:
    """Write one server-sent event."""
    text = data if isinstance(data, str) else compact(data)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode()
