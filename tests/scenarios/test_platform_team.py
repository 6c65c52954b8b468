"""A platform team with private data: labels, a contract, several policies, and callers who try.

Every request has 1,000 tokens in and 500 expected out. Costs in USD:

    vllm/large         1,500 × 0.05 / 1M                  = 0.000075   blend $0.05 a million
    edge/small         free
    contracted/strong  (1,000 × 2 + 500 × 11) / 1M        = 0.0075     blend $5
    contracted/fast    (1,000 × 0.25 + 500 × 1) / 1M      = 0.00075    blend $0.50
    bargain/any        (1,000 × 0.02 + 500 × 0.11) / 1M   = 0.000075   blend $0.05

`price` is log10(50 / blend) / 3: 1 at $0.05 and free, 0.666667 at $0.50, 0.333333 at $5.
`cost` with half at $0.0003 is 0.0003 / (0.0003 + cost):

    0.0003 / 0.000375 = 0.8          0.0003 / 0.0078  = 0.038462 (0.0384615…)
    free: 1                          0.0003 / 0.00105 = 0.285714 (0.2857142…)
"""

from __future__ import annotations

import pytest

from llmroute import Request, UsageError
from llmroute.errors import ErrorKind
from tests.scenarios.workbench import costs, decide, load, order, parts, scores, walk

KEYS = {"CONTRACTED_KEY": "k1", "BARGAIN_KEY": "k2"}
POLICIES = ("general", "research", "cloud-first", "loose")
LOCAL = {"vllm/large", "edge/small"}

#: What callers try in order to get a private prompt out of the house.
EVASIONS = [
    {"route": {"order": ["contracted/strong", "bargain", "vllm"]}},
    {"route": {"only": ["contracted"]}},
    {"route": {"only": ["contracted/strong", "bargain/any"], "order": ["bargain/any"]}},
    {"route": {"ignore": ["vllm", "edge"]}},
    {"route": {"locality": "cloud"}},
    {"route": {"require": ["tools"], "max_cost": 1}},
    {"target": "contracted"},
    {"target": "bargain/any"},
    {"tags": ["public", "cloud"]},
    {"task": "public"},
    {"user": "root", "metadata": {"privacy": "private", "team": "public"}},
]


@pytest.fixture(scope="module")
def router():
    return load("platform_team", KEYS)


def labelled(router, privacy, **options):
    return decide(router, metadata={"privacy": privacy}, **options)


def test_general_public(router):
    decision = labelled(router, "public")
    # 30 × price + 50 × quality + 10 × cost + 5 × (local)
    # bargain/any        30         + 50 × 0.8 + 10 × 0.8          = 30 + 40 + 8            = 78
    # vllm/large         30         + 50 × 0.6 + 10 × 0.8      + 5 = 30 + 30 + 8 + 5        = 73
    # edge/small         30         + 50 × 0.4 + 10 × 1        + 5 = 30 + 20 + 10 + 5       = 65
    # contracted/fast    20.000010  + 50 × 0.7 + 10 × 0.285714     = 20.00001 + 35 + 2.85714
    # contracted/strong   9.999990  + 50 × 0.9 + 10 × 0.038462     =  9.99999 + 45 + 0.38462
    assert scores(decision) == [
        ("bargain/any", 78_000_000),
        ("vllm/large", 73_000_000),
        ("edge/small", 65_000_000),
        ("contracted/fast", 57_857_150),
        ("contracted/strong", 55_384_610),
    ]
    # Neither side caps the output, so the most an answer may cost is unknown, but for free ones.
    assert costs(decision) == {
        "bargain/any": (75_000, None),
        "vllm/large": (75_000, None),
        "edge/small": (0, 0),
        "contracted/fast": (750_000, None),
        "contracted/strong": (7_500_000, None),
    }


def test_internal_is_the_default_and_needs_a_contract(router):
    decision = decide(router)
    # As above without the bargain.
    assert scores(decision) == [
        ("vllm/large", 73_000_000),
        ("edge/small", 65_000_000),
        ("contracted/fast", 57_857_150),
        ("contracted/strong", 55_384_610),
    ]
    (rejection,) = decision.rejected("bargain/any")
    assert (rejection.requirement, rejection.origin) == ("internal needs a contract", "workspace")
    assert "target.provider is 'bargain'" in rejection.reason


def test_research_replaces_weights_and_adds_a_requirement(router):
    # 30 × price + 120 × quality + 10 × cost + 0 × (local); quality from 0.5 up
    # bargain   30       +  96 + 8       = 134
    # strong     9.99999 + 108 + 0.38462 = 118.384610
    # vllm      30       +  72 + 8       = 110
    # fast      20.00001 +  84 + 2.85714 = 106.857150
    # edge      0.4 is not good enough
    decision = labelled(router, "public", policy="best")  # an alias of policy/research
    assert decision.policy == "research"
    assert scores(decision) == [
        ("bargain/any", 134_000_000),
        ("contracted/strong", 118_384_610),
        ("vllm/large", 110_000_000),
        ("contracted/fast", 106_857_150),
    ]
    (rejection,) = decision.rejected("edge/small")
    assert (rejection.requirement, rejection.origin) == ("good enough for research", "policy")
    # A rule that is replaced keeps its place.
    assert list(parts(decision, "vllm/large")) == ["cheap", "good", "worth it", "house first"]
    assert scores(labelled(router, "internal", policy="best")) == [
        ("contracted/strong", 118_384_610),
        ("vllm/large", 110_000_000),
        ("contracted/fast", 106_857_150),
    ]


