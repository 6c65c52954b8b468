"""An explanation shows what earlier answers changed about an estimate, where they did."""

from __future__ import annotations

import pytest

from llmroute.policy import LiveFacts
from llmroute.policy.explaining.explain import explain
from llmroute.policy.explaining.markdown import markdown
from llmroute.policy.scoring.live import Output
from tests.build import target
from tests.policy.explaining.told import Told, decided, source

CHEAP = source(rules=[{"name": "cheap", "weight": 1, "prefer": "price"}])
FLEET = (target("a/m", price=(1, 1)), target("b/m", price=(2, 2)))


def test_a_correction_is_shown_beside_the_tokens():
    live = Told({"a/m": LiveFacts(1, 60, 1, token_factor=1.25)})
    # no letters, so that only the frame of the message and the prompt is estimated: 7 tokens
    text = explain(decided(CHEAP, FLEET, live, prompt="", input_tokens=None))
    assert "about 9 tokens in (× 1.25: how this target counted before), 500 out" in text
    assert "about 7 tokens in, 500 out" in text


@pytest.mark.parametrize(
    ("answers", "fields", "told"),
    [
        (12, {}, "1,000 tokens in, 724 out (learned from 12 answers)"),
        (1, {}, "1,000 tokens in, 724 out (learned from 1 answer)"),
        (12, {"max_tokens": 100}, "1,000 tokens in, 100 out\n"),
        (12, {"task": "other"}, "1,000 tokens in, 500 out\n"),
    ],
)
def test_a_learned_length_is_shown_with_what_it_was_learned_from(answers, fields, told):
    live = Told({"a/m": LiveFacts(1, 60, 1, outputs={"essay": Output(724, answers)})})
    decision = decided(CHEAP, FLEET, live, **{"task": "essay", **fields})
    assert told in explain(decision)
    assert told.replace("\n", " |") in markdown(decision)


class Caching(Told):
    """A view in which a/m has cached 600 tokens of the conversation."""

    def cached(self, request):
        return {"a/m": 600}


def test_what_is_expected_from_a_cache_is_shown():
    fleet = (target("a/m", cost={"input": 1, "output": 1, "cache_read": 0.1}), FLEET[1])
    decision = decided(CHEAP, fleet, Caching())
    # 400 × $1 + 600 × $0.10 + 500 × $1 a million
    told = "$0.000960 for about 1,000 tokens in (600 from its cache), 500 out"
    assert told in explain(decision)
    assert "1,000 tokens in (600 from its cache), 500 out" in markdown(decision)
    live = Caching({"a/m": LiveFacts(1, 60, 1, token_factor=1.25)})
    # no letters: 7 tokens, and 9 as corrected, of which no more can come from a cache
    text = explain(decided(CHEAP, fleet, live, prompt="", input_tokens=None))
    assert "9 tokens in (× 1.25: how this target counted before; 9 from its cache), 500" in text


def test_the_callers_own_count_is_shown_as_it_is():
    live = Told({"a/m": LiveFacts(1, 60, 1, token_factor=1.25)})
    assert "about 1,000 tokens in, 500 out" in explain(decided(CHEAP, FLEET, live))
