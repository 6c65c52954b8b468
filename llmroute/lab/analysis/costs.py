"""Rules over prices and costs that hardly tell the known prices apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from llmroute.catalog.cost import NANO
from llmroute.catalog.model import Target
from llmroute.policy.scoring.estimate import Estimate
from llmroute.policy.scoring.preferences import MICRO, preference
from llmroute.policy.source import Rule

__all__ = ["LEAST", "SIZES", "Blind", "Costs"]

#: The requests that are looked at: tokens in and out.
SIZES = ((300, 10), (1_500, 400), (50_000, 1_000))
#: The part of its weight by which a rule's contribution should vary.
LEAST = 0.1


class Blind(NamedTuple):
    """A rule that hardly tells prices apart.

    `shares`: by which part of its weight it varies, for each of `SIZES`. `half` is the limit in
    USD at which a cost rule tells most at the middle size, `better` the part by which it varies
    there.
    """

    shares: tuple[float, ...]
    half: float
    better: float


class Costs:
    """What requests of `SIZES` cost at the targets that have a price on a day."""

    def __init__(self, targets: Sequence[Target], today: date) -> None:
        prices = {t.price for t in targets if t.price is not None and t.price.valid_on(today)}
        self._of = {
            (asked, told): sorted({price.nano(asked, told) for price in prices})
            for asked, told in SIZES
        }
        self._known: dict[str, tuple[float, ...]] = {}

    def blind(self, rule: Rule) -> Blind | None:
        """Return by how little a rule varies, None if that is enough, or if all costs are equal."""
        made = preference(rule.prefer)
        if made.subject != "estimate" or not rule.weight or not self._differ:
            return None
        if made.text not in self._known:
            self._known[made.text] = tuple(self._shares(rule.prefer))
        shares = self._known[made.text]
        if max(shares) >= LEAST:
            return None
        half = self._half()
        return Blind(shares, half, self._share({"cost": {"half": half}}, SIZES[1]))

    @property
    def _differ(self) -> bool:
        return any(len(costs) > 1 for costs in self._of.values())

    def _shares(self, prefer: Any) -> Iterator[float]:
        return (self._share(prefer, size) for size in SIZES)

    def _share(self, prefer: str | Mapping[str, Any], size: tuple[int, int]) -> float:
        """Return by which part of its weight a preference varies at one size."""
        made, costs = preference(prefer), self._of[size]
        ends = (costs[0], costs[-1])
        values = [made.micro(Estimate(*size, cost, cost)) or 0 for cost in ends]
        return (max(values) - min(values)) / MICRO

    def _half(self) -> float:
        """Return the geometric mean of the least and the largest cost above 0, two digits of it."""
        paid = [cost for cost in self._of[SIZES[1]] if cost > 0]
        mean = math.sqrt(paid[0] * paid[-1]) / NANO
        return float(f"{mean:.2g}")
