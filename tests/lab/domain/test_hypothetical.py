from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
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


def test_what_anthropics_list_does_not_say_is_as_declared(tmp_path: Path):
    found = imagined(tmp_path, "target.capabilities", d="anthropic")
    able = [view["capabilities"] for view in found]
    # Streaming is on by default; tools come with the kind of listing, or are not told.
    assert {one["streaming"] for one in able} == {True}
    told = {tuple(one[n] for n in ("tools", "vision", "pdf", "json_schema")) for one in able}
    assert told == set(product((True, False), repeat=4))
    assert {one["prefill"] for one in able} == {False}


def test_limits_are_the_largest_of_each_class_and_unknown(tmp_path: Path):
    text = "target.max_output > `1000` && target.max_output < `5000`"
    found = imagined(tmp_path, text, d="anthropic")
    assert {view["max_output"] for view in found} == {100_000_000, None, 999, 1000, 4999, 5000}
    assert {view["context_window"] for view in found} == {100_000_000}


@pytest.mark.parametrize("dialect", ["anthropic", "lm-studio", "ollama"])
def test_a_window_between_two_bounds_may_be_the_largest_there(tmp_path: Path, dialect: str):
    world = World(router(tmp_path, d=dialect).catalog, {}, NOW)
    text = "target.context_window > `1000` && target.context_window < `90000`"
    long, longer = (f"{text} && facts.tokens > `{size}`" for size in (5_000, 89_999))
    assert prove_claim(PolicySource("p"), "never", long, world).outcome == "refuted"
    assert prove_claim(PolicySource("p"), "never", longer, world).outcome == "proved"


@pytest.mark.parametrize(
    ("body", "covered"),
    [
        ("", False),
        ("defaults: {capabilities: {streaming: true}}", True),
        ("defaults: {max_output: 9000, cost: {input: 1, output: 5}}", False),
        ("models: [{model: mine, max_output: 9000, cost: {input: 1, output: 5}}]", True),
        ("models: [{model: mine, cost: {input: 1, output: 5}}]", False),
    ],
)
def test_the_most_that_an_answer_costs_is_open_where_max_output_is(
    tmp_path: Path, body: str, covered: bool
):
    text = PROVIDER.replace("NAME", "d").replace("DIALECT", "anthropic")
    text = text.partition("defaults")[0] + body if body else text
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "providers.d" / "d.yaml").write_text(text)
    catalog = Router.load(tmp_path, environment={}).catalog
    for read, known in (("estimate.cost_max", covered), ("estimate.cost", True)):
        uses = collect_uses([Expression(f"{read} < `0.5`")], {})
        assert (imagine(catalog, uses).why_not == ()) == known


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
