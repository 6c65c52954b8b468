"""What is said of a request that nobody answered, in full and in brief."""

from __future__ import annotations

from llmroute.dispatch.failing import route_failed
from llmroute.types import Attempt

DOWN = Attempt("a/1", "unavailable", 0.0, 0.1, message="refused", help="start it")
OTHER = Attempt("b/1", "overloaded", 0.1, 0.1, message="busy")


def test_the_message_holds_every_attempt_and_the_brief_one_none():
    made = route_failed([DOWN, OTHER], {}, (), False, None)
    assert str(made) == "no answer after 2 attempts:\n  a/1: refused → start it\n  b/1: busy"
    assert made.brief == "no answer after 2 attempts"
    assert made.attempts == (DOWN, OTHER)


def test_what_no_attempt_tells_stands_in_both():
    passed = {"c/1": "no free place", "a/1": "its circuit is open until 12:00:05: timeout, slow"}
    made = route_failed([DOWN], passed, ("d/1",), True, None)
    rest = (
        "  c/1 was not called: no free place\n"
        "  a/1 was not called again: its circuit is open until 12:00:05: timeout, slow\n"
        "  left out by fallback.max_price_ratio: d/1\n"
        "  the deadline passed"
    )
    assert str(made) == f"no answer after 1 attempt:\n  a/1: refused → start it\n{rest}"
    assert made.brief == f"no answer after 1 attempt:\n{rest}"


def test_a_circuit_does_not_quote_a_failure_that_an_attempt_tells():
    passed = {"a/1": "its circuit is open until 12:00:05: unavailable, refused"}
    made = route_failed([DOWN], passed, (), False, None)
    assert str(made).count("refused") == 1
    assert made.brief.endswith("a/1 was not called again: its circuit is open until 12:00:05")
