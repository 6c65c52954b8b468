"""The most points that a target can get from rules over its estimate, for a range of requests.

Requests are grouped by the binary length of their token counts. Within a group, cost grows with
both counts and the blended price lies between its values at the corners of the range, so that the
lowest of them bounds the points from above without knowing the request.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmroute.catalog.cost import NANO, Price, Rates
from llmroute.catalog.model import Target
from llmroute.policy.scoring.estimate import UNCORRECTED, Correction, corrected, expected_output
from llmroute.policy.scoring.preferences import MICRO, price_micro, to_micro
from llmroute.policy.scoring.rules import CompiledRule, points

__all__ = ["Span", "highest", "span"]

#: The binary lengths of a request's tokens for one tokenizer, and of its `max_tokens`.
Span = tuple[int, int | None]


def span(tokens: int, asked: int | None) -> Span:
    """Return the group of a request."""
    return tokens.bit_length(), None if asked is None else asked.bit_length()


def _range(bits: int) -> tuple[int, int]:
    """Return the smallest and the largest number of a binary length."""
    return (1 << bits) >> 1, (1 << bits) - 1


def highest(
    rule: CompiledRule, target: Target, group: Span, correction: Correction = UNCORRECTED
) -> int:
    """Return the most points that a rule at stage `estimate` gives a target in a group.

    `correction` is that of the target's estimates.
    Exact arithmetic would need no allowance; one millionth covers the rounding of floats.
    """
    name, weight, price = rule.prefer.name, rule.source.weight, target.price
    if name not in ("price", "cost") or weight <= 0:
        return rule.most
    if price is None:
        return 0
    least_cost, least_blend = _lowest(price, target, group, correction)
    if name == "price":
        micro = price_micro(least_blend) or 0
    else:
        nano_half = (rule.prefer.half or 0.0) * NANO
        micro = to_micro(nano_half / (nano_half + least_cost))
    return points(weight, min(micro + 1, MICRO))


def _lowest(
    price: Price, target: Target, group: Span, correction: Correction
) -> tuple[float, float]:
    """Return the lowest cost in nano-dollars and the lowest USD per million tokens in a group."""
    factor, learned, _ = correction
    low_in, high_in = (corrected(tokens, factor) for tokens in _range(group[0]))
    asked = (None, None) if group[1] is None else _range(group[1])
    low_out, high_out = (expected_output(target, limit, learned) for limit in asked)
    # A sum of money is rounded to whole nano-dollars: half of one can be missing.
    rounding = 0.5 / 1000 / max(low_in + low_out, 1)
    cost = blend = float("inf")
    for rates in _reached(price, low_in, high_in):
        into, out = rates.input, rates.output
        cost = min(cost, low_in * into + low_out * out)
        few = (low_in * into + high_out * out) / max(low_in + high_out, 1)
        many = (high_in * into + low_out * out) / max(high_in + low_out, 1)
        blend = min(blend, few, many)
    return max(price.per_request + cost / 1000 - 0.5, 0.0), blend / 1_000_000 - rounding


def _reached(price: Price, low: int, high: int) -> Sequence[Rates]:
    """Return the rates that requests of `low` to `high` input tokens may have."""
    tiers = price.tiers
    if len(tiers) == 1:
        return tiers
    ends = [*(tier.above for tier in tiers[1:]), high]
    starts = [-1, *(tier.above for tier in tiers[1:])]
    reached = zip(tiers, starts, ends, strict=True)
    return [tier for tier, start, end in reached if start < high and low <= end]
