"""Prices and exact money.

Rates are integers in pico-dollars per token (USD per million tokens × 10⁶), sums of money are
integers in nano-dollars, and only what a person reads is a `Decimal` in USD. Long-context tiers
are cliffs: above the threshold of total input the whole request takes the tier's rates, as
OpenAI (272,000 tokens) and Anthropic (Haiku 5.5, 100,000 tokens) bill it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from llmroute.types import Usage

__all__ = ["NANO", "Factors", "Price", "Rates", "format_usd", "nano_to_usd", "pico_per_token"]

#: Nano-dollars in a dollar.
NANO = 1_000_000_000
#: Words of providers for the way of serving that the rates are for.
_USUAL = frozenset({"", "default", "standard", "global", "not_available"})


def pico_per_token(usd_per_million: float | str) -> int:
    """Convert a price in USD per million tokens to pico-dollars per token, exactly."""
    return int((Decimal(str(usd_per_million)) * 1_000_000).to_integral_value())


def nano_to_usd(nano: int | None) -> Decimal | None:
    """Convert nano-dollars to USD; None stays None."""
    return None if nano is None else Decimal(nano) / NANO


def format_usd(usd: Decimal | None) -> str:
    """Write money for a person: three digits that matter, never in powers of ten."""
    if usd is None:
        return "price unknown"
    if usd == 0:
        return "free"
    return f"${usd:.{max(2 - usd.adjusted(), 2)}f}"


def _half_even(numerator: int, denominator: int) -> int:
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars per token of each kind; `above` is the total input these rates start after."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    above: int = 0


@dataclass(frozen=True, slots=True)
class Factors:
    """How many times the rates an answer costs by the way it was served; pairs of word and factor.

    They multiply, and hold for every rate of a token.
    """

    service_tier: tuple[tuple[str, Fraction], ...] = ()
    speed: tuple[tuple[str, Fraction], ...] = ()
    region: tuple[tuple[str, Fraction], ...] = ()

    def of(self, usage: Usage) -> Fraction:
        """Return the product of the factors of an answer; words without one count once."""
        found = [known[word] for known, word, _ in self._said(usage) if word in known]
        return Fraction(1) if not found else math.prod(found, start=Fraction(1))

    def missing(self, usage: Usage) -> Iterator[str]:
        """Yield the words of an answer that have no factor and are not the usual ones."""
        for known, word, kind in self._said(usage):
            if word not in known and word not in _USUAL:
                yield f"{kind} {word!r}"

    def _said(self, usage: Usage) -> Iterator[tuple[dict[str, Fraction], str, str]]:
        yield dict(self.service_tier), usage.tier or "", "service_tier"
        yield dict(self.speed), usage.speed or "", "speed"
        yield dict(self.region), usage.region or "", "region"


@dataclass(frozen=True)
class Price:
    """What one target costs.

    `tiers` are sorted by threshold, the base rates first (`above` 0). `per_request` is in
    nano-dollars and no factor changes it. `dated` is the day on which `source` was read. Outside
    `valid_from`..`valid_until` (inclusive) the price counts as unknown.
    """

    tiers: tuple[Rates, ...]
    per_request: int = 0
    valid_from: date | None = None
    valid_until: date | None = None
    source: str | None = None
    dated: str | None = None
    factors: Factors = Factors()

    def valid_on(self, day: date) -> bool:
        """Whether the price holds on a day."""
        start, end = self.valid_from, self.valid_until
        return (start is None or start <= day) and (end is None or day <= end)

    def rates(self, input_tokens: int) -> Rates:
        """Return the rates of a request with that much total input, cached tokens included."""
        chosen = self.tiers[0]
        for tier in self.tiers[1:]:
            if input_tokens <= tier.above:
                break
            chosen = tier
        return chosen

    def nano(self, input_tokens: int, output_tokens: int, cached: int = 0) -> int:
        """Return an estimate in nano-dollars, rounded half-even once."""
        tiers = self.tiers
        rates = tiers[0] if len(tiers) == 1 else self.rates(input_tokens)
        pico = (input_tokens - cached) * rates.input + output_tokens * rates.output
        if cached:
            pico += cached * rates.cache_read
        return self.per_request + _half_even(pico, 1000)

    @cached_property
    def free(self) -> bool:
        """Whether nothing costs anything."""
        return not self.per_request and not any(
            rates.input
            or rates.output
            or rates.cache_read
            or rates.cache_write
            or rates.cache_write_1h
            for rates in self.tiers
        )

    def unpriced(self, usage: Usage) -> tuple[str, ...]:
        """Name what an answer says of the way it was served that nothing here gives a price for."""
        if self.free:
            return ()
        found = list(self.factors.missing(usage))
        for part in usage.parts or (usage,):
            found += [f"model {part.model!r}"] if part.model else []
        return tuple(dict.fromkeys(found))

    def charge(self, usage: Usage) -> int | None:
        """Return what an answer cost, in nano-dollars, from the provider's own usage.

        Cached and cache-written tokens are parts of `usage.input`; reasoning is a part of
        `usage.output` and is not billed twice. None where it was served in a way that has no
        price here (`unpriced`).
        """
        if self.unpriced(usage):
            return None
        pico = sum(self._pico(part) for part in usage.parts or (usage,))
        factor = self.factors.of(usage)
        return self.per_request + _half_even(pico * factor.numerator, 1000 * factor.denominator)

    def _pico(self, usage: Usage) -> int:
        rates = self.rates(usage.input)
        long_write = min(usage.cache_written_1h, usage.cache_written)
        plain = max(usage.input - usage.cached - usage.cache_written, 0)
        return (
            plain * rates.input
            + usage.cached * rates.cache_read
            + (usage.cache_written - long_write) * rates.cache_write
            + long_write * rates.cache_write_1h
            + usage.output * rates.output
        )

    @cached_property
    def view(self) -> dict[str, Any]:
        """The `target.cost` map of expressions: USD per million tokens at the base tier."""
        base = self.tiers[0]
        names = ("input", "output", "cache_read", "cache_write")
        usd: dict[str, Any] = {name: getattr(base, name) / 1_000_000 for name in names}
        return {**usd, "per_request": self.per_request / NANO}
