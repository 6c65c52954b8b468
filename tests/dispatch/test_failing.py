"""What is said of a request that nobody answered, in full and in brief."""

from __future__ import annotations

from pathlib import Path

from llmroute import Router
from llmroute.dispatch.failing import no_target, route_failed
from llmroute.types import Attempt

PROVIDER = """\
provider: {name}
locality: cloud
endpoint:
  transport: http
  protocol: openai-chat
  base_url: https://{name}.example/v1
  auth: {{bearer: "env:{key}"}}
models: [{{model: m, capabilities: {{streaming: true}}, cost: {{input: 0, output: 0}}}}]
"""
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


def test_of_targets_that_the_caller_left_out_only_that_is_said(tmp_path: Path):
    for folder in ("providers.d", "policies"):
        (tmp_path / folder).mkdir()
    for name, key in (("a", "A_KEY"), ("b", "B_KEY")):
        text = PROVIDER.format(name=name, key=key)
        (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)
    (tmp_path / "policies" / "p.yaml").write_text("policy: p\nrules: []\n")
    with Router.load(tmp_path, environment={}) as router:
        assert no_target(router.decide("hi", target="b")) == (
            "no target can serve this request:\n"
            "  b/m: no credential → set B_KEY\n"
            "  a/m: the caller asked for b only"
        )
        assert no_target(router.decide("hi", route={"ignore": ["b"]})) == (
            "no target can serve this request:\n"
            "  a/m: no credential → set A_KEY\n"
            "  b/m: the caller ruled it out"
        )
