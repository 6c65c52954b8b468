"""A streaming chat with tools: needs, priors, live values, and staying with a conversation.

The policy `chat` is

    40 × latency (half at 1 s) + 10 × reliability + 12.5 × affinity
    + 20 × throughput (half at 40 tok/s), where the answer streams
    + 15 × (knows tools), where it streams and tools are offered

Before anything was measured, with first token, tokens a second and 98 % success expected:

    alpha, text  1 s, 60       40 × 1/2        = 20         20 × 60/100 = 12
    beta         0.6 s, 60     40 × 1/1.6      = 25         20 × 60/100 = 12
    gamma        0.5 s, 30     40 × 0.666667   = 26.666680  (it cannot stream)
    delta        0.25 s, 20    40 × 1/1.25     = 32         20 × 20/60  = 20 × 0.333333 = 6.666660
    reliability  10 × 0.98 = 9.8 for each
"""

from __future__ import annotations

import pytest

from llmroute import Request
from llmroute.dispatch.live import LiveState
from llmroute.errors import ErrorKind
from tests.scenarios.workbench import Clock, costs, decide, load, order, parts, scores, walk

ALPHA, BETA, TEXT = "north/alpha", "south/beta", "south/text"
GAMMA, DELTA = "house/gamma", "house/delta"
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
TOOLS = {"tools": [WEATHER], "stream": True}
FIRST_TURN = [
    {"role": "system", "content": "You help travellers."},
    {"role": "user", "content": "Do I need an umbrella in Graz?"},
]
SECOND_TURN = [
    *FIRST_TURN,
    {"role": "assistant", "content": "No."},
    {"role": "user", "content": "And in Linz?"},
]
UNMEASURED = [(ALPHA, 56_800_000), (DELTA, 48_466_660), (BETA, 46_800_000)]


@pytest.fixture(scope="module")
def router():
    return load("tool_chat", {"KEY": "k"})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def live(clock):
    return LiveState(clock)


def measure(live, router, target_id, *, calls, failed=0):
    """So many answers with the first token after 4 s and then 30 tok/s, some of them failed."""
    target = router.catalog.target(target_id)
    for number in range(calls):
        live.started(target)
        live.ended(target, healthy=number >= failed, first_token=4.0, tokens_per_second=30.0)


def test_a_streamed_chat_with_tools(router):
    decision = decide(router, prompt=FIRST_TURN, **TOOLS)
    # alpha  20 + 12 + 15 + 9.8      = 56.8
    # delta  32 + 6.666660 + 9.8     = 48.466660
    # beta   25 + 12 + 9.8           = 46.8
    assert scores(decision) == UNMEASURED
    assert parts(decision, ALPHA) == {
        "first token soon": 20_000_000,
        "many a second": 12_000_000,
        "knows tools": 15_000_000,
        "reliable": 9_800_000,
        "stay": 0,
    }
    # 1,000 in and 500 out, in nano-dollars: alpha 1,000 × $1 + 500 × $5, beta 500 + 1,000.
    expected = {target: cost for target, (cost, _) in costs(decision).items()}
    assert expected == {ALPHA: 3_500_000, DELTA: 0, BETA: 1_500_000}
    assert [r.requirement for r in decision.rejected(TEXT)] == ["tools"]
    assert [r.requirement for r in decision.rejected(GAMMA)] == ["streaming"]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "w"}}])
def test_a_forced_tool_leaves_out_who_would_not_obey(router, choice):
    decision = decide(router, prompt=FIRST_TURN, tool_choice=choice, **TOOLS)
    assert scores(decision) == UNMEASURED[:2]
    (rejection,) = decision.rejected(BETA)
    assert (rejection.requirement, rejection.origin) == ("forced_tool_choice", "request")


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_free_choice_forces_nobody(router, choice):
    assert scores(decide(router, tool_choice=choice, **TOOLS)) == UNMEASURED


def test_unstreamed_the_rules_for_streams_fall_away(router):
    decision = decide(router, tools=[WEATHER])
    # delta 32 + 9.8; gamma 26.666680 + 9.8; beta 25 + 9.8; alpha 20 + 9.8
    assert scores(decision) == [
        (DELTA, 41_800_000),
        (GAMMA, 36_466_680),
        (BETA, 34_800_000),
        (ALPHA, 29_800_000),
    ]
    assert list(parts(decision, ALPHA)) == ["first token soon", "reliable", "stay"]


def test_without_tools_two_tie_and_the_cheaper_goes_first(router):
    # delta 32 + 6.666660 + 9.8; beta 25 + 12 + 9.8; text and alpha 20 + 12 + 9.8 = 41.8 each.
    # They tie in the expected latency, too; text costs 100 + 200 against 1,000 + 2,500.
    assert scores(decide(router, stream=True)) == [
        (DELTA, 48_466_660),
        (BETA, 46_800_000),
        (TEXT, 41_800_000),
        (ALPHA, 41_800_000),
    ]


