"""Which rules, requirements and targets tests exercised.

A rule is covered if its condition was seen to hold and, where it has one, not to hold. A
requirement is covered if it was seen to reject a target and to let one pass while its condition
held and, where it has one, not to apply. Targets are shown and do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmroute.lab.testing.bench import Bench, Outcome
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decision import Decision
from llmroute.policy.expressions.expression import EvaluationError, truthy
from llmroute.policy.scoring.context import Candidate, Context
from llmroute.policy.scoring.requirements import CompiledRequire
from llmroute.policy.source import PolicySource, Require, Rule

__all__ = ["Coverage", "RequireSeen", "RuleSeen", "TargetSeen"]


@dataclass(slots=True)
class RuleSeen:
    """In how many tests a rule's condition held, did not hold, and the rule made the winner."""

    policy: str
    rule: Rule
    held: int = 0
    not_held: int = 0
    decided: int = 0

    @property
    def counts(self) -> dict[str, int | None]:
        """The counts; None where there is no condition that could fail."""
        not_held = None if self.rule.when is None else self.not_held
        return {"held": self.held, "not_held": not_held, "changed_the_winner": self.decided}

    @property
    def points(self) -> dict[str, int]:
        """What counts for coverage, in words, and in how many tests it was seen."""
        found = {"its condition held" if self.rule.when else "it applied": self.held}
        return {**found, "its condition did not hold": self.not_held} if self.rule.when else found


@dataclass(slots=True)
class RequireSeen:
    """In how many tests a requirement rejected a target, let one pass, did not apply."""

    policy: str
    require: Require
    rejected: int = 0
    passed: int = 0
    left_out: int = 0

    @property
    def counts(self) -> dict[str, int | None]:
        """The counts; None where there is no condition that could fail."""
        left_out = None if self.require.when is None else self.left_out
        return {"rejected": self.rejected, "passed": self.passed, "not_applied": left_out}

    @property
    def points(self) -> dict[str, int]:
        """What counts for coverage, in words, and in how many tests it was seen."""
        found = {"it rejected a target": self.rejected, "it let a target pass": self.passed}
        return {**found, "it did not apply": self.left_out} if self.require.when else found


@dataclass(slots=True)
class TargetSeen:
    """In how many tests a target won, was eligible, was rejected."""

    won: int = 0
    eligible: int = 0
    rejected: int = 0


