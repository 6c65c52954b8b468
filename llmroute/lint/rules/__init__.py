"""One file per rule that only lint knows, and every rule by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

__all__ = ["RULES"]


class _Purposes(Mapping[str, str]):
    """Every rule's name with what it finds, in the order of names; read when first asked."""

    @cached_property
    def _lines(self) -> Mapping[str, str]:
        from llmroute.lint.guide import purposes

        return purposes()

    def __getitem__(self, name: str) -> str:
        return self._lines[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


#: Every rule by its name, with what it finds in one line: those of loading too.
RULES: Mapping[str, str] = _Purposes()
