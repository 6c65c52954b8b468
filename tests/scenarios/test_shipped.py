"""The shipped workspace under each shipped policy, as if every key were set.

The arithmetic below uses the prices and figures of the shipped provider files: where one of those
changes, the sums here are to be worked out again. No local model is known before a server is
asked, so the targets are the cloud's. "Everyday" is a request of 1,000 tokens in and 500 expected
out, for which, in millionths of a dollar, by blend and `price` = log10(50 / blend) / 3:

    haiku-5-5, 6-luna  100 + 250      = 350     $0.2333333  2.3309932 / 3 = 0.776998
    5.6-luna           200 + 600      = 800     $0.5333333  1.9719713 / 3 = 0.657324
    6.1-terra          1,000 + 2,500  = 3,500   $2.3333333  1.3309932 / 3 = 0.443664
    opus-5-5           4,000 + 10,000 = 14,000  $9.3333333  0.7289332 / 3 = 0.242978
    6-astra            10,000 + 25,000 = 35,000 $23.333333  0.3309932 / 3 = 0.110331

A cloud target is expected to give its first token after 1 s, then 60 tok/s, and to succeed in 98 %.
"""

from __future__ import annotations

import pytest

from llmroute import Router
from llmroute.config.shipped import data_root
from llmroute.errors import ErrorKind
from llmroute.policy import Surroundings
from llmroute.policy.scoring.live import Priors
from tests.scenarios.workbench import NOW, costs, order, parts, scores, walk

POLICIES = ("balanced", "best-quality", "cheapest", "fastest", "local-first", "private")
REQUESTS = {
    "everyday": {},
    "short": {"input_tokens": 100, "max_tokens": 5},
    "long": {"input_tokens": 150_000},
    "hard": {"tags": ["hard"]},
    "code": {"task": "code", "tags": ["code"]},
    "streamed": {"stream": True},
    "tools": {"tools": [{"type": "function", "function": {"name": "f"}}]},
    "private": {"metadata": {"privacy": "private"}},
}
HAIKU, LUNA, TERRA = "anthropic/claude-haiku-5-5", "openai/gpt-6-luna", "openai/gpt-6.1-terra"
OPUS, ASTRA = "anthropic/claude-opus-5-5", "openai/gpt-6-astra"


@pytest.fixture(scope="module")
def router():
    return Router.load(data_root(), environment={}, now=lambda: NOW)


def ask(router, policy, name="everyday"):
    fields = {"input_tokens": 1000, **REQUESTS[name]}
    return router.decide("hello", policy=policy, assume_usable=True, **fields)


def test_balanced_everyday(router):
    decision = ask(router, "balanced")
    # 30 × price + 50 × quality + 10 × cost (half at $0.05) + 15 × latency (half at 2 s)
    # + 10 × reliability + 5 × headroom + 10 × affinity - 6 × (an indirect way)
    # latency 2 / 3 = 0.666667: 10.000005; reliability 9.8; headroom 5: 24.800005 for each
    #
    # haiku-5-5  30 × 0.776998 + 50 × 0.753 + 10 × 0.05 / 0.05035 (0.9930486…: 0.993049)
    #            23.309940 + 37.65 + 9.930490 + 24.800005                      = 95.690435
    # 6-luna     23.309940 + 50 × 0.751 + 9.930490 + 24.800005
    #            23.309940 + 37.55 + 9.930490 + 24.800005                      = 95.590435
    # 5.6-luna   30 × 0.657324 + 50 × 0.750 + 10 × 0.05 / 0.0508 (0.9842519…: 0.984252)
    #            19.719720 + 37.5 + 9.842520 + 24.800005                       = 91.862245
    # the indirect ways to haiku-5-5: 95.690435 - 6 = 89.690435, a tie at the same cost: by id
    # LiteLLM's way to 6-luna: 95.590435 - 6 = 89.590435
    # 6.1-terra  30 × 0.443664 + 50 × 0.835 + 10 × 0.05 / 0.0535 (0.9345794…: 0.934579)
    #            13.309920 + 41.75 + 9.345790 + 24.800005                      = 89.205715
    assert scores(decision)[:7] == [
        (HAIKU, 95_690_435),
        (LUNA, 95_590_435),
        ("openai/gpt-5.6-luna", 91_862_245),
        ("anthropic_litellm/claude-haiku-5-5", 89_690_435),
        ("claude_code/claude-haiku-5-5", 89_690_435),
        ("openai_litellm/gpt-6-luna", 89_590_435),
        (TERRA, 89_205_715),
    ]
    assert parts(decision, HAIKU) == {
        "cheap": 23_309_940,
        "good at the task": 37_650_000,
        "worth its money": 9_930_490,
        "fast": 10_000_005,
        "reliable": 9_800_000,
        "not busy": 5_000_000,
        "stay with the conversation": 0,
        "the direct way first": 0,
    }
    # At most 128,000 tokens out: 100 + 64,000 millionths.
    assert costs(decision)[HAIKU] == (350_000, 64_100_000)


