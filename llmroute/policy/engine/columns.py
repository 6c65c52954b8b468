"""Rows of points that hold for many requests, each made when it is first needed and kept.

Rules over `target` alone give a row at load; quality one per task; and price and cost a row of
the most points that they can give to requests of about this size. Rows are sums without the
rules' least points, so that no lane is negative.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from llmroute.policy.engine.bounds import Span, highest
from llmroute.policy.engine.corrections import Corrections, Kind
from llmroute.policy.engine.kept import Kept
from llmroute.policy.engine.table import TargetTable
from llmroute.policy.scoring.estimate import Correction
from llmroute.policy.scoring.rules import CompiledRule

__all__ = ["Columns"]

#: Rows that are kept; the oldest is forgotten first.
_KEPT = 512
#: Targets whose lanes are mended in rows that are kept; of more, rows are made anew.
_FEW = 16


class Columns:
    """The rows of one compiled policy; rules are named by their bits."""

    def __init__(self, rules: Sequence[tuple[int, CompiledRule]], table: TargetTable) -> None:
        self._table = table
        self._rules = dict(rules)
        self._folded = {
            bit: self._packed(rule, rule.fold(table.targets))
            for bit, rule in rules
            if rule.stage == "load"
        }
        self.kept: Kept[Hashable, int] = Kept(_KEPT)

    def load(self, active: int) -> int:
        """Return the points of the active rules at stage `load`."""
        return self._known(
            active, lambda: sum(r for bit, r in self._folded.items() if active & bit)
        )

    def task(self, active: int, task: str) -> int:
        """Return the points of the active rules at stage `task`, for one task."""
        return self._known((active, task), lambda: self._task(active, task))

    def _task(self, active: int, task: str) -> int:
        rules = (rule for bit, rule in self._rules.items() if active & bit)
        return sum(self._packed(rule, rule.fold(self._table.targets, task)) for rule in rules)

    def most(
        self, active: int, spans: tuple[Span, ...], corrections: Corrections | None = None
    ) -> int:
        """Return the most points of the active rules over the estimate; not less their least.

        `spans` are the groups of the request's token counts, by tokenizer, as estimated.
        """
        if corrections is not None:
            self._inherit(corrections)
            kind = (active, spans)
            return corrections.rows.row(kind, lambda: self._corrected(kind, corrections))
        return self._known((active, spans), lambda: self._most(active, spans))

    def _corrected(self, kind: Kind, corrections: Corrections) -> int:
        """Return the row of `most` with the lanes of corrected targets computed apart."""
        values = list(self._table.lanes.unpack(self.most(*kind)))
        class_of = self._table.priced.class_of
        made: dict[tuple[int, Correction], int] = {}
        for place, correction in corrections.known.items():
            alike = class_of[place], correction
            if alike not in made:
                made[alike] = self._most_at(place, kind, correction)
            values[place] = made[alike]
        return self._table.lanes.pack(values)

    def _most_at(self, place: int, kind: Kind, correction: Correction) -> int:
        active, spans = kind
        target = self._table.targets[place]
        group = spans[self._table.tokenizers.index(target.tokenizer)]
        rules = (rule for bit, rule in self._rules.items() if active & bit)
        return sum(highest(rule, target, group, correction) for rule in rules)

    def _inherit(self, corrections: Corrections) -> None:
        """Take over the rows of the corrections that held before, where few targets differ."""
        before, corrections.before = corrections.before, None
        if before is None:
            return
        moved, lanes = corrections.moved(before), self._table.lanes
        for kind, row in before.rows.items() if len(moved) <= _FEW else ():
            for place in moved:
                gained = self._most_at(place, kind, corrections.at(place)) - lanes.at(row, place)
                row += lanes.put(place, gained)
            corrections.rows.keep(kind, row)

    def _most(self, active: int, spans: tuple[Span, ...]) -> int:
        row = 0
        for bit in self._rules:
            if active & bit:
                for tokenizer, group in zip(self._table.tokenizers, spans, strict=True):
                    row += self._bound(bit, tokenizer, group)
        return row

    def _bound(self, bit: int, tokenizer: str, group: Span) -> int:
        """Return the most points of one rule, in the lanes of one tokenizer's targets."""
        key = (bit, tokenizer, group)
        return self._known(key, lambda: self._made(bit, tokenizer, group))

    def _made(self, bit: int, tokenizer: str, group: Span) -> int:
        rule, targets, priced = self._rules[bit], self._table.targets, self._table.priced
        alike = [targets[place] for place in priced.places]
        mine = ((t, t.tokenizer == tokenizer) for t in alike)
        most = [highest(rule, t, group) if own else 0 for t, own in mine]
        return self._table.lanes.pack([most[number] for number in priced.class_of])

    def _packed(self, rule: CompiledRule, points: Sequence[int]) -> int:
        return self._table.lanes.pack([value - rule.least for value in points])

    def _known(self, key: Hashable, make: Callable[[], int]) -> int:
        return self.kept.row(key, make)
