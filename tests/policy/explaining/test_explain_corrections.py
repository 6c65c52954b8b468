"""An explanation shows what a target's token count was corrected by, where it was."""

from __future__ import annotations

from llmroute.policy import LiveFacts
from llmroute.policy.explaining.explain import explain
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


def test_the_callers_own_count_is_shown_as_it_is():
    live = Told({"a/m": LiveFacts(1, 60, 1, token_factor=1.25)})
    assert "about 1,000 tokens in, 500 out" in explain(decided(CHEAP, FLEET, live))
