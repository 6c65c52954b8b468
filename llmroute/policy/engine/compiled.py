"""A policy compiled against targets: what can be known before a request comes is known.

Each condition and preference has a stage (`stages`), decided by what it reads; a request then
costs what depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from llmroute.catalog.model import Target
from llmroute.policy.engine.columns import Columns
from llmroute.policy.engine.lanes import Lanes
from llmroute.policy.engine.measured import Measured
from llmroute.policy.engine.partition import Partition, target_key
from llmroute.policy.engine.table import TargetTable
from llmroute.policy.expressions.expression import (
    FAILURES,
    ROOTS,
    EvaluationError,
    Expression,
    field_paths,
    truthy,
)
from llmroute.policy.facts.facts import FACTS
from llmroute.policy.scoring.context import REQUEST_FIELDS, Context, Reads
from llmroute.policy.scoring.requirements import CompiledRequire
from llmroute.policy.scoring.rules import CompiledRule
from llmroute.policy.scoring.stages import FREQUENCY, TARGET_ROOTS, reads_any
from llmroute.policy.source import PolicySource

__all__ = ["CompiledPolicy", "RequirePart", "RulePart"]


class RulePart(NamedTuple):
    """A rule with its bit; `classes` are those of the targets that it cannot tell apart.

    None where it reads measurements, or everything.
    """

    bit: int
    rule: CompiledRule
    classes: Partition | None


class RequirePart(NamedTuple):
    """A requirement with its bit, above those of the rules.

    `passing` is the mask of who passes it, where it reads `target` alone.
    """

    bit: int
    requirement: CompiledRequire
    passing: int | None
    classes: Partition | None


class CompiledPolicy:
    """A policy compiled against a sequence of targets.

    `bits` has bit n set for rule n, by stage; affinity is under `home`.
    """

    def __init__(self, source: PolicySource, targets: Sequence[Target]) -> None:
        self.source = source
        self.targets = targets if isinstance(targets, tuple) else tuple(targets)
        self.lets = {name: Expression(text) for name, text in source.let.items()}
        names = frozenset(self.lets)
        self.rules = tuple(CompiledRule(rule, names) for rule in source.rules)
        requirements = tuple(CompiledRequire(item, names) for item in source.require)
        self.expressions = tuple(_expressions(self.lets.values(), requirements, self.rules))
        self.reads = self._reads()
        self._index(requirements)

    def _index(self, requirements: Sequence[CompiledRequire]) -> None:
        """Work out for the targets whatever does not depend on a request."""
        self.lanes = Lanes(len(self.targets), 2 + 2 * sum(r.most - r.least for r in self.rules))
        self.table = TargetTable(self.targets, self.lanes)
        self._partitions: dict[frozenset[tuple[str, ...]], Partition] = {}
        numbered = [(1 << number, rule) for number, rule in enumerate(self.rules)]
        self.bits = dict.fromkeys((*FREQUENCY, "home"), 0)
        for bit, rule in numbered:
            self.bits["home" if rule.at_home else rule.stage] |= bit
        self.columns = Columns(numbered, self.table)
        live = [(bit, rule) for bit, rule in numbered if bit & self.bits["live"]]
        self.measured = Measured(live, self.table)
        mixed = self.bits["estimate"] | self.bits["target"]
        self.mixed = tuple(self._part(bit, rule) for bit, rule in numbered if bit & mixed)
        count = len(self.rules)
        self.requirements = tuple(
            self._require_part(1 << number, item)
            for number, item in enumerate(requirements, start=count)
        )
        self._gated = tuple((bit, rule) for bit, rule in numbered if rule.gated)
        conditions = [(bit, rule.when) for bit, rule in self._gated]
        demands = [(p.bit, p.requirement.when) for p in self.requirements if p.requirement.gated]
        self._gates = _gates([*conditions, *demands])
        self._let_functions = [expression.function for expression in self.lets.values()]
        gated = sum(bit for bit, _ in (*conditions, *demands))
        self._always = (1 << count + len(requirements)) - 1 - gated
        self.affine = any(rule.prefer.subject == "affinity" for rule in self.rules)
        in_lanes = self.bits["load"] | self.bits["task"] | self.bits["live"]
        #: The rules in rows that can take points away, with their bit.
        self.negative = tuple((b, r.least) for b, r in numbered if b & in_lanes and r.least)

    def _part(self, bit: int, rule: CompiledRule) -> RulePart:
        parts = (rule.local_when, rule.prefer.expression)
        built_in = _BUILT_IN_READS.get(rule.prefer.subject, frozenset())
        return RulePart(bit, rule, self._classes(parts, built_in))

    def _require_part(self, bit: int, item: CompiledRequire) -> RequirePart:
        if item.stage == "load":
            return RequirePart(bit, item, self.lanes.mask(item.fold(self.targets)), None)
        parts = (item.local_when, item.target)
        return RequirePart(bit, item, None, self._classes(parts, frozenset()))

    def _classes(
        self, expressions: Iterable[Expression | None], reads: frozenset[tuple[str, ...]]
    ) -> Partition | None:
        """Return the classes of targets that are alike in what expressions read of them."""
        found = (path for e in expressions if e for path in field_paths(e.tree))
        paths = reads | {path for path in found if path[0] in ("@", "estimate", "live", "target")}
        roots = {path[0] for path in paths}
        if roots & {"@", "live"}:
            return None
        if roots == {"estimate"}:
            return self.table.priced
        if paths not in self._partitions:
            priced = "estimate" in roots
            self._partitions[paths] = Partition(self._keys(paths), self.lanes, priced=priced)
        return self._partitions[paths]

    def _keys(self, paths: frozenset[tuple[str, ...]]) -> Iterator[Hashable]:
        of_target = {path for path in paths if path[0] == "target"}
        prices = self.table.priced.class_of if len(of_target) < len(paths) else None
        for place, target in enumerate(self.targets):
            yield prices[place] if prices else None, target_key(target, of_target)

    def bind(self, context: Context) -> int:
        """Evaluate what reads only the request.

        Returns the bits of the rules and requirements that apply to it.
        """
        scope, active = context.request_scope, self._always
        try:
            found = [function(scope) for function in self._let_functions]
            scope.update(zip(self.lets, found, strict=True))
            for bits, function in self._gates:
                value = function(scope)
                if value is True or (value is not False and truthy(value)):
                    active |= bits
        except FAILURES:
            return self._bind_one_by_one(context)
        return active

    def _bind_one_by_one(self, context: Context) -> int:
        """Do what `bind` does where something fails; note it."""
        roots = {name: value for name, value in context.request_scope.items() if name in ROOTS}
        for name, expression in self.lets.items():
            self._let(name, expression, context, roots)
        active = self._always
        active |= sum(bit for bit, rule in self._gated if rule.holds_for_request(context))
        return active | sum(p.bit for p in self.requirements if p.requirement.demanded(context))

    def reading(self, names: Collection[str]) -> int:
        """Return the bits of the rules that read any of the names under `let`."""
        if not names:
            return 0
        return sum(1 << n for n, rule in enumerate(self.rules) if reads_any(rule.roots, names))

    def _let(
        self, name: str, expression: Expression, context: Context, roots: Mapping[str, Any]
    ) -> None:
        try:
            context.request_scope[name] = expression.evaluate(roots)
        except EvaluationError as exc:
            context.note(f"let {name}, {expression.text}: {exc}")
            context.failed.add(name)
            context.request_scope[name] = None

    def _reads(self) -> Reads:
        paths = {path for e in self.expressions for path in field_paths(e.tree)}
        roots = {path[0] for path in paths}
        everything = "@" in roots
        return Reads.of(
            request=_fields("request", paths, REQUEST_FIELDS, everything),
            facts=_fields("facts", paths, FACTS, everything),
            target=TARGET_ROOTS if everything else TARGET_ROOTS & roots,
        )


def _fields(
    root: str, paths: Collection[tuple[str, ...]], known: Collection[str], everything: bool
) -> frozenset[str]:
    """Return the fields of a root that are read; all of them where it is read as a whole."""
    if everything or (root,) in paths:
        return frozenset(known)
    return frozenset(path[1] for path in paths if path[0] == root)


def _expressions(
    lets: Iterable[Expression],
    requirements: Iterable[CompiledRequire],
    rules: Iterable[CompiledRule],
) -> Iterator[Expression]:
    yield from lets
    for item in requirements:
        yield from item.expressions
    for rule in rules:
        yield from (e for e in (rule.when, rule.prefer.expression) if e)


def _gates(
    gated: Iterable[tuple[int, Expression | None]],
) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    """Return each condition once, with the bits of everything that it is the condition of."""
    found: dict[str, tuple[int, Callable[[Any], Any]]] = {}
    for bit, when in gated:
        if when is not None:
            bits, function = found.get(when.text, (0, when.function))
            found[when.text] = (bits | bit, function)
    return tuple(found.values())


#: What built-in preferences read of a target.
_BUILT_IN_READS: Mapping[str, frozenset[tuple[str, ...]]] = {
    "affinity": frozenset({("target", "id")}),
    "estimate": frozenset({("estimate",)}),
    "live": frozenset({("live",)}),
    "quality": frozenset({("target", "quality")}),
}
