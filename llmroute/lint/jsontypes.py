"""What can be known of a value before it exists: its JSON types, texts, bounds and fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["ANY", "KINDS", "NULL", "Type", "kind_of", "literal_type", "union"]

#: The types of JSON.
KINDS = frozenset({"string", "number", "boolean", "array", "object", "null"})
_KIND_OF: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Type:
    """The values that something may have.

    `values` are all that it can be besides null, None where they are not counted out. `low` and
    `high` bound a number. `items` is the type of an array's elements (None: any). `fields` are an
    object's known fields (None: open), `rest` the type of all others (None: there are none).
    """

    kinds: frozenset[str]
    values: tuple[Any, ...] | None = None
    low: float | None = None
    high: float | None = None
    items: Type | None = None
    fields: Mapping[str, Type] | None = None
    rest: Type | None = None

    @property
    def known(self) -> frozenset[str]:
        """The kinds besides null."""
        return self.kinds - {"null"}

    @property
    def nullable(self) -> bool:
        """Whether the value may be null."""
        return "null" in self.kinds

    @property
    def open(self) -> bool:
        """Whether nothing is known."""
        return self.kinds >= KINDS

    def or_null(self) -> Type:
        """Return the type with null added."""
        return replace(self, kinds=self.kinds | {"null"})

    def without_null(self) -> Type:
        """Return the type with null taken out."""
        return replace(self, kinds=self.known)

    def field(self, name: str) -> Type:
        """Return the type of a field of such a value."""
        if "object" not in self.kinds:
            return NULL
        found = ANY
        if self.fields is not None:
            found = self.fields.get(name) or self.rest or NULL
        return found if self.kinds == {"object"} else found.or_null()

    def element(self) -> Type:
        """Return the type of an element of such a value."""
        return (self.items or ANY) if "array" in self.kinds else NULL


ANY = Type(KINDS)
NULL = Type(frozenset({"null"}))


def kind_of(value: Any) -> str:
    """Return the JSON type of plain data."""
    return _KIND_OF.get(type(value), "null")


def literal_type(value: Any) -> Type:
    """Return the type of one known value."""
    kind = kind_of(value)
    if kind == "array":
        return Type(frozenset({kind}), items=union(map(literal_type, value)))
    if kind == "object":
        return Type(frozenset({kind}), fields={k: literal_type(v) for k, v in value.items()})
    if kind == "null":
        return NULL
    bound = float(value) if kind == "number" else None
    return Type(frozenset({kind}), values=(value,), low=bound, high=bound)


def union(types: Iterable[Type]) -> Type:
    """Return the type of what has one of several types; nothing is known of no type at all."""
    made: Type | None = None
    for one in types:
        made = one if made is None else _either(made, one)
    return made or ANY


def _either(a: Type, b: Type) -> Type:
    kinds = a.kinds | b.kinds
    if not a.known or not b.known:
        return replace(a if a.known else b, kinds=kinds)
    return Type(
        kinds,
        values=None if a.values is None or b.values is None else (*a.values, *b.values),
        low=None if a.low is None or b.low is None else min(a.low, b.low),
        high=None if a.high is None or b.high is None else max(a.high, b.high),
        items=union((a.items, b.items)) if a.items and b.items else None,
        fields=None if a.fields is None or a.fields != b.fields else a.fields,
        rest=a.rest if a.rest == b.rest else None,
    )
