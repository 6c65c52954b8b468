"""Who is ahead of whom in a region, and where to split it to learn more."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from llmroute.catalog.model import Target
from llmroute.lab.domain.needs import meets
from llmroute.lab.domain.uses import Path
from llmroute.lab.proving.bounds import Bounds
from llmroute.lab.proving.reading import ASKED, TASK, Region
from llmroute.lab.proving.sizes import Box
from llmroute.policy.scoring.rules import CompiledRule

__all__ = [
    "TOOLS",
    "Lead",
    "Split",
    "first_of_equals",
    "lead",
    "needed",
    "nobody",
    "open_paths",
    "split",
    "told",
]

TOOLS: Path = ("facts", "tools")
_FORCED: Path = ("needs", "forced_tool_choice")


class Split(NamedTuple):
    """Where to split a region: one of the fields `by`, else its box if `cut`."""

    by: tuple[Path, ...] = ()
    cut: bool = False


class Lead(NamedTuple):
    """By how many micro-points one target is ahead of another, and where that is least certain.

    `least` holds throughout, `hope` is what could be left of it in some part.
    """

    least: float
    hope: float
    where: Split


def lead(
    bounds: Bounds,
    first: Target,
    second: Target,
    region: Region,
    rules: Sequence[CompiledRule] | None = None,
) -> Lead:
    """Return by how much the first is ahead of the second, whatever is measured.

    That is by all rules, or by some of them.
    """
    least = hope = widest = 0.0
    where = Split()
    for rule in bounds.rules if rules is None else rules:
        gap = bounds.gap(rule, first, second, region)
        least, hope = least + gap.least, hope + gap.hope
        if gap.hope - gap.least > widest and (found := _splits(bounds, rule, region)) is not None:
            widest, where = gap.hope - gap.least, found
    if not widest and not least and not region.box.single:
        where = Split(cut=True)  # a tie, which money may break
    return Lead(least, hope, where)


def _splits(bounds: Bounds, rule: CompiledRule, region: Region) -> Split | None:
    """Return where to split so that a rule can be told better, None where that is nowhere."""
    by = open_paths(bounds.reads(rule), region)
    cut = bounds.sized(rule) and not region.box.single
    return Split(by, cut) if by or cut else None


def open_paths(paths: frozenset[Path], region: Region) -> tuple[Path, ...]:
    """Return the fields that have more than one value in a region."""
    return tuple(path for path in sorted(paths) if len(region.values.get(path, ())) > 1)


def first_of_equals(bounds: Bounds, first: Target, second: Target, region: Region) -> bool:
    """Whether the first of two with the same points is put first, whatever is measured."""
    for name in (*bounds.source.select.tie_break, "target"):
        least = _least_sign(bounds, name, first, second, region)
        if least:
            return least > 0
    return False


def _least_sign(bounds: Bounds, name: str, first: Target, second: Target, region: Region) -> float:
    """Return a positive number where a key puts the first before the second, 0 where not behind."""
    if name == "cost":
        return bounds.cheaper(first, second, region.box)[0]
    if name == "quality":
        return (first.quality.default or 0.0) - (second.quality.default or 0.0)
    if name == "target":
        return (first.id < second.id) - (first.id > second.id)
    return -1.0  # latency: anything may be measured


# Requests that cannot be, or that a target cannot serve


def needed(path: Path, region: Region) -> set[bool]:
    """Return whether requests of a region may need something, and may not."""
    found = {bool(value) for value in region.values.get(path, (False, True))}
    if path == _FORCED:
        return {one and other for one in found for other in needed(TOOLS, region)}
    return found


def nobody(bounds: Bounds, target: Target, region: Region) -> bool:
    """Whether a target is eligible for no request of a region, or there is none in it."""
    box, window = region.box, target.context_window
    for path, name in bounds.needs.items():
        if not meets(target, name) and needed(path, region) == {True}:
            return True
    tokens = bounds.tokens(box, target.tokenizer)
    if window is not None and tokens[0] + (box.least or 1) > window:
        return True
    if target.wire.max_input is not None and tokens[0] > target.wire.max_input:
        return True
    if target.max_output is not None and (box.least or 0) > target.max_output:
        return True
    return _inconsistent(region.values) or any(
        not any(bounds.meets(part, target, region, one)[0] for one in given)
        for part in bounds.requirements
        if (given := bounds.choices(part, region))
    )


def _inconsistent(values: Mapping[Path, tuple[Any, ...]]) -> bool:
    """Whether no request has such values: its task is the caller's, else told by its text.

    Where both are read they have the same values, so that other ones exclude each other.
    """
    task, asked = values.get(TASK, ()), values.get(ASKED, ())
    if len(task) == 1 and task[0] == "":
        return True
    if len(task) != 1 or len(asked) != 1:
        return False
    if asked[0]:
        return bool(asked[0] != task[0])
    code = values.get(("facts", "code"), (False, True))
    return task[0] not in {"code" if flag else "chat" for flag in code}


# Splitting


def split(bounds: Bounds, region: Region, where: Split, *targets: Target) -> list[Region]:
    """Return the parts of a region; none where it cannot be split in a useful way."""
    for path in where.by:
        options = region.values[path]
        if len(options) > 1:
            return [region._replace(values={**region.values, path: (v,)}) for v in options]
    if not where.cut or region.box.single:
        return []
    marks, caps = _marks(bounds, region.box, targets)
    return [region._replace(box=box) for box in region.box.split(marks, caps)]


def _marks(
    bounds: Bounds, box: Box, targets: tuple[Target, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes at which something changes for targets: of prompts, and `max_tokens`."""
    found: set[int] = set()
    caps: set[int] = set()
    for target in targets:
        found |= {tier.above + 1 for tier in (target.price.tiers if target.price else ())[1:]}
        if target.context_window is not None:
            sizes = (box.least or 1, box.most or 1)
            found |= {target.context_window - size + 1 for size in sizes}
        found |= {target.wire.max_input + 1} if target.wire.max_input else set()
        caps |= {target.max_output + 1} if target.max_output else set()
        caps.add((target.typical_output or 500) + 1)
    for path, numbers in bounds.literals.items():
        whole = {n for x in numbers for n in (math.ceil(x), math.floor(x) + 1)}
        if path in (("facts", "tokens"), ("estimate", "tokens_in")):
            found |= whole
        elif path in (("request", "max_tokens"), ("estimate", "tokens_out")):
            caps |= whole
    return tuple(sorted(found)), tuple(sorted(caps))


def told(region: Region) -> str:
    """Say in words what requests a region holds."""
    return ", ".join(_told(region))


def _told(region: Region) -> Iterator[str]:
    box = region.box
    for path, values in region.values.items():
        if len(values) == 1:
            yield f"{'.'.join(path)} = {values[0]!r}"
    yield f"{box.low:,} tokens" if box.low == box.high else f"{box.low:,} to {box.high:,} tokens"
    if box.least is not None and box.most is not None:
        same = box.least == box.most
        yield f"max_tokens {box.least:,}" + ("" if same else f" to {box.most:,}")
