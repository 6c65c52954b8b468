"""When each condition and preference of a compiled policy is evaluated, why, and how often.

The rows say what the engine does, which can be later than what `stages` derives from the roots:
the parts of a rule are evaluated together, and a requirement over measurements is checked for
each request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from timeit import Timer
from typing import Any, Literal, NamedTuple

from llmroute.policy.engine.compiled import CompiledPolicy, RequirePart
from llmroute.policy.engine.partition import Partition
from llmroute.policy.expressions.expression import FAILURES, Expression
from llmroute.policy.scoring.context import Candidate, Context
from llmroute.policy.scoring.preferences import Preference
from llmroute.policy.scoring.rules import CompiledRule
from llmroute.policy.scoring.stages import FREQUENCY, Stage, reason

__all__ = ["StageRow", "microseconds", "stage_rows"]

Source = Expression | Preference

#: Evaluations that are timed together, and how often that is done; the shortest time counts.
_RUNS, _REPEATS = 500, 5


@dataclass(frozen=True, slots=True)
class StageRow:
    """One expression or built-in preference of a policy, and when it is evaluated.

    `stage` is where the engine evaluates it, `alone` where it would by what it reads itself.
    `classes` is the number of classes of targets that it is evaluated for, None where it is not
    evaluated by class or no targets are known. `origin` is `workspace` for a requirement of
    `llmroute.yaml`.
    """

    kind: Literal["let", "requirement", "rule"]
    name: str
    part: Literal["", "when", "target", "prefer"]
    source: Source
    alone: Stage
    stage: Stage
    reason: str
    cost: str
    classes: int | None = None
    origin: Literal["policy", "workspace"] = "policy"

    @property
    def text(self) -> str:
        """The expression, or the built-in preference in words."""
        return self.source.text

    @property
    def built_in(self) -> bool:
        """Whether it is a built-in preference, which is Python code anyway."""
        return isinstance(self.source, Preference)

    @property
    def interpreted(self) -> str | None:
        """Why it is left to jmespath's interpreter, None where it runs as compiled Python."""
        return self.source.interpreted if isinstance(self.source, Expression) else None


class _Place(NamedTuple):
    """Where and how often something is evaluated."""

    stage: Stage
    cost: str
    classes: int | None = None


class _Part(NamedTuple):
    """One half of a rule or requirement: what it is, and its stage by what it reads."""

    name: Literal["when", "target", "prefer"]
    source: Source
    alone: Stage

    @property
    def reads(self) -> str:
        return _reads(self.alone, self.source)


_PER_REQUEST = _Place("request", FREQUENCY["request"])


def stage_rows(policy: CompiledPolicy) -> tuple[StageRow, ...]:
    """Return a row for each condition and preference, in the order of the policy."""
    rows = list(_let_rows(policy))
    for part in policy.requirements:
        rows += _require_rows(policy, part)
    for rule in policy.rules:
        rows += _rule_rows(policy, rule)
    return tuple(rows)


def _let_rows(policy: CompiledPolicy) -> Iterator[StageRow]:
    for name, expression in policy.lets.items():
        why = reason("request", expression.roots)
        yield StageRow("let", name, "", expression, "request", "request", why, _PER_REQUEST.cost)


def _require_rows(policy: CompiledPolicy, part: RequirePart) -> Iterator[StageRow]:
    item, place = part.requirement, _require_place(policy, part)
    target = _Part("target", item.target, item.target_stage)
    when = None if item.when is None else _Part("when", item.when, item.when_stage)
    make = partial(_row, "requirement", item.source.name, origin=item.source.origin)
    if when is not None and item.gated:
        yield make(when, None, _PER_REQUEST)
        yield make(target, None, place._replace(cost=_if_it_holds(place)))
    elif when is not None:
        yield make(when, target, place)
        yield make(target, when, place._replace(cost=_if_it_holds(place)))
    else:
        yield make(target, None, place)


def _require_place(policy: CompiledPolicy, part: RequirePart) -> _Place:
    """Return where a requirement is checked: what is not known at load, by class of targets."""
    if part.passing is not None:
        return _Place("load", FREQUENCY["load"])
    priced = part.classes is policy.table.priced
    return _by_class(policy, part.classes, "estimate" if priced else "target")


