"""Reading a workspace again while a router serves."""

from __future__ import annotations

import asyncio
import threading

import pytest

from llmroute import ConfigError, NoEligibleTarget, Router, UsageError
from llmroute.catalog.model import Endpoint, Provider
from llmroute.sim import Fault, Pace, Sim
from tests.build import target as built
from tests.test_router import POLICY, PROVIDER

LOCAL = """\
provider: {name}
locality: local
endpoint: {{transport: http, protocol: ollama-chat, base_url: "{url}"}}
discover: {{interval: {interval}}}
"""


class Bench:
    """A workspace folder with two servers behind it; the first one is cheaper."""

    def __init__(self, root, first, second):
        self.root, self.first, self.second = root, first, second
        (root / "policies").mkdir()
        (root / "providers.d").mkdir()
        self.policy(POLICY)
        self.provider("first", first, 1)
        self.provider("second", second, 2)

    def policy(self, text, name="balanced"):
        (self.root / "policies" / f"{name}.yaml").write_text(text)

    def provider(self, name, server, price):
        text = PROVIDER.format(name=name, url=server.url, price=price)
        (self.root / "providers.d" / f"{name}.yaml").write_text(text)


@pytest.fixture
def bench(tmp_path):
    with Sim("lm_studio") as first, Sim("lm_studio") as second:
        yield Bench(tmp_path, first, second)


@pytest.fixture
def router(bench):
    with Router.load(bench.root, environment={}) as made:
        yield made


def test_a_reload_takes_prices_policies_and_settings_over(router, bench):
    before = router.workspace.fingerprint
    assert router.complete("x").target == "first/m"
    bench.provider("first", bench.first, 3)
    bench.policy(POLICY.replace("balanced", "other"), "other")
    (bench.root / "llmroute.yaml").write_text(
        "default_policy: other\naliases: {usual: policy/other}\n"
    )
    router.reload()
    answer = router.complete("x")
    assert (answer.target, answer.decision.policy) == ("second/m", "other")
    assert router.decide("x", policy="usual").policy == "other"
    assert router.policies == ("balanced", "other")
    assert answer.decision.fingerprint == router.workspace.fingerprint != before


def test_inputs_requirements_and_zone_are_those_of_the_new_files(router, bench):
    assert router.decide("x", metadata={"anything": 1}).winner
    (bench.root / "llmroute.yaml").write_text(
        "timezone: Asia/Tokyo\ninputs: {privacy: {enum: [open, shut], default: open}}\n"
        "require: [{name: shut, when: request.metadata.privacy == 'shut', target: '`false`'}]\n"
    )
    router.reload()
    with pytest.raises(UsageError):
        router.decide("x", metadata={"anything": 1})
    with pytest.raises(NoEligibleTarget):
        router.complete("x", metadata={"privacy": "shut"})
    assert router._now().utcoffset().total_seconds() == 9 * 3600


def test_a_policy_from_before_a_reload_has_each_requirement_once(router, bench):
    text = "require: [{name: a, target: target.locality == 'local'}]\n"
    (bench.root / "llmroute.yaml").write_text(text)
    router.reload()
    before = router.policy()
    (bench.root / "llmroute.yaml").write_text(text.replace("}]", "}, {name: b, target: '`true`'}]"))
    router.reload()
    names = [item.name for item in router.decide("x", policy=before).source.require]
    assert names == ["a", "b"]


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("providers.d/first.yaml", "provider: first\nlocality: near\n", "providers.d/first.yaml:2"),
        (
            "policies/balanced.yaml",
            "policy: balanced\nrules:\n  - {name: r, weight: 1, prefer: target.pric}\n",
            "policies/balanced.yaml:3:41",
        ),
        ("llmroute.yaml", "default_policy: nobody\n", "llmroute.yaml:1"),
        ("policies/torn.yaml", "policy: torn\nrules:\n  - {name: r,", "policies/torn.yaml:4"),
    ],
)
def test_a_broken_file_keeps_the_old_files_serving(file, text, place, router, bench):  # row 81
    before = router.workspace
    bench.provider("second", bench.second, 0.5)  # a good change beside the broken one
    (bench.root / file).write_text(text)
    with pytest.raises(ConfigError) as caught:
        router.reload()
    assert place in str(caught.value)
    assert router.workspace is before
    assert router.complete("x").target == "first/m"
    (bench.root / file).unlink()
    if file.endswith(("first.yaml", "balanced.yaml")):
        bench.policy(POLICY)
        bench.provider("first", bench.first, 1)
    router.reload()
    assert router.complete("x").target == "second/m"


def test_a_request_under_way_ends_by_the_files_it_began_with(router, bench):  # row 82
    bench.first.script(Fault.status(500), times=1)
    bench.first.pace(Pace(tokens_per_second=20))
    bench.second.pace(Pace(first_token=0.3))
    seen = []

    def swap(attempt):  # between the first call and its fallback
        seen.append(attempt.target)
        if len(seen) == 1:
            (bench.root / "providers.d" / "second.yaml").unlink()
            router.reload()

    answer = router.complete("Say hello", on_attempt=swap)
    assert seen == ["first/m", "second/m"]
    assert answer.target == "second/m"
    assert [target.id for target in router.targets] == ["first/m"]
    assert router.complete("Say it again").target == "first/m"


