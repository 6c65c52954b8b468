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
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyreqwest.client import Client

__all__ = ["ClientPool", "LentClient"]

#: Marks are seconds; Linux takes up to 32,767. One sequence for the process, whose sockets they
#: tell apart.
_FIRST_MARK, _LAST_MARK = 10_000, 32_000
_NUMBERS = count()
_KEEP_ALIVE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class LentClient:
    """A client and the mark of its sockets."""

    client: Client
    mark: int
    connect: float

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
    """Clients by connect timeout. `roots` are PEM bytes to trust besides the system's."""

    def __init__(self, roots: bytes | None = None) -> None:
        self._roots = roots
        self._idle: dict[float, list[LentClient]] = {}

    def lend(self, connect: float) -> LentClient:
        """Return a client that nobody uses, the last used one first, for its connections."""
        with suppress(KeyError, IndexError):
            return self._idle[connect].pop()
        mark = _FIRST_MARK + next(_NUMBERS) % (_LAST_MARK - _FIRST_MARK)
        return LentClient(self._build(connect, mark), mark, connect)

    def give_back(self, lent: LentClient) -> None:
        """Take a client back whose call has ended."""
        self._idle.setdefault(lent.connect, []).append(lent)

    async def aclose(self) -> None:
        """Close the clients that are not lent."""
        idle, self._idle = self._idle, {}
        for clients in idle.values():
            for lent in clients:
                await lent.client.close()

    def _build(self, connect: float, mark: int) -> Client:
        from pyreqwest.client import ClientBuilder

        builder = ClientBuilder().follow_redirects(enable=False).no_proxy().referer(enable=False)
        builder = builder.connect_timeout(timedelta(seconds=connect)).tcp_keepalive(_KEEP_ALIVE)
        builder = builder.tcp_keepalive_interval(timedelta(seconds=mark))
        if self._roots is not None:
            builder = builder.add_root_certificate_pem(self._roots)
        return builder.build()


def _shut_down(descriptor: int, mark: int) -> bool:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as found:
        if found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == mark:
            found.shutdown(socket.SHUT_RDWR)
            return True
    return False
