"""Random JMESPath expressions (as text and as trees) and random data that they meet."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

from jmespath.functions import Functions

NAMES = ("a", "b", "c", "request", "target", "tags", "é", 'q"uote', "n" * 70)
LITERALS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 0.0, -0.0, 1.0, 0.5, -2.5, 1e300, 10**20, -(10**400)),
    *(
        math.nan,
        math.inf,
        "",
        "a",
        "b",
        "abc",
        "c",
        "é",
        "\ud800",
        "l" * 80,
        "it's {0}",
        "1",
        "2.5",
    ),
    *([], {}, [0], [1], [True], [None], ["a", "b"], [3, 1, 2], [1, "a"], [[1], [2, [3]]]),
    *({"a": 1}, {"a": None, "b": "a"}, {"a": {"b": [1, True]}}, [{"a": 1}, {"a": 2, "b": "x"}]),
)
#: Values that are nearly equal: what comparisons must tell apart.
_CLOSE: tuple[Any, ...] = (None, True, False, 0, 1, 0.0, -0.0, 1.0, "", "1", [], [0], [False], {})
FUNCTIONS = tuple(Functions.FUNCTION_TABLE)
COMPARATORS = {"eq": "==", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_REFERENCE_PLACE = {"map": 0, "sort_by": 1, "min_by": 1, "max_by": 1}


def data(rng: Random, depth: int = 4) -> Any:
    """Return a root value: mostly maps of maps and lists."""
    if depth == 0 or rng.random() < 0.25:
        return rng.choice(LITERALS)
    if rng.random() < 0.3:
        return _list(rng, depth)
    return {name: data(rng, depth - 1) for name in NAMES if rng.random() < 0.6}


def _list(rng: Random, depth: int) -> list[Any]:
    size = rng.randrange(4)
    if rng.random() < 0.4:
        of_one_type = rng.choice(([1, 2.5, -3, 0], ["b", "a", "", "é"], [True, False], [None, 0]))
        return [rng.choice(of_one_type) for _ in range(size)]
    return [data(rng, depth - 1) for _ in range(size)]


def tree(rng: Random) -> dict[str, Any]:
    """Return a syntax tree, of shapes that the parser makes and of others.

    None has to_string() and a reference that is no argument: the text would hold an address.
    """
    while True:
        made = _tree(rng, 4)
        if "'to_string'" not in str(made) or not _has_stray_reference(made):
            return made


def _has_stray_reference(node: dict[str, Any]) -> bool:
    children = [child for child in node["children"] if isinstance(child, dict)]
    stray = node["type"] != "function_expression" or node["value"] not in _REFERENCE_PLACE
    return any(
        (stray and child["type"] == "expref") or _has_stray_reference(child) for child in children
    )


def _tree(rng: Random, depth: int) -> dict[str, Any]:
    if depth <= 0 or rng.random() < 0.15:
        return _leaf(rng)
    return rng.choice(_BRANCHES)(rng, depth - 1)


def _node(kind: str, children: list[Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "children": children, **more}


def _field(rng: Random) -> dict[str, Any]:
    return _node("field", [], value=rng.choice(NAMES))


def _literal(rng: Random) -> dict[str, Any]:
    return _node("literal", [], value=rng.choice(LITERALS))


def _leaf(rng: Random) -> dict[str, Any]:
    roll = rng.random()
    if roll < 0.5:
        return _field(rng)
    if roll < 0.85:
        return _literal(rng)
    return _node(rng.choice(("current", "identity")), [])


def _chain(rng: Random, depth: int) -> dict[str, Any]:
    steps = [_field(rng) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.2:
        steps.append(_tree(rng, depth))
    first = _field(rng) if rng.random() < 0.7 else _tree(rng, depth)
    return _node("subexpression", [first, *steps])


def _indexed(rng: Random, depth: int) -> dict[str, Any]:
    position = rng.choice((0, 0, 1, -1, 2, -3, 10**30))
    return _node("index_expression", [_tree(rng, depth), _node("index", [], value=position)])


def _sliced(rng: Random, depth: int) -> dict[str, Any]:
    parts = [rng.choice((None, 0, 1, -1, 2)) for _ in range(2)]
    cut = _node("slice", [*parts, rng.choice((None, None, 1, -1, 2, 0))])
    base = _node("index_expression", [_tree(rng, depth), cut])
    return _node("projection", [base, _tree(rng, depth)])


def _projected(rng: Random, depth: int) -> dict[str, Any]:
    kind = rng.choice(("projection", "value_projection", "filter_projection"))
    base, right = _tree(rng, depth), _tree(rng, depth)
    if rng.random() < 0.3:
        base = _node("flatten", [base])
    if rng.random() < 0.3:
        right = _node("identity", [])
    more = [_tree(rng, depth)] if kind == "filter_projection" else []
    return _node(kind, [base, right, *more])


def _compared(rng: Random, depth: int) -> dict[str, Any]:
    sides = [_tree(rng, depth), _literal(rng) if rng.random() < 0.5 else _tree(rng, depth)]
    if rng.random() < 0.3:
        sides = [_node("literal", [], value=rng.choice(_CLOSE)) for _ in sides]
        wrapped = rng.randrange(3)
        if wrapped < 2:
            sides[wrapped] = _node("or_expression", [_field(rng), sides[wrapped]])
    if rng.random() < 0.3:
        sides.reverse()
    return _node("comparator", sides, value=rng.choice(tuple(COMPARATORS)))


def _joined(rng: Random, depth: int) -> dict[str, Any]:
    kind = rng.choice(("or_expression", "and_expression", "pipe"))
    return _node(kind, [_tree(rng, depth), _tree(rng, depth)])


def _single(rng: Random, depth: int) -> dict[str, Any]:
    kind = rng.choice(("not_expression", "not_expression", "flatten", "expref"))
    return _node(kind, [_tree(rng, depth)])


def _selected(rng: Random, depth: int) -> dict[str, Any]:
    parts = [_tree(rng, depth) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.5:
        return _node("multi_select_list", parts)
    pairs = [_node("key_val_pair", [part], value=rng.choice(NAMES)) for part in parts]
    return _node("multi_select_dict", pairs)


def _called(rng: Random, depth: int) -> dict[str, Any]:
    name = rng.choice(FUNCTIONS) if rng.random() < 0.98 else "unknown"
    signature = Functions.FUNCTION_TABLE.get(name, {"signature": ()})["signature"]
    arity = len(signature)
    if rng.random() < 0.04 or (signature and signature[-1].get("variadic")):
        arity = rng.randrange(4)
    arguments = [_argument(rng, depth, name, place) for place in range(arity)]
    return _node("function_expression", arguments, value=name)


def _argument(rng: Random, depth: int, name: str, place: int) -> dict[str, Any]:
    if _REFERENCE_PLACE.get(name) == place and rng.random() < 0.9:
        return _node("expref", [_tree(rng, depth)])
    types = [] if name == "unknown" else Functions.FUNCTION_TABLE[name]["signature"]
    wanted = types[place]["types"] if place < len(types) else []
    if wanted and rng.random() < 0.4:
        return _node("literal", [], value=_value_of(rng, rng.choice(wanted)))
    return _tree(rng, depth)


def _value_of(rng: Random, jmespath_type: str) -> Any:
    examples = {
        "number": (0, 1, -1.5, 2, -0.0, 10**20),
        "string": ("", "a", "abc", "é"),
        "object": ({}, {"a": 1, "b": None}, {"b": "x"}),
        "array": ([], ["a", 1, None], [[1]], [{"a": 2}, {"a": 1}]),
        "array-number": ([], [2, 1, 3.5], [0, -0.0], [1]),
        "array-string": ([], ["b", "a"], ["é"]),
    }
    return rng.choice(examples.get(jmespath_type, LITERALS))


_BRANCHES = (
    *(_chain, _chain, _chain, _indexed, _sliced, _projected, _projected),
    *(_compared, _compared, _compared, _joined, _joined, _joined, _single, _single),
    *(_selected, _called, _called, _called),
)


def text(rng: Random, depth: int = 3) -> str:
    """Return an expression as somebody could write it; a few do not parse."""
    if depth <= 0:
        return _text_leaf(rng)
    roll = rng.random()
    if roll < 0.35:
        return text(rng, depth - 1) + _suffix(rng, depth - 1)
    if roll < 0.7:
        words = (*COMPARATORS.values(), "&&", "||", "&&", "||", "|")
        joined = f"{text(rng, depth - 1)} {rng.choice(words)} {text(rng, depth - 1)}"
        return f"({joined})" if rng.random() < 0.4 else joined
    if roll < 0.8:
        return "!" + text(rng, depth - 1)
    if roll < 0.93:
        return _text_call(rng, depth)
    return f"[{text(rng, depth - 1)}, {text(rng, depth - 1)}]"


def _text_leaf(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.6:
        return ".".join(json.dumps(rng.choice(NAMES)) for _ in range(rng.randint(1, 3)))
    if roll < 0.7:
        return rng.choice(("@", "*", "[]", "[*]", "[0]", "'a'", "'it\\'s'", "''"))
    return "`" + json.dumps(rng.choice(LITERALS)).replace("`", "\\`") + "`"


def _suffix(rng: Random, depth: int) -> str:
    fixed = (
        "[0]",
        "[-1]",
        "[*]",
        "[]",
        "[1:]",
        "[::-1]",
        ".*",
        f".{json.dumps(rng.choice(NAMES))}",
    )
    if rng.random() < 0.6:
        return rng.choice(fixed)
    inner = text(rng, depth)
    return rng.choice((f"[?{inner}]", f".[{inner}]", f".{{a: {inner}, b: @}}", f" | {inner}"))


def _text_call(rng: Random, depth: int) -> str:
    name = rng.choice(FUNCTIONS)
    signature = Functions.FUNCTION_TABLE[name]["signature"]
    arguments = [text(rng, depth - 1) for _ in signature]
    if name in _REFERENCE_PLACE:
        arguments[_REFERENCE_PLACE[name]] = f"&{arguments[_REFERENCE_PLACE[name]]}"
    return f"{name}({', '.join(arguments)})"