def test_a_stream_goes_on_over_a_reload(router, bench):
    bench.first.pace(Pace(tokens_per_second=50))
    with router.stream("Say hello to everybody in the house") as stream:
        text = next(stream).text
        (bench.root / "providers.d" / "first.yaml").unlink()
        router.reload()
        text += "".join(chunk.text for chunk in stream)
    assert "Say hello to everybody in the house" in text
    assert stream.response.target == "first/m"
    assert router.complete("x").target == "second/m"


def test_measurements_and_open_circuits_stay_with_targets_that_stay(router, bench):
    bench.first.kill()
    router.complete("x")
    live = router._live.of(router.catalog.target("first/m"))
    bench.provider("second", bench.second, 3)
    router.reload()
    kept = router._live.of(router.catalog.target("first/m"))
    assert kept.measured
    assert kept.success == live.success < 0.98
    assert router.decide("x").winner.id == "second/m"
    assert [item.target.id for item, _ in router.decide("x").benched] == ["first/m"]


def test_an_endpoint_that_was_corrected_is_called_at_once(router, bench):
    bench.first.kill()
    assert router.complete("x").target == "second/m"
    assert router.decide("x").benched
    with Sim("lm_studio") as elsewhere:
        bench.provider("first", elsewhere, 1)
        router.reload()
        assert router.complete("x").target == "first/m"


def test_a_key_that_was_replaced_is_tried_at_once(bench, tmp_path):
    secret = tmp_path / "key"
    secret.write_text("old")
    secret.chmod(0o600)
    with Sim("openai", key="new") as strict:
        text = PROVIDER.format(name="first", url=strict.url, price=1)
        text = text.replace("/v1\n", "/v1\n  auth: {bearer: 'file:key'}\n").replace(
            "qwen/qwen3-coder-30b", "gpt-6-luna"
        )
        (bench.root / "providers.d" / "first.yaml").write_text(text)
        with Router.load(bench.root, environment={}) as router:
            assert [a.outcome for a in router.complete("x").attempts] == ["auth", "ok"]
            assert router.complete("x").target == "second/m"
            secret.write_text("new")
            router.reload()
            assert router.complete("x").target == "first/m"


def test_listed_models_are_kept_and_a_server_that_moved_is_asked_again(bench):
    with Sim("ollama", models=["one"]) as ollama, Sim("ollama", models=["two"]) as other:
        path = bench.root / "providers.d" / "first.yaml"
        path.write_text(LOCAL.format(name="first", url=ollama.url, interval="1h"))
        with Router.load(bench.root, environment={}) as router:
            router.complete("x")
            asked = len(ollama.requests)
            bench.provider("second", bench.second, 4)
            router.reload()
            assert "first/one" in [target.id for target in router.targets]
            router.complete("x")
            listings = [r for r in ollama.requests[asked:] if r.path != "/api/chat"]
            assert listings == []
            path.write_text(LOCAL.format(name="first", url=other.url, interval="1h"))
            router.reload()
            assert router.complete("x", target="first").target == "first/two"
            path.unlink()
            router.reload()
            assert [target.id for target in router.targets] == ["second/m"]


class _Nowhere:
    async def open(self, call):
        raise AssertionError("nobody calls this")

    async def aclose(self):
        pass


def test_providers_made_in_python_stay_and_no_file_may_take_their_name(router, bench):
    own = Provider("own", "local", Endpoint("mine", "openai-chat"))
    router.add_provider(own, [built("own/m", provider=own)], _Nowhere())
    router.reload()
    assert "own/m" in [target.id for target in router.targets]
    bench.provider("own", bench.second, 1)
    with pytest.raises(UsageError, match='already a provider "own"'):
        router.reload()
    assert router.catalog.providers["own"] is own


def test_learning_follows_the_settings(router, bench):
    assert not router._live._learns
    (bench.root / "llmroute.yaml").write_text("estimates: {learn: true}\n")
    router.reload()
    assert router._live._learns


def test_requests_from_several_threads_never_see_half_of_a_change(router, bench):
    """Prices and policy change together; mixed, the winner would be `first`."""
    cheap, dear = "prefer: price", "weight: -1, prefer: price"
    stop, winners = threading.Event(), set()

    def decide():
        while not stop.is_set():
            winners.add(router.decide("x").winner.id)

    threads = [threading.Thread(target=decide) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(6):
        swapped = turn % 2 == 0
        policy = POLICY.replace(f"weight: 1, {cheap}", dear) if swapped else POLICY
        bench.policy(policy)
        bench.provider("first", bench.first, 3 if swapped else 1)
        router.reload()
    stop.set()
    for thread in threads:
        thread.join()
    assert winners == {"first/m"}


def test_a_reload_from_a_running_loop_in_a_thread(router, bench):
    async def work():
        call = asyncio.create_task(router.acomplete("x"))
        await asyncio.to_thread(router.reload)
        return (await call).target

    assert asyncio.run(work()) == "first/m"
