"""Targets compared by how long their answers turned out, end to end."""

from __future__ import annotations

import json

import pytest

from llmroute import Router
from llmroute.sim import Fault, Sim

MODEL = "qwen/qwen3-coder-30b"
#: Per answer a flat cent, beside $10 a million tokens of it: 500 of them are half a cent.
PROVIDER = """\
provider: one
locality: cloud
endpoint: {{transport: http, protocol: openai-chat, base_url: "{url}/v1"}}
defaults: {{capabilities: {{streaming: true}}}}
models:
  - model: by_token
    upstream: qwen/qwen3-coder-30b
    cost: {{input: 0, output: 10}}
  - model: flat
    upstream: qwen/qwen3-coder-30b
    cost: {{input: 0, output: 0, per_request: 0.01}}
"""
POLICY = """\
policy: balanced
rules:
  - {name: cheap, weight: 1, prefer: {cost: {half: 0.01}}}
"""


@pytest.fixture
def server():
    with Sim("lm_studio") as made:
        yield made


@pytest.fixture
def essays(server, tmp_path):
    """A router over two prices for the same model, where essays are 2,000 tokens long."""
    for folder, name, text in (
        ("policies", "balanced", POLICY),
        ("providers.d", "one", PROVIDER.format(url=server.url)),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.yaml").write_text(text)

    def made(settings):
        (tmp_path / "llmroute.yaml").write_text(settings)
        return Router.load(tmp_path, environment={})

    return made


def _essays(router, server, times, *, reason="stop", stream=False):
    """Have essays written; return who wrote each."""
    wrote = []
    for _ in range(times):
        script = _streamed if stream else _whole
        server.script(script(reason, {"prompt_tokens": 9, "completion_tokens": 2000}), times=1)
        if not stream:
            wrote.append(router.complete("Write!", task="essay").target)
            continue
        with router.stream("Write!", task="essay") as answer:
            list(answer)
        wrote.append(answer.response.target)
    return wrote


def _whole(reason, usage):
    choice = {"index": 0, "message": {"content": "hello"}, "finish_reason": reason}
    body = {"id": "x", "model": MODEL, "choices": [choice], "usage": usage}
    return Fault.body(json.dumps(body).encode())


def _streamed(reason, usage):
    first = {"index": 0, "delta": {"content": "hello"}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": reason}
    events = [{"id": "x", "model": MODEL, "choices": [choice]} for choice in (first, last)]
    events.append({"id": "x", "model": MODEL, "choices": [], "usage": usage})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
    return Fault.body("".join(lines).encode(), content_type="text/event-stream")


@pytest.mark.parametrize("stream", [False, True])
def test_a_target_whose_answers_are_long_loses_where_their_length_is_paid(essays, server, stream):
    """Six answers outnumber the five of 500 tokens: 2,048 × $10 a million are more than a cent."""
    with essays("estimates: {learn: true}\n") as router:
        wrote = _essays(router, server, 7, stream=stream)
        assert wrote == ["one/by_token"] * 6 + ["one/flat"]
        decision = router.decide("Write!", task="essay")
        flat, dear = decision.ranking
        assert (dear.target.id, dear.estimate.tokens_out) == ("one/by_token", 2048)
        assert dear.estimate.cost == 20_480_000  # nano-dollars
        assert dear.to_dict()["learned_output"] == {"tokens": 2048, "answers": 6}
        assert flat.estimate.cost == 10_000_000
        assert router.decide("Write!", task="note").winner.id == "one/by_token"
        assert router.decide("Write!", task="essay", max_tokens=900).winner.id == "one/by_token"


def test_nothing_is_learned_of_answers_where_nobody_asked_for_it(essays, server):
    with essays("{}\n") as router:
        assert set(_essays(router, server, 8)) == {"one/by_token"}
        (found, _) = router.decide("Write!", task="essay").ranking
        assert (found.estimate.tokens_out, found.learned_output) == (500, None)


def test_answers_that_were_withheld_teach_nothing_and_those_cut_short_are_longer(essays, server):
    with essays("estimates: {learn: true}\n") as router:
        _essays(router, server, 8, reason="content_filter")
        assert router.decide("Write!", task="essay").ranking[0].estimate.tokens_out == 500
        _essays(router, server, 6, reason="length")
        (_, dear) = router.decide("Write!", task="essay").ranking
        assert dear.to_dict()["learned_output"] == {"tokens": 2048, "answers": 6}


def test_usage_that_is_estimated_teaches_nothing_of_lengths(essays, server):
    with essays("estimates: {learn: true}\n") as router:
        for _ in range(8):
            choice = {"index": 0, "message": {"content": "a " * 9000}, "finish_reason": "stop"}
            body = {"id": "x", "model": MODEL, "choices": [choice]}
            server.script(Fault.body(json.dumps(body).encode()), times=1)
            assert router.complete("Write!", task="essay").usage.output > 2000
        assert router.decide("Write!", task="essay").ranking[0].estimate.tokens_out == 500
