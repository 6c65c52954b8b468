"""What a request will need at a target, before the call: tokens and money."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from llmroute.catalog.cost import NANO, Price
from llmroute.catalog.model import Target
from llmroute.types import Request

__all__ = ["UNCORRECTED", "Correction", "Estimate", "corrected", "estimate", "expected_output"]

#: Output tokens expected where neither the request nor the model says more.
_USUAL_OUTPUT = 500


class Estimate(NamedTuple):
    """Tokens in and expected out; money in nano-dollars, None where the price is unknown.

    `cost` counts the expected output, `cost_max` the allowed output. `cost` takes `cached` tokens
    of the prompt to come from the provider's cache, which saves `saved`; `cost_max` none.
    """

    tokens_in: int
    tokens_out: int
    cost: int | None
    cost_max: int | None
    cached: int = 0
    saved: int = 0

    @property
    def uncached(self) -> int | None:
        """The cost of the expected output where nothing of the prompt is cached."""
        return None if self.cost is None else self.cost + self.saved

    @property
    def view(self) -> dict[str, Any]:
        """The `estimate` root of expressions; money in USD."""
        return {
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost": None if self.cost is None else self.cost / NANO,
            "cost_max": None if self.cost_max is None else self.cost_max / NANO,
        }

    @property
    def blended(self) -> float | None:
        """USD per million tokens of this request's own mix of input and output."""
        if self.cost is None:
            return None
        return self.cost / 1000 / max(self.tokens_in + self.tokens_out, 1)


class Correction(NamedTuple):
    """What earlier answers of a target change about its estimates.

    `factor` multiplies the tokens of a prompt; `output` is the usual length of an answer in
    tokens, in place of what the target's file says. `cached` are the tokens of this conversation
    that the target is expected to have in its prompt cache.
    """

    factor: float = 1.0
    output: int | None = None
    cached: int = 0


UNCORRECTED = Correction()


def _free_output(price: Price) -> bool:
    return all(tier.output == 0 for tier in price.tiers)


def expected_output(target: Target, asked: int | None, learned: int | None = None) -> int:
    """Return the output tokens to expect: at most `asked`, where the target can be told."""
    expected = learned or target.typical_output or _USUAL_OUTPUT
    told = asked is not None and "max_tokens" not in target.wire.reject
    return min(expected, asked) if told and asked is not None else expected


def corrected(tokens: int, factor: float) -> int:
    """Return an estimate of a prompt's tokens by a target's own count of earlier prompts."""
    return tokens if factor == 1.0 else max(1, round(tokens * factor))


def estimate(
    request: Request,
    tokens_in: int,
    target: Target,
    today: date,
    learned: int | None = None,
    cached: int = 0,
) -> Estimate:
    """Estimate one request at one target.

    Expected output: the `learned` length of such answers, else the model's `typical_output`, else
    500 tokens, at most `max_tokens`.
    Allowed output: `max_tokens` where the target can be told, else the model's `max_output`;
    without either nothing bounds it, and `cost_max` is unknown unless output is free. A price
    outside its dates is unknown. `cached` tokens, at most the whole prompt, are read from a cache.
    """
    asked = None if "max_tokens" in target.wire.reject else request.max_tokens
    expected = expected_output(target, asked, learned)
    price = target.price
    if price is None or not price.valid_on(today):
        return Estimate(tokens_in, expected, None, None)
    allowed = asked or target.max_output or (0 if _free_output(price) else None)
    whole = price.nano(tokens_in, expected)
    most: int | None = whole
    if allowed != expected:
        most = None if allowed is None else price.nano(tokens_in, allowed)
    if not cached:
        return Estimate(tokens_in, expected, whole, most)
    cached = min(cached, tokens_in)
    cost = price.nano(tokens_in, expected, cached)
    return Estimate(tokens_in, expected, cost, most, cached, whole - cost)
