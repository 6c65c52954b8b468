"""Targets whose prompts were counted otherwise than estimated: each has a factor.

Classes of targets with equal estimates are told apart by it, and what a row holds for one factor
is put together from rows for each. Both are kept for as long as no factor changes, which is
seldom: factors move in steps (see `dispatch.live`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from llmroute.policy.engine.lanes import Lanes
from llmroute.policy.engine.partition import Partition
from llmroute.policy.scoring.live import LiveFacts

__all__ = ["Corrections", "corrections"]


class Corrections:
    """The factors that are not 1, by place."""

    def __init__(self, factors: Mapping[int, float], lanes: Lanes) -> None:
        self.factors = factors
        self._lanes = lanes
        self._refined: dict[int, Partition] = {}

    @cached_property
    def masks(self) -> Sequence[tuple[float, int]]:
        """Each factor with the mask of the targets that have it."""
        everyone = [self.factors.get(place) for place in range(self._lanes.size)]
        return tuple(
            (factor, self._lanes.mask(item == factor for item in everyone))
            for factor in sorted(set(self.factors.values()))
        )

    @cached_property
    def longer(self) -> Sequence[tuple[float, int]]:
        """Those of `masks` that make a prompt longer."""
        return tuple(item for item in self.masks if item[0] > 1.0)

    def refined(self, classes: Partition) -> Partition:
        """Return classes in which targets are alike in their factor too."""
        known = self._refined.get(id(classes))
        if known is None:
            keys = ((c, self.factors.get(place)) for place, c in enumerate(classes.class_of))
            known = self._refined[id(classes)] = Partition(keys, self._lanes, priced=True)
        return known


def corrections(
    facts: Sequence[LiveFacts], lanes: Lanes, before: Corrections | None = None
) -> Corrections | None:
    """Return the corrections of all targets, the same object as `before` where none changed."""
    found = {n: item.token_factor for n, item in enumerate(facts) if item.token_factor != 1.0}
    if before is not None and before.factors == found:
        return before
    return Corrections(found, lanes) if found else None
