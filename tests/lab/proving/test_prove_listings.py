"""What is proved about models that Anthropic's API may list is what its listings show.

The other side reads a grid of real listings with the real dialect, and judges each of its models by
the reference evaluator and jmespath's own interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from random import Random
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from llmroute import Router
from llmroute.catalog.discovery import discover
from llmroute.catalog.model import Endpoint, Target
from llmroute.lab.proving.prove import World, prove_claim
from llmroute.policy.engine.reference import reference
from llmroute.policy.facts.facts import Facts
from llmroute.policy.scoring.context import Surroundings, request_view
from llmroute.policy.scoring.live import Priors
from llmroute.policy.source import PolicySource, Require
from llmroute.types import Request

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROVIDER = """\
provider: claude
locality: cloud
endpoint:
  {transport: http, protocol: anthropic-messages, base_url: "https://api.example.com", auth: none}
discover: {}
defaults: {capabilities: {DEFAULTS}}
"""
WINDOWS, OUTPUTS = (None, 99_999, 1_000_000), (None, 1_000, 4_095, 64_000)
FLAGS = (None, False, True)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
OF_REQUEST = (
    "facts.tools",
    "!(facts.tools)",
    "facts.json_schema",
    "request.max_tokens > `2000`",
    "!(request.max_tokens)",
)
OF_TARGET = (
    "target.context_window >= `100000`",
    "target.context_window < `100000`",
    "target.max_output >= `4096`",
    "target.max_output > `1000` && target.max_output < `4096`",
    "type(target.max_output) == 'null'",
    "target.capabilities.tools",
    "!(target.capabilities.streaming)",
    "target.capabilities.json_schema",
    "!(target.capabilities.reasoning)",
    "target.locality == 'cloud'",
    "target.discovered",
)


def entries() -> Iterator[dict[str, Any]]:
    """Every entry of a small world, in the shape of the API's list of models."""
    grid = product(WINDOWS, OUTPUTS, FLAGS, FLAGS, ("model", None))
    for number, (window, output, schema, thinking, kind) in enumerate(grid):
        told = {"structured_outputs": schema, "thinking": thinking}
        able = {name: {"supported": flag} for name, flag in told.items() if flag is not None}
        limits = {"max_input_tokens": window, "max_tokens": output, "type": kind}
        said = {name: value for name, value in limits.items() if value is not None}
        yield {"id": f"m-{number}", "capabilities": able, **said}


def every_request() -> Iterator[Request]:
    """All requests of the small world: what else a request may hold, no expression reads."""
    for most, tools, schema in product((None, 1_000, 2_001, 5_000), (False, True), (False, True)):
        yield Request.of(
            "Why?",
            max_tokens=most,
            tools=[TOOL] if tools else [],
            response_format=SCHEMA if schema else None,
        )


EVERY = tuple(every_request())


class Listed:
    """A workspace whose provider has nothing declared, and each target that may be listed."""

    def __init__(self, router: Router) -> None:
        async def answer(*_: Any, **__: Any) -> Mapping[str, Any]:
            return {"data": list(entries()), "has_more": False}

        endpoint = Endpoint("http", "anthropic-messages", base_url="https://api.example.com")
        models = asyncio.run(discover(endpoint, "anthropic", answer))
        self.world = World(router.catalog, {}, NOW)
        every = router.catalog.with_discovered("claude", models).targets
        alike = {repr({**t.view, "id": "", "model": "", "upstream": ""}): t for t in every}
        self.targets = tuple(alike.values())


@pytest.fixture(scope="module", params=["streaming: true", "tools: true, json_schema: true"])
def listed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Listed:
    root = tmp_path_factory.mktemp("ws")
    (root / "providers.d").mkdir()
    (root / "providers.d" / "claude.yaml").write_text(PROVIDER.replace("DEFAULTS", request.param))
    return Listed(Router.load(root, environment={}))


def condition(rng: Random) -> str:
    text = rng.choice((*OF_REQUEST, *OF_TARGET))
    if rng.random() < 0.6:
        return f"({text}) {rng.choice(('&&', '||'))} ({rng.choice((*OF_REQUEST, *OF_TARGET))})"
    return text


def policy(rng: Random) -> PolicySource:
    require = tuple(
        Require(f"q{n}", rng.choice(OF_TARGET), rng.choice((None, *OF_REQUEST)))
        for n in range(rng.randint(0, 2))
    )
    return PolicySource("drawn", require=require)


def holds(text: str, request: Request, target: Target, *, failing: bool) -> bool:
    roots = {"request": request_view(request), "facts": Facts(request).view()}
    try:
        value = jmespath.search(text, {**roots, "target": target.view})
    except (JMESPathError, TypeError, ValueError):
        return failing
    return not (value is None or value is False or value in ("", [], {}))


def broken(source: PolicySource, kind: str, text: str, listed: Listed) -> bool:
    """Whether a listing and a request break a claim."""
    around = Surroundings(NOW, Priors())
    for request in EVERY:
        for scored in reference(source, listed.targets, request, around).ranking:
            held = holds(text, request, scored.target, failing=kind == "never")
            if held == (kind == "never"):
                return True
    return False


def test_the_grid_holds_what_can_be_listed(listed: Listed):
    assert len(listed.targets) >= len(WINDOWS) * len(OUTPUTS) * 2 * 2
    assert {t.capabilities.vision for t in listed.targets} == {False}


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_claims_hold_exactly_where_no_listing_breaks_them(listed: Listed, rng: Random):
    source, kind, text = policy(rng), rng.choice(("never", "always")), condition(rng)
    proof = prove_claim(source, kind, text, listed.world)
    expected = "refuted" if broken(source, kind, text, listed) else "proved"
    assert proof.outcome == expected, (source, kind, text, proof.why)
    if proof.example is not None:
        assert proof.example.listing is not None