def test_a_conversation_stays_where_it_was_served(router, live, clock):
    # Alpha was down for the first turn; delta answered it.
    live.served(Request.of(FIRST_TURN, **TOOLS), router.catalog.target(DELTA))
    second = {"prompt": SECOND_TURN, "live": live, **TOOLS}
    # delta 48.466660 + 12.5 = 60.966660
    staying = [(DELTA, 60_966_660), (ALPHA, 56_800_000), (BETA, 46_800_000)]
    assert scores(decide(router, **second)) == staying
    # Another conversation, and another user's with the same words, do not.
    other = [{"role": "user", "content": "Do I need an umbrella in Wien?"}]
    assert scores(decide(router, **{**second, "prompt": other})) == UNMEASURED
    assert scores(decide(router, user="eve", **second)) == UNMEASURED
    # A prompt cache is taken to last five minutes.
    clock.now += 300
    assert scores(decide(router, **second)) == staying
    clock.now += 0.001
    assert scores(decide(router, **second)) == UNMEASURED


def test_affinity_is_no_way_around_a_need(router, live):
    live.served(Request.of(FIRST_TURN, **TOOLS), router.catalog.target(BETA))
    decision = decide(router, prompt=SECOND_TURN, live=live, tool_choice="required", **TOOLS)
    assert order(decision) == [ALPHA, DELTA]


def test_what_was_measured_moves_the_score_and_decays(router, live, clock):
    measure(live, router, ALPHA, calls=2, failed=1)
    # Two observations beside a prior that counts as five:
    # first token  (5 × 1 + 2 × 4) / 7 = 13/7 s: 1 / (1 + 13/7) = 0.35;     40 × 0.35 = 14
    # throughput   (5 × 60 + 2 × 30) / 7 = 360/7: 360 / (360 + 280);        20 × 0.5625 = 11.25
    # success      (5 × 0.98 + 1) / 7 = 0.842857 (0.8428571…);              10 × 0.842857 = 8.42857
    # alpha        14 + 11.25 + 15 + 8.42857 = 48.678570, just above delta's 48.466660
    decision = decide(router, live=live, **TOOLS)
    assert scores(decision) == [(ALPHA, 48_678_570), (DELTA, 48_466_660), (BETA, 46_800_000)]
    # Ten minutes later each counts half, so both together one:
    # first token  (5 + 4) / 6 = 1.5 s: 1 / 2.5 = 0.4;                      40 × 0.4 = 16
    # throughput   (300 + 30) / 6 = 55: 55 / 95 = 0.578947 (0.5789473…);    20 × 0.578947 = 11.57894
    # success      (4.9 + 0.5) / 6 = 0.9;                                   10 × 0.9 = 9
    # alpha        16 + 11.57894 + 15 + 9 = 51.578940
    clock.now += 600
    decision = decide(router, live=live, **TOOLS)
    assert scores(decision) == [(ALPHA, 51_578_940), (DELTA, 48_466_660), (BETA, 46_800_000)]


def test_a_target_that_keeps_failing_goes_last(router, live):
    measure(live, router, ALPHA, calls=4, failed=3)
    # first token  (5 + 16) / 9 = 7/3 s: 1 / (10/3) = 0.3;                  40 × 0.3 = 12
    # throughput   (300 + 120) / 9 = 140/3: 140 / (140 + 120) = 0.538462;   20 × 0.538462 = 10.76924
    # success      (4.9 + 1) / 9 = 0.655556 (0.6555555…);                   10 × 0.655556 = 6.55556
    # alpha        12 + 10.76924 + 15 + 6.55556 = 44.324800
    decision = decide(router, live=live, **TOOLS)
    assert scores(decision) == [(DELTA, 48_466_660), (BETA, 46_800_000), (ALPHA, 44_324_800)]


def test_the_fallback_order_at_a_rate_limit(router):
    decision = decide(router, **TOOLS)
    assert walk(decision, ErrorKind.RATE_LIMIT) == [ALPHA, DELTA, BETA, ALPHA]
    patient = decide(router, policy="patient", **TOOLS)
    assert scores(patient) == UNMEASURED
    assert walk(patient, ErrorKind.RATE_LIMIT) == [ALPHA] * 4
    # Waiting is for limits only: what fails otherwise is left.
    asked = walk(patient, ErrorKind.RATE_LIMIT, ErrorKind.TRANSIENT)
    assert asked == [ALPHA, ALPHA, DELTA, BETA]


def test_the_fallback_order_when_the_prompt_is_too_long_after_all(router, live):
    # Alpha has the largest window, 128,000: nobody else need be asked.
    assert walk(decide(router, **TOOLS), ErrorKind.CONTEXT) == [ALPHA]
    # Delta has 32,768: alpha and beta (64,000) are asked, delta is not asked again.
    live.served(Request.of(FIRST_TURN, **TOOLS), router.catalog.target(DELTA))
    decision = decide(router, prompt=SECOND_TURN, live=live, **TOOLS)
    asked = walk(decision, ErrorKind.CONTEXT, ErrorKind.TRANSIENT)
    assert asked == [DELTA, ALPHA, BETA, ALPHA]
