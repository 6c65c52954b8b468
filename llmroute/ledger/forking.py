"""Forks of a process that has a ledger open: the child begins anew, with a store of its own.

A thread does not come along into a child, and a connection to a file must not be used there. A fork
waits until no transaction is open, so that what the child inherits has nothing to undo.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from weakref import WeakMethod

__all__ = ["ForkGuard"]

#: Seconds that a fork waits for a transaction to end.
_PATIENCE = 10.0


class ForkGuard:
    """Held (`with`) while a transaction is open; calls `anew`, a method, in a child.

    The method's object may go away before.
    """

    def __init__(self, anew: Callable[[], None]) -> None:
        self._lock = Lock()
        self._held = False
        self._anew = WeakMethod(anew)
        if hasattr(os, "register_at_fork"):
            guard = (
                WeakMethod(self._before),
                WeakMethod(self._in_parent),
                WeakMethod(self._in_child),
            )
            before, parent, child = (_weakly(method) for method in guard)
            os.register_at_fork(before=before, after_in_parent=parent, after_in_child=child)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()

    def _before(self) -> None:
        self._held = self._lock.acquire(timeout=_PATIENCE)

    def _in_parent(self) -> None:
        if self._held:
            self._lock.release()

    def _in_child(self) -> None:
        self._lock = Lock()
        anew = self._anew()
        if anew is not None:
            anew()


def _weakly(method: WeakMethod[Callable[[], None]]) -> Callable[[], None]:
    def call() -> None:
        alive = method()
        if alive is not None:
            alive()

    return call
