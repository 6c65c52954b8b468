"""What is certain only while estimates do not change is not proved where they learn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmroute.catalog.build import Catalog
from llmroute.lab.domain.domain import LEARNING, Domain
from llmroute.lab.proving.prove import World, prove_claim, prove_equivalent, prove_reachable
from llmroute.policy.source import PolicySource, Require, Rule, Select
from tests.build import target
from tests.policy.strategies import NOON

LEARN = {"estimates": {"learn": True}}
PLAIN = PolicySource("p")
#: $2 a million: 500 tokens cost $0.001.
FLEET = (target("a/m", price=(0, 2), context_window=8_000), target("a/n", price=(0, 2)))


def world(*targets, settings):
    providers = {t.provider.name: t.provider for t in targets}
    catalog = Catalog(providers, targets, {}, {name: {} for name in providers})
    return World(catalog, settings, NOON)


@pytest.mark.parametrize(
    "claim",
    [
        "estimate.tokens_out > `500`",
        "estimate.tokens_out == `2048`",
        "estimate.cost > `0.002`",
        "target.locality == 'cloud' && estimate.cost > `0.002`",
    ],
)
def test_no_answer_is_limited_by_what_the_file_makes_expect(claim):
    """They hold for no request while 500 tokens are expected, and for some once more are."""
    still, learning = (world(*FLEET, settings=settings) for settings in ({}, LEARN))
    assert prove_claim(PLAIN, "never", claim, still).outcome == "proved"
    proof = prove_claim(PLAIN, "never", claim, learning)
    assert proof.outcome == "undecided"
    assert LEARNING in proof.why


@pytest.mark.parametrize(
    "claim",
    [
        "request.metadata.privacy == 'private' && target.locality != 'local'",
        "estimate.tokens_in > `9000` && target.id == 'a/m'",
    ],
)
def test_what_does_not_depend_on_the_length_of_answers_is_proved_as_before(claim):
    require = Require("q", "target.locality == 'local'", "request.metadata.privacy == 'private'")
    source = replace(PLAIN, require=(require,))
    for settings in ({}, LEARN):
        proof = prove_claim(source, "never", claim, world(*FLEET, settings=settings))
        assert proof.outcome == "proved"


def test_a_tie_that_is_broken_by_cost_may_turn_once_answers_are_counted():
    """Both have the same points for every request; the cheaper one is first, for now."""
    cheap, dear = target("a/cheap", price=(1, 1)), target("a/dear", price=(2, 2))
    one = PolicySource("p", select=Select(tie_break=("cost", "target")))
    other = replace(one, name="q", select=Select(tie_break=("target",)))
    for settings, exact in (({}, True), (LEARN, False)):
        domain = Domain.of([one], (cheap, dear), settings, now=NOON)
        assert (LEARNING not in domain.why_not) is exact
    assert LEARNING not in Domain.of([other], (cheap, dear), LEARN, now=NOON).why_not
    still, learning = (world(cheap, dear, settings=settings) for settings in ({}, LEARN))
    assert prove_equivalent(one, other, still).outcome == "proved"
    assert prove_equivalent(one, other, learning).outcome == "undecided"


def test_a_rule_over_the_length_of_answers_decides_nothing_for_good():
    rules = (Rule("brief", 10_000, "estimate.tokens_out <= `500` && target.id == 'a/m'"),)
    source = PolicySource("p", rules=rules, select=Select(tie_break=("target",)))
    pair = (FLEET[0], target("a/n", context_window=8_000))
    still, learning = (world(*pair, settings=settings) for settings in ({}, LEARN))
    assert prove_reachable(source, "a/n", still).outcome == "refuted"
    assert prove_reachable(source, "a/n", learning).outcome == "undecided"
