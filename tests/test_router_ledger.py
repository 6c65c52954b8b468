"""What a router writes into its ledger, and what budgets do to its requests, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from llmroute import NoEligibleTarget, RouteFailed, Router
from llmroute.ledger.settings import ledger_settings, store_opener
from llmroute.sim import Fault, Pace, Sim
from tests.test_router import POLICY, PROVIDER

#: Caps the answer, so that the most that it may cost is known.
CAPPED = {"max_tokens": 100}
FREE = """\
provider: free
locality: local
endpoint: {{transport: http, protocol: openai-chat, base_url: "{url}/v1"}}
models:
  - model: m
    upstream: qwen/qwen3-coder-30b
    capabilities: {{streaming: true}}
    cost: {{input: 0, output: 0}}
"""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Sim, Sim, Path]]:
    for part in ("policies", "providers.d"):
        (tmp_path / part).mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    with Sim("lm_studio") as first, Sim("lm_studio") as second:
        for name, server, price in (("first", first, 1), ("second", second, 2)):
            text = PROVIDER.replace("500ms", "5s").format(name=name, url=server.url, price=price)
            (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)
        yield first, second, tmp_path


def settings(root: Path, budgets: str = "[]") -> None:
    (root / "llmroute.yaml").write_text(f"ledger: {{path: ledger.db}}\nbudgets: {budgets}\n")


def budget(amount: object, **more: object) -> str:
    words = "".join(f", {key}: {value}" for key, value in more.items())
    return f"[{{name: team, period: month, amount: {amount}, hard: true{words}}}]"


def rows(router: Router) -> list:
    """Return the attempts that are on the disk, in order."""
    assert router.ledger.flush().wait(5)
    store = store_opener(ledger_settings(router.workspace).path)()
    try:
        requests = sorted(store.requests(99), key=lambda item: item.id)
        return [row for item in requests for row in store.attempts(item.id)]
    finally:
        store.close()


def nano(cost: Decimal | None) -> int | None:
    return None if cost is None else int(cost * 10**9)


def test_answers_failures_and_left_streams_are_written_with_what_they_cost(pair):
    first, _, root = pair
    settings(root)
    with Router.load(root, environment={}) as router:
        first.script(Fault.status(500))
        answer = router.complete("Say hello", tags=["a"], user="alice", **CAPPED)
        first.pace(Pace(tokens_per_second=50))
        with router.stream("Tell me a very long story, please", **CAPPED) as stream:
            for _ in range(3):
                next(stream)
        deadline = time.monotonic() + 5
        while len(stream.attempts) < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        failed, served, left = rows(router)
        (gone,) = stream.attempts
    assert (failed.target, failed.outcome, failed.status, failed.cost) == (
        "first/m",
        "transient",
        500,
        0,
    )
    assert (served.target, served.outcome, served.cost) == ("second/m", "ok", nano(answer.cost))
    assert (served.tags, served.caller, served.policy) == (("a",), "alice", "balanced")
    assert (served.tokens_in, served.tokens_out) == (answer.usage.input, answer.usage.output)
    assert (left.outcome, left.estimated) == ("cancelled", True)
    assert left.cost == nano(gone.cost)
    assert left.cost is not None
    assert left.cost > 0


def test_an_exhausted_hard_budget_says_so_and_free_targets_serve_on(pair):
    first, _, root = pair
    # a call may cost some 9 × $1 + 100 × $10 a million tokens, $0.0010, and costs a tenth of it
    settings(root, budget(0.0012))
    with Router.load(root, environment={}) as router:
        assert router.complete("Say hello", **CAPPED).target == "first/m"
        spent = router.complete("Say hello", **CAPPED).cost  # most of the first was given back
        assert spent is not None
        for _ in range(9):
            try:
                router.complete("Say hello", **CAPPED)
            except (NoEligibleTarget, RouteFailed) as exc:
                refused = exc
                break
        assert "team" in str(refused)
        assert "left" in str(refused)
        assert "until" in str(refused)
        decision = router.decide("Say hello", **CAPPED)
        assert {item.origin for item in decision.rejections} == {"budget"}
        (root / "providers.d" / "free.yaml").write_text(FREE.format(url=first.url))
        router.reload()
        answer = router.complete("Say hello", **CAPPED)
        assert (answer.target, answer.cost) == ("free/m", Decimal(0))


def test_a_budget_of_one_tag_leaves_the_others_alone(pair):
    settings(pair[2], budget(0, scope="{tag: research}"))
    with Router.load(pair[2], environment={}) as router:
        with pytest.raises(NoEligibleTarget, match="team"):
            router.complete("Say hello", tags=["research"], **CAPPED)
        assert router.complete("Say hello", tags=["other"], **CAPPED).target == "first/m"


def test_an_unknown_price_is_no_match_for_a_hard_budget(pair):
    settings(pair[2], budget(100))
    with Router.load(pair[2], environment={}) as router:
        with pytest.raises(NoEligibleTarget, match="what it may cost is unknown"):
            router.complete("Say hello")  # nothing caps the answer
        assert router.complete("Say hello", **CAPPED).cost is not None


def test_conditions_read_the_spent_share(pair):
    root = pair[2]
    settings(root, "[{name: team, period: month, amount: 0.0001}]")
    late = "  - {name: late, when: budget.team > `0.5`, weight: 9, prefer: second}\n"
    late = late.replace("second", "target.provider == 'second'")
    (root / "policies" / "balanced.yaml").write_text(POLICY + late)
    with Router.load(root, environment={}) as router:
        answer = router.complete("Say hello", **CAPPED)
        assert answer.target == "first/m"
        assert router.ledger.flush().wait(5)
        # it cost more than half of $0.0001: soft budgets refuse nothing, conditions see them
        assert answer.cost is not None
        assert answer.cost > Decimal("0.00005")
        assert router.decide("Say hello", **CAPPED).winner.id == "second/m"


def test_a_reload_goes_on_with_other_budgets_and_the_same_records(pair):
    root = pair[2]
    settings(root, budget(0))
    with Router.load(root, environment={}) as router:
        with pytest.raises(NoEligibleTarget, match="team"):
            router.complete("Say hello", **CAPPED)
        settings(root, budget(1))
        router.reload()
        router.complete("Say hello", **CAPPED)
        settings(root)
        router.reload()
        router.complete("Say hello", **CAPPED)
        assert [row.outcome for row in rows(router)] == ["ok", "ok"]
        assert router.ledger.budgets == ()


def test_several_event_loops_share_one_budget(pair):
    # each call may cost about $0.001: of eight at once at most three are let in
    settings(pair[2], budget(0.0035))
    with Router.load(pair[2], environment={}) as router:

        async def ask() -> int:
            asked = (router.acomplete("Say hello", **CAPPED) for _ in range(8))
            found = await asyncio.gather(*asked, return_exceptions=True)
            return sum(not isinstance(item, Exception) for item in found)

        served = asyncio.run(ask()) + asyncio.run(ask())
        assert 0 < served <= 16
        known = rows(router)
        assert sum(row.cost or 0 for row in known) <= 3_500_000
        assert sum(row.outcome == "ok" for row in known) == served


def test_without_a_ledger_nothing_is_written(pair, monkeypatch):
    root = pair[2]
    monkeypatch.setenv("XDG_STATE_HOME", str(root / "state"))
    (root / "llmroute.yaml").write_text("ledger: false\n")
    with Router.load(root) as router:
        router.complete("Say hello")
        assert not router.ledger.enabled
    assert not (root / "state").exists()
