"""No way around a requirement: each case here once let a private prompt out, or might have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmroute import ConfigError, NoEligibleTarget, Router, load_policy
from llmroute.sim import Sim

PRIVATE = {"privacy": "private"}
SETTINGS = """\
inputs:
  privacy: {enum: [private, public], default: public}
  labels: {}
require:
  - name: private stays local
    when: request.metadata.privacy == 'private'
    target: target.locality == 'local'
"""
CLOUD = """\
provider: cloud
locality: cloud
endpoint: {transport: http, protocol: openai-chat, base_url: https://203.0.113.1/v1}
models:
  - {model: m, capabilities: {streaming: true}, cost: {input: 1, output: 1}}
"""
POLICY = "policy: balanced\nrules:\n  - {name: cheap, weight: 1, prefer: price}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "llmroute.yaml", SETTINGS)
    write(tmp_path, "providers.d/cloud.yaml", CLOUD)
    write(tmp_path, "policies/balanced.yaml", POLICY)
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def load(folder: Path) -> Router:
    return Router.load(folder, environment={})


def test_a_policy_loaded_elsewhere_is_bound_by_the_workspace(folder, tmp_path_factory):
    path = write(tmp_path_factory.mktemp("own"), "own.yaml", POLICY.replace("balanced", "own"))
    with load(folder) as router:
        own = load_policy(path)
        for _ in range(2):
            assert not router.decide("x", policy=own, metadata=PRIVATE).ranking
            assert len(router.decide("x", policy=own).ranking) == 1
        assert router.policy(own) is router.policy(own)


@pytest.mark.parametrize("place", ["    locality: local\n", None])
def test_a_model_of_a_cloud_provider_cannot_call_itself_local(place, folder):
    text = CLOUD.replace("  - {model: m,", "  - {model: m, locality: local,")
    if place is None:
        text = CLOUD + "defaults: {locality: local}\n"
    write(folder, "providers.d/cloud.yaml", text)
    with pytest.raises(ConfigError, match="locality"):
        load(folder)


def test_litellm_without_an_address_cannot_be_local(folder):
    text = CLOUD.replace("locality: cloud", "locality: local")
    text = text.replace("transport: http", "transport: litellm, model_prefix: openai/")
    write(folder, "providers.d/cloud.yaml", text.replace(", base_url: https://203.0.113.1/v1", ""))
    with pytest.raises(ConfigError, match="base_url"):
        load(folder)


def test_a_declared_model_that_runs_elsewhere_is_cloud_whatever_else_is_said(folder):
    home = """\
provider: home
locality: local
endpoint: {transport: http, protocol: ollama-chat, base_url: http://127.0.0.1:9}
discover: {dialect: ollama}
models:
  - {model: big, upstream: "gpt-oss:120b-cloud", capabilities: {streaming: true}}
"""
    write(folder, "providers.d/home.yaml", home)
    with load(folder) as router:
        found = [{"model": "gpt-oss:120b-cloud", "locality": "cloud"}]
        catalog = router.catalog.with_discovered("home", found)
        assert catalog.target("home/big").locality == "cloud"


def test_a_name_under_let_that_fails_takes_the_requirement_with_it(folder):
    policy = """\
policy: balanced
let: {secret: "contains(request.metadata.labels, 'private')"}
require:
  - {name: home, when: secret, target: target.locality == 'local'}
rules:
  - {name: never, when: "!secret", weight: 5, prefer: "`1`"}
"""
    write(folder, "policies/balanced.yaml", policy)
    with load(folder) as router:
        # without labels contains() cannot be evaluated: the requirement binds, the rule is false
        assert not router.decide("x").ranking
        public = router.decide("x", metadata={"labels": ["public"]})
        assert [r.score for r in public.ranking] == [5_000_000]


def test_a_name_that_an_inherited_requirement_reads_cannot_be_redefined(folder):
    write(
        folder,
        "policies/base.yaml",
        "policy: base\nlet: {secret: request.metadata.privacy == 'private'}\n"
        "require:\n  - {name: home, when: secret, target: target.locality == 'local'}\n",
    )
    write(folder, "policies/child.yaml", 'policy: child\nextends: base\nlet: {secret: "`false`"}\n')
    with pytest.raises(ConfigError, match="already defined"):
        load(folder)
    with pytest.raises(ConfigError, match="already defined"):
        load_policy(folder / "policies" / "child.yaml")


def test_one_text_is_a_list_of_one_and_not_its_letters(folder):
    write(
        folder,
        "providers.d/cloud_two.yaml",
        CLOUD.replace("provider: cloud", "provider: cloud_two"),
    )
    with load(folder) as router:
        only = router.decide("x", route={"only": "cloud_two"})
        assert [t.id for t in only.targets] == ["cloud_two/m"]
        assert router.request("x", tags="private").tags == ("private",)


OLLAMA = """\
provider: home
locality: local
endpoint: {{transport: http, protocol: ollama-chat, base_url: "{url}"}}
discover: {{dialect: ollama}}
defaults: {{capabilities: {{streaming: true}}, cost: {{input: 0, output: 0}}}}
models:
  - {{model: big, upstream: "gpt-oss:120b-cloud"}}
"""


def test_nobody_is_asked_before_the_server_has_said_what_runs_elsewhere(folder):
    with Sim("ollama") as server:
        write(folder, "providers.d/home.yaml", OLLAMA.format(url=server.url))
        with load(folder) as router:

            async def ask():
                asked = (router.acomplete("x", target="home/big", metadata=PRIVATE) for _ in "abc")
                return await asyncio.gather(*asked, return_exceptions=True)

            assert {type(answer) for answer in asyncio.run(ask())} == {NoEligibleTarget}
        assert server.inferences == []


def test_a_first_request_that_is_cancelled_leaves_the_asking_to_the_next(folder):
    with Sim("ollama") as server:
        write(folder, "providers.d/home.yaml", OLLAMA.format(url=server.url))
        with load(folder) as router:

            async def ask():
                first = asyncio.create_task(router.acomplete("x", metadata=PRIVATE))
                await asyncio.sleep(0)
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
                with pytest.raises(NoEligibleTarget):
                    await router.acomplete("x", target="home/big", metadata=PRIVATE)

            asyncio.run(ask())
        assert server.inferences == []
