"""What generated expressions call where an inline fast path does not apply.

Every function gives jmespath.py's result on every value. Values of exactly the JSON types take
a short way; anything else (subclasses, wrong types) goes to jmespath's own functions, so that
type errors are raised by the code that defines them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Number
from typing import Any, Literal

from jmespath.functions import Functions

__all__ = ["FAST", "HELPERS"]

_FUNCTIONS = Functions()
_NUMBERS: frozenset[Any] = frozenset({int, float})
_SIZED: frozenset[Any] = frozenset({str, list, dict})
_FIELDLESS: frozenset[Any] = frozenset({type(None), bool, int, float, str, list})
_TYPE_NAMES = {
    str: "string",
    bool: "boolean",
    list: "array",
    dict: "object",
    int: "number",
    float: "number",
}


class _Expression:
    """An expression reference (`&x`) as a value.

    jmespath tells it by the name of its class and calls `visit(expression, element)`. Its text
    (`to_string(&x)`) is that of jmespath's own, but for the address in it.
    """

    __module__ = "jmespath.visitor"
    __slots__ = ("expression",)

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.expression = function

    def visit(self, expression: Callable[[Any], Any], value: Any) -> Any:
        return expression(value)


def _field(value: Any, name: str) -> Any:
    if value.__class__ in _FIELDLESS:
        return None
    try:
        return value.get(name)
    except AttributeError:
        return None


def _index(value: Any, position: int) -> Any:
    if not isinstance(value, list):
        return None
    try:
        return value[position]
    except IndexError:
        return None


def _slice(value: Any, part: slice) -> Any:
    return value[part] if isinstance(value, list) else None


def _flatten(value: Any) -> Any:
    if not isinstance(value, list):
        return None
    merged: list[Any] = []
    for element in value:
        if isinstance(element, list):
            merged.extend(element)
        else:
            merged.append(element)
    return merged


def _items(value: Any) -> Any:
    """Return the elements to project over, None if the value is no list."""
    return value if isinstance(value, list) else None


def _values_of(value: Any) -> Any:
    """Return the values to project over, None if the value is no map."""
    try:
        return value.values()
    except AttributeError:
        return None


def _present(items: Any) -> Any:
    """Project by identity: leave out nulls."""
    return None if items is None else [item for item in items if item is not None]


def _equals(x: Any, y: Any) -> Any:
    """Compare as JMESPath does: 0 and 1 never equal false and true (but do inside lists)."""
    if x.__class__ is bool:
        return False if _is_zero_or_one(y) else x == y
    if y.__class__ is bool:
        return False if _is_zero_or_one(x) else x == y
    return x == y


def _is_number(value: Any) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)


def _is_zero_or_one(value: Any) -> bool:
    return _is_number(value) and value in (0, 1)


def _comparable(x: Any, y: Any) -> bool:
    """Whether values have an order; a number beside a text passes, and raises TypeError then."""
    if x.__class__ in _NUMBERS and y.__class__ in _NUMBERS:
        return True
    return (_is_number(x) or isinstance(x, str)) and (_is_number(y) or isinstance(y, str))


def _lt(x: Any, y: Any) -> Any:
    return x < y if _comparable(x, y) else None


def _lte(x: Any, y: Any) -> Any:
    return x <= y if _comparable(x, y) else None


def _gt(x: Any, y: Any) -> Any:
    return x > y if _comparable(x, y) else None


def _gte(x: Any, y: Any) -> Any:
    return x >= y if _comparable(x, y) else None


def _is_true(value: Any) -> bool:
    """JMESPath's truth; called only with what Python holds false."""
    return not (value == "" or value == [] or value == {} or value is None or value is False)


def _negated(value: Any) -> bool:
    """`!value`; called only with what Python holds false."""
    return not (_is_number(value) and value == 0)


def _call(name: str, arguments: list[Any]) -> Any:
    """Call a function as jmespath.py does, checks of name, number and types included."""
    return _FUNCTIONS.call_function(name, arguments)


def _contains(subject: Any, search: Any) -> Any:
    if subject.__class__ is list or subject.__class__ is str:
        return search in subject
    return _call("contains", [subject, search])


def _length(value: Any) -> Any:
    return len(value) if value.__class__ in _SIZED else _call("length", [value])


