"""Whether a target can win at all: regions of requests are closed, or split, until none is left.

A region is **closed** where the target is not eligible, or some rival is eligible whenever it is
and ahead of it whatever is measured. One that is not is split by the field, or cut along the size,
that the bounds are widest for. Where no rival could be ahead even at best, the region is **open**:
there the target should win, and requests of it are put to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llmroute.catalog.model import Target
from llmroute.lab.domain.needs import meets
from llmroute.lab.domain.situation import Situation
from llmroute.lab.domain.uses import Path
from llmroute.lab.proving.bounds import Bounds
from llmroute.lab.proving.lead import (
    TOOLS,
    Split,
    first_of_equals,
    lead,
    needed,
    nobody,
    open_paths,
    split,
    told,
)
from llmroute.lab.proving.reading import Region
from llmroute.lab.proving.sizes import Box, counted

__all__ = ["REGIONS", "Contest", "Verdict", "served_by"]

#: Regions that are looked at, and open ones that are tried before it is given up.
REGIONS, _TRIES = 6_000, 12


@dataclass(frozen=True)
class Verdict:
    """What became of a search: `found` a case, or `closed` all regions; else `why` it is not known.

    `regions` is how many were looked at.
    """

    closed: bool
    regions: int
    found: Situation | None = None
    why: str = ""


class _Rival(NamedTuple):
    """A rival in a region: whether it is eligible whenever the target is, how far it is ahead."""

    target: Target
    able: bool
    least: float
    hope: float
    where: Split


#: A region, and who was ahead in the one that it is a part of.
_Near = tuple[Region, Target | None]


class Contest:
    """One target against all others.

    With a `margin` a rival must lead by more micro-points than that; without, `tie_break` decides
    between equals.
    """

    def __init__(
        self,
        bounds: Bounds,
        target: Target,
        witness: Callable[[Region], Situation | None],
        *,
        margin: int | None = None,
    ) -> None:
        self._bounds = bounds
        self._target = target
        self._rivals = [rival for rival in bounds.targets if rival is not target]
        self._witness = witness
        self._margin, self._ties = margin or 0, margin is None
        bounds.family = target.tokenizer

    def run(self, limit: int = REGIONS) -> Verdict:
        """Close every region, or find a case in which the target wins."""
        stack: list[_Near] = [(region, None) for region in self._first()]
        seen, tries, why = 0, 0, ""
        while stack:
            region, hint = stack.pop()
            seen += 1
            if seen > limit or tries > _TRIES:
                return Verdict(False, seen, why=why or f"{limit:,} regions were not enough")
            if nobody(self._bounds, self._target, region) or self._beaten(region, hint):
                continue
            best = self._best(region)
            if best is not None and self._wins(best, region):
                continue
            parts = (
                split(self._bounds, region, best.where, self._target, best.target) if best else ()
            )
            if best is not None and parts:
                stack += [(part, best.target) for part in parts]
                continue
            found = self._witness(region)
            if found is not None:
                return Verdict(False, seen, found)
            tries, why = tries + 1, f"nobody is sure to be ahead of it with {told(region)}"
        return Verdict(not tries, seen, why=why)

    def _first(self) -> Iterator[Region]:
        """Yield the first regions: by who served before, and with or without `max_tokens`.

        No prompt is empty, but callers may say so; with a `margin` that is left out, where all
        that charge nothing for a request are equal.
        """
        low = 0 if self._ties else 1
        for served in served_by(self._bounds, self._target, self._bounds.targets):
            yield Region(self._bounds.shared, Box(low), served)
            yield Region(self._bounds.shared, Box(low, least=1, most=Box().high), served)

    # Who is eligible

    def _able(self, rival: Target, region: Region) -> tuple[bool, Split] | None:
        """Return whether a rival is eligible whenever the target is, and where that is not told.

        None where it never is.
        """
        needs = self._needs(rival, region)
        fits = self._fits(rival, region.box)
        if needs is None or fits is None:
            return None
        able, by, cut = fits and not needs[0], [*needs[1]], not fits
        for part in self._bounds.requirements:
            unmet = self._unmet(part, rival, region)
            if unmet is None:
                return None
            if unmet:
                able = False
                by += open_paths(self._bounds.reads(part), region)
                cut = cut or self._bounds.sized(part)
        return able, Split(tuple(by), cut)

    def _needs(self, rival: Target, region: Region) -> tuple[bool, list[Path]] | None:
        """Return whether a rival may lack what the target has, and which fields tell."""
        lacking, by = False, list[Path]()
        for path, name in self._bounds.needs.items():
            if meets(rival, name) or not meets(self._target, name):
                continue
            found = needed(path, region)
            if found == {True}:
                return None
            if True in found:
                lacking = True
                by += open_paths(frozenset({path, TOOLS}), region)
        return lacking, by

    def _unmet(self, part: Any, rival: Target, region: Region) -> bool | None:
        """Whether a rival may fail what the target meets; None where it always does."""
        bounds, never, some = self._bounds, True, False
        if bounds.alike(part):
            return False
        given = bounds.choices(part, region)
        for one in given:
            if bounds.meets(part, self._target, region, one)[0]:
                may, must = bounds.meets(part, rival, region, one)
                never, some = never and not may, some or not must
        return (None if never else some) if given and some else not given

    def _fits(self, rival: Target, box: Box) -> bool | None:
        """Whether each prompt and answer that fits the target fits a rival; None where none."""
        target, cap = self._target, rival.max_output
        if cap is not None and box.most is not None and box.most > cap:
            if (box.least or 0) > cap:
                return None
            if target.max_output is None or target.max_output > cap:
                return False
        tokens = counted(box, target.tokenizer, rival.tokenizer)
        (low, high), alike = tokens or (box.low, box.high), tokens is None
        found = (
            _within(low, high, rival.wire.max_input, target.longest_prompt if alike else None),
            _within(
                low + (box.least or 1),
                high + (box.most or 1),
                rival.context_window,
                target.context_window if alike else None,
            ),
        )
        return None if None in found else all(found)

    # Who is ahead

    def _beaten(self, region: Region, hint: Target | None) -> bool:
        """Whether the rival that was ahead nearby is so here; the best is looked for after."""
        rival = self._rival(hint, region) if hint is not None else None
        return rival is not None and self._wins(rival, region)

    def _wins(self, rival: _Rival, region: Region) -> bool:
        if not rival.able or rival.least < self._margin:
            return False
        tied = rival.least == self._margin
        return not tied or (
            self._ties and first_of_equals(self._bounds, rival.target, self._target, region)
        )

    def _best(self, region: Region) -> _Rival | None:
        """Return the rival that is most likely ahead, None where nobody can be."""
        best: _Rival | None = None
        for target in self._rivals:
            rival = self._rival(target, region)
            if rival is None or rival.hope < self._margin:
                continue
            if self._wins(rival, region):
                return rival
            if best is None or _promise(rival) > _promise(best):
                best = rival
        return best

    def _rival(self, target: Target, region: Region) -> _Rival | None:
        found = self._able(target, region)
        if found is None:
            return None
        able, where = found
        ahead = lead(self._bounds, target, self._target, region)
        if able or not (where.by or where.cut):
            where = ahead.where
        return _Rival(target, able, ahead.least, ahead.hope, where)


def served_by(bounds: Bounds, target: Target, others: Sequence[Target]) -> Sequence[str | None]:
    """Return who may have served a conversation before, as far as it matters for one target.

    Nothing but affinity reads it. Where no such rule takes points away, it does most for the
    target if that is who served.
    """
    rules = [rule for rule in bounds.rules if rule.prefer.subject == "affinity"]
    if not rules:
        return (None,)
    if all(rule.source.weight > 0 for rule in rules):
        return (target.id,)
    return (None, *(other.id for other in others))


def _promise(rival: _Rival) -> tuple[bool, float]:
    return rival.able, rival.least + rival.hope


def _within(low: float, high: float, limit: int | None, own: int | None) -> bool | None:
    """Whether all sizes of a range are within a limit, or those within `own`; None where none."""
    if limit is None or (own is not None and own <= limit):
        return True
    return None if low > limit else high <= limit
