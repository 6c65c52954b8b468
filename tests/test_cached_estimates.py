"""A conversation and the prompt cache that makes it cheap where it is, end to end."""

from __future__ import annotations

import json

import pytest

from llmroute import Router
from llmroute.policy.explaining.explain import explain
from llmroute.sim import Fault, Sim

PROVIDER = """\
provider: {name}
locality: cloud
endpoint: {{transport: http, protocol: openai-chat, base_url: "{url}/v1"}}
models:
  - model: m
    upstream: qwen/qwen3-coder-30b
    capabilities: {{streaming: true}}
    cost: {cost}
"""
POLICY = """\
policy: balanced
rules:
  - {name: cheap, weight: 1, prefer: {cost: {half: 0.01}}}
"""
#: The long-context model is dearer than the other, but for what it has cached.
DEAR = "{input: 1, cache_read: 0.1, output: 0}"
CHEAP = "{input: 0.6, output: 0}"
OPENING = [{"role": "user", "content": "Read the manual."}]
LATER = [*OPENING, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "Well?"}]


@pytest.fixture
def servers():
    with Sim("lm_studio") as dear, Sim("lm_studio") as cheap:
        yield {"dear": dear, "cheap": cheap}


@pytest.fixture
def loaded(servers, tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    (tmp_path / "providers.d").mkdir()
    for (name, server), cost in zip(servers.items(), (DEAR, CHEAP), strict=True):
        text = PROVIDER.format(name=name, url=server.url, cost=cost)
        (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)

    def made(settings):
        (tmp_path / "llmroute.yaml").write_text(settings)
        return Router.load(tmp_path, environment={})

    return made


def answer(server, cached):
    """Let a server answer once, with 10,000 tokens in, so many of them from its cache."""
    usage = {"prompt_tokens": 10_000, "completion_tokens": 1}
    usage["prompt_tokens_details"] = {"cached_tokens": cached}
    choice = {"index": 0, "message": {"content": "Done."}, "finish_reason": "stop"}
    body = {"id": "x", "model": "qwen/qwen3-coder-30b", "choices": [choice], "usage": usage}
    server.script(Fault.body(json.dumps(body).encode()), times=1)


def test_a_conversation_goes_on_where_it_is_cached(loaded, servers):
    with loaded("estimates: {learn: true}\n") as router:
        assert router.decide(LATER, input_tokens=10_000).winner.id == "cheap/m"
        answer(servers["dear"], cached=8_000)
        router.complete(OPENING, target="dear/m")
        decision = router.decide(LATER, input_tokens=10_000)
        home, other = decision.ranking
        # 2,000 × $1 + 8,000 × $0.10 a million, beside 10,000 × $0.60
        assert (home.target.id, home.estimate.cost) == ("dear/m", 2_800_000)
        assert other.estimate.cost == 6_000_000
        assert home.to_dict()["cached"] == 8_000
        assert "10,000 tokens in (8,000 from its cache)" in explain(decision)
        assert router.decide("Something else", input_tokens=10_000).winner.id == "cheap/m"
        answer(servers["dear"], cached=8_000)
        assert router.complete(LATER, input_tokens=10_000).target == "dear/m"


def test_no_cache_is_counted_on_where_nobody_asked_for_it(loaded, servers):
    with loaded("{}\n") as router:
        answer(servers["dear"], cached=8_000)
        router.complete(OPENING, target="dear/m")
        assert router.decide(LATER, input_tokens=10_000).winner.id == "cheap/m"
