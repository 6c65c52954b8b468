"""A policy compiled against targets: conditions staged by what they read, scores in integers.

A condition that reads only `target` is folded to a number when the policy is compiled; one that
reads only the request is evaluated once per request; the rest once per request and target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llmroute.catalog.model import Target
from llmroute.policy.context import Candidate, Context
from llmroute.policy.expression import EvaluationError, Expression, field_paths, truthy
from llmroute.policy.facts import FACTS
from llmroute.policy.preferences import (
    MICRO,
    Preference,
    Value,
    expression_value,
    preference,
)
from llmroute.policy.requirements import CompiledRequire
from llmroute.policy.source import PolicySource, Rule

__all__ = ["CompiledPolicy", "CompiledRule", "Contribution", "Stage", "points"]

#: When something is evaluated: once per load, once per request, or per request and target.
Stage = Literal["load", "request", "target"]

_REQUEST_ROOTS = frozenset({"request", "facts", "budget", "now"})


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
    """One rule: its condition and preference compiled, and folded where they read `target` only."""

    def __init__(self, source: Rule, lets: frozenset[str], targets: Sequence[Target]) -> None:
        self.source = source
        self.when = None if source.when is None else Expression(source.when)
        self.prefer: Preference = preference(source.prefer)
        self.when_stage: Stage = _stage(self.when.roots if self.when else frozenset(), lets)
        self.prefer_stage: Stage = _stage(self.prefer.roots, lets)
        self.load_notes: dict[str, int] = {}
        self._whens = self._folded_whens(targets) if self.when_stage == "load" else {}
        self._values = self._folded_values(targets) if self.prefer_stage == "load" else {}

    def applies_to_request(self, context: Context) -> bool:
        """Whether the condition, where it reads only the request, holds; True for the others."""
        if self.when is None or self.when_stage != "request":
            return True
        if self.when.roots & context.failed:
            return False
        return self._holds(self.when, context.request_scope, context.note)

    def contribution(self, candidate: Candidate, context: Context) -> Contribution | None:
        """Return what the rule gives a target, None where its condition is false there."""
        target_id = candidate.target.id
        if self.when_stage == "target" and self.when is not None:
            failed = self.when.roots & context.failed
            if failed or not self._holds(self.when, candidate.scope, context.note):
                return None
        elif not self._whens.get(target_id, True):
            return None
        if self.prefer.roots & context.failed:
            return self._valued(Value(0, "cannot be evaluated"))
        folded = self._values.get(target_id)
        return folded or self._valued(self.prefer.measure(candidate, context))

    def _valued(self, value: Value) -> Contribution:
        """Turn a value into points; an unknown one is the worst for the weight's sign."""
        weight = self.source.weight
        micro = value.micro if value.micro is not None else (MICRO if weight < 0 else 0)
        return Contribution(self.source.name, weight, micro, points(weight, micro), value.note)

    def _holds(
        self, when: Expression, scope: Mapping[str, Any], note: Callable[[str], None]
    ) -> bool:
        try:
            return truthy(when.evaluate(scope))
        except EvaluationError as exc:
            note(f"rule {self.source.name!r}, {when.text}: {exc}")
            return False

    def _folded_whens(self, targets: Sequence[Target]) -> dict[str, bool]:
        if self.when is None:
            return {}
        when, note = self.when, self._note
        return {t.id: self._holds(when, {"target": t.view}, note) for t in targets}

    def _folded_values(self, targets: Sequence[Target]) -> dict[str, Contribution]:
        expression = self.prefer.expression
        if expression is None:
            return {}
        values = {
            t.id: expression_value(expression, {"target": t.view}, self._note) for t in targets
        }
        return {target_id: self._valued(value) for target_id, value in values.items()}

    def _note(self, text: str) -> None:
        self.load_notes[text] = self.load_notes.get(text, 0) + 1


def _stage(roots: frozenset[str], lets: frozenset[str]) -> Stage:
    if roots <= {"target"}:
        return "load"
    return "request" if roots <= _REQUEST_ROOTS | lets else "target"


class CompiledPolicy:
    """A policy compiled against a sequence of targets."""

    def __init__(self, source: PolicySource, targets: Sequence[Target]) -> None:
        self.source = source
        self.targets = tuple(targets)
        self.lets = {name: Expression(text) for name, text in source.let.items()}
        self.requirements = tuple(CompiledRequire(item) for item in source.require)
        names = frozenset(self.lets)
        self.rules = tuple(CompiledRule(rule, names, self.targets) for rule in source.rules)
        self.fact_names = self._fact_names()

    def bind(self, context: Context) -> tuple[CompiledRule, ...]:
        """Evaluate what reads only the request, and return the rules that apply to it."""
        for name, expression in self.lets.items():
            context.request_scope[name] = self._let(name, expression, context)
        for rule in self.rules:
            context.notes.update(rule.load_notes)
        return tuple(rule for rule in self.rules if rule.applies_to_request(context))

    def _let(self, name: str, expression: Expression, context: Context) -> Any:
        try:
            return expression.evaluate(context.request_scope)
        except EvaluationError as exc:
            context.note(f"let {name}, {expression.text}: {exc}")
            context.failed.add(name)
            return None

    def _fact_names(self) -> frozenset[str]:
        """Return the facts that expressions read; all of them where one reads `facts` whole."""
        expressions = [*self.lets.values()]
        expressions += [e for item in self.requirements for e in item.expressions]
        for rule in self.rules:
            expressions += [e for e in (rule.when, rule.prefer.expression) if e]
        paths = {path for e in expressions for path in field_paths(e.tree)}
        if any(path[0] == "@" or path == ("facts",) for path in paths):
            return frozenset(FACTS)
        return frozenset(path[1] for path in paths if path[0] == "facts")
