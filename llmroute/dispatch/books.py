"""Where dispatch writes down what calls cost, and asks for money before it makes them."""

from __future__ import annotations

from typing import Protocol

from llmroute.catalog.model import Target
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Usage

__all__ = ["Books", "NoBooks", "Refused", "RequestBooks"]


class Refused(Exception):  # noqa: N818 - the name says what happened
    """A hard budget does not allow a call; the message says which, and what is left of it."""


class RequestBooks(Protocol):
    """The pages of one request."""

    async def reserve(self, target: Target, cost_max: int | None, until: float) -> object:
        """Hold the most that a call may cost, in nano-dollars, and return what stands for it.

        `until` is a wall-clock time in seconds, at which a call that never ended is settled.

        Raises:
            Refused: a hard budget does not allow it.

        """
        ...

    def settle(self, held: object, attempt: Attempt, usage: Usage | None, cost: int | None) -> None:
        """Write down how a call ended, and what it cost; without usage nothing was spent."""
        ...

    def cancel(self, held: object) -> None:
        """Give back what was held for a call that was not made."""
        ...

    def close(self, outcome: str, target: str | None) -> None:
        """Write down how the request ended, and who served it."""
        ...


class Books(Protocol):
    """Opens the pages of requests."""

    def open(self, decision: Decision) -> RequestBooks:
        """Begin a request."""
        ...


class NoBooks:
    """Writes nothing down, and refuses nothing."""

    def open(self, decision: Decision) -> RequestBooks:  # noqa: ARG002 - the protocol's signature
        """Return pages that stay empty."""
        return self

    async def reserve(self, target: Target, cost_max: int | None, until: float) -> object:  # noqa: ARG002
        """Allow every call."""
        return None

    def settle(self, held: object, attempt: Attempt, usage: Usage | None, cost: int | None) -> None:
        """Write nothing down."""

    def cancel(self, held: object) -> None:
        """Give nothing back."""

    def close(self, outcome: str, target: str | None) -> None:
        """Write nothing down."""
