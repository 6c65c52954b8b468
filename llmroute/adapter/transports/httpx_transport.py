"""HTTP over an `httpx.AsyncClient` that the user brings: own proxies, certificates, or a mock.

httpx is imported when an error must be told apart. The client's own settings for redirects
count for nothing: they are never followed. Where a host name leads is the client's own matter,
which may well go through a proxy: addresses are not checked here.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import TYPE_CHECKING

from llmroute.adapter.transports.base import (
    Call,
    Reply,
    join_url,
    json_body,
    refuse_reply,
    shown_url,
)
from llmroute.adapter.transports.headers import request_headers
from llmroute.catalog.model import Endpoint
from llmroute.errors import ErrorKind, TargetError

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpxTransport"]

_BLOCK = 64 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_HELP = "check that the server runs and that base_url is right"
#: What the words of a connection error contain → code and words; the first match counts.
_CAUSES = (
    ("certificate", "tls", "shows a TLS certificate that cannot be trusted"),
    ("ssl", "tls", "failed the TLS handshake"),
    ("name or service not known", "dns", "has a host name that does not resolve"),
    ("getaddrinfo", "dns", "has a host name that does not resolve"),
    ("temporary failure in name resolution", "dns", "has a host name that does not resolve"),
    ("disconnected", "connection_reset", "closed the connection without an answer"),
    ("reset", "connection_reset", "reset the connection"),
    ("all connection attempts failed", "connection_refused", "refused the connection"),
    ("refused", "connection_refused", "refused the connection"),
)


class HttpxTransport:
    """Carries calls over a client that stays the user's: it is not closed here."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def open(self, call: Call) -> Reply:
        """Send a call and return once status and headers are there.

        Raises:
            TargetError: nobody answered, or the answer was a redirect or a web page.

        """
        import httpx

        content = json_body(call)
        timeout = httpx.Timeout(None, connect=call.timeouts.connect)
        try:
            request = self._client.build_request(
                call.method,
                join_url(call.endpoint.base_url, call.path),
                content=content,
                headers={**request_headers(call).reveal(), "accept-encoding": "gzip, deflate"},
                timeout=timeout,
            )
            response = await self._client.send(request, stream=True, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise _error(exc, call) from exc
        reply = _HttpxReply(response, call.endpoint)
        try:
            refuse_reply(reply.status, reply.headers, call.endpoint)
        except TargetError:
            await reply.aclose()
            raise
        return reply

    async def aclose(self) -> None:
        """Leave the user's client open."""


class _HttpxReply:
    def __init__(self, response: httpx.Response, endpoint: Endpoint) -> None:
        self._response = response
        self._endpoint = endpoint
        self.status = response.status_code
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in response.headers.items()}

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives, decompressed."""
        import httpx

        packed = self.headers.get("content-encoding", "identity") in ("gzip", "deflate")
        try:
            if not packed or self._response.is_stream_consumed:
                async for data in self._response.aiter_bytes():
                    yield data
                return
            unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
            async for data in self._response.aiter_raw():
                for block in _unpacked(unpacker, data):
                    yield block
        except (httpx.HTTPError, zlib.error) as exc:
            raise _read_error(exc, self.status, self._endpoint) from exc

    async def finish(self) -> None:
        """Nothing is left to check."""

    async def aclose(self) -> None:
        """Close the response."""
        await self._response.aclose()


def _unpacked(unpacker: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    while data:  # in blocks, so that a bomb meets the cap before it fills the memory
        yield unpacker.decompress(data, _BLOCK)
        data = unpacker.unconsumed_tail


def _error(exc: Exception, call: Call) -> TargetError:
    import httpx

    where, text = shown_url(call.endpoint.base_url), str(exc)
    if isinstance(exc, httpx.ConnectTimeout):
        message = f"{where} did not accept a connection within {call.timeouts.connect:g} s"
        return TargetError(ErrorKind.TIMEOUT, message, code="connect_timeout", help=_HELP)
    for part, code, words in _CAUSES:
        if part in text.lower():
            message = f"{where} {words} ({text})"
            return TargetError(ErrorKind.UNAVAILABLE, message, code=code, help=_HELP)
    if isinstance(exc, httpx.ReadError | httpx.WriteError):
        message = f"{where} reset the connection ({text or type(exc).__name__})"
        return TargetError(ErrorKind.UNAVAILABLE, message, code="connection_reset", help=_HELP)
    if isinstance(exc, httpx.RemoteProtocolError):
        message = f"{where} does not answer in HTTP ({text})"
        return TargetError(ErrorKind.MALFORMED, message, code="not_http", help=_HELP)
    code = "unreachable" if isinstance(exc, httpx.ConnectError) else "network"
    message = f"{where} cannot be reached ({text or type(exc).__name__})"
    return TargetError(ErrorKind.UNAVAILABLE, message, code=code, help=_HELP)


def _read_error(exc: Exception, status: int, endpoint: Endpoint) -> TargetError:
    import httpx

    where = shown_url(endpoint.base_url)
    if isinstance(exc, httpx.DecodingError | zlib.error):
        message = f"{where} sent a body that cannot be decompressed ({exc})"
        return TargetError(ErrorKind.MALFORMED, message, status=status, code="bad_encoding")
    message = f"{where} broke off its answer ({exc or type(exc).__name__})"
    return TargetError(ErrorKind.UNAVAILABLE, message, status=status, code="cut_off")
