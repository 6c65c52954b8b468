"""What every transport offers: a call in, a reply of bytes out.

A transport raises `TargetError` for everything below the protocol. `code` then says what broke:
`connection_refused`, `dns`, `address`, `tls`, `connection_reset`, `connect_timeout`,
`redirect`, `missing_binary`, `exit`, …, so that a caller can tell a call that never left the
machine from one that did.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from llmroute.adapter.jsontext import compact
from llmroute.catalog.model import Endpoint, Timeouts
from llmroute.errors import ErrorKind, TargetError

__all__ = [
    "MAX_BODY",
    "NEVER_SENT",
    "Call",
    "Reply",
    "Transport",
    "check_credential",
    "join_url",
    "json_body",
    "read_body",
    "refuse_reply",
    "shown_url",
]

#: Largest body of an answer that is not streamed, in bytes, after decompression.
MAX_BODY = 16 * 1024 * 1024

#: Codes of failures in which no byte of the request reached the provider.
NEVER_SENT = frozenset(
    {
        "address",
        "bad_address",
        "connect_timeout",
        "connection_refused",
        "dns",
        "missing_binary",
        "tls",
        "unreachable",
    }
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: where, what, and how.

    `body` is JSON data for transports with a body, `stdin` and `values` (what placeholders of
    the command stand for) are for processes. `model` is the model's name on the wire. The
    transport owns `timeouts.connect` alone; the other timers belong to the caller.
    """

    endpoint: Endpoint
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    stream: bool = False
    model: str = ""
    timeouts: Timeouts = field(default_factory=Timeouts)
    method: str = "POST"


class Reply(Protocol):
    """An answer on its way: status and headers are there, the body arrives as bytes."""

    @property
    def status(self) -> int:
        """The HTTP status; 200 where the transport has none."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers with lower-case names."""
        ...

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives.

        Raises:
            TargetError: the connection broke, or the process failed.

        """
        ...

    async def finish(self) -> None:
        """Check what can only be known at the end, after a complete answer.

        Raises:
            TargetError: the process that gave the answer then failed.

        """
        ...

    async def aclose(self) -> None:
        """Close the wire at once; safe to call twice."""
        ...


class Transport(Protocol):
    """Carries calls."""

    async def open(self, call: Call) -> Reply:
        """Send a call and return once the answer's status is known.

        Raises:
            TargetError: nobody answered.

        """
        ...

    async def aclose(self) -> None:
        """Release what is kept between calls."""
        ...


def join_url(base_url: str | None, path: str) -> str:
    """Return the address of a call; a version that base and path both carry is not doubled."""
    base = (base_url or "").rstrip("/")
    if base.endswith("/v1") and path.startswith("/v1/"):
        base = base.removesuffix("/v1")
    return base + path


@lru_cache(maxsize=256)
def shown_url(url: str | None) -> str:
    """Return the part of an address that may be shown: no user, password, query."""
    try:
        parts = urlsplit(url or "")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the address"
    return f"{parts.scheme}://{parts.hostname or ''}{port}"


def json_body(call: Call) -> bytes | None:
    """Return the body of a call as JSON.

    Raises:
        TargetError: it holds what JSON cannot (of kind `invalid_request`).

    """
    if call.body is None:
        return None
    try:
        return compact(call.body).encode()
    except (RecursionError, TypeError, ValueError) as exc:
        message = f"the request cannot be written as JSON: {exc}"
        raise TargetError(ErrorKind.INVALID_REQUEST, message, code="bad_json") from exc


def check_credential(endpoint: Endpoint) -> None:
    """Refuse a call whose secret could not be resolved.

    Raises:
        TargetError: of kind `auth`, with what to do.

    """
    auth = endpoint.auth
    if auth is not None and auth.secret is None:
        reason = auth.missing or f"set {auth.reference}"
        message = f"no credential: {auth.reference} leads nowhere"
        raise TargetError(ErrorKind.AUTH, message, code="no_credential", help=reason)


def refuse_reply(status: int, headers: Mapping[str, str], endpoint: Endpoint) -> None:
    """Refuse what cannot be an API's answer: a redirect, or a web page with status 200.

    Raises:
        TargetError: of kind `unavailable` for a redirect, `malformed` for a page.

    """
    where = shown_url(endpoint.base_url)
    if 300 <= status < 400:
        target = shown_url(headers.get("location")) if "location" in headers else "nowhere"
        raise TargetError(
            ErrorKind.UNAVAILABLE,
            f"{where} redirects to {target}; redirects are never followed",
            status=status,
            code="redirect",
            help="write the final address as base_url",
        )
    if status < 300 and headers.get("content-type", "").startswith("text/html"):
        raise TargetError(
            ErrorKind.MALFORMED,
            f"{where} answered with a web page",
            status=status,
            code="html",
            help="check base_url: a proxy or a login page may be in the way",
        )


async def read_body(reply: Reply, limit: int = MAX_BODY) -> bytes:
    """Read a whole body, at most `limit` bytes after decompression.

    Raises:
        TargetError: the body is larger, or the connection broke.

    """
    body = bytearray()
    async for data in reply.chunks():
        body += data
        if len(body) > limit:
            message = f"the answer is larger than {limit} bytes"
            raise TargetError(ErrorKind.MALFORMED, message, status=reply.status, code="too_long")
    return bytes(body)
