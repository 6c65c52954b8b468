"""An event loop whose time passes only while nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run"]

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Never waits: what would be waited for has passed."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        self.loop.step()
        events = super().select(0)
        if events:
            return events
        if timeout is None:
            raise AssertionError("everybody waits for something that nobody will do")
        self.loop.now += max(timeout, 0.0)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at time 1000; `on_step` is called with the number of each turn of the loop."""

    def __init__(self, on_step: Callable[[int], None] | None = None) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 1000.0
        self.steps = 0
        self.on_step = on_step
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def step(self) -> None:
        self.steps += 1
        if self.on_step:
            self.on_step(self.steps)


def run(work: Coroutine[Any, Any, T], *, cancel_at: int | None = None) -> T:
    """Run a coroutine in virtual time; `cancel_at` is the turn at which it is cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)

        async def whole() -> T:
            current = asyncio.current_task()
            assert current is not None
            current.set_name("whole")
            task = asyncio.ensure_future(work)
            start = loop.steps

            def on_step(step: int) -> None:
                if step - start == cancel_at:
                    task.cancel()

            loop.on_step = on_step
            try:
                return await task
            finally:
                loop.on_step = None

        return runner.run(whole())