def test_balanced_falls_back_to_another_vendor(router):
    decision = ask(router, "balanced")
    # A vendor that is down is left out with all its targets, and each way to it is a provider:
    # haiku, 6-luna, then LiteLLM's and the CLI's haiku, then LiteLLM's 6-luna; five attempts.
    assert walk(decision, ErrorKind.UNAVAILABLE) == [
        HAIKU,
        LUNA,
        "anthropic_litellm/claude-haiku-5-5",
        "claude_code/claude-haiku-5-5",
        "openai_litellm/gpt-6-luna",
    ]


def test_balanced_hard(router):
    decision = ask(router, "balanced", "hard")
    # Everyday, and 190 × quality:
    # 6.1-terra  89.205715 + 190 × 0.835 = 89.205715 + 158.65                  = 247.855715
    # opus-5-5   30 × 0.242978 + 50 × 0.847 + 10 × 0.05 / 0.064 (0.78125) + 24.800005
    #            7.289340 + 42.35 + 7.8125 + 24.800005 = 82.251845; + 160.93   = 243.181845
    assert scores(decision)[:2] == [(TERRA, 247_855_715), (OPUS, 243_181_845)]


def test_balanced_long(router):
    decision = ask(router, "balanced", "long")
    # 150,000 in: haiku is above its tier at 100,000, 6-luna below its own at 272,000.
    # 6-luna     15,000 + 250 = 15,250 millionths; / 150,500 tokens: $0.1013289
    #            log10(493.4426) / 3 = 2.6932367 / 3 = 0.897746: 26.932380
    #            0.05 / 0.06525 = 0.766284 (0.7662835…): 7.662840
    #            26.932380 + 37.55 + 7.662840 + 24.800005                      = 96.945225
    # haiku-5-5  75,000 + 1,250 = 76,250 millionths: $0.5066445
    #            log10(98.68852) / 3 = 1.9942667 / 3 = 0.664756: 19.942680
    #            0.05 / 0.12625 = 0.396040 (0.3960396…): 3.960400
    #            19.942680 + 37.65 + 3.960400 + 24.800005                      = 86.353085
    # 5.6-luna   30,000 + 600 = 30,600 millionths: $0.2033223
    #            log10(245.9150) / 3 = 2.3907851 / 3 = 0.796928: 23.907840
    #            0.05 / 0.0806 = 0.620347 (0.6203473…): 6.203470
    #            23.907840 + 37.5 + 6.203470 + 24.800005                       = 92.411315
    found = dict(scores(decision))
    assert order(decision)[:2] == [LUNA, "openai/gpt-5.6-luna"]
    assert found[LUNA] == 96_945_225
    assert found["openai/gpt-5.6-luna"] == 92_411_315
    assert found[HAIKU] == 86_353_085
    assert costs(decision)[HAIKU][0] == 76_250_000


def test_cheapest(router):
    decision = ask(router, "cheapest")
    # 100 × price + 4 × quality + 3 × reliability - 2 × (an indirect way)
    # haiku-5-5  77.6998 + 4 × 0.753 + 2.94 = 77.6998 + 3.012 + 2.94 = 83.6518
    # 6-luna     77.6998 + 4 × 0.751 + 2.94 = 77.6998 + 3.004 + 2.94 = 83.6438
    # the indirect ways follow, two points below each; 5.6-luna 65.7324 + 3 + 2.94 = 71.6724
    assert scores(decision)[:6] == [
        (HAIKU, 83_651_800),
        (LUNA, 83_643_800),
        ("anthropic_litellm/claude-haiku-5-5", 81_651_800),
        ("claude_code/claude-haiku-5-5", 81_651_800),
        ("openai_litellm/gpt-6-luna", 81_643_800),
        ("openai/gpt-5.6-luna", 71_672_400),
    ]


def test_cheapest_short_and_long(router):
    # 100 in, at most 5 out: 10 + 2.5 = 12.5 millionths; / 105 tokens: $0.1190476
    # log10(420) / 3 = 2.6232493 / 3 = 0.874416: 87.4416 + 3.012 + 2.94 = 93.3936, and 93.3856
    short = ask(router, "cheapest", "short")
    assert scores(short)[:2] == [(HAIKU, 93_393_600), (LUNA, 93_385_600)]
    assert costs(short)[HAIKU] == (12_500, 12_500)
    # 150,000 in, prices as under balanced: 6-luna 89.7746 + 3.004 + 2.94 = 95.7186; LiteLLM's way
    # to it two less; 5.6-luna 79.6928 + 3 + 2.94 = 85.6328
    long = ask(router, "cheapest", "long")
    assert scores(long)[:3] == [
        (LUNA, 95_718_600),
        ("openai_litellm/gpt-6-luna", 93_718_600),
        ("openai/gpt-5.6-luna", 85_632_800),
    ]


