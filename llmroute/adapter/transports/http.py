"""HTTP over pyreqwest: no redirects, no proxies from the environment, no cookies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from llmroute.adapter.transports.base import (
    NEVER_SENT,
    Call,
    Reply,
    join_url,
    json_body,
    refuse_reply,
    shown_url,
)
from llmroute.adapter.transports.clients import ClientPool, Pin, Use
from llmroute.adapter.transports.headers import WireHeaders, request_headers
from llmroute.adapter.transports.resolving import Lookup, Resolver, system_lookup
from llmroute.catalog.model import Endpoint
from llmroute.errors import ErrorKind, TargetError

if TYPE_CHECKING:
    from pyreqwest.client import Client
    from pyreqwest.exceptions import DetailedPyreqwestError
    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response

__all__ = ["HttpTransport"]

#: What the causes of a connection error contain → code and words. The first match counts.
_CAUSES = (
    ("connection refused", "connection_refused", "refused the connection"),
    ("dns error", "dns", "has a host name that does not resolve"),
    ("certificate", "tls", "shows a TLS certificate that cannot be trusted"),
    ("unknownissuer", "tls", "shows a TLS certificate that cannot be trusted"),
    ("corrupt message", "tls", "does not speak TLS"),
    ("tls", "tls", "failed the TLS handshake"),
    ("handshake", "tls", "failed the TLS handshake"),
    ("reset by peer", "connection_reset", "reset the connection"),
    ("broken pipe", "connection_reset", "closed the connection while it was written to"),
    ("before message completed", "connection_reset", "closed the connection without an answer"),
    ("unreachable", "unreachable", "cannot be reached from this machine"),
)
_HELP = "check that the server runs and that base_url is right"
#: Codes after which an idle connection that the server had already dropped is a likely reason.
_STALE = frozenset({"connection_reset"})
#: How long the end of a body may take after the terminator of its stream, in seconds.
_DRAIN = 0.02
#: A server that had read the request would hardly drop it this soon; in seconds.
_AT_ONCE = 0.25


class HttpTransport:
    """Carries calls over HTTP/1.1; belongs to no event loop.

    `root_certificates` are PEM bytes to trust besides the system's, `lookup` returns the
    addresses of a host name. Where the endpoint says how far its address may lie, the connection
    goes to addresses that were looked up and checked, and to no other.
    """

    def __init__(
        self, root_certificates: bytes | None = None, lookup: Lookup = system_lookup
    ) -> None:
        self._clients = ClientPool(root_certificates)
        self._resolver = Resolver(lookup)
        self._reached: set[str] = set()

    async def open(self, call: Call) -> Reply:
        """Send a call and return once status and headers are there.

        A kept connection that the server drops just as it is used again is replaced once.

        Raises:
            TargetError: nobody answered, or the answer was a redirect or a web page.

        """
        headers = request_headers(call)
        body = json_body(call)
        origin = shown_url(call.endpoint.base_url)
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            reply = await self._sent(call, headers, body)
        except TargetError as exc:
            stale = exc.code in _STALE and clock() - started < _AT_ONCE
            if not stale or origin not in self._reached:
                raise
            self._reached.discard(origin)
            reply = await self._sent(call, headers, body)
        self._reached.add(origin)
        try:
            refuse_reply(reply.status, reply.headers, call.endpoint)
        except TargetError:
            await reply.aclose()
            raise
        return reply

    async def aclose(self) -> None:
        """Close what is kept between calls."""
        await self._clients.aclose()

    async def _sent(self, call: Call, headers: WireHeaders, body: bytes | None) -> HttpReply:
        """Send to the first of the allowed addresses that takes the connection.

        The connect timer covers all of them together.
        """
        pins = await self._pins(call.endpoint, call.timeouts.connect)
        for pin in pins[:-1]:
            try:
                return await self._send(call, headers, body, pin, len(pins))
            except TargetError as exc:
                if exc.code not in NEVER_SENT:
                    raise
        try:
            return await self._send(call, headers, body, pins[-1], len(pins))
        except TargetError as exc:
            if exc.code in NEVER_SENT and pins[-1] is not None:
                self._resolver.forget(pins[-1][0])
            raise

    async def _pins(self, endpoint: Endpoint, within: float) -> list[Pin]:
        """Return where an endpoint may be called: checked addresses, or wherever it resolves to."""
        if endpoint.farthest == "public":
            return [None]
        host = _host(endpoint)
        addresses = await self._resolver.addresses(host, endpoint.farthest, within)
        if host.strip("[]") in addresses:
            return [None]
        self._clients.forget(host, addresses)
        return [(host, address) for address in addresses]

    async def _send(
        self, call: Call, headers: WireHeaders, body: bytes | None, pin: Pin, shares: int
    ) -> HttpReply:
        from pyreqwest.exceptions import DetailedPyreqwestError

        plain = (call.endpoint.base_url or "").lower().startswith("http://")
        lent = self._clients.lend(Use(call.timeouts.connect / shares, not plain, pin))
        try:
            request = _request(lent.client, call, headers, body)
            response = await request.__aenter__()
        except DetailedPyreqwestError as exc:
            self._clients.give_back(lent)
            raise _send_error(exc, call) from exc
        except asyncio.CancelledError:
            lent.break_off()  # and never lend it again: its request may still be connecting
            del request  # a sent one has no textual form, which tools ask every local variable for
            raise
        return HttpReply(request, response, call.endpoint, lambda: self._clients.give_back(lent))


def _host(endpoint: Endpoint) -> str:
    """Return the host of an address as the client reads it, so that no other reading counts."""
    from pyreqwest.http import Url

    try:
        host: str | None = Url(endpoint.base_url or "").host_str
    except ValueError as exc:
        raise _bad_address(endpoint, exc) from exc
    if not host:
        raise _bad_address(endpoint, ValueError("it has no host"))
    return host


def _request(client: Client, call: Call, headers: WireHeaders, body: bytes | None) -> StreamRequest:
    try:
        builder = client.request(call.method, join_url(call.endpoint.base_url, call.path))
        builder = builder.headers(headers.reveal()).timeout(timedelta(seconds=call.timeouts.total))
        builder = builder.streamed_read_buffer_limit(0)  # else it waits for 64 KiB of the body
        return (builder if body is None else builder.body_bytes(body)).build_streamed()
    except ValueError as exc:
        raise _bad_address(call.endpoint, exc) from exc


class HttpReply:
    """An answer of `HttpTransport`.

    Once closed it holds nothing of the wire any more: an error that refers to it must not keep a
    connection open.
    """

    def __init__(
        self,
        request: StreamRequest,
        response: Response,
        endpoint: Endpoint,
        give_back: Callable[[], None],
    ) -> None:
        self._wire: tuple[StreamRequest, Response, Callable[[], None]] | None
        self._wire = (request, response, give_back)
        self._endpoint = endpoint
        self._ended = False
        self.status = response.status
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in response.headers.items()}

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives, decompressed."""
        from pyreqwest.exceptions import DetailedPyreqwestError

        while self._wire is not None:
            try:
                data = await self._wire[1].body_reader.read_chunk()
            except DetailedPyreqwestError as exc:
                raise _read_error(exc, self.status, self._endpoint) from exc
            if data is None:
                self._ended = True
                return
            yield bytes(data)

    async def finish(self) -> None:
        """Read what a complete answer left on the wire, so that the connection can be kept."""
        from pyreqwest.exceptions import PyreqwestError

        if self._ended or self._wire is None:
            return
        with suppress(PyreqwestError, TimeoutError):
            async with asyncio.timeout(_DRAIN):
                await self._wire[1].body_reader.read_chunk()

    async def aclose(self) -> None:
        """Close the connection, or give it back where the body was read to its end."""
        wire, self._wire = self._wire, None
        if wire is not None:
            request, _, give_back = wire
            await request.__aexit__(None, None, None)
            give_back()


