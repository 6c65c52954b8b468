"""Plain calls over a loop on a thread of its own, interrupted at any moment."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from llmroute.dispatch.portal import Portal


@pytest.fixture
def portal():
    made = Portal()
    yield made
    made.close()


class Interrupting:
    """A lock during which an interrupt comes: before what it guards, or after it."""

    def __init__(self, before: bool) -> None:
        self.before = before

    def __enter__(self) -> None:
        if self.before:
            raise KeyboardInterrupt

    def __exit__(self, *exc_info: object) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize("before", [False, True])
def test_an_interrupt_between_posting_and_waiting_ends_the_work_too(portal, before):
    """It would go on otherwise, and whoever closes it would wait for it."""

    async def work():
        await asyncio.sleep(60)

    portal._posting, usual = Interrupting(before), portal._posting
    began, coroutine = time.monotonic(), work()
    with pytest.raises(KeyboardInterrupt):
        portal.run(coroutine)
    portal._posting = usual
    assert time.monotonic() - began < 4, "it waited for what had ended, or had not begun"
    assert coroutine.cr_frame is None, "the work has ended"


def test_an_interrupted_wait_ends_the_work(portal, monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    async def work():
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    class Interrupted(threading.Event().__class__):
        waits = 0

        def wait(self, timeout=None):
            self.waits += 1
            if self.waits == 1:
                begun.wait(10)
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr("llmroute.dispatch.portal.threading.Event", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.run(work())
    assert ended.is_set()


def test_a_signal_that_no_wait_was_woken_by_is_seen_all_the_same(portal, monkeypatch):
    """It came just before the wait began: Python runs its handler when the wait returns."""
    missed = []

    async def work():
        await asyncio.sleep(60)

    class Deaf(threading.Event().__class__):
        def wait(self, timeout=None):
            if missed:
                return super().wait(timeout)
            missed.append(super().wait(timeout))
            raise KeyboardInterrupt

    monkeypatch.setattr("llmroute.dispatch.portal.threading.Event", Deaf)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        portal.run(work())
    assert missed == [False]
    assert time.monotonic() - began < 4
