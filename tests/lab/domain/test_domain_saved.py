"""Situations survive being written as JSON, and bad files are told where they are wrong."""

from __future__ import annotations

import contextlib
import json
from random import Random
from typing import Any

import pytest

from llmroute.errors import UsageError
from llmroute.lab.domain.domain import Domain
from llmroute.lab.domain.saved import Saved, parse_situation, situation_data
from llmroute.lab.proving.witness import drawn_live, with_live
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.source import PolicySource, Rule
from tests.build import target
from tests.policy.strategies import NOON, fleet, policy

MESSAGES = [{"role": "user", "content": "hi"}]


def again(saved: Saved) -> Saved:
    return parse_situation(json.dumps(situation_data(saved)), "x.json")


@pytest.mark.parametrize("seed", range(25))
def test_a_drawn_situation_comes_back_with_the_same_decision(seed: int):
    rng = Random(seed)
    targets = fleet(rng, rng.randint(1, 5))
    source = policy(rng)
    compiled = CompiledPolicy(source, targets)
    cases = list(Domain.of([source], targets, {}, now=NOON).cases(2_000))
    for case in rng.sample(cases, min(len(cases), 25)):
        tried = with_live(case, drawn_live([t.id for t in targets], rng))
        for one in (case, tried):
            saved = Saved(one, "p", "ollama", {"model": "m", "context_window": 5})
            found = again(saved)
            assert found == saved
            first, second = (
                decide(compiled, c.request, c.around()).to_dict() for c in (one, found.situation)
            )
            assert first == second


def test_what_was_learned_is_decided_by_and_comes_back():
    """Answers to an essay are 724 tokens long at one target, which loses to its equal."""
    live = {"a/m": {"token_factor": 1.25, "outputs": {"essay": {"tokens": 724, "answers": 12}}}}
    request = {"messages": MESSAGES, "task": "essay"}
    saved = parse_situation(json.dumps({"request": request, "live": live}), "x.json")
    assert situation_data(saved)["live"] == live
    assert again(saved) == saved
    fleet = [target("a/m", price=(0, 2)), target("a/n", price=(0, 2))]
    source = PolicySource("p", rules=(Rule("cheap", 1000, {"cost": {"half": 0.001}}),))
    case = saved.situation
    found = decide(CompiledPolicy(source, fleet), case.request, case.around())
    other, learned = found.ranking
    assert (learned.target.id, learned.token_factor) == ("a/m", 1.25)
    assert (learned.estimate.tokens_out, learned.estimate.cost) == (724, 724 * 2000)
    assert learned.to_dict()["learned_output"] == {"tokens": 724, "answers": 12}
    assert (other.estimate.tokens_out, other.learned_output) == (500, None)


