"""What is wrong with a declared protocol, and where in its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Fault", "Path"]

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: the path of the value (or key) in the file, and the place inside its text.

    `column` and `length` are 0-based and in characters; `length` None means the whole value.
    """

    path: Path
    rule: str
    message: str
    help: str | None = None
    column: int = 0
    length: int | None = None
    key: bool = False

    def at(self, path: Sequence[str | int], shift: int = 0) -> Fault:
        """Return the fault at a path, its text `shift` characters into the value."""
        length = self.length
        return Fault(
            tuple(path), self.rule, self.message, self.help, self.column + shift, length, self.key
        )
