"""What kind of place a `base_url` names, decided from its text: nothing is looked up.

A host counts as private where it is a private address, or a name that only a private network
can resolve: one without a dot, or under a suffix reserved for such use (RFC 6762, RFC 8375,
RFC 9476, ICANN's `.internal`). What a name leads to is checked again when it is called, with
`reach_of`.

Private are the addresses of RFC 1918, RFC 6598 and RFC 4193. Link-local addresses are not, and no
`base_url` may be one: under them machines in clouds hand out their credentials.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

__all__ = ["Address", "AddressError", "Reach", "classify", "farthest", "reach_of"]

Reach = Literal["loopback", "private", "public"]

_PRIVATE_SUFFIXES = (".local", ".lan", ".internal", ".home.arpa", ".localdomain", ".home", ".corp")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
#: Where machines in clouds ask for their credentials: link-local, and two that look private.
_METADATA = ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32")
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


def farthest(url: str, *, local: bool) -> Reach:
    """Return how far the address behind a checked `base_url` may lie when it is called.

    Without encryption no farther than its text says; a local provider never leaves the private
    network. Otherwise the certificate proves who answers.

    Raises:
        AddressError: as for `classify`.

    """
    address = classify(url)
    if address.scheme == "http" or address.reach == "loopback":
        return address.reach
    return "private" if local else "public"


@lru_cache(maxsize=1024)
def reach_of(address: str) -> Reach:
    """Return how far an IP address lies; one that a network's own machine answers is `public`.

    Raises:
        ValueError: it is no IP address.

    """
    from ipaddress import IPv6Address, ip_address

    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.is_loopback:
        return "loopback"
    return "private" if _within(parsed, _PRIVATE) and not _within(parsed, _METADATA) else "public"


def _within(address: IPv4Address | IPv6Address, networks: tuple[str, ...]) -> bool:
    return any(address in network for network in _networks(networks))


@cache
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    from ipaddress import ip_network

    return tuple(ip_network(text) for text in texts)


def _reach(host: str) -> Reach:
    from ipaddress import ip_address

    try:
        address = ip_address(host)
    except ValueError:
        return _reach_of_name(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    if _within(mapped, _METADATA):
        raise AddressError(
            f"{host} is an address where machines in clouds hand out their credentials",
            "write the address of the server itself",
        )
    return reach_of(host)


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
