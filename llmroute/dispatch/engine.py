"""Everything that a router needs to call somebody, built when the first call is made."""

from __future__ import annotations

import asyncio
from functools import cached_property

from llmroute.adapter.adapter import Adapter
from llmroute.dispatch.dispatcher import Dispatcher
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.pace import Pace
from llmroute.dispatch.portal import Portal
from llmroute.dispatch.refresh import Refresher

__all__ = ["Engine"]


class Engine:
    """The adapter, the dispatcher, the refresher, and the portal for plain code."""

    def __init__(self, live: LiveState, adapter: Adapter | None, pace: Pace | None) -> None:
        self.adapter = adapter or Adapter()
        pace = pace or Pace()
        self.dispatcher = Dispatcher(self.adapter, live, pace)
        self.refresher = Refresher(self.adapter, pace.clock)
        self._background: set[asyncio.Task[None]] = set()

    @cached_property
    def portal(self) -> Portal:
        """The event loop for plain code, started on first use."""
        return Portal()

    def in_background(self, task: asyncio.Task[None]) -> None:
        """Keep a task alive until it ends."""
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def aclose(self) -> None:
        """Close every connection."""
        for task in self._background:
            task.cancel()
        await self.adapter.aclose()

    def close(self) -> None:
        """Close every connection, from plain code, and end the portal."""
        self.portal.run(self.aclose())
        self.portal.close()
