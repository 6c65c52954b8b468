"""Asking servers what they have, at their interval, without ever failing a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from threading import Lock

from llmroute.adapter.adapter import Adapter
from llmroute.catalog.build import Catalog, Problem
from llmroute.catalog.discovery import dialect_named, discover
from llmroute.catalog.model import Discover, Endpoint, Provider, key_of
from llmroute.dispatch.portal import Portal
from llmroute.errors import ErrorKind, TargetError

__all__ = ["Found", "OnFound", "Refresher", "applied"]

#: Seconds that a local server may take to accept a connection, and any to list its models.
_CONNECT, _TOTAL = 1.0, 5.0
#: Seconds after which a server that did not list its models is asked again, at the latest.
_AGAIN = 60.0
_NO_ANSWER = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT})

#: A server's models, or why it cannot be used.
Found = Sequence[dict[str, object]] | Problem
OnFound = Callable[[Provider, Found], None]


class Refresher:
    """Knows when each discovering provider is to be asked again, and asks those that are due.

    Asking happens on the portal's loop, once per provider at a time: a caller that goes away ends
    nothing, and callers on several loops share one answer. `on_found` takes each answer.
    """

    def __init__(
        self,
        adapter: Adapter,
        clock: Callable[[], float],
        portal: Callable[[], Portal],
        on_found: OnFound,
    ) -> None:
        self._adapter = adapter
        self._clock = clock
        self._portal = portal
        self._on_found = on_found
        self._due: dict[tuple[str, str | None], float] = {}
        self._running: dict[tuple[str, str | None], Future[None]] = {}
        self._lock = Lock()

    def never_answered(self, catalog: Catalog) -> list[Provider]:
        """Return the discovering providers of which nothing is known yet."""
        every = catalog.providers.values()
        return [p for p in every if p.discover and key_of(p) not in self._due]

    def due(self, catalog: Catalog) -> list[Provider]:
        """Return the providers whose interval has passed, or that were never asked."""
        now, never = self._clock(), float("-inf")
        return [
            provider
            for provider in catalog.providers.values()
            if provider.discover and now >= self._due.get(key_of(provider), never)
        ]

    async def ready(self, catalog: Callable[[], Catalog]) -> None:
        """Wait until every server was asked once; later asking runs beside requests."""
        await self.ask(self.never_answered(catalog()))
        self.start(self.due(catalog()))

    async def refresh(self, catalog: Catalog, *, force: bool) -> None:
        """Ask all discovering providers, or those that are due, and wait for their answers."""
        every = [provider for provider in catalog.providers.values() if provider.discover]
        await self.ask(every if force else self.due(catalog))

    def start(self, providers: Sequence[Provider]) -> list[Future[None]]:
        """Ask providers, or join the asking that is under way."""
        with self._lock:
            return [self._started(provider) for provider in providers]

    async def ask(self, providers: Sequence[Provider]) -> None:
        """Ask providers and wait for all answers; leaving early stops none of it."""
        started = self.start(providers)
        await asyncio.gather(*(asyncio.shield(asyncio.wrap_future(f)) for f in started))

    def _started(self, provider: Provider) -> Future[None]:
        running = self._running.get(key_of(provider))
        if running is None or running.done():
            running = self._portal().submit(self._learn(provider))
            self._running[key_of(provider)] = running
        return running

    async def _learn(self, provider: Provider) -> None:
        spec = provider.discover
        if spec is None:
            return
        found = await self._ask(provider, spec)
        self._on_found(provider, found)
        failed = isinstance(found, Problem)
        wait = min(spec.interval, _AGAIN) if failed else spec.interval
        self._due[key_of(provider)] = self._clock() + wait

    async def _listed(self, endpoint: Endpoint, dialect: str) -> Sequence[dict[str, object]]:
        declared = endpoint.declared.get(dialect)
        if declared is None:
            return await discover(endpoint, dialect, self._adapter.get_json)
        from llmroute.adapter.declared.discovery import discover_declared

        return await discover_declared(endpoint, declared.data["discovery"], self._adapter.get_json)

    async def _ask(self, provider: Provider, spec: Discover) -> Found:
        endpoint = provider.endpoint
        connect = endpoint.timeouts.connect
        connect = min(connect, _CONNECT) if provider.locality == "local" else connect
        quick = replace(endpoint, timeouts=replace(endpoint.timeouts, connect=connect))
        start = dialect_named(spec.dialect).start
        try:
            async with asyncio.timeout(_TOTAL):
                return await self._listed(quick, spec.dialect)
        except TimeoutError:
            reason = f"{endpoint.base_url} did not list its models within {_TOTAL:g} s"
            return Problem(reason, f"look whether it hangs; else {start}")
        except TargetError as exc:
            if exc.kind in _NO_ANSWER:
                return Problem(f"nothing answers at {endpoint.base_url}", start)
            return Problem(exc.message, exc.help or "see its log")
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001 - a listing never fails a request
            reason = f"its models could not be listed: an unexpected {type(exc).__name__}"
            return Problem(reason, f"this is a fault of llmroute; else {start}")


def applied(catalog: Catalog, name: str, found: Found) -> Catalog:
    """Return the catalogue with what a server answered; an answer of odd types is a problem."""
    if isinstance(found, Problem):
        return _unlisted(catalog, name, found)
    try:
        return catalog.with_discovered(name, found)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        reason = f"its model list holds what no model list should ({exc!r})"
        return _unlisted(catalog, name, Problem(reason, "update the server"))


def _unlisted(catalog: Catalog, name: str, problem: Problem) -> Catalog:
    """Return the catalogue after a listing failed.

    A local server that does not list its models is down, or cannot say what runs elsewhere. A
    service has its models all the same: those that are known stay as they are.
    """
    elsewhere = catalog.providers[name].locality == "cloud"
    if elsewhere and any(target.provider.name == name for target in catalog.targets):
        return catalog
    return catalog.with_problem(name, problem)
