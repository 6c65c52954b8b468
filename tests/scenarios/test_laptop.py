"""A laptop with Ollama and no keys.

Every request below has 1,000 tokens in and 500 expected out, unless it says otherwise. The policy
`everyday` is

    20 × price + 60 × quality + 15 × latency (half at 1 s) + 10 × (in memory)
    + 30 × (a specialist for code), where the request is about code

Values, in millionths:
    price     free = 1; an unknown one 0, the worst for a positive weight
              mini   $0.25 in, $1 out: (1,000 × 0.25 + 500 × 1) / 1,500 = $0.50 a million
                     log10(50 / 0.5) / 3 = 2/3 = 0.666667
              grand  $2 in, $11 out: (1,000 × 2 + 500 × 11) / 1,500 = $5
                     log10(50 / 5) / 3 = 1/3 = 0.333333
    quality   declared, or by size where local: to 5B 0.35, to 20B 0.50; cloud without one: 0
    latency   local 0.5 s: 1 / 1.5 = 0.666667; cloud 1 s: 1 / 2 = 0.5
"""

from __future__ import annotations

import asyncio

import pytest

from llmroute import UsageError
from llmroute.catalog import Catalog, Problem, discover
from llmroute.errors import ErrorKind
from tests.scenarios.workbench import costs, decide, load, order, parts, scores, walk

KEYS = {"MINI_KEY": "k1", "GRAND_KEY": "k2"}
CLOUD = {"ollama/gpt-oss:120b-cloud", "mini_cloud/mini", "grand_cloud/grand"}
POLICIES = ("everyday", "cloud-lover")

#: What this Ollama answers to GET /api/tags, GET /api/ps, and POST /api/show by model.
TAGS = {
    "models": [
        {"name": "qwen3-coder:30b", "details": {"parameter_size": "30.5B"}},
        {"name": "llama3.2:3b", "details": {"parameter_size": "3.2B"}},
        {"name": "gemma3:12b", "details": {"parameter_size": "12.2B"}},
        {"name": "nomic-embed-text:latest", "details": {"parameter_size": "137M"}},
        {
            "name": "gpt-oss:120b-cloud",
            "remote_model": "gpt-oss:120b",
            "remote_host": "https://ollama.com:443",
            "details": {"parameter_size": "116.8B"},
        },
    ]
}
PS = {"models": [{"name": "llama3.2:3b", "context_length": 4096}]}


def _shown(architecture: str, window: int, *able: str) -> dict:
    info = {"general.architecture": architecture, f"{architecture}.context_length": window}
    return {"capabilities": list(able), "model_info": info}


SHOW = {
    "qwen3-coder:30b": _shown("qwen3moe", 262144, "completion", "tools"),
    "llama3.2:3b": _shown("llama", 131072, "completion", "tools"),
    "gemma3:12b": _shown("gemma3", 131072, "completion", "vision"),
    "nomic-embed-text:latest": _shown("nomic-bert", 2048, "embedding"),
    "gpt-oss:120b-cloud": _shown("gptoss", 131072, "completion", "tools", "thinking"),
}


async def _answer(endpoint, path, *, method="GET", body=None):
    return SHOW[body["model"]] if path == "/api/show" else {"/api/tags": TAGS, "/api/ps": PS}[path]


def discovered(router) -> Catalog:
    """The catalogue after Ollama gave the answers above."""
    found = asyncio.run(discover(router.catalog.providers["ollama"].endpoint, "ollama", _answer))
    return router.catalog.with_discovered("ollama", found)


def everyday(environment=None, **options):
    router = load("laptop", environment)
    return decide(router, catalog=discovered(router), **options)


def test_discovery_finds_four_of_six_and_says_where_each_prompt_ends_up():
    catalog = discovered(load("laptop"))
    localities = {target.id: target.locality for target in catalog.targets}
    # One cannot talk to an embedding model. `big` is declared: a target, but no usable one.
    assert localities == {
        "grand_cloud/grand": "cloud",
        "mini_cloud/mini": "cloud",
        "ollama/big": "local",
        "ollama/coder": "local",
        "ollama/gemma3:12b": "local",
        "ollama/gpt-oss:120b-cloud": "cloud",
        "ollama/llama3.2:3b": "local",
    }


