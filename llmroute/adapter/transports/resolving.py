"""Where a host name leads, looked up here and held to what the provider file says of it.

A provider that is `local`, or is called without encryption, may only be reached at a loopback or
private address. A name says nothing of that, and may lead elsewhere a moment later (DNS
rebinding). So the addresses are looked up and checked, and the connection is made to exactly
those.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from llmroute.config.addresses import Reach, reach_of
from llmroute.errors import ErrorKind, TargetError

__all__ = ["Lookup", "Resolver", "system_lookup"]

#: Returns the IP addresses of a host name, best first; raises OSError where there are none. It
#: may block: it is called in a thread.
Lookup = Callable[[str], Sequence[str]]

_NEARNESS: Mapping[Reach, int] = {"loopback": 0, "private": 1, "public": 2}
#: How long an answer is used again, in seconds; connections go to nothing but checked addresses.
_KEPT = 10.0


def system_lookup(host: str) -> Sequence[str]:
    """Ask the system's resolver; it may block for long."""
    entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))


class Resolver:
    """Looks host names up, each in a thread of its own, and refuses addresses that lie too far.

    A look-up cannot be broken off. One that hangs holds up nothing but calls of its name, which
    share it.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._known: dict[str, tuple[Sequence[str], float]] = {}
        self._asking: dict[str, Future[Sequence[str]]] = {}
        self._lock = threading.Lock()

    async def addresses(self, host: str, farthest: Reach, within: float) -> Sequence[str]:
        """Return the addresses of a host, all of them no farther than allowed.

        `host` is as it stands in a URL; `within` is in seconds.

        Raises:
            TargetError: it does not resolve in time (codes `dns`, `connect_timeout`), or one of
                its addresses lies farther away (`address`).

        """
        found = _literal(host) or await self._found(host, within)
        for address in found:
            if _NEARNESS[_reach(address)] > _NEARNESS[farthest]:
                raise _too_far(host, address, farthest)
        return found

    def forget(self, host: str) -> None:
        """Look a host up again next time, because its addresses do not answer."""
        self._known.pop(host, None)

    async def _found(self, host: str, within: float) -> Sequence[str]:
        clock = asyncio.get_running_loop().time
        found, until = self._known.get(host, ((), 0.0))
        if found and clock() < until:
            return found
        try:
            async with asyncio.timeout(within):
                found = await asyncio.shield(asyncio.wrap_future(self._asked(host)))
        except TimeoutError as exc:
            message = f"{host} did not resolve within {within:g} s"
            raise TargetError(
                ErrorKind.TIMEOUT, message, code="connect_timeout", help="check the name server"
            ) from exc
        except (OSError, ValueError) as exc:
            raise _unknown(host, str(exc)) from exc
        if not found:
            raise _unknown(host, "no address")
        self._known[host] = (found, clock() + _KEPT)
        return found

    def _asked(self, host: str) -> Future[Sequence[str]]:
        """Start a look-up, or join the one that is under way."""
        with self._lock:
            if (running := self._asking.get(host)) is None:
                running = self._asking[host] = Future()
                name = f"llmroute-dns-{host}"
                asking = threading.Thread(target=self._ask, args=(host, running), name=name)
                asking.daemon = True  # the end of the program does not wait for it
                asking.start()
            return running

    def _ask(self, host: str, answer: Future[Sequence[str]]) -> None:
        try:
            answer.set_result(self._lookup(host))
        except (OSError, ValueError) as exc:
            answer.set_exception(exc)
        finally:
            with self._lock:
                self._asking.pop(host, None)


def _literal(host: str) -> Sequence[str]:
    """Return a host that is an address itself, without the brackets of IPv6."""
    address = host.removeprefix("[").removesuffix("]")
    try:
        reach_of(address)
    except ValueError:
        return ()
    return (address,)


def _reach(address: str) -> Reach:
    try:
        return reach_of(address)
    except ValueError:
        return "public"


def _unknown(host: str, reason: str) -> TargetError:
    message = f"{host} is a host name that does not resolve ({reason})"
    return TargetError(ErrorKind.UNAVAILABLE, message, code="dns", help="check base_url")


def _too_far(host: str, address: str, farthest: Reach) -> TargetError:
    allowed = "loopback" if farthest == "loopback" else "loopback or private"
    message = f"{host} leads to {address}, which is not {allowed}: nothing was sent"
    help_text = "correct the name's address, or write locality: cloud and https:// in its file"
    return TargetError(ErrorKind.UNAVAILABLE, message, code="address", help=help_text)
