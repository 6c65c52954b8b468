"""Protocols that a workspace declares, as targets carry them to the adapter that compiles them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Declaration"]


class Declaration:
    """The data of one file in `protocols.d/`, and what was made of it when it was first used.

    It belongs to the snapshot of the workspace that it was read with; compiling it twice at once
    is harmless.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self._made: Any = None

    def made(self, make: Callable[[Mapping[str, Any]], Any]) -> Any:
        """Return what `make` makes of the data, made once."""
        if self._made is None:
            self._made = make(self.data)
        return self._made