def test_without_keys_the_local_models_are_ranked():
    decision = everyday()
    # llama3.2  20 × 1 + 60 × 0.35 + 15 × 0.666667 + 10 × 1 = 20 + 21 + 10.000005 + 10 = 61.000005
    # coder     20 × 1 + 60 × 0.50 + 15 × 0.666667          = 20 + 30 + 10.000005      = 60.000005
    # gemma3    the same: a tie, equally free, so the id decides: coder before gemma3
    # gpt-oss   20 × 0 + 60 × 0    + 15 × 0.5               =  0 +  0 +  7.5           =  7.5
    #           price and quality of a model in somebody's cloud are unknown, not 0 and "120B"
    assert scores(decision) == [
        ("ollama/llama3.2:3b", 61_000_005),
        ("ollama/coder", 60_000_005),
        ("ollama/gemma3:12b", 60_000_005),
        ("ollama/gpt-oss:120b-cloud", 7_500_000),
    ]
    assert costs(decision) == {
        "ollama/llama3.2:3b": (0, 0),
        "ollama/coder": (0, 0),
        "ollama/gemma3:12b": (0, 0),
        "ollama/gpt-oss:120b-cloud": (None, None),
    }
    assert parts(decision, "ollama/llama3.2:3b") == {
        "cheap": 20_000_000,
        "good": 21_000_000,
        "fast": 10_000_005,
        "in memory": 10_000_000,
    }


def test_what_is_missing_is_said_with_what_to_do():
    decision = everyday()
    (mini,) = decision.rejected("mini_cloud/mini")
    assert (mini.requirement, mini.origin) == ("usable", "availability")
    assert mini.reason == "no credential"
    assert "MINI_KEY" in (mini.help or "")
    (big,) = decision.rejected("ollama/big")
    assert (big.reason, big.help) == ("llama3.3:70b is not installed", "ollama pull llama3.3:70b")


def test_with_keys_the_cloud_takes_part_and_no_other_score_moves():
    # mini   20 × 0.666667 + 60 × 0.75 + 15 × 0.5 = 13.333340 + 45 + 7.5 = 65.833340
    # grand  20 × 0.333333 + 60 × 0.85 + 15 × 0.5 =  6.666660 + 51 + 7.5 = 65.166660
    decision = everyday(KEYS)
    assert scores(decision) == [
        ("mini_cloud/mini", 65_833_340),
        ("grand_cloud/grand", 65_166_660),
        ("ollama/llama3.2:3b", 61_000_005),
        ("ollama/coder", 60_000_005),
        ("ollama/gemma3:12b", 60_000_005),
        ("ollama/gpt-oss:120b-cloud", 7_500_000),
    ]
    # mini 1,000 × $0.25 + 500 × $1 = 750 millionths of a dollar;
    # grand 1,000 × $2 + 500 × $11 = 7,500. Nothing caps their output.
    assert costs(decision)["mini_cloud/mini"] == (750_000, None)
    assert costs(decision)["grand_cloud/grand"] == (7_500_000, None)


@pytest.mark.parametrize("how", [{"tags": ["code"]}, {"task": "code"}])
def test_code_goes_to_the_model_that_is_declared_for_it(how):
    decision = everyday(**how)
    # The declared quality for code counts only where code is the task, not for the tag alone.
    # coder, task code  20 + 60 × 0.70 + 10.000005 + 30 = 102.000005
    # coder, tag code   20 + 60 × 0.50 + 10.000005 + 30 =  90.000005
    # The others take no part in the rule: its value is 0 for them.
    best = 102_000_005 if "task" in how else 90_000_005
    assert scores(decision) == [
        ("ollama/coder", best),
        ("ollama/llama3.2:3b", 61_000_005),
        ("ollama/gemma3:12b", 60_000_005),
        ("ollama/gpt-oss:120b-cloud", 7_500_000),
    ]


