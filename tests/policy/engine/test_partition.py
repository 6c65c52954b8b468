"""Targets of one class must be alike in all that an expression reads of them."""

from __future__ import annotations

import pytest

from llmroute.policy import CompiledPolicy, PolicySource, Surroundings
from llmroute.policy.engine.lanes import Lanes
from llmroute.policy.engine.partition import FEW, Partition, estimate_key
from llmroute.policy.source import Require, Rule
from llmroute.types import Request
from tests.build import target
from tests.policy.engine.judge import READINGS, check
from tests.policy.strategies import NOON, Case, Live

FLEET = (
    target("a/0", price=(1, 1), quality={"default": 0.1, "code": 0.2}, specializations=["code"]),
    target("a/1", price=(5, 1), quality={"default": 0.3, "code": 0.9}, typical_output=50),
    target("b/2", "local", price=(2, 1), quality={"default": 0.3, "code": 0.5}, max_output=900),
    target("b/3", context_window=8192),
    target("c/4", price=(5, 1), quality={"default": 0.3, "code": 0.9}),
)
READS = (
    *("target.quality.code", '"target"."quality"."code"', "target.quality | code", "target.*"),
    *(
        "target | quality.code",
        "target.quality.[default, code] | [1]",
        "target.quality.{c: code}.c",
    ),
    *("@.target.quality.code", "@ | target.quality.code", "[target][0].quality.code"),
    *("{a: target}.a.quality.code", "merge(target.quality, target.cost).code"),
    *("map(&quality.code, [target]) | [0]", "max_by([target], &quality.code).quality.code"),
    *("values(target)[0] == 'a/1'", "(target.quality.*)[1]", "to_string(target) | length(@)"),
    *("target.specializations[?@ == 'code'] | [0] == 'code'", "target.specializations[:1] == `[]`"),
    *("not_null(target.max_output, target.context_window) > `1000`", "!(target.cost.input)"),
    *("contains(keys(target.quality), 'code')", "join('', [target.id]) == 'a/1'"),
    *("(target || target).quality.code", "(target && target.quality).code"),
)


@pytest.mark.parametrize("text", READS)
def test_whatever_way_a_target_is_read_it_is_told_from_the_others(text):
    """`budget.team` makes the expression depend on the request, so that it is not folded."""
    mixed = f"[{text}, budget.team] | [0]"
    rules = (Rule("prefer", 1000, mixed), Rule("when", 2000, "`1`", f"({text}) && budget.team"))
    need = Require("need", f"{mixed} || estimate.cost", "facts.tokens > `1`")
    turn = (Request.of("hi there"), Surroundings(NOON, Live(), {"team": 0.5}), {})
    for source in (PolicySource("p", rules=rules), PolicySource("p", require=(need,))):
        case = Case(source, FLEET, (turn,))
        check(CompiledPolicy(source, FLEET), case, turn, READINGS)


@pytest.mark.parametrize("classes", [1, FEW, FEW + 1, 9])
def test_classes_have_the_members_of_their_key(classes):
    keys = [number % classes for number in range(9)]
    lanes = Lanes(9, 100)
    found = Partition(keys, lanes)
    assert found.class_of == keys
    assert found.places == list(range(classes))
    assert found.few == (classes <= FEW)
    for number, (mask, unit) in enumerate(zip(found.masks, found.units, strict=True)):
        members = tuple(int(key == number) for key in keys)
        assert lanes.unpack(unit) == members
        assert lanes.unpack(lanes.ones & mask) == members
    assert bool(found.masks) == found.few


def test_what_an_estimate_depends_on_is_in_its_key():
    alike = {"price": (1, 2), "typical_output": 50, "max_output": 100}
    different = (
        *({"price": (1, 3)}, {"typical_output": 51}, {"max_output": 101}),
        *({"wire": {"reject": ["max_tokens"]}}, {"price": (1, 2), "tokenizer": "claude"}),
    )
    first = estimate_key(target("a/0", **alike))
    assert estimate_key(target("b/9", "local", **alike)) == first
    for change in different:
        assert estimate_key(target("a/0", **{**alike, **change})) != first, change
