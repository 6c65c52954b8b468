"""Estimates of a conversation of which a target has a part in its prompt cache."""

from __future__ import annotations

from llmroute.policy import CompiledPolicy, PolicySource, Surroundings
from llmroute.policy.scoring.context import Context
from llmroute.policy.source import Require, Rule
from llmroute.types import Request
from tests.build import target
from tests.policy.engine.judge import READINGS, check, decided
from tests.policy.strategies import NOON, Case, Live

COST = PolicySource("p", rules=(Rule("cost", 1000, {"cost": {"half": 0.001}}),))
#: $1 a million tokens of input, a tenth of it where they are read from the cache.
CACHING = {"input": 1, "output": 0, "cache_read": 0.1}
CHEAPER = {"input": 0.5, "output": 0}


def view(**cached: int) -> Live:
    live = Live()
    live.caches = {f"a/{name}": tokens for name, tokens in cached.items()}
    return live


def turn(live: Live, **fields):
    return Request.of("go on", input_tokens=10_000, **fields), Surroundings(NOON, live), {}


def test_a_conversation_stays_where_its_cache_makes_it_cheaper():
    fleet = [target("a/home", cost=CACHING), target("a/new", cost=CHEAPER)]
    compiled = CompiledPolicy(COST, fleet)
    assert decided(compiled, turn(view())).winner.id == "a/new"
    decision = decided(compiled, turn(view(home=9_000)))
    home, new = decision.ranking
    # 1,000 × $1 + 9,000 × $0.10 = $0.0019, beside 10,000 × $0.50 = $0.005
    assert (home.target.id, home.estimate.cost, new.estimate.cost) == (
        "a/home",
        1_900_000,
        5_000_000,
    )
    assert (home.estimate.cached, home.estimate.saved, home.estimate.uncached) == (
        9_000,
        8_100_000,
        10_000_000,
    )
    assert home.to_dict()["cached"] == 9_000
    assert "cached" not in new.to_dict()


def test_no_more_is_cached_than_the_prompt_has():
    compiled = CompiledPolicy(COST, [target("a/m", cost=CACHING)])
    found = decided(compiled, turn(view(m=50_000))).ranking[0].estimate
    assert (found.cached, found.cost) == (10_000, 1_000_000)


def test_what_a_call_may_cost_at_most_counts_no_cache():
    """Caches may be gone: what a hard limit allows does not depend on them."""
    compiled = CompiledPolicy(COST, [target("a/m", cost={**CACHING, "output": 2}, max_output=500)])
    live = view(m=10_000)
    found = decided(compiled, turn(live)).ranking[0].estimate
    assert (found.cost, found.cost_max) == (2_000_000, 11_000_000)
    from llmroute.types import Route

    assert decided(compiled, turn(live, route=Route(max_cost=0.0109))).winner is None
    assert decided(compiled, turn(live, route=Route(max_cost=0.011))).winner.id == "a/m"


def test_an_unknown_price_stays_unknown():
    fleet = [target("a/m", cost={**CACHING, "valid_until": "2026-11-21"})]
    found = decided(CompiledPolicy(COST, fleet), turn(view(m=9_000))).ranking[0].estimate
    assert (found.cost, found.uncached, found.cached) == (None, None, 0)


def test_an_estimate_that_nobody_made_ready_counts_the_cache_too():
    fleet = [target("a/m", cost=CACHING)]
    ranked = decided(CompiledPolicy(COST, fleet), turn(view(m=9_000))).ranking[0]
    assert Context(*turn(view(m=9_000))[:2]).estimate(fleet[0]) == ranked.estimate


def test_one_of_many_alike_is_told_apart_from_its_class():
    """Rules and requirements over estimates are evaluated once for all targets of one price."""
    source = PolicySource(
        "p",
        require=(Require("affordable", "estimate.cost <= `0.002`"),),
        rules=(
            Rule("cost", 1000, {"cost": {"half": 0.001}}),
            Rule("price", 500, "price"),
            Rule("low", 300, "estimate.cost < `0.0015` && target.locality == 'cloud'"),
            Rule("dislike", -200, {"cost": {"half": 0.01}}),
        ),
    )
    fleet = tuple(target(f"a/m{n}", cost=CACHING) for n in range(40))
    compiled, case = CompiledPolicy(source, fleet), Case(source, fleet, ())
    check(compiled, case, turn(view()), READINGS)
    assert decided(compiled, turn(view())).winner is None
    for cached in ({"m7": 9_000}, {"m7": 9_000, "m8": 9_700, "m9": 1}, {}, {"gone": 9_000}):
        check(compiled, case, turn(view(**cached)), READINGS)
    assert decided(compiled, turn(view(m7=9_000, m8=9_700))).winner.id == "a/m8"