def test_an_image_goes_to_the_one_that_sees():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    prompt = [{"role": "user", "content": [{"type": "text", "text": "What?"}, picture]}]
    decision = everyday(prompt=prompt)
    assert scores(decision) == [("ollama/gemma3:12b", 60_000_005)]
    assert [r.requirement for r in decision.rejected("ollama/coder")] == ["vision"]


def test_the_window_that_is_loaded_counts_not_the_one_that_was_trained():
    # llama3.2 was trained for 131,072 tokens and is loaded with 4,096.
    # 4,095 in and at least one out fit; 4,096 in do not.
    assert order(everyday(input_tokens=4095))[0] == "ollama/llama3.2:3b"
    decision = everyday(input_tokens=4096)
    assert order(decision) == ["ollama/coder", "ollama/gemma3:12b", "ollama/gpt-oss:120b-cloud"]
    (rejection,) = decision.rejected("ollama/llama3.2:3b")
    assert (rejection.requirement, rejection.origin) == ("context_window", "request")


@pytest.mark.parametrize("environment", [{}, KEYS])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", list(ErrorKind))
def test_a_private_prompt_stays_under_every_policy_and_after_every_failure(
    environment, policy, kind
):
    decision = everyday(environment, policy=policy, metadata={"privacy": "private"})
    assert set(order(decision)) == {"ollama/llama3.2:3b", "ollama/coder", "ollama/gemma3:12b"}
    assert set(walk(decision, kind)).isdisjoint(CLOUD)
    for target in CLOUD:
        why = [(r.requirement, r.origin) for r in decision.rejected(target)]
        assert ("private stays here", "workspace") in why


def test_the_remote_model_serves_what_is_public():
    # cloud-lover: 1000 × (cloud) + 10 × quality.
    # gpt-oss 1000 + 0 (unknown); coder 10 × 0.5 = 5; gemma3 5; llama3.2 10 × 0.35 = 3.5
    assert scores(everyday(policy="cloud-lover")) == [
        ("ollama/gpt-oss:120b-cloud", 1_000_000_000),
        ("ollama/coder", 5_000_000),
        ("ollama/gemma3:12b", 5_000_000),
        ("ollama/llama3.2:3b", 3_500_000),
    ]


def test_the_fallback_order_to_its_end():
    public = everyday(KEYS)
    # Six attempts, each fresh target once, in the order of the ranking above.
    assert walk(public, ErrorKind.TRANSIENT) == order(public)
    # A dead Ollama takes its other models with it; both clouds were asked before.
    assert walk(public, ErrorKind.TRANSIENT, ErrorKind.TRANSIENT, ErrorKind.UNAVAILABLE) == [
        "mini_cloud/mini",
        "grand_cloud/grand",
        "ollama/llama3.2:3b",
        # nobody fresh is left: from here on those that may have recovered, in the order of failure
        "mini_cloud/mini",
        "grand_cloud/grand",
        "ollama/llama3.2:3b",
    ]
    private = everyday(KEYS, metadata={"privacy": "private"})
    thrice = ["ollama/llama3.2:3b", "ollama/coder", "ollama/gemma3:12b"]
    assert walk(private, ErrorKind.TRANSIENT) == thrice * 2


def test_with_ollama_down_and_no_keys_nobody_is_left_and_each_says_why():
    router = load("laptop")
    down = Problem("nothing answers at http://127.0.0.1:11434", "run: ollama serve")
    decision = decide(router, catalog=discovered(router).with_problem("ollama", down))
    assert decision.winner is None
    assert walk(decision, ErrorKind.TRANSIENT) == []
    assert {r.help for r in decision.rejections} >= {"run: ollama serve"}
    assert len(decision.rejections) == 7


def test_a_misspelt_label_is_refused_and_not_taken_for_public():
    for wrong in ({"privacy": "privat"}, {"privcy": "private"}, {"privacy": True}):
        with pytest.raises(UsageError):
            everyday(metadata=wrong)
