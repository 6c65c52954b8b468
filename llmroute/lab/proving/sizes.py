"""Boxes of sizes: what a range of prompts and caps can cost, and who gets how much for it.

A box holds requests of `low`..`high` tokens whose `max_tokens` is `least`..`most`, or not given.
Within a box that no step of a price divides, cost is affine in both sizes, and the quotient of two
costs is largest and smallest at corners; so bounds are exact for a box of one request and tight
for a narrow one. All bounds err outwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from functools import cache
from math import ceil, floor
from typing import NamedTuple

from llmroute.catalog.cost import NANO, Price, Rates
from llmroute.catalog.model import Target
from llmroute.policy.facts.tokens import estimate as count
from llmroute.policy.scoring.estimate import Estimate, expected_output
from llmroute.policy.scoring.preferences import MICRO, PRICE_BEST, PRICE_WORST, Preference

__all__ = [
    "MOST",
    "Bill",
    "Box",
    "Range",
    "bill",
    "counted",
    "difference",
    "fold",
    "most_allowed",
    "outputs",
]

#: No number of a request is larger.
MOST = 2**53
_SCALE = MICRO / math.log(PRICE_WORST / PRICE_BEST)
_TOP = math.log(PRICE_WORST)
Range = tuple[float, float]


class Box(NamedTuple):
    """Tokens of the prompt, as the target in question counts them, and `max_tokens`."""

    low: int = 0
    high: int = MOST
    least: int | None = None
    most: int | None = None

    @property
    def single(self) -> bool:
        """Whether it holds one pair of sizes only."""
        return self.low == self.high and self.least == self.most

    def split(self, marks: tuple[int, ...], caps: tuple[int, ...]) -> tuple[Box, Box]:
        """Return two halves, cut where something changes if that is inside."""
        by_cap = self.least is not None and self.most is not None and self.least < self.most
        wide = math.log((self.high + 1) / (self.low + 1))
        tall = math.log((self.most or 1) / (self.least or 1)) if by_cap else 0.0
        inside = [m for m in marks if self.low < m <= self.high]
        if by_cap and self.least is not None and self.most is not None:
            steps = [c for c in caps if self.least < c <= self.most]
            if self.low == self.high or (not inside and steps) or (tall > wide and not inside):
                cut = _cut(self.least, self.most, steps)
                return self._replace(most=cut - 1), self._replace(least=cut)
        cut = _cut(self.low, self.high, inside)
        return self._replace(high=cut - 1), self._replace(low=cut)


def _cut(low: int, high: int, marks: list[int]) -> int:
    """Return the first number of the upper half, a mark if there is one."""
    middle = math.isqrt((low + 1) * (high + 1))
    if marks:
        return min(marks, key=lambda mark: abs(math.log((mark + 1) / (middle + 1))))
    return min(max(middle, low + 1), high)


class Bill(NamedTuple):
    """What a box costs at one target; money in nano-dollars before it is rounded.

    `corners` are cost and tokens at the four corners where both are affine over the box, else
    empty; `cost` and `blended` (USD per million tokens) bound them in any case. `exact` is the
    engine's own estimate for a box of one request.
    """

    cost: Range
    blended: Range
    corners: tuple[tuple[float, int], ...]
    price: Price
    exact: Estimate | None


def outputs(target: Target, box: Box) -> tuple[int, int, bool]:
    """Return the least and the most output to expect, and whether it is affine over the box."""
    low, high = expected_output(target, box.least), expected_output(target, box.most)
    affine = low == high or (low == box.least and high == box.most)
    return low, high, affine


def bill(target: Target, box: Box, tokens: Range | None, day: date) -> Bill | None:
    """Return what a box costs at a target, None where its price is unknown.

    `tokens` is the range of the prompt as the target counts it, where that is another count than
    the box's own.
    """
    price = target.price
    if price is None or not price.valid_on(day):
        return None
    into = tokens or (box.low, box.high)
    low, high, affine = outputs(target, box)
    reached = list(_reached(price, into))
    sizes = [(x, y) for x in into for y in (low, high)]
    costs = [
        price.per_request + (x * r.input + y * r.output) / 1000 for x, y in sizes for r in reached
    ]
    per_token = [
        ((price.per_request + e) * 1000 + x * r.input + y * r.output) / 1e6 / max(x + y, 1)
        for x, y in sizes
        for r in reached
        for e in (-0.5, 0.5)
    ]
    cost = (max(min(costs) - 0.5, 0.0), max(costs) + 0.5)
    blended = (max(min(per_token), 0.0), max(per_token))
    if not any(costs):
        cost = blended = (0.0, 0.0)
    corners: tuple[tuple[float, int], ...] = ()
    if tokens is None and affine and len(reached) == 1:
        corners = tuple((cost, int(x + y)) for cost, (x, y) in zip(costs, sizes, strict=True))
    return Bill(cost, blended, corners, price, _exact(price, box, low) if tokens is None else None)


def _exact(price: Price, box: Box, output: int) -> Estimate | None:
    if not box.single:
        return None
    cost = price.nano(box.low, output)
    return Estimate(box.low, output, cost, cost)


def _reached(price: Price, tokens: Range) -> Iterator[Rates]:
    """Yield the rates that prompts of a range of sizes have."""
    for number, rates in enumerate(price.tiers):
        start = rates.above + 1 if number else 0
        end = price.tiers[number + 1].above if number + 1 < len(price.tiers) else math.inf
        if start <= tokens[1] and tokens[0] <= end:
            yield rates


def most_allowed(target: Target, box: Box) -> Range | None:
    """Return the range of the output that is allowed, None where nothing bounds it."""
    asked = (None, None) if "max_tokens" in target.wire.reject else (box.least, box.most)
    if asked[0] is not None and asked[1] is not None:
        return asked[0], asked[1]
    if target.max_output:
        return target.max_output, target.max_output
    free = target.price is not None and all(tier.output == 0 for tier in target.price.tiers)
    return (0, 0) if free else None


def fold(preference: Preference, bill: Bill | None) -> Range | None:
    """Return the range of a preference for price or cost in millionths, None where unknown."""
    if bill is None:
        return None
    if bill.exact is not None:
        micro = preference.micro(bill.exact) or 0
        return micro, micro
    if not bill.cost[1]:
        return MICRO, MICRO
    if preference.name == "price":
        low, high = (_price(value) for value in bill.blended)
        return _whole(high, low)
    half = (preference.half or 0.0) * NANO
    low, high = (half / (half + value) * MICRO for value in bill.cost)
    return _whole(high, low)


def _price(blended: float) -> float:
    return math.inf if blended <= 0 else (_TOP - math.log(blended)) * _SCALE


def _whole(low: float, high: float) -> Range:
    """Return the range of what is rounded to 0..MICRO, floats' own rounding allowed for."""
    ends = (min(max(value, -9.0), MICRO + 9.0) for value in (low, high))
    low, high = ends
    return min(max(floor(low - 0.501), 0), MICRO), max(min(ceil(high + 0.501), MICRO), 0)


