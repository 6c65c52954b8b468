"""The smallest descriptions of a set of cases: which values of which dimensions matter.

The cases that were looked at are the bits of an integer; each value of each dimension is the set
of cases that have it. A **box** allows some values of each dimension. It grows from one case, the
plainest, as long as every case in it belongs to the set: a dimension all of whose values are
allowed does not matter, and is not mentioned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmroute.lab.domain.domain import Dimension
from llmroute.lab.domain.prompts import PLAIN
from llmroute.lab.domain.situation import Situation
from llmroute.policy.facts.facts import Facts
from llmroute.types import Request

__all__ = ["Box", "Condition", "Table"]

#: What tells prompts apart in few words.
_OF_TEXTS = frozenset({"code", "language", "math", "multiple_choice", "question"})
#: So many values are named one by one; of more it is said which are left out, or their number.
_NAMED = 4


@dataclass(frozen=True)
class Condition:
    """What a box asks of one dimension: that it has one of `values`.

    `text` says so, or with `unless`, where the usual value is among them, what it must not be.
    """

    name: str
    values: tuple[Any, ...]
    text: str
    unless: bool = False


@dataclass(frozen=True)
class Box:
    """Cases that differ in nothing that matters; `first` is the plainest, by its number."""

    first: int
    mask: int
    conditions: tuple[Condition, ...]


class Table:
    """The cases that were looked at, by their values."""

    def __init__(self, dimensions: Sequence[Dimension], cases: Sequence[Situation]) -> None:
        self._dimensions = [d for d in dimensions if len(d.values) > 1]
        self._every = (1 << len(cases)) - 1
        self._masks = self._of_values(cases)

    def _of_values(self, cases: Sequence[Situation]) -> list[list[int]]:
        """Return for each dimension the cases of each of its values."""
        size = len(cases) // 8 + 1
        numbers = {d.name: n for n, d in enumerate(self._dimensions)}
        places = [{id(v): n for n, v in enumerate(d.values)} for d in self._dimensions]
        bits = [[bytearray(size) for _ in d.values] for d in self._dimensions]
        for case, situation in enumerate(cases):
            for name, value in situation.choices:
                number = numbers[name]
                bits[number][places[number][id(value)]][case // 8] |= 1 << case % 8
        masks = [[int.from_bytes(row, "little") for row in rows] for rows in bits]
        for rows in masks:
            rows[0] = self._every & ~_any(rows[1:])
        return masks

    def boxes(self, wanted: int) -> Iterator[Box]:
        """Yield boxes that together hold a set of cases and none besides, plainest first."""
        rest = wanted
        while rest:
            first = (rest & -rest).bit_length() - 1
            allowed, mask = self._grown(first, wanted)
            yield Box(first, mask, tuple(self._conditions(allowed)))
            rest &= ~mask

    def _grown(self, first: int, wanted: int) -> tuple[list[set[int]], int]:
        values = [next(n for n, m in enumerate(rows) if m >> first & 1) for rows in self._masks]
        allowed = [{value} for value in values]
        #: Dimensions at their default, then the others: what is special stays as long as it can.
        order = sorted(range(len(values)), key=lambda number: values[number] != 0)
        for number in order:
            others = self._mask(allowed, number)
            if not others & ~wanted:
                allowed[number] = set(range(len(self._masks[number])))
        for number in order:
            others = self._mask(allowed, number)
            for value, mask in enumerate(self._masks[number]):
                if not others & mask & ~wanted:
                    allowed[number].add(value)
        return allowed, self._mask(allowed)

    def _mask(self, allowed: Sequence[set[int]], but: int | None = None) -> int:
        mask = self._every
        for number, (rows, values) in enumerate(zip(self._masks, allowed, strict=True)):
            if number != but and len(values) < len(rows):
                mask &= _any([rows[value] for value in values])
        return mask

    def _conditions(self, allowed: Sequence[set[int]]) -> Iterator[Condition]:
        for dimension, places in zip(self._dimensions, allowed, strict=True):
            chosen, others = _parted(dimension.values, places)
            if others and 0 in places:
                text = _told(dimension.name, others, chosen)
                yield Condition(dimension.name, tuple(chosen), text, unless=True)
            elif others:
                text = _told(dimension.name, chosen, others)
                yield Condition(dimension.name, tuple(chosen), text)


def _parted(values: Sequence[Any], places: set[int]) -> tuple[list[Any], list[Any]]:
    chosen = [value for place, value in enumerate(values) if place in places]
    return chosen, [value for place, value in enumerate(values) if place not in places]


def _any(masks: Sequence[int]) -> int:
    made = 0
    for mask in masks:
        made |= mask
    return made


def _told(name: str, chosen: Sequence[Any], others: Sequence[Any]) -> str:
    """Say that a dimension has one of the chosen values, and none of the others."""
    every = [*chosen, *others]
    said = None
    if all(isinstance(value, list | tuple) for value in every):
        said = _of_members(name, chosen, others)
    elif len(every) > 3 and all(_is_number(value) or value is None for value in every):
        said = _of_numbers(name, chosen, others)
    return said or _one_by_one(name, chosen, others)


def _one_by_one(name: str, chosen: Sequence[Any], others: Sequence[Any]) -> str:
    less, word = (others, "is not") if len(others) < len(chosen) else (chosen, "is")
    show = _prompt if name == "prompt" else _shown
    shown = [show(value) for value in less[:_NAMED]]
    if len(less) > _NAMED:
        shown.append(f"{len(less) - _NAMED} more")
    return f"{name} {word} {' or '.join(shown)}"


def _of_members(name: str, chosen: Sequence[Any], others: Sequence[Any]) -> str | None:
    """Say which members lists have and lack, where that tells them from the others."""
    found = _members(chosen, others)
    if found is not None:
        have, lack = (" and ".join(map(_shown, part)) for part in found)
        return (
            f"{name} {' and '.join([f'has {have}'] * bool(have) + [f'lacks {lack}'] * bool(lack))}"
        )
    found = _members(others, chosen)
    if found is not None and not found[0] and any(others):
        return f"{name} has {' or '.join(map(_shown, found[1]))}"
    return None


def _members(chosen: Sequence[Any], others: Sequence[Any]) -> tuple[list[Any], list[Any]] | None:
    """Return as few members as possible that all chosen lists have, and that all lack."""
    every = list(dict.fromkeys(m for value in (*chosen, *others) for m in value))
    have = [m for m in every if all(m in value for value in chosen)]
    lack = [m for m in every if not any(m in value for value in chosen)]

    def tells() -> bool:
        fits = (all(m in v for m in have) and not any(m in v for m in lack) for v in others)
        return not any(fits)

    if not tells():
        return None
    for part in (lack, have):
        for member in tuple(part):
            place = part.index(member)
            part.pop(place)
            if not tells():
                part.insert(place, member)
    return have, lack


def _of_numbers(name: str, chosen: Sequence[Any], others: Sequence[Any]) -> str | None:
    """Say between which numbers something is, if that tells it from the others."""
    numbers = [value for value in chosen if value is not None]
    if not numbers:
        return None
    low, high = min(numbers), max(numbers)
    outside = [value for value in others if value is not None]
    if any(low <= value <= high for value in outside):
        return None
    unset = "unset or " if None in chosen else ""
    if not any(value > high for value in outside):
        least = f"at least {low:,}" if any(value < low for value in outside) else "set"
        return f"{name} is {unset}{least}"
    if not any(value < low for value in outside):
        return f"{name} is {unset}at most {high:,}"
    between = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{name} is {unset}{between}"


def _prompt(text: str) -> str:
    """Say what is special about a prompt; quote one that is like the plain one."""
    facts, usual = (Facts(Request.of(words)).view(_OF_TEXTS) for words in (text, PLAIN))
    special = [name for name in sorted(_OF_TEXTS) if facts[name] != usual[name]]
    told = [name if facts[name] is True else f"{name} {_shown(facts[name])}" for name in special]
    return f"one with {' and '.join(told)}" if told else _shown(text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