@dataclass
class Coverage:
    """What the tests that were added to it exercised of some policies."""

    bench: Bench
    rules: dict[tuple[str, str], RuleSeen] = field(default_factory=dict)
    requirements: dict[tuple[str, str, str], RequireSeen] = field(default_factory=dict)
    targets: dict[str, TargetSeen] = field(default_factory=dict)

    @classmethod
    def of(cls, bench: Bench, policies: Iterable[str], outcomes: Iterable[Outcome]) -> Coverage:
        """Gather the coverage of policies by tests."""
        made = cls(bench)
        for name in policies:
            made._expect(bench.router.policy(name).source)
        for target in bench.router.targets:
            made.targets[target.id] = TargetSeen()
        for outcome in outcomes:
            made.add(outcome)
        return made

    def _expect(self, source: PolicySource) -> None:
        for rule in source.rules:
            self.rules[source.name, rule.name] = RuleSeen(source.name, rule)
        for item in source.require:
            key = (source.name, item.origin, item.name)
            self.requirements[key] = RequireSeen(source.name, item)

    def add(self, outcome: Outcome) -> None:
        """Count what one test exercised."""
        self._add_targets(outcome.decision)
        for name, seen in _of_policy(self.rules, outcome.case.policy):
            self._add_rule(seen, name, outcome)
        self._add_requirements(outcome)

    def _add_targets(self, decision: Decision) -> None:
        for place, target in enumerate(decision.targets):
            seen = self.targets.setdefault(target.id, TargetSeen())
            seen.eligible += 1
            seen.won += place == 0
        for name in {item.target for item in decision.rejections if "/" in item.target}:
            self.targets.setdefault(name, TargetSeen()).rejected += 1

    def _add_rule(self, seen: RuleSeen, name: str, outcome: Outcome) -> None:
        decision = outcome.decision
        given = [any(part.rule == name for part in r.contributions) for r in decision.ranking]
        held = any(given)
        seen.held += held
        seen.not_held += name in decision.skipped or not all(given)
        if held and decision.winner:
            other = self.bench.decide(outcome.case, without=name).winner
            seen.decided += other is None or other.id != decision.winner.id

    def _add_requirements(self, outcome: Outcome) -> None:
        for item, verdicts in _verdicts(self.bench, outcome):
            seen = self.requirements.get((outcome.case.policy, item.origin, item.name))
            if seen is not None:
                seen.rejected += False in verdicts
                seen.passed += True in verdicts
                seen.left_out += None in verdicts

    @property
    def counted(self) -> tuple[int, int]:
        """How much was seen, of how much."""
        points = [count for seen in self._all for count in seen.points.values()]
        return sum(count > 0 for count in points), len(points)

    @property
    def percent(self) -> float:
        """The share that was seen, in percent; 100 where there is nothing to see."""
        seen, of = self.counted
        return 100 * seen / of if of else 100.0

    @property
    def missing(self) -> list[str]:
        """What no test exercised, in words."""
        return [f"{_title(seen)}: {what}" for seen in self._all for what in _unseen(seen.points)]

    @property
    def _all(self) -> Sequence[RuleSeen | RequireSeen]:
        return [*self.rules.values(), *self.requirements.values()]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        seen, of = self.counted
        return {
            "percent": self.percent,
            "seen": seen,
            "of": of,
            "missing": self.missing,
            "rules": [
                {"policy": s.policy, "rule": s.rule.name, **s.counts} for s in self.rules.values()
            ],
            "requirements": [
                {
                    "policy": s.policy,
                    "requirement": s.require.name,
                    "origin": s.require.origin,
                    **s.counts,
                }
                for s in self.requirements.values()
            ],
            "targets": [
                {"target": name, "won": s.won, "eligible": s.eligible, "rejected": s.rejected}
                for name, s in sorted(self.targets.items())
            ],
        }


def _of_policy(
    rules: dict[tuple[str, str], RuleSeen], policy: str
) -> Iterator[tuple[str, RuleSeen]]:
    return ((rule, seen) for (name, rule), seen in rules.items() if name == policy)


def _title(seen: RuleSeen | RequireSeen) -> str:
    if isinstance(seen, RuleSeen):
        return f"{seen.policy}: rule `{seen.rule.name}`"
    return f"{seen.policy}: requirement `{seen.require.name}`"


def _unseen(points: dict[str, int]) -> Iterator[str]:
    return (f"no test in which {what}" for what, count in points.items() if not count)


def _verdicts(bench: Bench, outcome: Outcome) -> Iterator[tuple[Require, set[bool | None]]]:
    """Yield each requirement with what it said of targets: pass, reject, or None for nothing."""
    case = outcome.case
    compiled = bench.policy(case).compile(bench.catalog(case).targets)
    context = Context(bench.request(case), bench.around(case), compiled.reads)
    compiled.bind(context)
    for part in compiled.requirements:
        item = part.requirement
        if item.demanded(context):
            yield item.source, _of_targets(item, compiled, context)
        else:
            yield item.source, {None}


def _of_targets(
    item: CompiledRequire, compiled: CompiledPolicy, context: Context
) -> set[bool | None]:
    candidates = (Candidate(target, context) for target in compiled.targets)
    return {
        item.passes(candidate, context) if _applies(item, candidate) else None
        for candidate in candidates
    }


def _applies(item: CompiledRequire, candidate: Candidate) -> bool:
    """Whether a `when` that reads the target holds; as in a decision, it does where it fails."""
    if item.local_when is None:
        return True
    try:
        return truthy(item.local_when.evaluate(candidate.scope))
    except EvaluationError:
        return True
