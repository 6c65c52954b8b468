"""Anthropic's models, asked of a simulator that lists them as the API does."""

from __future__ import annotations

import pytest

from llmroute import NoEligibleTarget, Router
from llmroute.config.shipped import data_root
from llmroute.dispatch.pace import Pace
from llmroute.sim import Fault, Sim
from llmroute.sim.models import Model
from tests.catalog.workspaces import load

KEY = {"SOME_KEY": "sim"}
LISTING = "/v1/models"
PROVIDER = """\
provider: claude
locality: cloud
endpoint:
  transport: http
  protocol: anthropic-messages
  base_url: "{url}"
  auth: {{header: x-api-key, value: "env:SOME_KEY"}}
  headers: {{anthropic-version: "2023-06-01"}}
discover: {{interval: 6h}}
"""
DECLARED = """\
models:
  - model: claude-haiku-5-5
    context_window: 100000
    capabilities: {streaming: true, vision: false}
    wire: {efforts: [low]}
    cost: {input: 1, output: 2, date: "2026-11-22"}
"""
GONE = "  - {model: claude-gone-1, capabilities: {streaming: true}}\n"


@pytest.fixture
def server():
    with Sim("anthropic", key="sim") as made:
        yield made


def provider(server: Sim, more: str = "") -> str:
    return PROVIDER.format(url=server.url) + more


def listings(server: Sim) -> list:
    return [one for one in server.requests if one.path == LISTING]


def test_models_are_asked_for_with_the_headers_of_a_call_before_the_first_one(server, tmp_path):
    with load(tmp_path, provider(server), KEY) as router:
        assert router.decide("x").targets == ()
        assert server.requests == []
        answer = router.complete("x", target="claude/claude-opus-5-5")
    asked, called = server.requests
    assert (asked.method, asked.path, asked.query) == ("GET", LISTING, "limit=1000")
    assert asked.headers["x-api-key"] == "sim"
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert called.path == "/v1/messages"
    assert answer.target == "claude/claude-opus-5-5"


def test_a_price_that_nobody_declared_is_unknown_and_never_nothing(server, tmp_path):
    with load(tmp_path, provider(server), KEY) as router:
        answer = router.complete("x", target="claude/claude-opus-5-5")
        assert answer.cost is None
        assert {target.price for target in router.targets} == {None}
        assert {target.locality for target in router.targets} == {"cloud"}
        with pytest.raises(NoEligibleTarget, match="price"):
            router.complete("x", route={"max_cost": 1})


def test_without_a_key_nobody_is_asked(server, tmp_path):
    with load(tmp_path, provider(server, DECLARED)) as router:
        router.decide("x")
        router.refresh()
        with pytest.raises(NoEligibleTarget, match="no credential → set SOME_KEY"):
            router.complete("x")
    assert server.requests == []


def test_what_the_file_declares_beats_what_is_listed(server, tmp_path):
    with load(tmp_path, provider(server, DECLARED), KEY) as router:
        router.refresh()
        target = router.catalog.target("claude/claude-haiku-5-5")
    assert (target.context_window, target.max_output) == (100_000, 128_000)
    able = target.capabilities
    assert (able.vision, able.pdf, able.tools, able.forced_tool_choice) == (
        False,
        True,
        True,
        False,
    )
    assert (target.wire.efforts, target.wire.thinking) == (("low",), ("adaptive",))
    assert target.price is not None


def test_a_declared_model_that_is_not_listed_is_out(server, tmp_path):
    with load(tmp_path, provider(server, DECLARED + GONE), KEY) as router:
        router.refresh()
        problem = router.catalog.problems["claude/claude-gone-1"]
        assert list(router.catalog.problems) == ["claude/claude-gone-1"]
    assert problem.reason == "claude-gone-1 is not among the models of this account"
    assert problem.help == "correct its name, or take it out of the provider file"


def test_retired_models_are_no_targets_and_a_dated_snapshot_is_its_model(tmp_path):
    listed = (
        Model("claude-haiku-5-5-20260901", context=200_000),
        Model("claude-old-2", lifecycle="retired"),
        Model("claude-late-3", lifecycle="deprecated"),
    )
    with (
        Sim("anthropic", key="sim", models=listed) as server,
        load(tmp_path, provider(server, DECLARED), KEY) as router,
    ):
        router.refresh()
        ids = [target.id for target in router.targets]
        assert ids == ["claude/claude-haiku-5-5", "claude/claude-late-3"]
        assert router.catalog.problems == {}


def test_more_models_than_fit_a_page(tmp_path):
    names = [f"m{number:04}" for number in range(1001)]
    with (
        Sim("anthropic", key="sim", models=names) as server,
        load(tmp_path, provider(server), KEY) as router,
    ):
        router.refresh()
        assert [target.model for target in router.targets] == names
        queries = [one.query for one in listings(server)]
    assert queries == ["limit=1000", "limit=1000&after_id=m0999"]


@pytest.mark.parametrize("fault", [Fault.status(529), Fault.body(b"[]"), Fault.reset()])
def test_where_the_list_cannot_be_had_declared_models_serve(fault, server, tmp_path):
    server.script(fault, times=None, scope="discovery")
    with load(tmp_path, provider(server, DECLARED), KEY) as router:
        assert router.complete("x").target == "claude/claude-haiku-5-5"
        assert router.catalog.problems == {}


def test_where_the_list_cannot_be_had_and_nothing_is_declared_the_reason_is_said(server, tmp_path):
    server.script(Fault.status(529), times=None, scope="discovery")
    with load(tmp_path, provider(server), KEY) as router:
        router.refresh()
        assert "Overloaded" in router.catalog.problems["claude"].reason


def test_a_failed_listing_is_asked_for_again_after_a_minute_and_loses_nothing(server, tmp_path):
    now = [0.0]

    def at(seconds: float, router: Router) -> int:
        now[0] = seconds
        router._engine.portal.run(router.arefresh(force=False))
        return len(listings(server))

    with load(tmp_path, provider(server), KEY, pace=Pace(clock=lambda: now[0])) as router:
        assert at(0, router) == 1
        known = router.targets
        assert at(6 * 3600 - 1, router) == 1
        server.script(Fault.status(500), scope="discovery")
        assert at(6 * 3600, router) == 2
        assert router.targets == known
        assert router.catalog.problems == {}
        assert at(6 * 3600 + 59, router) == 2
        assert at(6 * 3600 + 60, router) == 3
        assert at(6 * 3600 + 120, router) == 3


def test_the_shipped_file_says_of_each_model_what_the_list_says(server, tmp_path):
    text = (data_root() / "providers.d" / "anthropic.yaml").read_text(encoding="utf-8")
    asking = text.replace("# discover: ", "discover: ")
    assert asking != text
    environment = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "sim"}
    (tmp_path / "asking").mkdir()
    with (
        load(tmp_path, text, environment) as quiet,
        load(tmp_path / "asking", asking, environment) as asked,
    ):
        asked.refresh()
        known = {target.id: target for target in asked.targets}
        for target in quiet.targets:
            assert known[target.id].view == target.view, target.id
            assert known[target.id].wire == target.wire, target.id
        # claude-sonnet-5 is listed and not declared.
        found = {target.model for target in asked.targets if target.discovered}
        assert found == {"claude-sonnet-5"}
        quiet.complete("x", target="anthropic/claude-haiku-5-5")
    assert len(listings(server)) == 1