def difference(preference: Preference, first: Bill, second: Bill) -> Range:
    """Return the range of the first's value less the second's, in millionths.

    Both bills are for the same box; where they have corners, for the same requests.
    """
    mine, theirs = fold(preference, first), fold(preference, second)
    if mine is None or theirs is None:
        raise ValueError("a bill has a value")
    low, high = mine[0] - theirs[1], mine[1] - theirs[0]
    if low == high or not first.corners or not second.corners:
        return low, high
    same = [m == n for (_, m), (_, n) in zip(first.corners, second.corners, strict=True)]
    if first.price.tiers == second.price.tiers and first.corners == second.corners:
        return 0, 0
    gaps = [n - m for (m, _), (n, _) in zip(first.corners, second.corners, strict=True)]
    close = (
        _of_price(first, second)
        if preference.name == "price"
        else _of_cost(first, second, gaps, (preference.half or 0.0) * NANO)
    )
    low, high = max(low, _floor(close[0]) - 2), min(high, -_floor(-close[1]) + 2)
    if preference.name == "cost" or all(same):
        # The dearer of two never has the higher value, whatever is rounded.
        low = max(low, 0) if min(gaps) >= 0 else low
        high = min(high, 0) if max(gaps) <= 0 else high
    return low, high


def _floor(value: float) -> float:
    return floor(value) if math.isfinite(value) else value


def _of_price(first: Bill, second: Bill) -> Range:
    """Bound a difference of prices by the quotient of costs, largest at a corner."""
    if first.cost[0] <= 0 or second.cost[0] <= 0:
        return -math.inf, math.inf
    lows, highs = [], []
    for (cost, _), (other, _) in zip(first.corners, second.corners, strict=True):
        lows.append(max(other - 0.5, 1e-9) / (cost + 0.5))
        highs.append((other + 0.5) / max(cost - 0.5, 1e-9))
    shares = [
        mine / max(theirs, 1)
        for (_, mine), (_, theirs) in zip(first.corners, second.corners, strict=True)
    ]
    low = math.log(min(lows) * max(min(shares), 1e-18)) * _SCALE
    high = math.log(max(highs) * max(shares)) * _SCALE
    inside = all(0 <= _price(value) <= MICRO for bill in (first, second) for value in bill.blended)
    return (low, high) if inside else (min(low, 0.0), max(high, 0.0))


def _of_cost(first: Bill, second: Bill, gaps: list[float], half: float) -> Range:
    """Bound a difference of half / (half + cost)."""
    small = (half + first.cost[0]) * (half + second.cost[0]) / half / MICRO
    large = (half + first.cost[1]) * (half + second.cost[1]) / half / MICRO
    low, high = min(gaps) - 1, max(gaps) + 1
    return low / (large if low >= 0 else small), high / (small if high >= 0 else large)


# Tokenizers

#: A character of each class that tokens are counted by (see `policy.facts.tokens`).
_SIGNS = "aA1 \n.éдשก“かｆ가😀一倀怀瀀耀退"


@cache
def ratio(family: str, other: str) -> float:
    """Return how many times the tokens of `other` a text has at most, as `family` counts.

    A text's count is a sum over its characters, each with the one before it, so no text has a
    larger quotient than the worst pair of characters.
    """
    if family == other:
        return 1.0
    found = [1.0]
    for before in _SIGNS:
        for sign in _SIGNS:
            mine, theirs = (
                count(before + sign, name) - count(before, name) for name in (family, other)
            )
            found.append(mine / theirs if theirs > 0 else math.inf)
    return max(found)


def counted(box: Box, family: str, other: str) -> Range | None:
    """Return a box's tokens as the family `other` counts them, None where that is the same.

    The box counts as `family` does. A count that the caller gives is the same for both.
    """
    if family == other:
        return None
    more, less = ratio(other, family), ratio(family, other)
    high = min(box.high * more + (more + 1) / 2, MOST)
    low = max((box.low - (less + 1) / 2) / less, 0)
    return floor(low), ceil(high)