def _starts_with(text: Any, prefix: Any) -> Any:
    if text.__class__ is str and prefix.__class__ is str:
        return text.startswith(prefix)
    return _call("starts_with", [text, prefix])


def _ends_with(text: Any, suffix: Any) -> Any:
    if text.__class__ is str and suffix.__class__ is str:
        return text.endswith(suffix)
    return _call("ends_with", [text, suffix])


def _not_null(*values: Any) -> Any:
    for value in values:
        if value is not None:
            return value
    return None if values else _call("not_null", [])


def _type(value: Any) -> Any:
    name = _TYPE_NAMES.get(value.__class__)
    return name if name is not None else _call("type", [value])


def _to_number(value: Any) -> Any:
    return value if value.__class__ in _NUMBERS else _call("to_number", [value])


def _to_string(value: Any) -> Any:
    return value if value.__class__ is str else _call("to_string", [value])


def _to_array(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _abs(value: Any) -> Any:
    return abs(value) if value.__class__ in _NUMBERS else _call("abs", [value])


def _ceil(value: Any) -> Any:
    return math.ceil(value) if value.__class__ in _NUMBERS else _call("ceil", [value])


def _floor(value: Any) -> Any:
    return math.floor(value) if value.__class__ in _NUMBERS else _call("floor", [value])


def _keys(value: Any) -> Any:
    return list(value) if value.__class__ is dict else _call("keys", [value])


def _values(value: Any) -> Any:
    return list(value.values()) if value.__class__ is dict else _call("values", [value])


def _are_numbers(values: Any) -> bool:
    return values.__class__ is list and {item.__class__ for item in values} <= _NUMBERS


def _max(values: Any) -> Any:
    return max(values) if values and _are_numbers(values) else _call("max", [values])


def _min(values: Any) -> Any:
    return min(values) if values and _are_numbers(values) else _call("min", [values])


def _sum(values: Any) -> Any:
    return sum(values) if _are_numbers(values) else _call("sum", [values])


def _map(values: Any, function: Callable[[Any], Any]) -> Any:
    """`map(&…, values)` with the reference known when the expression was compiled."""
    if values.__class__ is list:
        return [function(value) for value in values]
    return _call("map", [_Expression(function), values])


#: JMESPath functions with a short way: (name, arguments; -1: any number) → the helper and what
#: it returns ("flag": boolean or null; "other": text, list, map or null).
FAST: Mapping[tuple[str, int], tuple[str, Literal["any", "flag", "number", "other"]]] = {
    ("contains", 2): ("_contains", "flag"),
    ("length", 1): ("_length", "number"),
    ("starts_with", 2): ("_starts_with", "flag"),
    ("ends_with", 2): ("_ends_with", "flag"),
    ("not_null", -1): ("_not_null", "any"),
    ("type", 1): ("_type", "other"),
    ("to_number", 1): ("_to_number", "any"),
    ("to_string", 1): ("_to_string", "other"),
    ("to_array", 1): ("_to_array", "other"),
    ("abs", 1): ("_abs", "number"),
    ("ceil", 1): ("_ceil", "number"),
    ("floor", 1): ("_floor", "number"),
    ("keys", 1): ("_keys", "other"),
    ("values", 1): ("_values", "other"),
    ("max", 1): ("_max", "any"),
    ("min", 1): ("_min", "any"),
    ("sum", 1): ("_sum", "number"),
}

#: Every name that generated source may use besides its own; nothing else is reachable from it.
HELPERS: Mapping[str, Any] = {
    "__builtins__": {},
    "AttributeError": AttributeError,
    "dict": dict,
    "float": float,
    "int": int,
    "len": len,
    "list": list,
    "str": str,
    "type": type,
    "_Expression": _Expression,
    **{
        helper.__name__: helper
        for helper in (
            *(_field, _index, _slice, _flatten, _items, _values_of, _present),
            *(_equals, _lt, _lte, _gt, _gte, _is_true, _negated, _call, _not_null, _map),
            *(_contains, _length, _starts_with, _ends_with, _type, _to_number, _to_string),
            *(_to_array, _abs, _ceil, _floor, _keys, _values, _max, _min, _sum),
        )
    },
}
