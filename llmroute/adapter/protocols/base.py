"""What a protocol is: how a canonical request is written, and how an answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmroute.adapter.framing import StreamEvent
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, Request, Response

__all__ = ["Decoder", "Encoded", "Judge", "ProviderError", "WireProtocol"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as it goes onto the wire.

    `body` is JSON data; `values` and `stdin` are for commands. `warnings` name what the target
    does not take and was dropped or changed. `tool_ids` leads from ids on the wire back to the
    caller's, where they had to be rewritten.
    """

    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    warnings: tuple[str, ...] = ()
    tool_ids: Mapping[str, str] = field(default_factory=dict)


class Decoder(Protocol):
    """Reads one streamed answer; `done` once the terminator was seen.

    `warnings` name what is unusual about the answer.
    """

    done: bool
    warnings: list[str]

    @property
    def exit_code(self) -> int:
        """The exit code that goes with the answer, where a program gave it; mostly 0."""
        ...

    def feed(self, event: StreamEvent) -> list[Chunk]:
        """Take one event and return what it says.

        Raises:
            TargetError: the event reports an error or is not what the protocol allows. Errors
                that the provider reports are raised as `ProviderError`.

        """
        ...


class ProviderError(Exception):
    """The provider reported an error inside its answer; `body` is what it said."""

    def __init__(self, body: Any, status: int | None = None) -> None:
        super().__init__()
        self.body = body
        self.status = status


class Judge(Protocol):
    """A dialect's own rules for errors."""

    def __call__(self, error: TargetError, headers: Mapping[str, str]) -> None:
        """Correct an error that was classified by the general rules; `headers` are its answer's."""
        ...


class WireProtocol(Protocol):
    """One wire dialect.

    `framing` names how streams are cut into events. With `only_streams` every answer comes as
    a stream. `help` says what a user can do about an error, in this dialect's own commands.
    """

    @property
    def framing(self) -> str:
        """How streams are cut: `sse`, `ndjson`, or `json` where every answer is one document."""
        ...

    @property
    def only_streams(self) -> bool:
        """Whether every answer comes as a stream."""
        ...

    @property
    def help(self) -> Mapping[ErrorKind, str]:
        """What a user can do about an error."""
        ...

    @property
    def judge(self) -> Judge | None:
        """The dialect's own rules for errors, where it has any beside the general ones."""
        ...

    def encode(self, request: Request, target: Target, *, stream: bool) -> Encoded:
        """Write a request.

        Raises:
            TargetError: the protocol or the target cannot say what is asked (`capability`), or
                the request is malformed (`invalid_request`).

        """
        ...

    def decode(self, body: Any, target: Target) -> Response:
        """Read a whole answer from its parsed body.

        Raises:
            TargetError: the answer is not what the protocol allows.
            ProviderError: the body reports an error.

        """
        ...

    def decoder(self) -> Decoder:
        """Return a fresh reader for one streamed answer."""
        ...
