"""Being told to stop: SIGTERM and SIGHUP unwind the program as Ctrl-C does."""

from __future__ import annotations

import signal
from types import FrameType

__all__ = ["Terminated", "unwind_on_signals"]


class Terminated(KeyboardInterrupt):
    """The process was told to end; `code` is what a shell reports for it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


def unwind_on_signals() -> None:
    """Let SIGTERM and SIGHUP raise `Terminated`, so that children and folders are cleaned up.

    A signal that the caller has set to be ignored (`nohup`) stays ignored.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminate)


def _terminate(number: int, _frame: FrameType | None) -> None:
    """Unwind once; the same signal again does not disturb the cleaning up."""
    signal.signal(number, signal.SIG_IGN)
    raise Terminated(number)
