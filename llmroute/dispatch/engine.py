"""Everything that a router needs to call somebody, built when the first call is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock

from llmroute.adapter.adapter import Adapter
from llmroute.catalog.model import Auth
from llmroute.dispatch.dispatcher import Dispatcher
from llmroute.dispatch.health.health import Health
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.pace import Pace
from llmroute.dispatch.portal import Portal
from llmroute.dispatch.refresh import OnFound, Refresher
from llmroute.dispatch.services import Services
from llmroute.ledger.ledger import Ledger

__all__ = ["Engine", "build_engine"]


class Engine:
    """The adapter, the dispatcher, the refresher, and the portal that they share.

    `on_found` takes what a discovering server answered.
    """

    def __init__(self, services: Services, on_found: OnFound) -> None:
        self.adapter = services.adapter
        self.underway = services.underway
        self.dispatcher = Dispatcher(services)
        self._portal: Portal | None = None
        self._lock = Lock()
        clock = services.pace.clock
        self.refresher = Refresher(self.adapter, clock, lambda: self.portal, on_found)

    @property
    def portal(self) -> Portal:
        """The event loop for plain code and for discovery, started on first use."""
        with self._lock:
            if self._portal is None:
                self._portal = Portal()
            return self._portal

    async def aclose(self) -> None:
        """End what is under way, close every connection and the portal; safe to call twice."""
        await self.underway.aclose()
        await self.adapter.aclose()
        portal, self._portal = self._portal, None
        if portal is not None:
            await asyncio.to_thread(portal.close)

    def close(self) -> None:
        """Do the same from plain code; safe to call twice."""
        self.underway.close()
        portal = self.portal
        if portal.forked:
            return  # nothing of it is this process's to close
        portal.run(self.adapter.aclose())
        portal.close()
        self._portal = None


def build_engine(
    live: LiveState,
    health: Health,
    ledger: Callable[[], Ledger],
    *,
    adapter: Adapter | None,
    pace: Pace | None,
    on_rotated: Callable[[str, Auth], None],
    on_found: OnFound,
) -> Engine:
    """Build what calls others; without an adapter or a pace, with the usual ones."""
    services = Services(
        adapter or Adapter(), live, health, pace or Pace(), ledger, on_rotated=on_rotated
    )
    return Engine(services, on_found)
