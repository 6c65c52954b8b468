"""What an answer cost, end to end: by the usage, the tier and the parts that it reports."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from llmroute import Router
from llmroute.sim import Fault, Sim

MODEL = "qwen/qwen3-coder-30b"
PROVIDER = """\
provider: one
locality: cloud
endpoint: {{transport: http, protocol: openai-chat, base_url: "{url}/v1"}}
models:
  - model: m
    upstream: qwen/qwen3-coder-30b
    capabilities: {{streaming: true}}
    cost: {{input: 2, output: 10, factors: {{service_tier: {{flex: 0.5}}}}}}
"""
POLICY = "policy: balanced\nrules:\n  - {name: cheap, weight: 1, prefer: price}\n"
PROMPT = "Some words to count. " * 100
USED = {"prompt_tokens": 1_000, "completion_tokens": 100}


@pytest.fixture
def server():
    with Sim("lm_studio") as made:
        yield made


@pytest.fixture
def router(server, tmp_path):
    for folder, text in (("policies", POLICY), ("providers.d", PROVIDER.format(url=server.url))):
        (tmp_path / folder).mkdir()
        name = "balanced" if folder == "policies" else "one"
        (tmp_path / folder / f"{name}.yaml").write_text(text)
    with Router.load(tmp_path, environment={}) as made:
        yield made


def asked(router, server, usage, **more):
    choice = {"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}
    body = {"id": "x", "model": MODEL, "choices": [choice], "usage": usage, **more}
    server.script(Fault.body(json.dumps(body).encode()), times=1)
    return router.complete("x")


# 1,000 × $2 + 100 × $10, per million: $0.003


@pytest.mark.parametrize(("tier", "cost"), [(None, "0.003"), ("flex", "0.0015")])
def test_an_answer_costs_what_its_tier_does(router, server, tier, cost):
    answer = asked(router, server, USED, service_tier=tier)
    assert answer.cost == Decimal(cost)
    assert answer.attempts[0].cost == Decimal(cost)
    assert not any("cost" in warning for warning in answer.warnings)


def test_the_cost_of_an_unknown_tier_is_unknown_with_a_warning(router, server):
    answer = asked(router, server, USED, service_tier="scale")
    assert answer.cost is None
    assert answer.warnings == ("the cost is unknown: one/m has no price for service_tier 'scale'",)


def test_the_cost_of_usage_reported_in_part_is_unknown_with_a_warning(router, server):
    answer = asked(router, server, {"prompt_tokens": 1_000})
    assert answer.cost is None
    assert answer.warnings == ("the cost is unknown: the provider reported its usage in part",)
    assert answer.usage.estimated


def test_a_stream_costs_what_its_tier_does(router, server):
    first = {"index": 0, "delta": {"content": "hello"}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [
        {"id": "x", "model": MODEL, "choices": [first], "service_tier": "flex"},
        {"id": "x", "model": MODEL, "choices": [last], "service_tier": "flex"},
        {"id": "x", "model": MODEL, "choices": [], "usage": USED, "service_tier": "flex"},
    ]
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
    server.script(Fault.body("".join(lines).encode(), content_type="text/event-stream"), times=1)
    with router.stream("x") as stream:
        said = "".join(chunk.text for chunk in stream)
        answer = stream.response
    assert (said, answer.cost) == ("hello", Decimal("0.0015"))


def test_estimates_follow_what_a_target_counted_before(router, server, tmp_path):
    """It counts half as many tokens again as are estimated."""
    guess, found = _counting(router, server)
    assert (found.token_factor, found.estimate.tokens_in) == (1.0, guess), "nobody asked for it"
    (tmp_path / "llmroute.yaml").write_text("estimates: {learn: true}\n")
    with Router.load(tmp_path, environment={}) as learning:
        guess, found = _counting(learning, server)
        assert (found.token_factor, found.estimate.tokens_in) == (1.5, round(guess * 1.5))
        assert found.to_dict()["token_factor"] == 1.5
        counted = learning.decide(PROMPT, input_tokens=guess).ranking[0]
        assert (counted.token_factor, counted.estimate.tokens_in) == (1.0, guess)


def _counting(router, server):
    """Ask until corrections begin; return the estimate before and what is ranked after."""
    guess = router.decide(PROMPT).ranking[0].estimate.tokens_in
    for number in range(5):
        assert router.decide(PROMPT).ranking[0].estimate.tokens_in == guess, number
        usage = {"prompt_tokens": round(guess * 1.5), "completion_tokens": 10}
        choice = {"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}
        body = {"id": "x", "model": MODEL, "choices": [choice], "usage": usage}
        server.script(Fault.body(json.dumps(body).encode()), times=1)
        router.complete(PROMPT)
    return guess, router.decide(PROMPT).ranking[0]