def test_what_is_cached_is_decided_by_and_comes_back():
    """Of two equals, the one that has 900 of 1,000 tokens in its cache is cheaper."""
    request = {"messages": MESSAGES, "input_tokens": 1000}
    saved = parse_situation(json.dumps({"request": request, "cached": {"a/n": 900}}), "x.json")
    assert situation_data(saved)["cached"] == {"a/n": 900}
    assert again(saved) == saved
    cost = {"input": 1, "output": 0, "cache_read": 0.1}
    fleet = [target("a/m", cost=cost), target("a/n", cost=cost)]
    source = PolicySource("p", rules=(Rule("cheap", 1000, {"cost": {"half": 0.001}}),))
    case = saved.situation
    first, _ = decide(CompiledPolicy(source, fleet), case.request, case.around()).ranking
    # 100 × $1 + 900 × $0.10 a million
    assert (first.target.id, first.estimate.cost) == ("a/n", 190_000)
    assert "cached" in case.beyond()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "x.json: the situation is []; it must be a map"),
        ({}, "x.json: request is null; it must be a map"),
        ({"request": {}}, "request has no messages"),
        ({"request": {"messages": "hi"}}, 'request.messages is "hi"; it must be a list'),
        ({"request": {"messages": [{"role": "you"}]}}, "messages[0].role is 'you'"),
        ({"request": {"messages": [{"role": "user", "content": 3}]}}, "messages[0].content must"),
        ({"request": {"messages": MESSAGES, "max_token": 3}}, 'did you mean "max_tokens"?'),
        ({"request": {"messages": MESSAGES, "max_tokens": "3"}}, "max_tokens is '3'"),
        ({"request": {"messages": MESSAGES, "stream": 1}}, "request.stream must be true or false"),
        ({"request": {"messages": MESSAGES, "route": 1}}, "request.route must be a map"),
        ({"request": {"messages": MESSAGES}, "liv": {}}, "liv is no key of a situation; did you"),
        ({"request": {"messages": MESSAGES}, "now": "noon"}, 'now is "noon"; write it as'),
        ({"request": {"messages": MESSAGES}, "budgets": {"b": -1}}, "budgets.b is -1"),
        ({"request": {"messages": MESSAGES}, "live": {"*": {"succes": 1}}}, "live.*.succes is no"),
        ({"request": {"messages": MESSAGES}, "live": {"*": {"success": 2}}}, "cannot be 2"),
        ({"request": {"messages": MESSAGES}, "live": {"*": {"loaded": 1}}}, "cannot be 1"),
        *(
            ({"request": {"messages": MESSAGES}, "live": {"*": live}}, told)
            for live, told in (
                ({"token_factor": 3}, "live.*.token_factor cannot be 3"),
                ({"outputs": 5}, "live.*.outputs is 5; it must be a map"),
                ({"outputs": {"chat": 5}}, "live.*.outputs.chat is 5; it must be a map"),
                ({"outputs": {"chat": {"tokens": 5}}}, "outputs.chat needs tokens and answers"),
                ({"outputs": {"chat": {"token": 5}}}, 'did you mean "tokens"?'),
                (
                    {"outputs": {"chat": {"tokens": 0, "answers": 1}}},
                    "live.*.outputs.chat.tokens cannot be 0",
                ),
            )
        ),
        ({"request": {"messages": MESSAGES}, "served": 1}, "served is 1; it must be a text"),
        ({"request": {"messages": MESSAGES}, "cached": 1}, "cached is 1; it must be a map"),
        ({"request": {"messages": MESSAGES}, "cached": {"a/m": 0}}, "cached.a/m cannot be 0"),
        ({"request": {"messages": MESSAGES}, "choices": [1]}, "choices must be a list of names"),
        ({"request": {"messages": MESSAGES}, "discovered": {"provider": "p"}}, "model is null"),
        (
            {"request": {"messages": MESSAGES}, "discovered": {"provider": "p", "model": {}}},
            "discovered needs a provider and a model",
        ),
    ],
)
def test_what_is_wrong_is_told(data: Any, told: str):
    with pytest.raises(UsageError) as caught:
        parse_situation(json.dumps(data), "x.json")
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"request": NaN}', "\x00", "nul"])
def test_what_is_no_json_is_told(text: str):
    with pytest.raises(UsageError, match=r"^x\.json"):
        parse_situation(text, "x.json")


def test_any_change_of_a_good_file_is_read_or_told():
    rng = Random(3)
    good: dict[str, Any] = {
        "policy": "p",
        "request": {"messages": MESSAGES, "tags": ["a"], "route": {"ignore": ["x"]}},
        "now": "2026-11-22T12:00:00+00:00",
        "budgets": {"b": 0.5},
        "live": {"*": {"success": 0.5}},
        "discovered": {"provider": "p", "model": {"model": "m"}},
    }
    values: list[Any] = [None, True, 0, -1, 1e300, "", "x", [], [1], {}, {"a": 1}, [[]], {"": {}}]
    for _ in range(2_000):
        data = json.loads(json.dumps(good))
        place: Any = data
        while isinstance(place, dict) and place:
            name = rng.choice(list(place))
            if not isinstance(place[name], dict | list) or rng.random() < 0.4:
                place[name] = rng.choice(values)
                break
            place = place[name]
            if isinstance(place, list):
                place.append(rng.choice(values))
                break
        with contextlib.suppress(UsageError):
            parse_situation(json.dumps(data), "x.json")
