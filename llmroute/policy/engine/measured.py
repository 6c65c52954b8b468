"""The live facts of a policy's targets, read again only where they changed.

The facts of a snapshot never change once it was handed out, so that a decision can be explained
later with the values that it was made from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from llmroute.policy.engine.corrections import Learned, learned
from llmroute.policy.engine.kept import Kept
from llmroute.policy.engine.table import TargetTable
from llmroute.policy.scoring.live import LiveFacts, LiveView
from llmroute.policy.scoring.rules import CompiledRule

__all__ = ["Measured", "Snapshot"]

#: Sets of active rules whose points a snapshot keeps.
_KEPT = 16


@dataclass(slots=True)
class Snapshot:
    """Live facts by place; `rows` maps the bits of active rules to the points that they give.

    `learned` is what the facts say of estimates, None where nothing was learned.
    """

    facts: list[LiveFacts]
    learned: Learned | None
    rows: Kept[int, int] = field(default_factory=lambda: Kept(_KEPT))


class Measured:
    """Follows one live view for one compiled policy."""

    def __init__(self, rules: Sequence[tuple[int, CompiledRule]], table: TargetTable) -> None:
        self._table = table
        self._rules = rules
        self._latest: tuple[LiveView, int, Snapshot] | None = None

    def now(self, view: LiveView) -> Snapshot:
        """Return the present facts of every target."""
        latest, version = self._latest, view.version
        if latest is None or latest[0] is not view:
            snapshot = self._fresh(view)
        elif latest[1] == version:
            return latest[2]
        else:
            changed = view.changed(latest[1])
            snapshot = self._patched(latest[2], view, changed)
        self._latest = (view, version, snapshot)
        return snapshot

    def points(self, snapshot: Snapshot, active: int) -> int:
        """Return the row of points that the active rules give; not less their least."""
        return snapshot.rows.row(active, lambda: self._row(active, snapshot.facts))

    def _row(self, active: int, facts: Sequence[LiveFacts]) -> int:
        return self._table.lanes.pack([self._points(active, item) for item in facts])

    def _fresh(self, view: LiveView) -> Snapshot:
        before = self._latest[2].learned if self._latest else None
        table = self._table
        facts = [view.of(target) for target in table.targets]
        return Snapshot(facts, learned(facts, table.targets, table.lanes, before))

    def _patched(
        self, before: Snapshot, view: LiveView, changed: Collection[str] | None
    ) -> Snapshot:
        """Copy a snapshot with what changed."""
        table = self._table
        if changed is None or len(changed) > len(table.targets) // 2:
            return self._fresh(view)
        places = [table.places[name] for name in changed if name in table.places]
        facts = before.facts.copy()
        for place in places:
            facts[place] = view.of(table.targets[place])
        lanes = table.lanes
        after = Snapshot(facts, before.learned)
        if any(_taught(before.facts[p], facts[p]) for p in places):
            after.learned = learned(facts, table.targets, lanes, before.learned)
        for active, row in before.rows.items():
            for place in places:
                gained = self._points(active, facts[place]) - lanes.at(row, place)
                row += lanes.put(place, gained)
            after.rows.keep(active, row)
        return after

    def _points(self, active: int, facts: LiveFacts) -> int:
        total = 0
        for bit, rule in self._rules:
            if active & bit:
                scope = {"live": facts.view} if rule.needs_scope else {}
                total += rule.score(scope, facts) - rule.least
        return total


def _taught(before: LiveFacts, after: LiveFacts) -> bool:
    """Whether an estimate of a target changed between two readings."""
    if before.token_factor != after.token_factor:
        return True
    return before.outputs is not after.outputs and _lengths(before) != _lengths(after)


def _lengths(facts: LiveFacts) -> Mapping[str, int]:
    return {task: output.tokens for task, output in facts.outputs.items()}
