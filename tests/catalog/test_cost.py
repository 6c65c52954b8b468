"""Money, against sums worked out by hand from the vendors' billing rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmroute.catalog.cost import Price, nano_to_usd, pico_per_token
from llmroute.catalog.targets import build_price
from llmroute.types import Usage

SOL = {
    "input": 2,
    "output": 10,
    "cache_read": 0.2,
    "cache_write": 2.5,
    "tiers": [
        {"above": 272000, "input": 4, "output": 15, "cache_read": 0.4, "cache_write": 5},
    ],
}
SONNET = {"input": 2, "output": 10, "cache_read": 0.1, "cache_write": 2.5, "cache_write_1h": 4}


def usd(price: Price, usage: Usage) -> Decimal:
    cost = nano_to_usd(price.charge(usage))
    assert cost is not None
    return cost


def test_rates_are_exact_pico_dollars_per_token():
    assert pico_per_token(0.075) == 75_000
    assert pico_per_token("0.0125") == 12_500


def test_openai_usage_bills_cached_and_written_tokens_at_their_own_rates():
    # 2,048 prompt tokens, of them 1,024 cached and 512 written; 120 out, 64 of them reasoning.
    # 512 × 2 + 1,024 × 0.2 + 512 × 2.5 + 120 × 10 = 1,024 + 204.8 + 1,280 + 1,200
    # = 3,708.8 millionths of a dollar
    usage = Usage(input=2048, output=120, cached=1024, cache_written=512, reasoning=64)
    assert usd(build_price(SOL), usage) == Decimal("0.0037088")


def test_anthropic_usage_bills_one_hour_writes_dearer():
    # 512 × 2 + 1,024 × 0.1 + 512 × 4 + 120 × 10 = 1,024 + 102.4 + 2,048 + 1,200 = 4,374.4
    usage = Usage(input=2048, output=120, cached=1024, cache_written=512, cache_written_1h=512)
    assert usd(build_price(SONNET), usage) == Decimal("0.0043744")


def test_the_long_context_tier_is_a_cliff_on_total_input():
    price = build_price(SOL)
    # at 272,000: 272,000 × 2 = $0.544; one token more: 272,001 × 4 = $1.088004
    assert usd(price, Usage(input=272_000)) == Decimal("0.544")
    assert usd(price, Usage(input=272_001)) == Decimal("1.088004")
    # cached tokens count towards the threshold: 272,001 × 0.4
    assert usd(price, Usage(input=272_001, cached=272_001)) == Decimal("0.1088004")


def test_rates_that_are_left_out_are_the_plain_input_rate():
    price = build_price({"input": 3, "output": 15})
    # (100 + 100 + 100) × 3 + 0 = 900 millionths
    assert usd(price, Usage(input=300, cached=100, cache_written=100)) == Decimal("0.0009")


def test_a_fee_per_request_is_added():
    price = build_price({"input": 0, "output": 0, "per_request": 0.01})
    assert usd(price, Usage()) == Decimal("0.01")


def test_an_estimate_rounds_half_even_once():
    # 0.0005 USD per million = 500 pico-dollars a token: 1 token = 0.5 nano → 0; 3 = 1.5 → 2
    price = build_price({"input": 0.0005, "output": 0})
    assert [price.nano(n, 0) for n in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_prices_hold_within_their_dates_inclusive():
    price = build_price(
        {"input": 1, "output": 1, "valid_from": "2026-11-01", "valid_until": "2026-11-30"}
    )
    days = (date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 30), date(2026, 12, 1))
    assert [price.valid_on(day) for day in days] == [False, True, True, False]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_charge_never_falls_when_more_is_used(plain, cached, written, output):
    price = build_price(SONNET)
    whole = Usage(
        input=plain + cached + written, output=output, cached=cached, cache_written=written
    )
    more = Usage(input=whole.input + 1, output=output + 1, cached=cached, cache_written=written)
    assert usd(price, more) > usd(price, whole) >= 0


def test_impossible_usage_never_gives_a_negative_charge():
    assert usd(build_price(SONNET), Usage(input=10, cached=50)) >= 0


FACTORS = {
    "service_tier": {"flex": 0.5, "priority": 2.5},
    "speed": {"fast": 2},
    "region": {"us": 1.1},
}


def test_factors_multiply_the_rates_but_not_the_fee_per_request():
    price = build_price({**SONNET, "factors": FACTORS, "per_request": 0.01})
    # (1,000 × 2 + 1,000 × 0.1 + 100 × 10) millionths = $0.0031
    used = Usage(2_000, 100, cached=1_000)
    assert usd(price, used) == Decimal("0.0131")
    assert usd(price, replace(used, tier="flex")) == Decimal("0.01155")
    assert usd(price, replace(used, tier="priority")) == Decimal("0.01775")
    # 2 × 1.1 × $0.0031
    assert usd(price, replace(used, speed="fast", region="us")) == Decimal("0.01682")


def test_factors_hold_for_long_prompts_too():
    price = build_price({**SOL, "factors": FACTORS})
    # half of 300,000 × 4 millionths
    assert usd(price, Usage(300_000, tier="flex")) == Decimal("0.6")


@pytest.mark.parametrize("word", [None, "", "default", "standard"])
def test_the_usual_way_of_serving_needs_no_factor(word):
    used = Usage(1_000, tier=word, speed=word, region=word)
    assert usd(build_price(SONNET), used) == Decimal("0.002")


def test_a_way_of_serving_without_a_price_makes_the_cost_unknown():
    price = build_price({**SONNET, "factors": FACTORS})
    used = Usage(1_000, 10, tier="scale", speed="fast", region="mars")
    assert price.charge(used) is None
    assert price.unpriced(used) == ("service_tier 'scale'", "region 'mars'")


def test_what_is_free_is_free_however_it_was_served():
    price = build_price({"input": 0, "output": 0})
    assert usd(price, Usage(1_000, 10, tier="scale")) == 0


def test_each_call_made_for_an_answer_is_billed_by_itself():
    price = build_price(SOL)
    # neither reaches the threshold of 272,000: 400,000 × 2 + 20 × 10 millionths
    parts = (Usage(200_000, 10), Usage(200_000, 10))
    assert usd(price, Usage(400_000, 20, parts=parts)) == Decimal("0.8002")


def test_a_call_of_another_model_has_no_price_here():
    price = build_price(SOL)
    parts = (Usage(10, 10), Usage(10, 10, model="claude-haiku-5-5"))
    used = Usage(20, 20, parts=parts)
    assert price.charge(used) is None
    assert price.unpriced(used) == ("model 'claude-haiku-5-5'",)