def _rule_rows(policy: CompiledPolicy, rule: CompiledRule) -> Iterator[StageRow]:
    place = _rule_place(policy, rule)
    prefer = _Part("prefer", rule.prefer.expression or rule.prefer, rule.prefer_stage)
    when = None if rule.when is None else _Part("when", rule.when, rule.when_stage)
    make = partial(_row, "rule", rule.source.name)
    if when is not None and rule.gated:
        yield make(when, None, _PER_REQUEST)
        yield make(prefer, None, place._replace(cost=_if_it_holds(place)))
    elif when is not None:
        yield make(when, prefer, place)
        yield make(prefer, when, place._replace(cost=_if_it_holds(place)))
    else:
        yield make(prefer, None, place)


def _rule_place(policy: CompiledPolicy, rule: CompiledRule) -> _Place:
    if rule.at_home:
        return _Place("target", "once per request, for the target that served the conversation")
    for part in policy.mixed:
        if part.rule is rule:
            return _by_class(policy, part.classes, rule.stage)
    return _Place(rule.stage, FREQUENCY[rule.stage])


def _row(
    kind: Literal["requirement", "rule"],
    name: str,
    part: _Part,
    partner: _Part | None,
    place: _Place,
    origin: Literal["policy", "workspace"] = "policy",
) -> StageRow:
    """Return a row; `partner` is the other half, where both are evaluated together."""
    why = part.reads
    if place.stage != part.alone:
        alike = partner is None or partner.alone == part.alone
        why += f"; {_later(None if alike else partner)}"
    return StageRow(
        kind, name, part.name, part.source, part.alone, place.stage, why, *place[1:], origin
    )


def _later(partner: _Part | None) -> str:
    if partner is None:
        return "requirements that need a request are checked target by target"
    return f"evaluated together with its `{partner.name}`, which {partner.reads}"


def _by_class(policy: CompiledPolicy, classes: Partition | None, stage: Stage) -> _Place:
    """Return the cost of what is evaluated for classes of targets, as far as they are known."""
    size = len(policy.targets)
    if not size:
        return _Place(stage, FREQUENCY[stage])
    if classes is None:
        return _Place(stage, f"{FREQUENCY[stage]} (of {size})")
    number = len(classes.places)
    unit = "price" if classes is policy.table.priced else "class"
    often = f"{'' if classes.few else 'at most '}once per request and {unit}"
    found = f"{number} class{'es' * (number != 1)} of {size} target{'s' * (size != 1)}"
    return _Place(stage, f"{often}: {found}", number)


def _if_it_holds(place: _Place) -> str:
    return place.cost if place.stage == "load" else f"{place.cost}, where its `when` holds"


def _reads(stage: Stage, source: Source) -> str:
    """Say what something reads, and so why it has the stage that it would have alone."""
    if isinstance(source, Preference) and source.subject == "quality":
        return "reads the target's quality and the request's task"
    if isinstance(source, Preference) and source.subject == "affinity":
        return "reads which target served the conversation"
    if source.roots == {"live", "target"}:
        return "mixes what is measured of the target with what is declared: live, target"
    return reason(stage, source.roots)


def microseconds(
    row: StageRow,
    policy: CompiledPolicy,
    context: Context,
    clock: Callable[[], float] = perf_counter,
) -> float | None:
    """Time one evaluation on a request and the policy's first target, in microseconds.

    What it reads (facts, estimate, measurements) is there already. None where it cannot be
    evaluated, or reads a target and there is none. `policy.bind(context)` must have been called.
    """
    call = _evaluation(row, policy, context)
    if call is None:
        return None
    try:
        call()
    except FAILURES:
        return None
    best = min(Timer(call, timer=clock).repeat(_REPEATS, _RUNS))
    return best / _RUNS * 1e6


def _evaluation(
    row: StageRow, policy: CompiledPolicy, context: Context
) -> Callable[[], Any] | None:
    source = row.source
    if isinstance(source, Expression) and row.alone == "request":
        return partial(source.function, context.request_scope)
    if not policy.targets:
        return None
    candidate = Candidate(policy.targets[0], context)
    if isinstance(source, Expression):
        return partial(source.function, candidate.scope)
    return partial(source.micro, source.subject_of(candidate, context))
