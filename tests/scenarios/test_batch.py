"""A batch of cheap classifications: a JSON Schema, 20 tokens out, weights with three decimals.

Every request has 200 tokens in and at most 20 out, of the task `sentiment`. Costs in millionths
of a dollar, and blends for 220 tokens:

    tiny   200 × 0.45 + 20 × 1         = 110     $0.50    price 0.666667
    able   200 × 4.5 + 20 × 10         = 1,100   $5       price 0.333333
    terse  200 × 0.0125 + 8 × 0.05     = 2.9     2.9 / 208 = $0.0139, below $0.05: price 1
    exact  free                                           price 1

The policy is 1.5 × price - 0.5 × price + 33.333 × quality - 7.125 × (reasons)
+ 0.001 × quality - 2.375 × throughput (half at 60 tok/s; cloud 60 / 120 = 0.5, local
30 / 90 = 0.333333). A contribution is weight × value in micro-points, rounded half-even: at
exactly a half the even neighbour is taken.
"""

from __future__ import annotations

import pytest

from llmroute.catalog import nano_to_usd
from llmroute.errors import ErrorKind
from tests.scenarios.workbench import costs, decide, load, parts, scores, walk

TINY, ABLE, TERSE, EXACT = "cloud/tiny", "cloud/able", "cloud/terse", "farm/exact"
SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["good", "bad"]}},
    "required": ["label"],
}
LABELS = {"type": "json_schema", "json_schema": {"name": "label", "schema": SCHEMA}}
REQUEST = {
    "response_format": LABELS,
    "max_tokens": 20,
    "input_tokens": 200,
    "metadata": {"job": "reviews"},
}


@pytest.fixture(scope="module")
def router():
    return load("batch", {"KEY": "k"})


@pytest.fixture(scope="module")
def decision(router):
    return decide(router, task="sentiment", **REQUEST)


def test_contributions_round_half_even(decision):
    # 1.5 × 666,667 = 1,000,000.5 → 1,000,000 (even)    -0.5 × 666,667 = -333,333.5 → -333,334
    # 33.333 × 812,500 = 27,083,062.5 → 27,083,062      0.001 × 812,500 = 812.5 → 812
    # 2.375 × 500,000 = 1,187,500
    assert parts(decision, TINY) == {
        "cheap": 1_000_000,
        "not free of charge": -333_334,
        "good at the task": 27_083_062,
        "over-qualified": 0,
        "a thought of quality": 812,
        "idle words": -1_187_500,
    }
    # 1.5 × 333,333 = 499,999.5 → 500,000               -0.5 × 333,333 = -166,666.5 → -166,666
    # 33.333 × 937,500 = 31,249,687.5 → 31,249,688      0.001 × 937,500 = 937.5 → 938
    assert parts(decision, ABLE) == {
        "cheap": 500_000,
        "not free of charge": -166_666,
        "good at the task": 31_249_688,
        "over-qualified": -7_125_000,
        "a thought of quality": 938,
        "idle words": -1_187_500,
    }
    # 33.333 × 450,000 = 14,999,850 (8B: 0.45 by size); -2.375 × 333,333 = -791,665.875 → -791,666
    assert parts(decision, EXACT) == {
        "cheap": 1_500_000,
        "not free of charge": -500_000,
        "good at the task": 14_999_850,
        "over-qualified": 0,
        "a thought of quality": 450,
        "idle words": -791_666,
    }


def test_the_ranking(decision):
    # tiny   1,000,000 - 333,334 + 27,083,062 + 812 - 1,187,500             = 26,563,040
    # able   500,000 - 166,666 + 31,249,688 - 7,125,000 + 938 - 1,187,500   = 23,271,460
    # terse  1,500,000 - 500,000 + 16,666,500 + 500 - 1,187,500             = 16,479,500
    #        (no figure for the task: its default, 0.5; 33.333 × 500,000 = 16,666,500)
    # exact  1,500,000 - 500,000 + 14,999,850 + 450 - 791,666               = 15,208,634
    assert scores(decision) == [
        (TINY, 26_563_040),
        (ABLE, 23_271_460),
        (TERSE, 16_479_500),
        (EXACT, 15_208_634),
    ]


def test_another_task_another_ranking(router):
    # tiny   0.3: 33.333 × 300,000 = 9,999,900; 300
    #        1,000,000 - 333,334 + 9,999,900 + 300 - 1,187,500              = 9,479,366
    # able   0.8: 26,666,400; 800
    #        500,000 - 166,666 + 26,666,400 - 7,125,000 + 800 - 1,187,500   = 18,688,034
    assert scores(decide(router, task="topic", **REQUEST)) == [
        (ABLE, 18_688_034),
        (TERSE, 16_479_500),
        (EXACT, 15_208_634),
        (TINY, 9_479_366),
    ]


def test_who_cannot_and_why(decision):
    # prose follows no schema; stub ends after 16 tokens; 200 + 20 do not fit into 219
    reasons = {item.target: (item.requirement, item.origin) for item in decision.rejections}
    assert reasons == {
        "cloud/prose": ("json_schema", "request"),
        "cloud/stub": ("max_output", "request"),
        "farm/narrow": ("context_window", "request"),
    }


def test_costs_expected_and_at_most(decision):
    # Of terse 8 tokens are expected and 20 allowed: 2.5 + 0.4 and 2.5 + 1 millionths.
    assert costs(decision) == {
        TINY: (110_000, 110_000),
        ABLE: (1_100_000, 1_100_000),
        TERSE: (2_900, 3_500),
        EXACT: (0, 0),
    }
    # Ten thousand of them by tiny: 10,000 × $0.00011
    assert str(nano_to_usd(10_000 * 110_000)) == "1.1"


@pytest.mark.parametrize(("tokens", "nano"), [(201, 2_562), (203, 2_588)])
def test_half_a_nano_dollar_goes_to_the_even_one(router, tokens, nano):
    # $0.0125 a million is 12.5 nano-dollars a token, $0.05 is 50.
    # 201 × 12.5 + 1 × 50 = 2,512.5 + 50 = 2,562.5 → 2,562
    # 203 × 12.5 + 1 × 50 = 2,537.5 + 50 = 2,587.5 → 2,588
    fields = {**REQUEST, "input_tokens": tokens, "max_tokens": 1}
    assert costs(decide(router, **fields))[TERSE] == (nano, nano)


def test_the_fallback_order_under_a_price_ratio(decision):
    # 1.5 × 110 = 165 millionths: able's 1,100 are above; the cheaper ones are not.
    assert walk(decision, ErrorKind.MALFORMED) == [TINY, TERSE, EXACT]