def _causes(exc: DetailedPyreqwestError) -> list[str]:
    details: Mapping[str, Any] = exc.details or {}
    messages = [str(cause["message"]) for cause in details.get("causes") or ()]
    return messages or [str(exc.message)]


def _send_error(exc: DetailedPyreqwestError, call: Call) -> TargetError:
    from pyreqwest.exceptions import (
        BuilderError,
        ConnectError,
        ConnectTimeoutError,
        DecodeError,
        RequestTimeoutError,
    )

    where, causes = shown_url(call.endpoint.base_url), _causes(exc)
    if isinstance(exc, BuilderError):
        return _bad_address(call.endpoint, exc)
    if isinstance(exc, ConnectTimeoutError):
        message = f"{where} did not accept a connection within {call.timeouts.connect:g} s"
        return TargetError(ErrorKind.TIMEOUT, message, code="connect_timeout", help=_HELP)
    if isinstance(exc, RequestTimeoutError):
        message = f"{where} did not answer in time"
        return TargetError(ErrorKind.TIMEOUT, message, code="timeout")
    if any("response body" in cause for cause in causes):  # its first bytes are read ahead
        return _read_error(exc, None, call.endpoint)
    if isinstance(exc, DecodeError):
        message = f"{where} does not answer in HTTP ({causes[-1]})"
        return TargetError(ErrorKind.MALFORMED, message, code="not_http", help=_HELP)
    text = " ".join(causes[1:] or causes).lower()
    known = ((code, words) for part, code, words in _CAUSES if part in text)
    code, words = next(known, ("unreachable", "cannot be reached"))
    if code in NEVER_SENT and not isinstance(exc, ConnectError):
        code = "network"  # it broke later, as when TLS is ended by an alert
    message = f"{where} {words} ({causes[-1]})"
    return TargetError(ErrorKind.UNAVAILABLE, message, code=code, help=_HELP)


def _read_error(exc: DetailedPyreqwestError, status: int | None, endpoint: Endpoint) -> TargetError:
    from pyreqwest.exceptions import RequestTimeoutError

    where, causes = shown_url(endpoint.base_url), _causes(exc)
    if isinstance(exc, RequestTimeoutError):
        message = f"{where} did not end its answer in time"
        return TargetError(ErrorKind.TIMEOUT, message, status=status, code="timeout")
    if not any("from connection" in cause for cause in causes):
        message = f"{where} sent a body that cannot be decompressed ({causes[-1]})"
        return TargetError(ErrorKind.MALFORMED, message, status=status, code="bad_encoding")
    message = f"{where} broke off its answer ({causes[-1]})"
    return TargetError(ErrorKind.UNAVAILABLE, message, status=status, code="cut_off")


def _bad_address(endpoint: Endpoint, exc: Exception) -> TargetError:
    message = f"{shown_url(endpoint.base_url)} is not an address that can be called ({exc})"
    return TargetError(ErrorKind.UNAVAILABLE, message, code="bad_address", help="correct base_url")
