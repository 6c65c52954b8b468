"""Asking local servers what they have, at their interval, without ever failing a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from llmroute.adapter.adapter import Adapter
from llmroute.catalog.build import Catalog, Problem
from llmroute.catalog.discovery import DIALECTS, discover
from llmroute.catalog.model import Provider
from llmroute.errors import ErrorKind, TargetError

__all__ = ["Refresher", "apply"]

#: Seconds that a server may take to accept a connection, and to list its models.
_CONNECT, _TOTAL = 1.0, 5.0
_NO_ANSWER = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT})

Found = tuple[str, Sequence[dict[str, object]] | Problem]


class Refresher:
    """Knows when each discovering provider was asked last, and asks those that are due."""

    def __init__(self, adapter: Adapter, clock: Callable[[], float]) -> None:
        self._adapter = adapter
        self._clock = clock
        self._asked: dict[str, float] = {}

    def never_asked(self, catalog: Catalog) -> bool:
        """Whether a discovering provider has not been asked yet."""
        return any(p.discover and p.name not in self._asked for p in catalog.providers.values())

    def due(self, catalog: Catalog) -> list[Provider]:
        """Return the providers whose interval has passed, or that were never asked."""
        now = self._clock()
        return [
            provider
            for provider in catalog.providers.values()
            if provider.discover
            and now - self._asked.get(provider.name, float("-inf")) >= provider.discover.interval
        ]

    async def ask(self, providers: Sequence[Provider]) -> list[Found]:
        """Ask providers at once; each answer is its models, or why it cannot be used."""
        for provider in providers:
            self._asked[provider.name] = self._clock()
        return await asyncio.gather(*(self._ask(provider) for provider in providers))

    async def _ask(self, provider: Provider) -> Found:
        spec, endpoint = provider.discover, provider.endpoint
        assert spec is not None  # noqa: S101 - only discovering providers are asked
        timeouts = replace(endpoint.timeouts, connect=min(endpoint.timeouts.connect, _CONNECT))
        quick = replace(endpoint, timeouts=timeouts)
        start = DIALECTS[spec.dialect].start_command
        try:
            async with asyncio.timeout(_TOTAL):
                return provider.name, await discover(quick, spec.dialect, self._adapter.get_json)
        except TimeoutError:
            reason = f"{endpoint.base_url} did not list its models within {_TOTAL:g} s"
            return provider.name, Problem(reason, f"look whether it hangs; else run: {start}")
        except TargetError as exc:
            if exc.kind in _NO_ANSWER:
                reason = f"nothing answers at {endpoint.base_url}"
                return provider.name, Problem(reason, f"run: {start}")
            return provider.name, Problem(exc.message, exc.help or "see its log")


def apply(catalog: Catalog, found: Sequence[Found]) -> Catalog:
    """Return the catalogue with what servers answered."""
    for name, answer in found:
        if isinstance(answer, Problem):
            catalog = catalog.with_problem(name, answer)
        else:
            catalog = catalog.with_discovered(name, answer)
    return catalog