def test_cloud_first_extends_an_extension(router):
    # research, with 1000 × (cloud) and -1000 × (local):
    # bargain 1,134; strong 1,118.384610; fast 1,106.857150; vllm 110 - 1,000 = -890
    assert scores(labelled(router, "public", policy="cloud-first")) == [
        ("bargain/any", 1_134_000_000),
        ("contracted/strong", 1_118_384_610),
        ("contracted/fast", 1_106_857_150),
        ("vllm/large", -890_000_000),
    ]


def test_private_takes_what_is_left_however_little_it_scores(router):
    assert scores(labelled(router, "private")) == [
        ("vllm/large", 73_000_000),
        ("edge/small", 65_000_000),
    ]
    assert scores(labelled(router, "private", policy="research")) == [("vllm/large", 110_000_000)]
    assert scores(labelled(router, "private", policy="cloud-first")) == [
        ("vllm/large", -890_000_000)
    ]


def test_a_policy_cannot_take_a_requirement_back_by_its_name(router):
    decision = labelled(router, "private", policy="loose")
    # general plus 1000 × (cloud), which no eligible target is: 73 and 65 as there.
    assert scores(decision) == [("vllm/large", 73_000_000), ("edge/small", 65_000_000)]
    (rejection,) = decision.rejected("contracted/strong")
    assert (rejection.requirement, rejection.origin) == ("private stays in house", "workspace")


@pytest.mark.parametrize("evasion", EVASIONS)
@pytest.mark.parametrize("policy", POLICIES)
def test_no_caller_gets_a_private_prompt_out(router, policy, evasion):
    fields = {"metadata": {"privacy": "private"}, "input_tokens": 1000, **evasion}
    for assume_usable in (False, True):
        decision = router.decide(
            "our salaries", policy=policy, assume_usable=assume_usable, **fields
        )
        assert set(order(decision)) <= LOCAL
        for kind in ErrorKind:
            assert set(walk(decision, kind)) <= LOCAL
        for target in ("contracted/strong", "contracted/fast", "bargain/any"):
            required = {(r.requirement, r.origin) for r in decision.rejected(target)}
            assert ("private stays in house", "workspace") in required


def test_the_callers_order_holds_among_what_is_allowed(router):
    route = {"order": ["contracted/strong", "edge"]}
    private = labelled(router, "private", route=route)
    assert order(private) == ["edge/small", "vllm/large"]
    assert private.reason == "the caller's order came first"
    # Scores stay what they are; only the order is the caller's.
    assert scores(labelled(router, "internal", route=route)) == [
        ("contracted/strong", 55_384_610),
        ("edge/small", 65_000_000),
        ("vllm/large", 73_000_000),
        ("contracted/fast", 57_857_150),
    ]


def test_what_the_caller_rules_out_is_shown_as_the_callers(router):
    decision = labelled(router, "private", route={"only": ["contracted"]})
    assert decision.winner is None
    (rejection,) = decision.rejected("vllm/large")
    assert (rejection.requirement, rejection.origin) == ("route.only", "caller")


def test_an_alias_of_a_target_pins_it(router):
    decision = router.decide("x", target="house", metadata={"privacy": "private"})
    assert order(decision) == ["vllm/large"]


def test_the_fallback_order_to_its_end(router):
    # general allows eight attempts. Contracted and down: its second model is not asked.
    internal = decide(router, route={"order": ["contracted"]})
    assert order(internal) == ["contracted/fast", "contracted/strong", "vllm/large", "edge/small"]
    round_one = ["contracted/fast", "vllm/large", "edge/small"]
    assert walk(internal, ErrorKind.UNAVAILABLE) == (round_one * 3)[:8]
    # A key that was refused will not be accepted later: no repeat of `contracted`.
    asked = walk(internal, ErrorKind.AUTH, ErrorKind.TRANSIENT)
    assert asked == ["contracted/fast", *["vllm/large", "edge/small"] * 3, "vllm/large"]
    private = labelled(router, "private")
    assert walk(private, ErrorKind.UNAVAILABLE) == ["vllm/large", "edge/small"] * 4


@pytest.mark.parametrize(
    "metadata",
    [
        {"privacy": "Private"},
        {"privacy": "privat"},
        {"privacy": None},
        {"privacy": ["private"]},
        {"Privacy": "private"},
        {"privacy": "private", "pii": True},
        {"privacy": "private", "team": 7},
    ],
)
def test_labels_are_exact_or_refused(router, metadata):
    with pytest.raises(UsageError, match=next(reversed(metadata))):
        router.decide("our salaries", metadata=metadata)


def test_a_whole_request_is_held_to_the_labels_too(router):
    request = Request.of("our salaries", metadata={"privacy": "private"}, input_tokens=1000)
    assert order(router.decide(request, policy="cloud-first")) == ["vllm/large"]
    with pytest.raises(UsageError):
        router.decide(Request.of("our salaries", metadata={"privacy": "secret"}))
