"""What kind of place a `base_url` names, decided from its text: nothing is looked up.

A host counts as private where it is a private address, or a name that only a private network
can resolve: one without a dot, or under a suffix reserved for such use (RFC 6762, RFC 8375,
RFC 9476, ICANN's `.internal`). What a name leads to is checked again when it is called.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

__all__ = ["Address", "AddressError", "Reach", "classify"]

Reach = Literal["loopback", "private", "public"]

_PRIVATE_SUFFIXES = (".local", ".lan", ".internal", ".home.arpa", ".localdomain", ".home", ".corp")
_NUMERIC_LABEL = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")


class AddressError(ValueError):
    """A `base_url` that must not be called; the message says why, `help` what to write."""

    def __init__(self, message: str, help_text: str) -> None:
        super().__init__(message)
        self.help = help_text


class Address(NamedTuple):
    """Where a URL leads."""

    scheme: str
    host: str
    reach: Reach


def classify(url: str) -> Address:
    """Return the scheme, host and reach of an expanded `base_url`.

    Raises:
        AddressError: the URL is malformed, holds a login, a query or a fragment, or writes an
            address in a form that programs read differently.

    """
    from urllib.parse import urlsplit  # 10 ms, only where a URL is checked

    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError as exc:
        raise AddressError(f"this is no URL: {exc}", "write https://HOST/PATH") from exc
    if parts.scheme not in ("http", "https") or not host or not port_is_valid:
        raise AddressError("this is no http(s) URL with a host", "write https://HOST/PATH")
    if "@" in parts.netloc:
        raise AddressError("a URL must not hold a user or password", "put the secret under auth")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise AddressError("a base_url has no query and no fragment", _help(parts.query))
    if any(char.isspace() or ord(char) < 33 or char == "\\" for char in url):
        raise AddressError("a URL has no spaces or backslashes", "write https://HOST/PATH")
    return Address(parts.scheme, host, _reach(host))


def _help(query: str) -> str:
    also = "; a key belongs under auth: {bearer: env:NAME}" if query else ""
    return f"end it before `?` or `#`{also}"


def _reach(host: str) -> Reach:
    from ipaddress import ip_address

    try:
        return _reach_of_address(ip_address(host))
    except ValueError:
        return _reach_of_name(host)


def _reach_of_address(address: object) -> Reach:
    from ipaddress import IPv4Address, IPv6Address, ip_network

    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not isinstance(address, IPv4Address | IPv6Address):
        return "public"
    if address.is_loopback:
        return "loopback"
    shared = address.version == 4 and address in ip_network("100.64.0.0/10")
    private = address.is_private and not address.is_unspecified and not address.is_reserved
    return "private" if private or shared else "public"


def _reach_of_name(host: str) -> Reach:
    labels = host.split(".")
    if _NUMERIC_LABEL.match(labels[-1]):
        raise AddressError(
            f"{host} is an address in a form that programs read differently",
            "write four decimal numbers, such as 127.0.0.1",
        )
    if not all(_LABEL.match(label) for label in labels):
        raise AddressError(f"{host} is no host name", "write a name or an address")
    if labels[-1] == "localhost":
        return "loopback"
    private = len(labels) == 1 or host.endswith(_PRIVATE_SUFFIXES)
    return "private" if private else "public"
