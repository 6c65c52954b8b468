"""The static types hold: nothing that an expression gives is outside of its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from llmroute.catalog.cost import Price, Rates
from llmroute.catalog.model import Endpoint, Provider, Quality, Target
from llmroute.lint.jsontypes import kind_of
from llmroute.lint.roots import roots
from llmroute.lint.types_of import typed
from llmroute.policy.expressions.expression import EvaluationError, Expression
from llmroute.policy.fields import FIELDS
from llmroute.policy.scoring.context import Candidate, Context, Surroundings
from llmroute.policy.scoring.live import Priors
from llmroute.types import Request
from tests.lint.test_rules_expressions import RIGHT, WRONG

INPUTS = {
    "privacy": {"enum": ["private", "internal", "public"], "default": "public"},
    "level": {"enum": [1, 2, 3]},
    "team": {"type": "string"},
    "free": {},
}
MORE = [
    "request.tags[]",
    "request.messages[*].content",
    "request.messages[].content[]",
    "target.capabilities.*",
    "request.tags[0:1]",
    "request.tags[-1]",
    "[target.id, facts.tokens]",
    "{a: target.id, b: facts.code}",
    "target.cost.input || 'unknown'",
    "target.cost.input && target.id",
    "facts.code && facts.tokens",
    "not_null(target.parameters, request.task, 'x')",
    "not_null(request.task, target.parameters)",
    "reverse(request.tags)",
    "to_array(request.task)",
    "to_number(request.task)",
    "max(request.tags)",
    "avg(`[]`)",
    "keys(target.capabilities)",
    "merge(target.cost, request.metadata)",
    "request.tags | [0]",
    "map(&length(@), request.tags)",
    "join(',', request.tags)",
    "target.id < 'z'",
    "target.cost.input < `5`",
    "request.user.name",
    "@",
    "@.target.locality",
    "request.response_format.type",
    "type(request.seed)",
]


def _scopes() -> Iterator[Mapping[str, Any]]:
    provider = Provider("x", "cloud", Endpoint("http", "openai-chat"))
    price = Price((Rates(1, 2, 1, 1, 1),))
    quality = Quality(0.5, {"code": 0.7})
    bare = Target("x/a", provider, "a", "a", "cloud")
    full = Target(
        "x/b", provider, "b", "b", "local", 9, 9, quality=quality, price=price, parameters=8e9
    )
    plain = Request.of("hello", metadata={"privacy": "public"})
    rich = Request.of(
        "def f(): pass",
        tags=("code", "a"),
        task="code",
        max_tokens=5,
        seed=1,
        user="u",
        stream=True,
        metadata={"privacy": "private", "level": 2, "team": "t", "free": [1]},
        tool_choice="auto",
        response_format={"type": "text"},
    )
    around = Surroundings(datetime(2026, 11, 22, 9), Priors(), {"team": 0.5})  # noqa: DTZ001
    for request in (plain, rich):
        for target in (bare, full):
            yield {**Candidate(target, Context(request, around)).scope}


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@pytest.mark.parametrize("text", sorted({*MORE, *(case[2] for case in [*WRONG, *RIGHT])}))
def test_what_an_expression_gives_is_of_its_type(text):
    types = typed(text, INPUTS)
    made = types.type(types.tree)
    for scope in _scopes():
        try:
            value = Expression(text).evaluate(scope)
        except EvaluationError:
            continue
        assert kind_of(value) in made.kinds, (value, made)
        if made.values is not None and value is not None and not isinstance(value, bool):
            assert value in made.values
        if made.low is not None and kind_of(value) == "number":
            assert made.low <= value
        if made.items is not None and isinstance(value, list):
            assert {kind_of(item) for item in value} <= made.items.kinds


def test_the_typed_fields_are_those_that_expressions_may_read():
    known = roots(None)
    assert set(known) == set(FIELDS)
    for root, fields in FIELDS.items():
        _same(known[root], fields)


def _same(made: Any, fields: Any) -> None:
    if fields is None:
        return
    if "*" in fields:
        assert made.kinds == {"object"}
        assert made.rest is not None or made.fields is None
        return
    assert set(made.fields) == set(fields)
    for name, inner in fields.items():
        _same(made.fields[name], inner)


@pytest.mark.parametrize("scope", list(_scopes()))
def test_real_data_is_of_the_declared_types(scope):
    for name, made in roots(INPUTS).items():
        _holds(scope[name], made)


def _holds(value: Any, made: Any) -> None:
    assert kind_of(value) in made.kinds, (value, made)
    if isinstance(value, dict) and made.fields is not None:
        for name, inner in value.items():
            _holds(inner, made.field(name))
    elif value is not None and made.values is not None:
        assert value in made.values
