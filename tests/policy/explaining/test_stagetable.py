"""The stages of a policy's conditions, with how often each is evaluated, derived by hand."""

from __future__ import annotations

from typing import Any

import pytest

from llmroute.policy import CompiledPolicy, Priors, Surroundings
from llmroute.policy.explaining.stagetable import StageRow, microseconds, stage_rows
from llmroute.policy.expressions import codegen
from llmroute.policy.scoring.context import Context
from llmroute.types import Request
from tests.build import target
from tests.policy.explaining.told import NOW, source

#: Four prices, two localities; one target has a specialization.
TARGETS = (
    target("home/a", "local", price=(0, 0)),
    target("home/b", "local", price=(0, 0), specializations=["code"]),
    target("near/a", price=(1, 2)),
    target("near/b", price=(2, 3)),
    target("near/c", price=(3, 4)),
)
PRICES = "at most once per request and price: 4 classes of 5 targets"
REQUEST, LOAD = "once per request", "once, when the policy is compiled"
LIVE, TASK = "when a measurement of the target changes", "once per task and target, then kept"
HOLDS = ", where its `when` holds"


def rows(**data: Any) -> tuple[StageRow, ...]:
    return stage_rows(CompiledPolicy(source(**data), TARGETS))


def of_rule(**rule: Any) -> tuple[StageRow, ...]:
    return rows(rules=[{"name": "r", "weight": 1, **rule}])


def of_requirement(**item: Any) -> tuple[StageRow, ...]:
    return rows(require=[{"name": "q", **item}])


def stages(found: tuple[StageRow, ...]) -> list[tuple[str, str, str]]:
    return [(row.alone, row.stage, row.cost) for row in found]


@pytest.mark.parametrize(
    ("prefer", "stage", "why", "cost"),
    [
        ("target.locality == 'local'", "load", "reads target only", LOAD),
        ("`1`", "load", "reads nothing", LOAD),
        ("quality", "task", "reads the target's quality and the request's task", TASK),
        ("facts.tokens < `100`", "request", "reads facts only", REQUEST),
        ("price", "estimate", "reads estimate only", PRICES),
        ("estimate.cost < `1`", "estimate", "reads estimate only", PRICES),
        ({"cost": {"half": 1}}, "estimate", "reads estimate only", PRICES),
        ({"latency": {"half": "2s"}}, "live", "reads live only", LIVE),
        ("live.success", "live", "reads live only", LIVE),
        (
            "affinity",
            "target",
            "reads which target served the conversation",
            "once per request, for the target that served the conversation",
        ),
        # Only what it reads of a target tells classes apart: one has a specialization, four none.
        (
            "contains(target.specializations, request.task)",
            "target",
            "mixes what is known of the target with the request: request, target",
            "once per request and class: 2 classes of 5 targets",
        ),
        # Ids are all different: five classes, too many to look at all of them in advance.
        (
            "contains(request.tags, target.id)",
            "target",
            "mixes what is known of the target with the request: request, target",
            "at most once per request and class: 5 classes of 5 targets",
        ),
        # Measurements change from request to request: there are no classes.
        (
            "not_null(live.loaded, target.locality == 'local')",
            "target",
            "mixes what is measured of the target with what is declared: live, target",
            "per request, for each target visited (of 5)",
        ),
    ],
)
def test_a_preference(prefer: Any, stage: str, why: str, cost: str) -> None:
    (row,) = of_rule(prefer=prefer)
    assert (row.kind, row.name, row.part) == ("rule", "r", "prefer")
    assert (row.alone, row.stage, row.reason, row.cost) == (stage, stage, why, cost)
    assert row.built_in == (not isinstance(prefer, str) or prefer.isalpha())


def test_names_under_let_are_evaluated_per_request_whatever_they_read() -> None:
    found = rows(let={"coding": "contains(request.tags, 'code')", "on": "`true`"})
    assert [(row.kind, row.name, row.part) for row in found] == [
        ("let", "coding", ""),
        ("let", "on", ""),
    ]
    assert stages(found) == [("request", "request", REQUEST)] * 2
    assert [row.reason for row in found] == ["reads request only", "reads nothing"]


def test_a_condition_on_the_request_only_switches_the_rule() -> None:
    when = "facts.code && now.hour < `8`"
    assert stages(of_rule(when=when, prefer="price")) == [
        ("request", "request", REQUEST),
        ("estimate", "estimate", PRICES + HOLDS),
    ]
    # What is folded at load is folded whether the condition will hold or not.
    assert stages(of_rule(when=when, prefer="target.locality == 'local'"))[1] == (
        "load",
        "load",
        LOAD,
    )
    assert stages(of_rule(when=when, prefer="facts.math"))[1][2] == REQUEST + HOLDS


def test_a_condition_on_the_target_joins_its_preference() -> None:
    when, prefer = of_rule(when="target.locality == 'cloud'", prefer="price")
    # Price and locality: free and local, and three prices in the cloud.
    often = "at most once per request and class: 4 classes of 5 targets"
    assert stages((when, prefer)) == [
        ("load", "target", often),
        ("estimate", "target", often + HOLDS),
    ]
    assert when.classes == prefer.classes == 4
    assert when.reason == (
        "reads target only; evaluated together with its `prefer`, which reads estimate only"
    )
    assert prefer.reason == (
        "reads estimate only; evaluated together with its `when`, which reads target only"
    )


