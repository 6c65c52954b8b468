"""What goes wrong at the edges: odd values, odd servers, closing twice, waiting too long."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time

import pytest

from llmroute import RouteFailed, Router, UsageError
from llmroute.sim import Answer, Fault, Sim

PROVIDER = """\
provider: {name}
locality: local
endpoint: {{transport: http, protocol: openai-chat, base_url: "{url}/v1"}}
models:
  - model: m
    upstream: qwen/qwen3-coder-30b
    context_window: 32000
    max_output: 1000
    capabilities: {{streaming: {streaming}, json_schema: true}}
    cost: {{input: {price}, output: 10{more}}}
"""
POLICY = "policy: balanced\nrules:\n  - {name: cheap, weight: 1, prefer: price}\n"


@pytest.fixture
def server():
    with Sim("lm_studio") as made:
        yield made


@pytest.fixture
def write(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)

    def provider(name, url, *, streaming="true", price=1, more=""):
        text = PROVIDER.format(name=name, url=url, streaming=streaming, price=price, more=more)
        (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)
        return tmp_path

    return provider


@pytest.fixture
def router(server, write):
    with Router.load(write("one", server.url), environment={}) as made:
        yield made


def in_flight(router):
    return router._live.of(router.catalog.target("one/m")).in_flight


@pytest.mark.parametrize(
    "fields", [{"seed": {1}}, {"temperature": float("nan")}, {"max_tokens": 1.5}, {"tools": "x"}]
)
def test_values_of_the_wrong_type_are_usage_errors_before_any_call(fields, router, server):
    with pytest.raises(UsageError):
        router.complete("x", **fields)
    assert server.requests == []


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"model": "m"}, 'did you mean "target"?'),
        ({"polcy": "balanced"}, 'did you mean "policy"?'),
        ({"tmeperature": 1}, 'did you mean "temperature"?'),
        ({"zzz": 1}, "known: input_tokens, max_tokens, metadata, on_attempt, on_wait, "),
    ],
)
def test_an_unknown_option_is_refused_with_the_one_that_was_meant(fields, hint, router, server):
    for call in (router.complete, router.decide, lambda *a, **k: next(router.stream(*a, **k))):
        with pytest.raises(UsageError) as caught:
            call("x", **fields)
        assert str(caught.value).startswith(f'unknown request field "{next(iter(fields))}"; {hint}')
    assert server.requests == []


def test_a_decision_is_shown_by_its_policy_and_winner(router):
    assert repr(router.decide("x")) == "<Decision of balanced: one/m>"
    nobody = router.decide("x", route={"ignore": ["one"]})
    assert repr(nobody) == "<Decision of balanced: no target is eligible>"


def test_what_json_cannot_hold_is_the_callers_mistake_and_leaves_nothing_in_flight(router):
    for prompt in ("lone \udcff surrogate", [{"role": "user", "content": "x", "name": {1}}]):
        with pytest.raises(RouteFailed) as caught:
            router.complete(prompt)
        assert caught.value.attempts[0].outcome == "invalid_request"
    assert in_flight(router) == 0


ENDLESS: list = []
ENDLESS.append(ENDLESS)


def test_fields_that_nobody_reads_cost_no_answer(server, write):
    """Keys that are no text: the answer is paid for before anybody looks at them again."""
    folder = write("one", server.url)
    (folder / "llmroute.yaml").write_text("ledger: {path: ledger.db, prompts: true}\n")
    message = {"role": "user", "content": "hi", 1: 2}
    with Router.load(folder, environment={}) as router:
        for _ in range(2):
            assert router.complete([message]).text
        assert in_flight(router) == 0
        assert router.ledger.alarms == ()


@pytest.mark.parametrize("value", [ENDLESS, {(1, 2): 3}, {1, 2}])
def test_what_json_cannot_hold_is_no_traceback_in_whatever_field(value, server, write):
    folder = write("one", server.url)
    (folder / "llmroute.yaml").write_text("ledger: {path: ledger.db, prompts: true}\n")
    message = {"role": "user", "content": "hi", "name": value}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"x": value}}}
    with Router.load(folder, environment={}) as router:
        with pytest.raises(RouteFailed, match="cannot be written as JSON"):
            router.complete([message])
        with pytest.raises(UsageError, match="tools cannot be written as JSON"):
            router.decide("hi", tools=[tool])
        assert in_flight(router) == 0
        assert router.ledger.alarms == ()


def with_schema(schema):
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}


def test_a_schema_is_never_fetched_and_is_checked_before_any_call(router, server):
    for reference in (f"{server.url}/evil", "file:///etc/hostname"):
        with pytest.raises(UsageError, match="nothing is fetched"):
            router.complete("x", response_format=with_schema({"$ref": reference}))
    with pytest.raises(UsageError, match="JSON Schema"):
        router.complete("x", response_format=with_schema({"type": "nonsense"}))
    assert server.requests == []


def test_an_endlessly_nested_answer_is_malformed_and_no_crash(router, server):
    server.script(Answer(text="[" * 100_000), times=None)
    with pytest.raises(RouteFailed) as caught:
        router.complete("x", response_format=with_schema({"type": "array"}), timeout=60)
    assert {a.outcome for a in caught.value.attempts} == {"malformed"}
    assert in_flight(router) == 0


def test_a_wait_that_is_longer_than_the_deadline_is_not_begun(router, server):
    server.script(Fault.status(429, retry_after=86_400), times=None)
    with pytest.raises(RouteFailed, match="would have to be waited for 86400 s") as caught:
        router.complete("x", timeout=30)
    assert len(caught.value.attempts) == 1


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), "5s", [1], True])
def test_a_timeout_that_is_no_number_of_seconds_is_the_callers_mistake(
    timeout, streams, router, server
):
    with pytest.raises(UsageError, match=r"timeout is .*write a number of seconds, such as 30"):
        next(router.stream("x", timeout=timeout)) if streams else router.complete(
            "x", timeout=timeout
        )
    assert server.requests == []


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_is_no_call(timeout, router, server):
    with pytest.raises(RouteFailed, match="the deadline passed"):
        router.complete("x", timeout=timeout)
    assert server.requests == []


@pytest.mark.parametrize("streams", [False, True])
def test_a_server_that_does_not_list_its_models_takes_no_more_than_the_request_has(
    streams, server, write
):
    with Sim("ollama") as hangs:
        hangs.script(Fault.hang(), times=None, scope="discovery")
        folder = write("one", server.url)
        (folder / "providers.d" / "odd.yaml").write_text(
            "provider: odd\nlocality: local\ndiscover: {dialect: ollama}\n"
            f"endpoint: {{transport: http, protocol: ollama-chat, base_url: '{hangs.url}'}}\n"
        )
        with Router.load(folder, environment={}) as router:
            started = time.monotonic()
            with pytest.raises(RouteFailed, match="the deadline passed before anybody was asked"):
                next(router.stream("x", timeout=0.3)) if streams else router.complete(
                    "x", timeout=0.3
                )
            assert 0.3 <= time.monotonic() - started < 0.6


def test_each_target_is_waited_for_as_it_asked_itself(server, write):
    with Sim("lm_studio") as second:
        write("one", server.url)
        folder = write("two", second.url, price=2)
        server.script(Fault.status(500), times=1)
        second.script(Fault.status(429, retry_after=90), times=None)
        with Router.load(folder, environment={}) as router:
            answer = router.complete("x", timeout=20)
    assert [a.target for a in answer.attempts] == ["one/m", "two/m", "one/m"]


def test_a_hanging_target_that_cannot_stream_leaves_time_for_the_next(server, write):
    with Sim("lm_studio") as second:
        write("one", server.url, streaming="false")
        folder = write("two", second.url, price=2)
        server.script(Fault.hang(), times=None)
        with Router.load(folder, environment={}) as router:
            answer = router.complete("x", timeout=2)
    assert [a.outcome for a in answer.attempts] == ["timeout", "ok"]


def test_an_answer_in_one_piece_says_nothing_of_a_models_speed(server, write):
    with Router.load(write("one", server.url, streaming="false"), environment={}) as router:
        for _ in range(3):
            router.complete("Tell me a story")
        (seen,) = router.health()
    assert seen.observations > 2.9
    assert seen.tokens_per_second == 30.0  # the prior of a local model


def test_an_expired_price_costs_an_unknown_amount(server, write):
    folder = write("one", server.url, more=', valid_until: "2026-01-01"')
    with Router.load(folder, environment={}) as router:
        assert router.complete("x").cost is None


def test_usage_that_is_not_reported_is_estimated_and_marked(router, server):
    body = {
        "id": "x",
        "model": "qwen/qwen3-coder-30b",
        "choices": [{"message": {"content": "a" * 400}, "finish_reason": "stop"}],
    }
    server.script(Fault.body(json.dumps(body).encode()), times=None)
    answer = router.complete("x", input_tokens=50)
    # One word of 400 small letters: 400 × 0.06 + 0.712 = 24.712 tokens; (50 × $1 + 25 × $10) / 1M
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (50, 25, True)
    assert float(answer.cost) == pytest.approx(0.0003)


def test_a_router_is_closed_as_often_as_one_likes(router):
    router.complete("x")
    router.close()
    router.close()


def test_a_stream_that_outlives_its_router_says_so_and_closes_in_peace(router, recwarn):
    with router.stream("Tell me a long story") as stream:
        next(stream)
        router.close()
        with pytest.raises(UsageError, match="the router was closed meanwhile"):
            next(stream)
    assert [str(item.message) for item in recwarn] == []


def test_a_plain_call_inside_a_callback_is_refused_instead_of_waiting_for_itself(router):
    seen = []

    def callback(attempt):
        try:
            router.complete("again")
        except UsageError as exc:
            seen.append(str(exc))

    router.complete("x", on_attempt=callback)
    assert seen == ["a plain call inside a callback would wait for itself; use acomplete"]


FORK = """
import os, signal, sys
from llmroute import Router, UsageError
router = Router.load(sys.argv[1], environment={})
router.complete("x")
child = os.fork()
if child == 0:
    signal.alarm(20)
    for ask in (router.complete, lambda text: next(router.stream(text))):
        try:
            ask("x")
        except UsageError as exc:
            print(exc, flush=True)
    router.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
