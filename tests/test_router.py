"""The router end to end, over real sockets: decide, call, fall back, stream, cancel."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal

import pytest

from llmroute import (
    ConfigError,
    NoEligibleTarget,
    RouteFailed,
    Router,
    StreamInterrupted,
    UsageError,
)
from llmroute.sim import Answer, Fault, Pace, SimFarm

PROVIDER = """\
provider: {name}
locality: local
endpoint:
  transport: http
  protocol: openai-chat
  base_url: {url}/v1
  timeouts: {{connect: 1s, first_token: 500ms, idle: 500ms, total: 5s}}
models:
  - model: m
    upstream: qwen/qwen3-coder-30b
    context_window: 32000
    capabilities: {{streaming: true, tools: true, json_schema: true}}
    cost: {{input: {price}, output: 10}}
"""
POLICY = """\
policy: balanced
rules:
  - {name: cheap, weight: 1, prefer: price}
"""


@pytest.fixture
def farm():
    with SimFarm(("lm_studio", "openai")) as made:
        yield made


@pytest.fixture
def servers(tmp_path):
    """Two LM Studio servers; `first` is cheaper and so comes first."""
    from llmroute.sim import Sim

    (tmp_path / "policies").mkdir()
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    with Sim("lm_studio") as first, Sim("lm_studio") as second:
        for name, server, price in (("first", first, 1), ("second", second, 2)):
            text = PROVIDER.format(name=name, url=server.url, price=price)
            (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)
        yield first, second, tmp_path


@pytest.fixture
def router(servers):
    with Router.load(servers[2], environment={}) as made:
        yield made


def outcomes(answer):
    return [(a.target, a.outcome) for a in answer.attempts]


def test_the_first_target_answers(router, servers):
    answer = router.complete("Say hello")
    assert "Say hello" in answer.text
    assert (answer.target, answer.model) == ("first/m", "qwen/qwen3-coder-30b")
    assert outcomes(answer) == [("first/m", "ok")]
    # the simulator counts a token per 4 characters; priced at $1 in and $10 out per million
    expected = Decimal(answer.usage.input + 10 * answer.usage.output) / 1_000_000
    assert answer.cost == expected
    assert answer.decision.winner.id == "first/m"
    assert len(servers[1].requests) == 0


FAULTS = {
    "refused with 401": (Fault.status(401), "auth"),
    "rate limited": (Fault.status(429, retry_after=30), "rate_limit"),
    "failing": (Fault.status(500), "transient"),
    "overloaded": (Fault.failure("overloaded"), "overloaded"),
    "hanging before the headers": (Fault.hang(), "timeout"),
    "hanging before the first token": (Fault.hang("first_token"), "timeout"),
    "resetting": (Fault.reset(), "unavailable"),
    "a web page": (Fault.html(), "malformed"),
    "no JSON": (Fault.garbage(), "malformed"),
    "empty": (Fault.empty(), "empty"),
    "cut before content": (Fault.truncate(at="first_token"), "malformed"),
    "an error event first": (Fault.error_event(at="first_token"), "transient"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("streamed", [False, True])
def test_whatever_happens_before_the_first_content_the_next_target_answers(
    name, streamed, router, servers
):
    fault, kind = FAULTS[name]
    servers[0].script(fault, times=None)
    if streamed:
        with router.stream("Say hello") as stream:
            text = "".join(chunk.text for chunk in stream)
            answer = stream.response
    else:
        answer = router.complete("Say hello")
        text = answer.text
    assert "Say hello" in text
    assert answer.target == "second/m"
    first = answer.attempts[0]
    assert (first.target, first.message is not None) == ("first/m", True)
    assert first.outcome == kind


def test_a_server_that_is_down_is_passed_over(router, servers):
    servers[0].kill()
    answer = router.complete("Say hello")
    assert outcomes(answer) == [("first/m", "unavailable"), ("second/m", "ok")]


@pytest.mark.parametrize(
    "fault", [Fault.reset("midway"), Fault.truncate(), Fault.error_event(), Fault.hang("midway")]
)
def test_a_stream_that_breaks_after_its_first_content_is_never_a_clean_end(fault, router, servers):
    servers[0].script(fault, times=None)
    seen = []
    with router.stream("Say hello to everybody in the house") as stream:
        with pytest.raises(StreamInterrupted) as caught:
            for chunk in stream:
                seen.append(chunk.text)
        assert stream.response is None
    assert "".join(seen)
    assert len(caught.value.attempts) == 1
    assert len(servers[1].requests) == 0


def test_a_whole_answer_that_breaks_midway_still_falls_back(router, servers):
    servers[0].script(Fault.reset("midway"), times=None)
    answer = router.complete("Say hello")
    assert answer.target == "second/m"


def test_when_everybody_fails_each_attempt_is_named_with_what_to_do(router, servers):
    servers[0].script(Fault.status(401), times=None)
    servers[1].kill()
    with pytest.raises(RouteFailed) as caught:
        router.complete("Say hello", timeout=3)
    text = str(caught.value)
    assert "first/m" in text
    assert "second/m" in text
    assert [a.outcome for a in caught.value.attempts][:2] == ["auth", "unavailable"]


def test_the_same_target_is_repeated_only_when_no_other_is_left(router, servers):
    servers[0].script(Fault.status(500), times=1)
    servers[1].script(Fault.status(500), times=None)
    answer = router.complete("Say hello")
    assert outcomes(answer) == [
        ("first/m", "transient"),
        ("second/m", "transient"),
        ("first/m", "ok"),
    ]


def test_the_deadline_spans_all_attempts(router, servers):
    for server in servers[:2]:
        server.script(Fault.hang(), times=None)
    with pytest.raises(RouteFailed) as caught:
        router.complete("Say hello", timeout=0.6)
    assert sum(a.duration for a in caught.value.attempts) < 0.9
    assert all(a.outcome == "timeout" for a in caught.value.attempts)


SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "n",
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    },
}


def test_an_answer_that_breaks_its_schema_is_not_handed_over(router, servers):
    servers[0].script(Answer(text='{"n": "many"}'), times=None)
    answer = router.complete("How many?", response_format=SCHEMA)
    assert outcomes(answer) == [("first/m", "malformed"), ("second/m", "ok")]


def test_a_bad_request_returns_to_the_caller_at_once(router, servers):
    servers[0].script(Fault.status(400), times=None)
    with pytest.raises(RouteFailed) as caught:
        router.complete("Say hello")
    assert [a.outcome for a in caught.value.attempts] == ["invalid_request"]
    assert len(servers[1].requests) == 0


def test_leaving_a_stream_closes_the_call_upstream(router, servers):
    servers[0].pace(Pace(tokens_per_second=20))
    with router.stream("Say hello to everybody in the whole wide house") as stream:
        next(stream)
    assert servers[0].wait_idle(1.0)
    assert stream.attempts[0].outcome == "cancelled"


@pytest.mark.parametrize("at", ["headers", "first_token"])
def test_cancelling_a_task_closes_the_call_upstream(at, router, servers):
    servers[0].script(Fault.hang(at), times=None)

    async def cancel():
        task = asyncio.create_task(router.acomplete("Say hello"))
        while not servers[0].requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert servers[0].wait_idle(1.0)


def test_async_and_plain_calls_and_several_loops_share_one_router(router):
    async def ask():
        many = await asyncio.gather(*(router.acomplete(f"Say {n}") for n in range(8)))
        async with router.astream("Say more") as stream:
            text = "".join([chunk.text async for chunk in stream])
        return [a.text for a in many], text

    for _ in range(2):
        many, text = asyncio.run(ask())
        assert all(f"Say {n}" in answer for n, answer in enumerate(many))
        assert "Say more" in text
    assert "Say plain" in router.complete("Say plain").text


def test_plain_calls_from_several_threads(router):
    texts = {}

    def ask(n):
        texts[n] = router.complete(f"Say {n}").text

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"Say {n}" in text for n, text in texts.items())
    assert len(texts) == 6


def test_what_a_target_cannot_be_told_is_a_warning(servers):
    path = servers[2] / "providers.d" / "first.yaml"
    path.write_text(path.read_text() + "    wire: {reject: [temperature]}\n")
    with Router.load(servers[2], environment={}) as router:
        answer = router.complete("Say hello", temperature=0.5)
    assert len(answer.warnings) == 1
    assert "temperature" in answer.warnings[0]
    assert "temperature" not in servers[0].inferences[-1].body


def test_attempts_are_reported_as_they_happen(router, servers):
    servers[0].script(Fault.status(500), times=None)
    seen = []
    router.complete("Say hello", on_attempt=lambda attempt: seen.append(attempt.target))
    assert seen == ["first/m", "second/m"]


def test_waits_are_reported_as_they_begin(router, servers):
    servers[0].script(Fault.status(429, retry_after=0.05))
    asked = {"prompt": "Say hello", "target": "first/m"}
    waits = []
    router.complete(**asked, on_wait=waits.append)
    servers[0].script(Fault.status(429, retry_after=0.05))
    "".join(chunk.text or "" for chunk in router.stream(**asked, on_wait=waits.append))
    assert [(item.target, item.reason) for item in waits] == [
        ("first/m", "the provider answered 429")
    ] * 2


def test_measured_latency_reaches_the_next_decision(router, servers):
    servers[0].pace(Pace(first_token=0.2))
    router.complete("Say hello")
    live = router.policy().decide("x", router.targets).ranking  # priors only
    assert live[0].target.id == "first/m"
    measured = router._live.of(router.catalog.target("first/m"))
    # a prior of 0.5 s counting 5, and one call of at least 0.2 s
    assert measured.measured
    assert (5 * 0.5 + 0.2) / 6 <= measured.first_token < (5 * 0.5 + 0.5) / 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "balnced"}, 'did you mean "balanced"'),
        ({"target": "frist/m"}, 'did you mean "first/m"'),
        ({"temprature": 1}, 'did you mean "temperature"'),
        ({"route": {"onyl": ["first"]}}, 'did you mean "only"'),
        ({"max_tokens": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(router, options, message):
    with pytest.raises(UsageError, match=message):
        router.complete("x", **options)
    with pytest.raises(UsageError):
        router.decide([{"role": "robot", "content": "x"}])


def test_declared_inputs_are_enforced(servers):
    folder = servers[2]
    (folder / "llmroute.yaml").write_text(
        "inputs:\n  privacy: {enum: [private, public], default: public}\n"
        "require:\n"
        "  - {name: stay, when: request.metadata.privacy == 'private', target: \"`false`\"}\n"
    )
    with Router.load(folder, environment={}) as router:
        assert router.complete("x").target == "first/m"
        with pytest.raises(NoEligibleTarget, match="does not hold"):
            router.complete("x", metadata={"privacy": "private"})
        with pytest.raises(UsageError, match='did you mean "privacy"'):
            router.complete("x", metadata={"privcy": "private"})
        with pytest.raises(UsageError, match='did you mean "private"'):
            router.complete("x", metadata={"privacy": "privat"})


def test_every_finding_of_every_file_is_raised_at_once(servers):
    folder = servers[2]
    (folder / "policies" / "bad.yaml").write_text(
        "policy: bad\nrules:\n  - {name: r, weight: 1, prefer: target.localty}\n"
    )
    (folder / "providers.d" / "worse.yaml").write_text("provider: worse\nlocality: here\n")
    with pytest.raises(ConfigError) as caught:
        Router.load(folder, environment={})
    text = str(caught.value)
    assert "policies/bad.yaml:3:41" in text
    assert "worse.yaml:2:11" in text
    assert 'did you mean "locality"?' in text


def test_a_missing_workspace_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such workspace"):
        Router.load(tmp_path / "nowhere")
