"""pyreqwest clients, lent to one call at a time, so that a call can be broken off.

pyreqwest (as of 0.15) leaves a request running when the task that awaits its headers is
cancelled: the server would go on generating, for minutes and for money, an answer that nobody
reads. It offers no way to stop it, so its connection is shut down from outside. To find it,
each client marks its sockets with a keep-alive interval of its own, and is lent to one call at
a time. An interval only counts for probes that stay unanswered, so the mark changes nothing.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyreqwest.client import Client

__all__ = ["ClientPool", "LentClient", "Pin", "Use"]

#: A host as it stands in a URL, and the IP address that it is to be reached at; None: as the
#: system resolves it.
Pin = tuple[str, str] | None

#: Marks are seconds; Linux takes up to 32,767. One sequence for the process, whose sockets they
#: tell apart.
_FIRST_MARK, _LAST_MARK = 10_000, 32_000
_NUMBERS = count()
_KEEP_ALIVE = timedelta(seconds=60)


class Use(NamedTuple):
    """What a client is for: its connect timeout in seconds, TLS or not, and where it leads."""

    connect: float
    tls: bool
    pin: Pin = None


@dataclass(frozen=True, slots=True)
class LentClient:
    """A client, the mark of its sockets and what it is for."""

    client: Client
    mark: int
    use: Use

    def break_off(self) -> int:
        """Shut the client's connections down; return how many there were.

        Where the system does not list its open files, there are none to be found, and the
        request ends at its own deadline.
        """
        try:
            names = os.listdir("/dev/fd")  # noqa: PTH208 - names are all that is wanted
        except OSError:
            return 0
        return sum(_shut_down(int(name), self.mark) for name in names)


class ClientPool:
    """Clients by what they are for. `roots` are PEM bytes to trust besides the system's."""

    def __init__(self, roots: bytes | None = None) -> None:
        self._roots = roots
        self._idle: dict[Use, list[LentClient]] = {}

    def lend(self, use: Use) -> LentClient:
        """Return a client that nobody uses, the last used one first, for its connections."""
        with suppress(KeyError, IndexError):
            return self._idle[use].pop()
        mark = _FIRST_MARK + next(_NUMBERS) % (_LAST_MARK - _FIRST_MARK)
        return LentClient(self._build(use, mark), mark, use)

    def give_back(self, lent: LentClient) -> None:
        """Take a client back whose call has ended."""
        self._idle.setdefault(lent.use, []).append(lent)

    def forget(self, host: str, addresses: Collection[str]) -> None:
        """Drop the idle clients of a host that lead to other addresses than these."""
        for use in list(self._idle):
            if use.pin and use.pin[0] == host and use.pin[1] not in addresses:
                self._idle.pop(use, None)

    async def aclose(self) -> None:
        """Close the clients that are not lent."""
        idle, self._idle = self._idle, {}
        for clients in idle.values():
            for lent in clients:
                await lent.client.close()

    def _build(self, use: Use, mark: int) -> Client:
        """Make a client; reading the certificates to trust takes 4 ms, all else microseconds."""
        from pyreqwest.client import ClientBuilder

        builder = ClientBuilder().follow_redirects(enable=False).no_proxy().referer(enable=False)
        builder = builder.connect_timeout(timedelta(seconds=use.connect)).tcp_keepalive(_KEEP_ALIVE)
        builder = builder.tcp_keepalive_interval(timedelta(seconds=mark))
        if use.pin is not None:
            builder = builder.resolve(*use.pin, 0)  # the port is the URL's
        if not use.tls:  # no certificate is ever shown: redirects are not followed
            builder = builder.danger_accept_invalid_certs(enable=True)
        elif self._roots is not None:
            builder = builder.add_root_certificate_pem(self._roots)
        return builder.build()


def _shut_down(descriptor: int, mark: int) -> bool:
    """Shut down the socket behind a descriptor, if it is one and bears the mark."""
    with suppress(OSError):
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        with _twin(descriptor) as found:
            if found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == mark:
                found.shutdown(socket.SHUT_RDWR)
                return True
    return False


def _twin(descriptor: int) -> socket.socket:
    """Return a second handle of a socket, to be closed without closing the first."""
    twin = os.dup(descriptor)
    try:
        return socket.socket(fileno=twin)
    except OSError:
        os.close(twin)
        raise
