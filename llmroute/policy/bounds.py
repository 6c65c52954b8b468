"""The most points that a target can get from rules over its estimate, for a range of requests.

Requests are grouped by the binary length of their token counts. Within a group, cost grows with
both counts and the blended price lies between its values at the corners of the range, so that the
lowest of them bounds the points from above without knowing the request.
"""

from __future__ import annotations

from llmroute.catalog.cost import NANO, Price
from llmroute.catalog.model import Target
from llmroute.policy.estimate import expected_output
from llmroute.policy.preferences import MICRO, price_micro, to_micro
from llmroute.policy.rules import CompiledRule, points

__all__ = ["Span", "highest", "span"]

#: The binary lengths of a request's tokens for one tokenizer, and of its `max_tokens`.
Span = tuple[int, int | None]


def span(tokens: int, asked: int | None) -> Span:
    """Return the group of a request."""
    return tokens.bit_length(), None if asked is None else asked.bit_length()


def _range(bits: int) -> tuple[int, int]:
    """Return the smallest and the largest number of a binary length."""
    return (1 << bits) >> 1, (1 << bits) - 1


def highest(rule: CompiledRule, target: Target, group: Span) -> int:
    """Return the most points that a rule at stage `estimate` gives a target in a group.

    Exact arithmetic would need no allowance; one millionth covers the rounding of floats.
    """
    name, weight, price = rule.prefer.name, rule.source.weight, target.price
    if name not in ("price", "cost") or weight <= 0:
        return rule.most
    if price is None:
        return 0
    least_cost, least_blend = _lowest(price, target, group)
    if name == "price":
        micro = price_micro(least_blend) or 0
    else:
        nano_half = (rule.prefer.half or 0.0) * NANO
        micro = to_micro(nano_half / (nano_half + least_cost))
    return points(weight, min(micro + 1, MICRO))


def _lowest(price: Price, target: Target, group: Span) -> tuple[float, float]:
    """Return the lowest cost in nano-dollars and the lowest USD per million tokens in a group."""
    low_in, high_in = _range(group[0])
    asked = (None, None) if group[1] is None else _range(group[1])
    low_out, high_out = (expected_output(target, limit) for limit in asked)
    # A sum of money is rounded to whole nano-dollars: half of one can be missing.
    rounding = 0.5 / 1000 / max(low_in + low_out, 1)
    costs, blends = [], []
    for place, rates in enumerate(price.tiers):
        above = price.tiers[place + 1].above if place + 1 < len(price.tiers) else high_in
        if (place and high_in <= rates.above) or low_in > above:
            continue
        pico = low_in * rates.input + low_out * rates.output
        costs.append(price.per_request + pico / 1000 - 0.5)
        for into, out in ((low_in, high_out), (high_in, low_out)):
            count = max(into + out, 1)
            blends.append((into * rates.input + out * rates.output) / 1_000_000 / count - rounding)
    return max(min(costs), 0.0), min(blends)
