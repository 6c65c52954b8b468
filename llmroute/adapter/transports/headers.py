"""The headers of a call: an allow-list, with the secret wrapped until the wire takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmroute.adapter.transports.base import Call, check_credential
from llmroute.catalog.model import Auth
from llmroute.config.secrets import Secret
from llmroute.errors import ErrorKind, TargetError

__all__ = ["WireHeaders", "request_headers", "static_headers"]

#: Headers that a protocol may set for one call; everything else comes from the provider file.
_PER_CALL = frozenset({"accept", "anthropic-beta", "content-type"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
#: Headers that belong to a connection, a browser or a caller, and never go upstream.
_NEVER = frozenset(
    {
        "connection",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)


class WireHeaders:
    """Headers whose textual form shows their names alone; `reveal()` is for the wire."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str | Secret]) -> None:
        self._values = dict(values)

    def reveal(self) -> dict[str, str]:
        """Return names and values, the secret among them."""
        return {name: _text(value) for name, value in self._values.items()}

    def __repr__(self) -> str:
        return f"WireHeaders({', '.join(self._values)})"


def static_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those headers of a provider file that may go upstream, with lower-case names."""
    return {name.lower(): v for name, v in headers.items() if name.lower() not in _NEVER}


def request_headers(call: Call) -> WireHeaders:
    """Return the headers of a call, made of the provider file, the protocol and the secret.

    Raises:
        TargetError: a header cannot be written on the wire, or the secret is missing.

    """
    check_credential(call.endpoint)
    headers: dict[str, str | Secret] = {"accept": "application/json", "user-agent": "llmroute"}
    headers.update(static_headers(call.endpoint.headers))
    headers.update((k, v) for k, v in call.headers.items() if k in _PER_CALL)
    if call.body is not None:
        headers["content-type"] = "application/json"
    if call.endpoint.auth is not None:
        headers.update(_credential(call.endpoint.auth))
    for name in headers:
        if not _NAME.match(name) or not _VALUE.match(_text(headers[name])):
            message = f"the header {name!r} cannot be sent: it holds characters that HTTP forbids"
            raise TargetError(
                ErrorKind.AUTH, message, code="bad_header", help="check the provider's headers"
            )
    return WireHeaders(headers)


def _credential(auth: Auth) -> dict[str, Secret]:
    if auth.secret is None:
        return {}
    return {auth.header.lower(): Secret(auth.prefix + auth.secret.reveal())}


def _text(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