router.complete("x")
"""


def test_a_fork_of_a_process_whose_router_was_used_is_told_and_does_not_hang(server, write):
    folder = write("one", server.url)
    run = subprocess.run(
        [sys.executable, "-c", FORK, str(folder)], capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")
    told = "the router was used before this process was forked; load one in each process"
    assert run.stdout.count(told) == 2


def test_secrets_of_a_programs_environment_are_not_shown(tmp_path):
    canary = "sk-canary-0123456789"
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "providers.d" / "cli.yaml").write_text(
        "provider: cli\nlocality: cloud\n"
        "endpoint: {transport: process, protocol: claude-code, command: [nothing-there],"
        " pass_environment: [A_KEY]}\nmodels:\n  - {model: m}\n"
    )
    with Router.load(tmp_path, environment={"A_KEY": canary}) as router:
        target = router.targets[0]
        assert canary not in repr(target)
        assert canary not in repr(router.decide("x"))
        with pytest.raises(TypeError):
            pickle.dumps(target)


def test_a_listing_of_odd_types_is_that_providers_problem_alone(tmp_path, server):
    (tmp_path / "providers.d").mkdir()
    with Sim("ollama") as odd:
        listing = {"models": [{"name": ["not", "text"]}]}
        odd.script(Fault.body(json.dumps(listing).encode()), times=None, scope="discovery")
        (tmp_path / "providers.d" / "odd.yaml").write_text(
            "provider: odd\nlocality: local\ndiscover: {dialect: ollama}\n"
            f"endpoint: {{transport: http, protocol: ollama-chat, base_url: '{odd.url}'}}\n"
        )
        text = PROVIDER.format(name="one", url=server.url, streaming="true", price=1, more="")
        (tmp_path / "providers.d" / "one.yaml").write_text(text)
        with Router.load(tmp_path, environment={}) as router:
            assert router.complete("x").target == "one/m"
            assert "odd" in router.catalog.problems


def test_a_providers_error_text_cannot_command_a_terminal(router, server):
    body = json.dumps({"error": {"message": "\x1b[2Jevil\nllmroute: fake"}}).encode()
    server.script(Fault.body(body, code=400), times=None)
    with pytest.raises(RouteFailed) as caught:
        router.complete("x")
    assert caught.value.attempts[0].message == "[2Jevil llmroute: fake"
