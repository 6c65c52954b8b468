"""Text that is told a second time, because the one who tells it was interrupted.

Source: runs of the Claude Code CLI 2.1.330 whose connection was cut. The line of `message_stop`
then has `abandoned_blocks`, whose `from_block_index` is the first block that does not count.
Blocks before it stay, and the model is asked to go on behind them; where there are none, the
whole message is asked for again, streamed or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.errors import ErrorKind, TargetError

__all__ = ["Retold"]


class Retold:
    """Follows what was said, and gives out only what is new about it.

    After an interruption the text may begin again at two places: where the message began (models
    also repeat what stayed) and where the block that does not count began. As long as it agrees
    with what was said from one of them on, it is held back. `broken` is set while nothing has
    followed an interruption, `interrupted` from the first one.
    """

    def __init__(self) -> None:
        self.broken = False
        self.interrupted = False
        self.spoke = False
        self._said = ""
        self._held = ""
        self._places: tuple[int, ...] = ()
        self._start = self._place = 0
        self._blocks: dict[Any, int] = {}
        self._open = False

    def begin(self) -> None:
        """Begin a message; one that is still open was interrupted without a word."""
        if self._open:
            self._abandon(0)
        if not self._places:
            self._start = self._place
        self._blocks, self._open, self.broken = {}, True, False

    def block(self, index: Any) -> None:
        """Begin a block of the message."""
        self._blocks[index] = self._place

    def end(self, abandoned: Any) -> str:
        """End a message; `abandoned` says from which block on it does not count, if so."""
        self._open = False
        if not isinstance(abandoned, Mapping):
            return self.settle()
        self._abandon(abandoned.get("from_block_index"))
        return ""

    def _abandon(self, index: Any) -> None:
        self._held, self._place = "", self._blocks.get(index, self._place)
        self._places = tuple(sorted({self._start, self._place}))
        self.broken = self.interrupted = True

    def tell(self, text: str) -> str:
        """Take the next text and return what of it was not said yet.

        Raises:
            TargetError: it is another text than the one that was said.

        """
        if not self._places:
            return self._fresh(text)
        self._held += text
        known = [self._said[place:] for place in self._places]
        more = any(said.startswith(self._held) and said != self._held for said in known)
        return "" if more else self.settle()

    def settle(self) -> str:
        """Return what is new in the text that was held back, now that no more of it repeats.

        Raises:
            TargetError: something was said that has not been said again.

        """
        for place in self._places:
            if self._held.startswith(said := self._said[place:]):
                rest, self._held, self._places = self._held[len(said) :], "", ()
                return self._fresh(rest)
        if not self._places:
            return ""
        message = "the connection broke midway, and the second answer differs from the first"
        raise TargetError(ErrorKind.UNAVAILABLE, message)

    def _fresh(self, text: str) -> str:
        self._said += text
        self._place = len(self._said)
        self.spoke = self.spoke or bool(text)
        return text
