"""Five providers and a bill: prices, tiers, unknown and expired prices, and two kinds of limits.

The policy `bill` is

    40 × price + 30 × cost (half at $0.0025) + 20 × quality - 5 × price

An unknown price is the worst for a weight's sign: 0 under +40 and +30, 1 under -5.
A million tokens of one's own mix cost cost × 1M / (tokens in + out); `price` is
log10(50 / that) / 3, at least 0 and at most 1.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from llmroute.catalog import nano_to_usd
from llmroute.catalog.cost import format_usd
from llmroute.errors import ErrorKind
from tests.scenarios.workbench import costs, decide, load, order, parts, scores, walk

ALPHA, BETA, GAMMA, DELTA, EPSILON = (
    "alpha/pro",
    "beta/mini",
    "gamma/quote",
    "delta/promo",
    "epsilon/metered",
)
#: The last day of delta's introductory price.
PROMOTION = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)


@pytest.fixture(scope="module")
def router():
    return load("five_providers", {"KEY": "k"})


def test_an_everyday_request(router):
    decision = decide(router)
    # 1,000 in and 500 out, in millionths of a dollar, by blend, price and cost:
    # alpha    2,000 + 5,500        = 7,500  $5        1/3 = 0.333333
    #          2.5 / (2.5 + 7.5)    = 0.25
    # beta     250 + 500            = 750    $0.50     2/3 = 0.666667
    #          2.5 / (2.5 + 0.75)   = 0.769231 (0.7692307…)
    # epsilon  1,000 + 500 + 500    = 2,000  $1.3333   log10(37.5) / 3 = 1.5740313 / 3 = 0.524677
    #          2.5 / (2.5 + 2)      = 0.555556
    # gamma    unknown; delta: its price ended yesterday, so it is unknown as well
    assert costs(decision) == {
        # At most: alpha 2,000 + 4,000 × 11; beta 250 + 8,000; epsilon 1,000 + 500 + 2,000.
        BETA: (750_000, 8_250_000),
        EPSILON: (2_000_000, 3_500_000),
        ALPHA: (7_500_000, 46_000_000),
        GAMMA: (None, None),
        DELTA: (None, None),
    }
    #          40 × price  30 × cost   20 × quality  -5 × price
    # beta      26.666680 + 23.076930 + 14          -  3.333335  = 60.410275
    # epsilon   20.987080 + 16.666680 + 16          -  2.623385  = 51.030375
    # alpha     13.333320 +  7.5      + 18          -  1.666665  = 37.166655
    # gamma      0        +  0        + 19          -  5         = 14
    # delta      0        +  0        + 12          -  5         =  7
    assert scores(decision) == [
        (BETA, 60_410_275),
        (EPSILON, 51_030_375),
        (ALPHA, 37_166_655),
        (GAMMA, 14_000_000),
        (DELTA, 7_000_000),
    ]
    assert parts(decision, GAMMA) == {
        "cheap": 0,
        "worth it": 0,
        "good": 19_000_000,
        "not the very cheapest": -5_000_000,
    }


def test_on_its_last_day_the_promotion_holds(router):
    decision = decide(router, now=PROMOTION)
    # 20 + 55 = 75 millionths; blend $0.05: price 1; 2.5 / 2.575 = 0.970874 (0.9708737…)
    # 40 + 29.126220 + 12 - 5 = 76.126220; nobody else's score moves
    assert scores(decision) == [
        (DELTA, 76_126_220),
        (BETA, 60_410_275),
        (EPSILON, 51_030_375),
        (ALPHA, 37_166_655),
        (GAMMA, 14_000_000),
    ]
    assert costs(decision)[DELTA] == (75_000, 460_000)  # at most 20 + 4,000 × 0.11


def test_the_tier_is_a_cliff(router):
    # 100,000 in: the base rates still hold.
    # beta     25,000 + 500 = 25,500 millionths; / 100,500 tokens: $0.2537313
    #          log10(197.0588) / 3 = 2.2945959 / 3 = 0.764865; 2.5 / 28 = 0.089286
    # epsilon  1,000 + 50,000 + 500 = 51,500; $0.5124378
    #          log10(97.57282) / 3 = 1.9893288 / 3 = 0.663110; 2.5 / 54 = 0.046296
    # alpha    200,000 + 5,500 = 205,500; $2.0447761
    #          log10(24.45255) / 3 = 1.3883242 / 3 = 0.462775; 2.5 / 208 = 0.012019
    # beta     30.594600 + 2.678580 + 14 - 3.824325 = 43.448855
    # epsilon  26.524400 + 1.388880 + 16 - 3.315550 = 40.597730
    # alpha    18.511000 + 0.360570 + 18 - 2.313875 = 34.557695
    below = decide(router, input_tokens=100_000)
    assert scores(below)[:3] == [
        (BETA, 43_448_855),
        (EPSILON, 40_597_730),
        (ALPHA, 34_557_695),
    ]
    assert costs(below)[BETA] == (25_500_000, 33_000_000)
    # One token more, and all of beta's tokens cost four times as much:
    # beta     100,001 + 2,000 = 102,001 millionths; / 100,501: $1.0149252
    #          log10(49.26471) / 3 = 1.6925360 / 3 = 0.564179; 2.5 / 104.501 = 0.023923
    #          22.567160 + 0.717690 + 14 - 2.820895 = 34.463955
    # epsilon  1,000 + 50,000.5 + 500 = 51,500.5: the values above to the sixth decimal
    # alpha    200,002 + 5,500 = 205,502: likewise
    above = decide(router, input_tokens=100_001)
    assert scores(above) == [
        (EPSILON, 40_597_730),
        (ALPHA, 34_557_695),
        (BETA, 34_463_955),
        (GAMMA, 14_000_000),
        (DELTA, 7_000_000),
    ]
    assert {target: cost for target, (cost, _) in costs(above).items()} == {
        EPSILON: 51_500_500,
        ALPHA: 205_502_000,
        BETA: 102_001_000,
        GAMMA: None,
        DELTA: None,
    }


def test_max_cost_is_held_against_the_most_an_answer_may_cost(router):
    # At most: epsilon $0.0035, beta $0.00825, alpha $0.046; gamma and delta unknown.
    decision = decide(router, route={"max_cost": 0.0083})
    assert scores(decision) == [(BETA, 60_410_275), (EPSILON, 51_030_375)]
    for target in (ALPHA, GAMMA, DELTA):
        (rejection,) = decision.rejected(target)
        assert (rejection.requirement, rejection.origin) == ("route.max_cost", "caller")
    assert "unknown" in decision.rejected(GAMMA)[0].reason
    assert "$0.046" in decision.rejected(ALPHA)[0].reason
    # With 500 tokens at most alpha's highest cost is its expected one, $0.0075.
    capped = decide(router, max_tokens=500, route={"max_cost": 0.0083})
    assert order(capped) == [BETA, EPSILON, ALPHA]


def test_a_cost_at_the_limit_is_not_above_it(router):
    # 1,000 in, at most 8 out: beta 250 + 8 = 258 millionths, epsilon 1,000 + 500 + 8 = 1,508
    assert order(decide(router, max_tokens=8, route={"max_cost": 0.001508})) == [BETA, EPSILON]
    assert order(decide(router, max_tokens=8, route={"max_cost": 0.000258})) == [BETA]
    assert order(decide(router, max_tokens=8, route={"max_cost": 0.000257})) == []


def test_the_fallback_order_under_a_price_ratio(router):
    # beta's estimate is $0.00075. Three times that is $0.00225: epsilon's $0.002 is within,
    # alpha's $0.0075 above; an unknown price is within nothing. Ten attempts in all.
    decision = decide(router)
    assert walk(decision, ErrorKind.TRANSIENT) == [BETA, EPSILON] * 5
    # Ten times it is $0.0075: alpha is at the bound, not above it.
    generous = decide(router, policy="generous")
    assert walk(generous, ErrorKind.TRANSIENT) == ([BETA, EPSILON, ALPHA] * 4)[:10]
    # The bound is the first-ranked target's, whoever it is: 3 × $0.000075 lets nobody follow.
    promoted = decide(router, now=PROMOTION)
    assert walk(promoted, ErrorKind.TRANSIENT) == [DELTA] * 10
    # Above the tier: 3 × $0.0515005 = $0.1545015; beta's $0.102001 is within, alpha's not.
    long = decide(router, input_tokens=100_001)
    assert walk(long, ErrorKind.TRANSIENT) == [EPSILON, BETA] * 5


def test_a_price_at_the_ratio_is_not_above_it(router):
    # 5,100 in and 475 out: beta 1,275 + 475 = 1,750 millionths of a dollar,
    # epsilon 1,000 + 2,550 + 475 = 4,025 = 2.3 × 1,750 exactly; alpha 10,200 + 5,225.
    decision = decide(router, policy="tight", input_tokens=5_100, max_tokens=475)
    assert costs(decision)[BETA][0] == 1_750_000
    assert costs(decision)[EPSILON][0] == 4_025_000
    assert walk(decision, ErrorKind.TRANSIENT) == [BETA, EPSILON] * 5


def test_the_bill_of_a_month_is_exact(router):
    # 30,000 answers by beta at $0.00075, 2,000 by epsilon at $0.002: 22.5 + 4 dollars
    estimates = costs(decide(router))
    bill = 30_000 * estimates[BETA][0] + 2_000 * estimates[EPSILON][0]
    assert str(nano_to_usd(bill)) == "26.5"
    assert format_usd(estimates[GAMMA][0]) == "price unknown"


def test_a_price_is_dated_by_its_file(router):
    delta = router.catalog.target(DELTA)
    assert delta.price.valid_until == date(2026, 11, 21)
