"""Our charges beside litellm's and genai-prices', for every shipped model that both sides know.

A rival may differ only for a reason that `bench/costs.py` states, and then by exactly what the
reason makes of our own price. The reasons themselves stand below with figures worked out by hand.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest

from bench.costs import EXPLAINED, RIVALS, USAGES, VERSIONS, Compared, cases, compare

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture(scope="module", params=sorted(RIVALS))
def rival(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def table(rival: str) -> dict[tuple[str, str], Compared]:
    made = ((case, compare(case, rival)) for case in cases())
    return {(case.model, case.name): found for case, found in made if found}


def test_the_differences_are_explained_for_the_versions_that_are_pinned():
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    pinned = project["optional-dependencies"]["test"]
    assert {f"{rival}=={known}" for rival, known in VERSIONS.items()} <= set(pinned)


def test_the_rivals_are_of_the_versions_that_are_pinned(rival):
    assert version(rival) == VERSIONS[rival], "run: pip install -e '.[all,test]'"


def test_every_figure_agrees_or_differs_for_a_stated_reason(table):
    wrong = [item for item in table.values() if item.outcome == "unexplained"]
    assert [(i.case.model, i.case.name, i.ours, i.theirs) for i in wrong] == []
    assert {name for _, name in table} == set(USAGES)


def test_plain_cached_written_and_long_prompts_agree_but_for_the_promotion_that_ended(table):
    same = ("plain", "nothing", "one token", "no output", "cached", "all cached", "written")
    same += ("read and written", "reasoning", "above 100,000", "cached above 100,000")
    same += ("up to 272,000", "above 272,000", "cached above 272,000")
    differing = {model for (model, name), i in table.items() if name in same and i.reasons}
    assert differing == {"gpt-5.6-sol"}


def test_each_reason_still_explains_something(rival, table):
    used = {reason.why for item in table.values() for reason in item.reasons}
    assert used == {reason.why for reason in EXPLAINED if rival in reason.rivals}


def test_unknown_models_are_the_known_ones(rival, table):
    unknown = {case.model for case in cases()} - {model for model, _ in table}
    only_litellm = {"claude-fable-5-2"} if rival == "litellm" else set()
    assert unknown == {"gpt-6.2-astra", "gpt-6.2-sol"} | only_litellm


#: Model, usage, ours, litellm's, genai-prices'; by hand from the vendors' prices, in USD.
BY_HAND = [
    # 1,000 × $1 + 500 × $5, per million
    ("claude-haiku-4-5", "plain", "0.0035", "0.0035", "0.0035"),
    # 9,000 × $0.10 + 1,000 × $2 + 300 × $10
    ("gpt-6.1-sol", "cached", "0.0059", "0.0059", "0.0059"),
    # 4,000 × $4 + 6,000 × $8 + 300 × $20
    ("claude-opus-5-5", "written for long", "0.07", "0.07", "0.07"),
    # a cliff: 100,001 × $0.50 + 1,000 × $2.50, where 100,000 cost a fifth
    ("claude-haiku-5-5", "above 100,000", "0.0525005", "0.0525005", "0.0525005"),
    ("claude-haiku-5-5", "up to 100,000", "0.0105", "0.0105", "0.0105"),
    # reasoning is inside the output: 1,000 × $2 + 5,000 × $10
    ("claude-sonnet-5-5", "reasoning", "0.052", "0.052", "0.052"),
    # the list price $5/$30 against the promotion's $4/$20
    ("gpt-5.6-sol", "plain", "0.02", "0.014", "0.014"),
    # 4,000 × $2 + 6,000 × $5 + 300 × $10; theirs: a write costs $2.50
    ("gpt-6-sol", "written for long", "0.041", "0.026", "0.026"),
    # half of 8,000 × $0.75 + 2,000 × $0.075 + 500 × $4.50; litellm: not halved
    ("gpt-5.4-mini", "batch", "0.0042", "0.0084", "0.0042"),
    # six times 8,000 × $2 + 2,000 × $0.10 + 500 × $10; genai-prices: once
    ("gpt-6.1-sol", "ultrafast", "0.1272", "0.1272", "0.0212"),
    # 2.5 times (291,000 × $10 + 9,000 × $1 + 1,000 × $45); litellm: once; genai-prices:
    # 2.5 times (291,000 × $5 + 9,000 × $0.50 + 1,000 × $30)
    ("gpt-5.5", "priority above 272,000", "7.41", "2.964", "3.72375"),
    # 1.1 × 2 × (8,000 × $4 + 2,000 × $0.20 + 500 × $20); genai-prices: without the 1.1
    ("claude-opus-5-5", "fast in the US", "0.09328", "0.09328", "0.0848"),
    # nobody publishes a priority price for nano, nor a fast one for Sonnet
    ("gpt-5.4-nano", "priority", None, "0.002265", "0.002265"),
    ("claude-sonnet-5-5", "fast", None, "0.0212", "0.0212"),
]


@pytest.mark.parametrize(("model", "name", "ours", "litellm", "genai"), BY_HAND)
def test_figures_worked_out_by_hand(rival, table, model, name, ours, litellm, genai):
    found = table[model, name]
    assert found.ours == (None if ours is None else Decimal(ours))
    theirs = {"litellm": litellm, "genai-prices": genai}[rival]
    assert abs(found.theirs - Decimal(theirs)) < Decimal("1e-9")