def test_a_condition_on_the_target_with_quality_is_kept_per_task() -> None:
    when, prefer = of_rule(when="target.locality == 'cloud'", prefer="quality")
    assert stages((when, prefer)) == [("load", "task", TASK), ("task", "task", TASK + HOLDS)]
    assert when.reason.startswith("reads target only; evaluated together with its `prefer`")
    assert prefer.reason == "reads the target's quality and the request's task"


def test_alike_parts_keep_their_stage() -> None:
    found = of_rule(when="live.success > `0.5`", prefer="live.headroom")
    assert stages(found) == [("live", "live", LIVE), ("live", "live", LIVE + HOLDS)]
    assert [row.reason for row in found] == ["reads live only"] * 2


def test_affinity_behind_a_condition_on_the_target_is_looked_at_by_target() -> None:
    found = of_rule(when="target.locality == 'cloud'", prefer="affinity")
    often = "at most once per request and class: 5 classes of 5 targets"
    assert stages(found) == [("load", "target", often), ("target", "target", often + HOLDS)]


def test_requirements() -> None:
    private = "request.metadata.privacy == 'private'"
    assert stages(of_requirement(when=private, target="target.locality == 'local'")) == [
        ("request", "request", REQUEST),
        ("load", "load", LOAD),
    ]
    assert stages(of_requirement(target="estimate.cost < `1`")) == [
        ("estimate", "estimate", PRICES)
    ]
    assert (
        stages(
            of_requirement(when="target.locality == 'cloud'", target="target.context_window > `1`")
        )
        == [("load", "load", LOAD)] * 2
    )


def test_a_requirement_over_measurements_is_checked_for_each_request() -> None:
    for item in (
        {"target": "live.success > `0.5`"},
        {"when": "live.in_flight > `3`", "target": "live.success > `0.5`"},
    ):
        for row in of_requirement(**item):
            assert (row.alone, row.stage) == ("live", "target")
            assert row.cost.startswith("per request, for each target visited (of 5)")
            assert row.reason == (
                "reads live only; requirements that need a request are checked target by target"
            )


def test_whose_requirement_it_is() -> None:
    joined = source(require=[{"name": "own", "target": "target.locality == 'local'"}])
    assert [row.origin for row in stage_rows(CompiledPolicy(joined, ()))] == ["policy"]


def test_without_targets_there_are_no_classes() -> None:
    policy = source(
        require=[{"name": "q", "target": "live.success > `0.5`"}],
        rules=[{"name": "r", "weight": 1, "prefer": "price"}],
    )
    first, second = stage_rows(CompiledPolicy(policy, ()))
    assert (first.cost, first.classes) == ("per request, for each target visited", None)
    assert (second.cost, second.classes) == ("once per request and price", None)


def test_every_expression_runs_compiled() -> None:
    found = rows(let={"a": "!request.stream"}, rules=[{"name": "r", "weight": 1, "prefer": "a"}])
    assert [row.interpreted for row in found] == [None, None]


def test_what_the_compiler_does_not_know_is_left_to_the_interpreter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No expression within the limits of length and depth is known that the compiler refuses, so
    # it forgets one construct here.
    monkeypatch.delitem(codegen._WHOLES, "not_expression")
    policy = CompiledPolicy(source(let={"a": "!(request.stream)", "b": "request.stream"}), TARGETS)
    assert [row.interpreted for row in stage_rows(policy)] == [
        "node of type 'not_expression'",
        None,
    ]
    context = Context(Request.of("hi"), Surroundings(NOW, Priors()), policy.reads)
    policy.bind(context)
    assert (context.request_scope["a"], context.request_scope["b"]) == (True, False)


def _times(policy: CompiledPolicy) -> list[float | None]:
    ticks = iter(range(1_000_000))
    context = Context(Request.of("hi"), Surroundings(NOW, Priors()), policy.reads)
    policy.bind(context)
    return [
        microseconds(r, policy, context, lambda: next(ticks) / 1000) for r in stage_rows(policy)
    ]


def test_the_time_of_one_evaluation() -> None:
    policy = source(
        let={"coding": "facts.code"},
        rules=[
            {"name": "a", "weight": 1, "when": "coding", "prefer": "price"},
            {"name": "b", "weight": 1, "prefer": "affinity"},
            {"name": "c", "weight": 1, "prefer": "abs(target.id)"},
        ],
    )
    # Each look at the clock is a millisecond later, and 500 evaluations stand between two: 2 µs.
    # abs() of a text cannot be evaluated.
    assert _times(CompiledPolicy(policy, TARGETS)) == [pytest.approx(2.0)] * 4 + [None]
    # Without a target there is nothing to evaluate price and the rest on.
    assert _times(CompiledPolicy(policy, ())) == [pytest.approx(2.0)] * 2 + [None] * 3
