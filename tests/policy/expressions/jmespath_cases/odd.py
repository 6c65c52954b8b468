"""Data of other types than JSON's own, and expressions that meet them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    ONE = 1


class Odd(Mapping[str, Any]):
    """A mapping that is no dict; one of its fields breaks."""

    def __getitem__(self, name: str) -> Any:
        if name == "broken":
            raise AttributeError(name)
        return {"a": [1, 2], "b": "x"}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(("a", "b"))

    def __len__(self) -> int:
        return 2


class Records(list[Any]):
    pass


VALUES = (
    OrderedDict(a=OrderedDict(), b=1),
    defaultdict[str, Any](dict, b=True),
    MappingProxyType({"a": MappingProxyType({}), "b": "x"}),
    Odd(),
    {"a": Odd(), "b": Odd()},
    {"a": [Odd()], "b": {"a": {"a": Odd()}}},
    {"a": Colour.RED, "b": Level.ONE},
    {"a": Records([1, None]), "b": Records()},
    {"a": (), "b": (1, None)},
    {"a": (1, 2), "b": [Records([1])]},
    {"a": set(), "b": {1}},
    {"a": Decimal(1), "b": Decimal("0.0")},
    {"a": b"", "b": object},
)
TEXTS = (
    *("a", "b", "a.b", "a.a[0]", "b.broken", "a[*]", "a.*", "a[]", "a[?@]", "a[0]", "a[1:]"),
    *("!a", "!b", "a || b", "a && b", "a == b", "a != `1`", "b == `true`", "a == 'red'"),
    *("a == `{}`", "a == `[]`", "b == `0`", "a < b", "a < `2`", "b >= `0`", "a < 'z'"),
    *("length(a)", "contains(a, 'e')", "contains(a, `1`)", "contains(b, a)", "type(a)"),
    *("starts_with(a, 'r')", "ends_with(a, a)", "to_number(b)", "to_array(a)", "keys(a)"),
    *("sum(a)", "max(a)", "abs(b)", "values(@)", "map(&@, a)", "[a, b]", "@.{x: a}", "b[]"),
    *("a.a.a || b", "!(a.a.a)", "[?a]", "*", "to_string(a)", "b.a.a.b", "a[0].b", "a[*].b"),
    *("b == `1`", "a == `1`", "b == `false`", "to_string(b)", "b.broken || b.b", "b.x.y"),
)
