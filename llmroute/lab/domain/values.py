"""Values that stand for all values of a field, given how expressions look at it.

Two values that no use tells apart are in one class; here each class gets a representative. Of a
range of numbers it is the smallest, which is also the one that meets the most limits on size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from llmroute.errors import UsageError
from llmroute.lab.domain.uses import How, Path, Use
from llmroute.policy.expressions.expression import truthy
from llmroute.policy.facts.kinds import QUESTIONS
from llmroute.policy.inputs import check_inputs
from llmroute.types import Request

__all__ = ["KINDS", "LABEL", "Kind", "Values", "kind_of", "representatives", "seen"]

#: Members of a list that are varied freely; with more only few-membered subsets are tried.
_MOST_MEMBERS = 6
#: Prefixes, endings and parts of a text whose combinations are tried.
_MOST_PATTERNS = 7
#: Members of the longest list, and characters of the longest text, that are made.
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Kind:
    """What values a field can have: JSON types, bounds of numbers, or a closed list."""

    types: frozenset[str]
    least: float = -math.inf
    most: float = math.inf
    closed: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """Representatives, and why they may not stand for all values (empty: they do)."""

    values: tuple[Any, ...]
    why_not: str = ""


def _kind(types: str, least: float = -math.inf, most: float = math.inf) -> Kind:
    return Kind(frozenset(types.split()), least, most)


def _closed(*values: Any) -> Kind:
    return Kind(frozenset(), closed=values)


#: A label in open metadata: any JSON value.
LABEL = _kind("null bool int float text list map")
_FLAG, _SHARE, _COUNT = _closed(False, True), _kind("float", 0, 1), _kind("int", 0)
#: What each field of a request and of its surroundings can be.
KINDS: Mapping[Path, Kind] = {
    ("request", "tags"): _kind("list"),
    ("request", "stop"): _kind("list"),
    ("request", "task"): _kind("null text"),
    ("request", "user"): _kind("null text"),
    ("request", "reasoning_effort"): _kind("null text"),
    ("request", "max_tokens"): _kind("null int", 1),
    ("request", "seed"): _kind("null int"),
    ("request", "temperature"): _kind("null float"),
    ("request", "top_p"): _kind("null float"),
    ("request", "stream"): _FLAG,
    ("request", "parallel_tool_calls"): _closed(None, False, True),
    ("facts", "tokens"): _COUNT,
    ("facts", "characters"): _COUNT,
    ("facts", "messages"): _kind("int", 1),
    ("facts", "turns"): _COUNT,
    ("facts", "tools"): _FLAG,
    ("facts", "images"): _FLAG,
    ("facts", "json_schema"): _FLAG,
    ("facts", "language"): _kind("null text"),
    ("facts", "code"): _FLAG,
    ("facts", "math"): _FLAG,
    ("facts", "multiple_choice"): _FLAG,
    ("facts", "question"): _closed(None, *QUESTIONS),
    ("facts", "words"): _COUNT,
    ("facts", "average_word_length"): _kind("float", 0),
    ("facts", "lexical_diversity"): _SHARE,
    ("facts", "digits"): _SHARE,
    ("facts", "task"): _kind("text"),
    ("estimate", "tokens_in"): _COUNT,
    ("estimate", "tokens_out"): _kind("int", 1),
    ("estimate", "cost"): _kind("null float", 0),
    ("estimate", "cost_max"): _kind("null float", 0),
    ("live", "first_token"): _kind("float", 0),
    ("live", "tokens_per_second"): _kind("float", 0),
    ("live", "success"): _SHARE,
    ("live", "headroom"): _SHARE,
    ("live", "in_flight"): _COUNT,
    ("live", "loaded"): _closed(None, True, False),
    ("now", "hour"): _closed(*range(24)),
    ("now", "weekday"): _closed(*range(1, 8)),
}


def kind_of(path: Path, inputs: Mapping[str, Any] | None) -> Kind | None:
    """Return what a field can be, None where its values are not described.

    `inputs` are the labels that `llmroute.yaml` declares, None where metadata is open.
    """
    if path[:2] == ("request", "metadata") and len(path) > 2:
        return _label(path, inputs) if len(path) == 3 else None
    if path[0] == "budget" and len(path) == 2:
        return _kind("null float", 0)
    return KINDS.get(path[:2]) if len(path) == 2 else None


def _label(path: Path, inputs: Mapping[str, Any] | None) -> Kind:
    if inputs is None:
        return LABEL
    rule = inputs.get(path[2])
    if rule is None:
        return _closed(None)
    absent = () if rule.get("default") is not None else (None,)
    if "enum" in rule:
        known = (rule.get("default", rule["enum"][0]), *rule["enum"], True, False)
        allowed = (value for value in _distinct(known) if _accepted(path[2], value, rule))
        return _closed(*allowed, *absent)
    types = _TYPES.get(rule.get("type", ""))
    if types is None:
        return LABEL
    return Kind(frozenset((*types, "null") if absent else types))


def _accepted(name: str, value: Any, rule: Mapping[str, Any]) -> bool:
    """Whether a label may have a value: callers may give it, or it is the default."""
    if value is not None and _same(value, rule.get("default")):
        return True
    try:
        check_inputs(Request.of("x", metadata={name: value}), {name: rule})
    except UsageError:
        return False
    return True


_TYPES = {"boolean": ("bool",), "number": ("int", "float"), "string": ("text",)}


def representatives(kind: Kind, uses: Sequence[Use]) -> Values:
    """Return one value of each class that the uses tell apart, the plainest first."""
    why_not = next((_why_opaque(use) for use in uses if use.how == "opaque"), "")
    if kind.closed is not None:
        return Values(_closed_values(kind.closed, uses, bool(why_not)))
    found: list[Any] = [None] if "null" in kind.types else []
    texts, unsure = _texts(uses) if "text" in kind.types else ((), "")
    lists, cut = _lists(kind, uses) if "list" in kind.types else ((), "")
    wholes = [(u.literal, "map" if isinstance(u.literal, dict) else "list") for u in uses]
    found += [x for x, name in wholes if isinstance(x, list | dict) and name in kind.types]
    if kind is not LABEL:
        found = [x for x in found if not isinstance(x, list) or set(map(type, x)) <= {str}]
    found += texts
    found += lists
    found += _numbers(kind, uses)
    found += [True, False] if "bool" in kind.types else []
    found += [{}, {"x": "y"}] if "map" in kind.types else []
    return Values(_distinct(found), why_not or unsure or cut)


def _why_opaque(use: Use) -> str:
    return f"{'.'.join(use.path)} is used in {use.text!r} in a way that no list of values covers"


def _closed_values(closed: tuple[Any, ...], uses: Sequence[Use], every: bool) -> tuple[Any, ...]:
    """Return all of a short list, else one of each class."""
    if every or len(closed) <= 8:
        return closed
    classes = {seen(uses, value): value for value in reversed(closed)}
    return tuple(sorted(classes.values(), key=closed.index))


def seen(uses: Iterable[Use], value: Any) -> tuple[str, ...]:
    """Return what the uses see of a value: equal for two values that none of them tells apart."""
    return tuple(repr(_SEEN[use.how](value, use.literal)) for use in uses)


def _same(value: Any, literal: Any) -> bool:
    return bool(value == literal) and isinstance(value, bool) == isinstance(literal, bool)


def _order(value: Any, literal: Any) -> int | str:
    try:
        return int(value > literal) - int(value < literal)
    except TypeError:
        return type(value).__name__


def _has(value: Any, literal: Any) -> bool | str:
    try:
        return literal in value
    except TypeError:
        return type(value).__name__


_SEEN: Mapping[How, Callable[[Any, Any], Any]] = {
    "contains": _has,
    "ends": lambda value, end: value.endswith(end) if isinstance(value, str) else value,
    "equal": _same,
    "length": lambda value, size: _order(len(value), size) if hasattr(value, "__len__") else value,
    "opaque": lambda value, _: value,
    "order": _order,
    "starts": lambda value, start: value.startswith(start) if isinstance(value, str) else value,
    "truth": lambda value, _: truthy(value),
    "type": lambda value, _: type(value).__name__,
    "within": lambda value, whole: _has(whole, value),
}


def _numbers(kind: Kind, uses: Iterable[Use]) -> list[float]:
    """Return the smallest number of each interval between the literals, and the literals."""
    if not kind.types & {"int", "float"}:
        return []
    whole = "float" not in kind.types
    raw = [use.literal for use in uses if _is_number(use.literal)]
    raw += [0, 1] if any(isinstance(use.literal, bool) for use in uses) else []
    marks = sorted(set(raw))
    found = [0 if kind.least == -math.inf else kind.least]
    found += [kind.most] if kind.most < math.inf else []
    for below, mark in zip([None, *marks], marks, strict=False):
        found += [mark, *_after(mark, whole)]
        found += [_before(mark, whole)] if below is None else []
        found += [(below + mark) / 2] if below is not None and not whole else []
    fitting = (int(n) if whole else n for n in found if not whole or n == int(n))
    return sorted({n for n in fitting if kind.least <= n <= kind.most})


def _before(mark: float, whole: bool) -> float:
    return math.ceil(mark) - 1 if whole else mark - max(abs(mark) * 0.01, 1)


def _after(mark: float, whole: bool) -> list[float]:
    if whole:
        return [math.ceil(mark), math.floor(mark) + 1]
    return [mark + max(abs(mark) * 0.01, 0.001)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _texts(uses: Sequence[Use]) -> tuple[list[str], str]:
    """Return each literal, and for each combination of patterns a text that meets just these."""
    said = [u for u in uses if isinstance(u.literal, str)]
    mark = _fresh([u.literal for u in said], plain=all(u.how == "equal" for u in said))
    equal = [u.literal for u in said if u.how not in ("contains", "ends", "starts")]
    patterns = [u for u in said if u.how in ("contains", "ends", "starts")]
    patterns = list({(u.how, u.literal): u for u in patterns}.values())
    found = [mark, *equal, ""]
    unsure = ""
    sizes = range(1, len(patterns) + 1)
    if len(patterns) > _MOST_PATTERNS:
        sizes, unsure = range(1, 3), f"{'.'.join(said[0].path)} is matched with too many patterns"
    for size in sizes:
        found += [_matching(some, mark) for some in combinations(patterns, size)]
    found += [u.literal for u in patterns]
    ordered = [u for u in said if u.how == "order"]
    found += [f"{u.literal} " for u in ordered]
    found += [" "] if ordered else []
    odd = [u for u in said if u.how in ("length", "within")]
    if odd or (ordered and patterns):
        unsure = _why_opaque((odd or ordered)[0])
    lengths = [u.literal for u in uses if u.how == "length" and _is_number(u.literal)]
    found += [mark * int(n) for n in _sizes(lengths)]
    if lengths:
        unsure = "lengths of texts are tried, not covered"
    return list(dict.fromkeys(found)), unsure


def _matching(patterns: Sequence[Use], mark: str) -> str:
    """Return a text that has these prefixes, parts and endings and, if possible, no others."""
    starts = max((u.literal for u in patterns if u.how == "starts"), key=len, default="")
    ends = max((u.literal for u in patterns if u.how == "ends"), key=len, default="")
    parts = [u.literal for u in patterns if u.how == "contains"]
    return mark.join([starts, *parts, ends])


def _fresh(literals: Sequence[str], *, plain: bool = True) -> str:
    """Return a text that is none of the literals; where not `plain`, a letter in none of them."""
    if plain:
        return next(text for n in range(99) if (text := "other" + "x" * n) not in literals)
    letters = set("".join(literals))
    signs = (chr(code) for first in (0x71, 0x2460) for code in range(first, first + 999))
    return next(sign for sign in signs if sign not in letters)


def _lists(kind: Kind, uses: Sequence[Use]) -> tuple[list[list[Any]], str]:
    """Return the subsets of the members that are asked for, each also with another member."""
    asked = [u.literal for u in uses if u.how in ("contains", "opaque")]
    members = [
        x for x in _distinct(asked) if isinstance(x, str) or (kind is LABEL and x is not None)
    ]
    lengths = [u.literal for u in uses if u.how == "length" and _is_number(u.literal)]
    fresh, most, cut = _fresh([m for m in members if isinstance(m, str)]), len(members), ""
    if most > _MOST_MEMBERS:
        most, cut = 2, f"{'.'.join(uses[0].path)} is asked for {len(members)} members"
    subsets = [list(s) for n in range(most + 1) for s in combinations(members, n)]
    if cut:
        subsets.append(members)
    found = [*subsets, *([*subset, fresh] for subset in subsets)]
    for size in _sizes(lengths):
        found += [[*s, *(f"{fresh}{i}" for i in range(size - len(s)))] for s in subsets]
    if any(mark >= _LONGEST for mark in lengths):
        cut = f"lists of {'.'.join(uses[0].path)} are tried up to {_LONGEST} members"
    return found, cut


def _sizes(lengths: Sequence[float]) -> list[int]:
    around = {n for mark in lengths for n in (math.ceil(mark) - 1, math.ceil(mark), int(mark) + 1)}
    return sorted(n for n in around if 0 <= n <= _LONGEST)


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return each value once; 1, 1.0 and true are different values."""
    return tuple({f"{type(value).__name__} {value!r}": value for value in values}.values())
