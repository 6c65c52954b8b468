from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmroute import Router
from llmroute.lab.domain.hypothetical import imagine
from llmroute.lab.domain.uses import collect_uses
from llmroute.lab.proving.prove import World, prove_claim
from llmroute.policy.expressions.expression import Expression
from llmroute.policy.source import PolicySource, Require

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROVIDER = """\
provider: NAME
locality: local
endpoint: {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:9/v1", auth: none}
discover: {dialect: DIALECT}
defaults: {capabilities: {streaming: true}, cost: {input: 0, output: 0}}
"""
DECLARED = """\
models:
  - {model: mine, upstream: big}
"""


def router(root: Path, **dialects: str) -> Router:
    (root / "providers.d").mkdir()
    for name, said in dialects.items():
        text = PROVIDER.replace("NAME", name).replace("DIALECT", said.split()[0])
        text += DECLARED if "declared" in said else ""
        (root / "providers.d" / f"{name}.yaml").write_text(text)
    return Router.load(root, environment={})


def imagined(root: Path, text: str, **dialects: str) -> list[dict[str, object]]:
    uses = collect_uses([Expression(text)], {})
    made = imagine(router(root, **dialects).catalog, uses)
    assert made.why_not == ()
    return [model.target.view for model in made.models]


def test_only_ollama_tells_of_models_that_run_elsewhere(tmp_path: Path):
    found = imagined(tmp_path, "target.locality == 'x'", a="ollama", b="lm-studio", c="openai")
    where = [(view["provider"], view["locality"]) for view in found]
    assert where == [("a", "local"), ("a", "cloud"), ("b", "local"), ("c", "local")]


def test_a_model_that_runs_elsewhere_has_no_price(tmp_path: Path):
    found = imagined(tmp_path, "target.cost.input", a="ollama")
    assert [bool(view["cost"]) for view in found] == [True, False]


def test_capabilities_that_are_read_are_on_and_off(tmp_path: Path):
    found = imagined(tmp_path, "target.capabilities.tools", b="lm-studio")
    assert [view["capabilities"]["tools"] for view in found] == [True, False]
    assert all(view["capabilities"]["vision"] for view in found)


def test_a_plain_listing_sets_nothing_but_names(tmp_path: Path):
    found = imagined(tmp_path, "target.capabilities.tools", c="openai")
    assert [view["capabilities"]["tools"] for view in found] == [False]


def test_names_are_those_that_are_asked_for_and_others(tmp_path: Path):
    text = "starts_with(target.model, 'llama') || target.id == 'c/phi' || target.id == 'd/x'"
    models = {view["model"] for view in imagined(tmp_path, text, c="openai")}
    assert {"llama", "phi", "any-model"} <= models
    assert "x" not in models


def test_a_declared_model_may_be_listed_with_other_fields(tmp_path: Path):
    found = imagined(tmp_path, "target.locality == 'local'", a="ollama declared")
    mine = [view["locality"] for view in found if view["model"] == "mine"]
    assert mine == ["local", "cloud"]


@pytest.mark.parametrize("local", [True, False])
def test_a_declared_local_model_may_turn_out_to_run_elsewhere(tmp_path: Path, local: bool):
    made = router(tmp_path, a="ollama declared")
    require = (Require("q", "target.locality == 'local'"),) if local else ()
    world = World(made.catalog, {}, NOW)
    text = "target.model == 'mine' && target.locality == 'cloud'"
    proof = prove_claim(PolicySource("p", require=require), "never", text, world)
    assert proof.outcome == ("proved" if local else "refuted")
    if proof.example is not None:
        assert proof.example.listing is not None
        assert proof.example.listing["model"] == "big"


def test_a_field_that_is_used_freely_is_not_covered(tmp_path: Path):
    uses = collect_uses([Expression("abs(target.parameters) > `3`")], {})
    assert imagine(router(tmp_path, b="lm-studio").catalog, uses).why_not


def test_names_that_cannot_be_listed_in_full_are_not_covered(tmp_path: Path):
    catalog = router(tmp_path, here="openai").catalog
    for text in ("contains('llama3 mistral', target.model)", "length(target.model) > `100`"):
        assert imagine(catalog, collect_uses([Expression(text)], {})).why_not