def test_fastest(router):
    # 60 × 1/2 + 30 × 60/110 (0.5454545…: 0.545455) + 40 + 10 + 9.8 + 5 × 0 + 5 × price
    # 30 + 16.363650 + 40 + 10 + 9.8 + 3.884990 = 110.048640; unstreamed 16.363650 more:
    # 126.412290. haiku and 6-luna tie in score, latency and cost: the id decides.
    streamed = ask(router, "fastest", "streamed")
    assert scores(streamed)[:2] == [(HAIKU, 110_048_640), (LUNA, 110_048_640)]
    assert scores(ask(router, "fastest"))[:2] == [(HAIKU, 126_412_290), (LUNA, 126_412_290)]


def test_best_quality(router):
    # 1000 × quality + 0.5 × reliability + 0.2 × price - 0.2 × (an indirect way)
    # 6-astra   848 + 0.49 + 0.2 × 0.110331 (0.0220662: 0.022066)  = 848.512066
    # LiteLLM's way to it                                           848.312066
    # opus-5-5  847 + 0.49 + 0.2 × 0.242978 (0.0485956: 0.048596)  = 847.538596
    assert scores(ask(router, "best-quality"))[:3] == [
        (ASTRA, 848_512_066),
        ("openai_litellm/gpt-6-astra", 848_312_066),
        (OPUS, 847_538_596),
    ]


def test_local_first(router):
    # No local model is known: 40 × quality + 25 × price + 15 × 0.666667 + 10 + 6 × 0.98
    # haiku-5-5  30.12 + 19.424950 + 10.000005 + 10 + 5.88 = 75.424955
    # 6-luna     30.04 + 19.424950 + 10.000005 + 10 + 5.88 = 75.344955
    assert scores(ask(router, "local-first"))[:2] == [(HAIKU, 75_424_955), (LUNA, 75_344_955)]


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("policy", POLICIES)
def test_every_score_is_the_sum_of_its_parts_and_nothing_fails(router, policy, name):
    decision = ask(router, policy, name)
    found = scores(decision)  # checks the sums
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert not decision.notes
    rejected = {item.target for item in decision.rejections}
    assert {target.id for target in router.targets} == rejected | set(order(decision))
    assert rejected.isdisjoint(order(decision))


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_private_has_no_target_in_the_cloud(router, policy):
    decision = ask(router, policy, "private")
    assert decision.winner is None
    for target in router.targets:
        required = {(item.requirement, item.origin) for item in decision.rejected(target.id)}
        assert ("private stays local", "workspace") in required


def test_private_refuses_the_cloud_whatever_the_label(router):
    decision = ask(router, "private")
    assert decision.winner is None
    assert {item.requirement for item in decision.rejections} == {"nothing leaves"}


def test_two_local_models_under_private_and_balanced(router):
    found = [
        {"model": "llama3.1:8b", "parameters": "8.0B", "loaded": True, "context_window": 8192},
        {"model": "qwen3:32b", "parameters": "32.8B", "loaded": False, "context_window": 8192},
    ]
    catalog = router.catalog.with_discovered("ollama", found)
    small, large = "ollama/llama3.1:8b", "ollama/qwen3:32b"

    def rank(policy):
        request = router.request("hello", input_tokens=1000)
        around = Surroundings(NOW, Priors())
        return scores(router.policy(policy).decide(request, catalog.targets, around=around))

    # private: 60 × quality + 20 × latency (half at 2 s: 2 / 2.5 = 0.8) + 10 × throughput (half at
    # 20 tok/s: 30 / 50 = 0.6) + 10 × (in memory) + 10 × headroom + 10 × reliability
    # 8B   60 × 0.45 + 16 + 6 + 10 + 10 + 9.8 = 78.8
    # 33B  60 × 0.55 + 16 + 6 +  0 + 10 + 9.8 = 74.8
    assert rank("private") == [(small, 78_800_000), (large, 74_800_000)]
    # balanced: 30 × 1 + 50 × quality + 10 × 1 + 15 × 0.8 + 9.8 + 5 = 66.8 + 50 × quality
    # 33B  66.8 + 27.5 = 94.3, behind haiku's 95.690435 and 6-luna's 95.590435
    # 8B   66.8 + 22.5 = 89.3, just ahead of 6.1-terra's 89.205715
    balanced = rank("balanced")
    assert balanced[:3] == [(HAIKU, 95_690_435), (LUNA, 95_590_435), (large, 94_300_000)]
    assert balanced.index((small, 89_300_000)) == balanced.index((TERRA, 89_205_715)) - 1
    # cheapest: 100 × 1 + 4 × quality + 2.94: 33B 105.14, 8B 104.74
    assert rank("cheapest")[:2] == [(large, 105_140_000), (small, 104_740_000)]
