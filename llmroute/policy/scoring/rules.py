"""One rule, compiled: its condition and its preference, each at its stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmroute.catalog.model import Target
from llmroute.policy.expressions.expression import FAILURES, EvaluationError, Expression, truthy
from llmroute.policy.scoring.context import Candidate, Context
from llmroute.policy.scoring.preferences import MICRO, Value, expression_micro, preference
from llmroute.policy.scoring.requirements import Note
from llmroute.policy.scoring.stages import TARGET_ROOTS, Stage, joined, reads_any, stage_of
from llmroute.policy.source import Rule

__all__ = ["CompiledRule", "Contribution", "points"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one rule gave one target: `value` in millionths, `points` in micro-points.

    `weight` is in thousandths; `points` is weight × value, rounded half-even where a weight has
    decimals. `note` says where the value came from.
    """

    rule: str
    weight: int
    value: int
    points: int
    note: str = ""


def points(weight: int, value: int) -> int:
    """Return thousandths × millionths as micro-points, rounded half-even."""
    quotient, remainder = divmod(weight * value, 1000)
    return quotient + (remainder > 500 or (remainder == 500 and quotient % 2 == 1))


class CompiledRule:
    """One rule.

    `gated`: its condition reads only the request, and holds for all targets or for none. `stage`
    is that of the rest of the rule; `most` and `least` bound the points that it can give.
    """

    def __init__(self, source: Rule, lets: frozenset[str]) -> None:
        self.source = source
        self.when = None if source.when is None else Expression(source.when)
        self.prefer = preference(source.prefer)
        self.when_stage: Stage = stage_of(self.when.roots if self.when else frozenset(), lets)
        self.prefer_stage: Stage = self._prefer_stage(lets)
        self.gated = self.when is not None and self.when_stage == "request"
        self.stage: Stage = self.prefer_stage
        #: The condition where it is not gated: evaluated together with the rest.
        self.local_when = None if self.gated else self.when
        if self.local_when is not None:
            self.stage = joined(self.when_stage, self.prefer_stage)
        #: Points in a millionth, where they are whole.
        self._points = source.weight // 1000 if source.weight % 1000 == 0 else None
        self.needs_scope = bool(self.local_when or self.prefer.expression)
        read = self.prefer.expression.roots if self.prefer.expression else frozenset()
        read |= self.local_when.roots if self.local_when else frozenset()
        #: Roots of a target that its expressions read beside `target`.
        self.scope_roots = frozenset(TARGET_ROOTS if "@" in read else read & TARGET_ROOTS)
        self.roots = self.prefer.roots | (self.when.roots if self.when else frozenset())
        self.most = max(points(source.weight, MICRO), 0)
        self.least = min(points(source.weight, MICRO), 0)

    def _prefer_stage(self, lets: frozenset[str]) -> Stage:
        return "task" if self.prefer.subject == "quality" else stage_of(self.prefer.roots, lets)

    @property
    def at_home(self) -> bool:
        """Whether it gives points only to the target that served the conversation before."""
        return self.prefer.subject == "affinity" and self.local_when is None

    def score(self, scope: Mapping[str, Any], subject: Any) -> int:
        """Return the points that the rule gives; a gated condition is taken to hold.

        `scope` holds the roots that its expressions read, `subject` is what a built-in
        preference values.
        """
        if self.needs_scope:
            return self._score_by_expressions(scope, subject)
        micro = self.prefer.micro(subject)
        if micro is None:
            micro = self._known(micro)
        return points(self.source.weight, micro) if self._points is None else self._points * micro

    def _score_by_expressions(self, scope: Mapping[str, Any], subject: Any) -> int:
        when, expression = self.local_when, self.prefer.expression
        try:
            if when is not None and not truthy(when.function(scope)):
                return 0
            if expression is not None:
                micro = expression_micro(expression.function(scope))
        except FAILURES:
            return 0
        if expression is None:
            micro = self._known(self.prefer.micro(subject))
        return points(self.source.weight, micro) if self._points is None else self._points * micro

    def fold(self, targets: Sequence[Target], task: str = "") -> list[int]:
        """Return the points of a rule at stage `load` or `task`, by position of the target."""
        return [self.score({"target": t.view}, (t.quality, task)) for t in targets]

    def holds_for_request(self, context: Context) -> bool:
        """Whether a gated rule's condition holds; True for the others."""
        return not self.gated or self._holds(context.request_scope, context, context.note)

    def contribution(
        self, candidate: Candidate, context: Context, note: Note
    ) -> Contribution | None:
        """Return what the rule gives a target, None where its condition is false there.

        A gated condition is taken to hold.
        """
        if self.local_when is not None and not self._holds(candidate.scope, context, note):
            return None
        return self.potential(candidate, context, note)

    def potential(self, candidate: Candidate, context: Context, note: Note) -> Contribution:
        """Return what the rule gives a target where its condition holds."""
        if reads_any(self.prefer.roots, context.failed):
            value = Value(0, "cannot be evaluated")
        else:
            value = self.prefer.measure(candidate, context, note)
        micro, weight = self._known(value.micro), self.source.weight
        return Contribution(self.source.name, weight, micro, points(weight, micro), value.note)

    def _known(self, micro: int | None) -> int:
        """Return a value, an unknown one being the worst for the weight's sign."""
        if micro is not None:
            return micro
        return MICRO if self.source.weight < 0 else 0

    def _holds(self, scope: Mapping[str, Any], context: Context, note: Note) -> bool:
        when = self.when
        if when is None or reads_any(when.roots, context.failed):
            return when is None
        try:
            return truthy(when.evaluate(scope))
        except EvaluationError as exc:
            note(f"rule {self.source.name!r}, {when.text}: {exc}")
            return False
