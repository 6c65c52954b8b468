"""Whether two policies put each two targets in the same order, for regions of requests.

For two targets a region is closed where one is not eligible, where the same one is ahead by both
policies whatever is measured, or where the rules that only one of the policies has move the two
alike. All others are split, and where that does not help, requests of them are put to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from llmroute.catalog.model import Target
from llmroute.lab.domain.situation import Situation
from llmroute.lab.proving.bounds import Bounds
from llmroute.lab.proving.contest import Verdict
from llmroute.lab.proving.lead import Lead, first_of_equals, lead, nobody, split, told
from llmroute.lab.proving.reading import Region
from llmroute.lab.proving.sizes import Box
from llmroute.policy.scoring.rules import CompiledRule

__all__ = ["Orders", "Side"]

#: Regions that are looked at in all, and open ones that are tried before it is given up.
_REGIONS, _TRIES = 6_000, 2


@dataclass(frozen=True)
class Side:
    """One of two policies, and the rules that it alone has."""

    bounds: Bounds
    differing: Sequence[CompiledRule]

    def ahead(self, found: Lead, first: Target, second: Target, region: Region) -> bool:
        """Whether the first is ahead of the second throughout."""
        if found.least:
            return found.least > 0
        return first_of_equals(self.bounds, first, second, region)


class Orders:
    """Two policies with the same requirements, over the same targets.

    `witness` is asked for a case of a region in which two targets stand in different orders.
    """

    def __init__(
        self,
        mine: Side,
        theirs: Side,
        witness: Callable[[Region, Target, Target], Situation | None],
    ) -> None:
        self._sides = (mine, theirs)
        self._witness = witness
        self._same_ties = (
            mine.bounds.source.select.tie_break == theirs.bounds.source.select.tie_break
        )

    def run(self, limit: int = _REGIONS) -> Verdict:
        """Close every region of every two targets, or find a case in which they differ."""
        seen, why = 0, ""
        for first, second in combinations(self._sides[0].bounds.targets, 2):
            verdict = self._pair(first, second, limit - seen)
            seen, why = seen + verdict.regions, why or verdict.why
            if verdict.found is not None or seen >= limit:
                return Verdict(False, seen, verdict.found, why or "too many regions")
        return Verdict(not why, seen, why=why)

    def _pair(self, first: Target, second: Target, limit: int) -> Verdict:
        """Close every region of two targets."""
        stack, seen, tries, why = list(self._first(first, second)), 0, 0, ""
        while stack:
            seen += 1
            if seen > limit or tries > _TRIES:
                return Verdict(False, seen, why=why or f"{limit:,} regions were not enough")
            region = stack.pop()
            parts = self._parts(first, second, region)
            stack += parts or []
            if parts == []:
                found = self._witness(region, first, second)
                if found is not None:
                    return Verdict(False, seen, found)
                tries += 1
                why = f"{first.id} and {second.id} may change places with {told(region)}"
        return Verdict(not why, seen, why=why)

    def _first(self, first: Target, second: Target) -> Iterator[Region]:
        for side in self._sides:
            side.bounds.family = first.tokenizer
        affine = any(
            rule.prefer.subject == "affinity" for side in self._sides for rule in side.bounds.rules
        )
        shared = self._sides[0].bounds.shared
        for served in (None, first.id, second.id) if affine else (None,):
            yield Region(shared, Box(), served)
            yield Region(shared, Box(least=1, most=Box().high), served)

    def _parts(self, first: Target, second: Target, region: Region) -> list[Region] | None:
        """Return where to look further, None where a region is closed."""
        bounds = self._sides[0].bounds
        if nobody(bounds, first, region) or nobody(bounds, second, region):
            return None
        leads = [self._leads(side, first, second, region) for side in self._sides]
        sides = list(zip(self._sides, leads, strict=True))
        if all(side.ahead(found[0], first, second, region) for side, found in sides):
            return None
        if all(side.ahead(found[1], second, first, region) for side, found in sides):
            return None
        own = [self._leads(s, first, second, region, s.differing) for s in self._sides]
        if self._same_ties and _alike(*map(_moves, own)):
            return None
        unsure = [x for pair in (*own, *leads) for x in pair if x.where.by or x.where.cut]
        for found in sorted(unsure, key=lambda x: x.hope - x.least, reverse=True):
            if parts := split(bounds, region, found.where, first, second):
                return parts
        return []

    def _leads(
        self,
        side: Side,
        first: Target,
        second: Target,
        region: Region,
        rules: Sequence[CompiledRule] | None = None,
    ) -> tuple[Lead, Lead]:
        """Return the lead of the first over the second, and of the second over the first."""
        return (
            lead(side.bounds, first, second, region, rules),
            lead(side.bounds, second, first, region, rules),
        )


def _alike(mine: float | None, theirs: float | None) -> bool:
    return mine is not None and mine == theirs


def _moves(leads: tuple[Lead, Lead]) -> float | None:
    """Return by how much rules move one target against the other, None where that varies."""
    return leads[0].least if leads[0].least == -leads[1].least else None
