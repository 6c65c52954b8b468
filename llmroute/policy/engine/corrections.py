"""What earlier answers changed about the estimates of targets: see `scoring.estimate.Correction`.

Classes of targets with equal estimates are told apart by it, and rows of bounds are made for it.
All of this is kept for as long as no correction changes, which is seldom: factors and lengths move
in steps (see `dispatch.live`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from llmroute.catalog.model import Target
from llmroute.policy.engine.bounds import Span
from llmroute.policy.engine.kept import Kept
from llmroute.policy.engine.lanes import Lanes
from llmroute.policy.engine.partition import Partition
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.estimate import UNCORRECTED, Correction, expected_output
from llmroute.policy.scoring.live import LiveFacts

__all__ = ["Corrections", "Kind", "Learned", "learned"]

#: The bits of active rules, and the groups of a request's token counts.
Kind = tuple[int, tuple[Span, ...]]
#: Kinds of requests whose corrections are kept, and rows of each; the oldest is forgotten first.
_KINDS, _ROWS = 32, 64


class Corrections:
    """The corrections that hold for one kind of request, by place; never none at all.

    `rows` are the rows of bounds that were made for them; those of `before`, which held until now,
    are still to be taken over.
    """

    def __init__(
        self, known: Mapping[int, Correction], lanes: Lanes, before: Corrections | None = None
    ) -> None:
        self.known = known
        self.rows: Kept[Kind, int] = Kept(_ROWS)
        self.before: Corrections | None = before and (before.before or before)
        self._lanes = lanes
        self._refined: dict[int, Partition] = {}

    def at(self, place: int) -> Correction:
        """Return the correction of a target."""
        return self.known.get(place, UNCORRECTED)

    def moved(self, before: Corrections) -> Sequence[int]:
        """Return the places whose correction is another one than before."""
        places = sorted({*self.known, *before.known})
        return [place for place in places if self.at(place) != before.at(place)]

    @cached_property
    def longer(self) -> Sequence[tuple[float, int]]:
        """Each factor that makes a prompt longer, with the mask of the targets that have it."""
        found: dict[float, int] = defaultdict(int)
        for place, item in self.known.items():
            if item.factor > 1.0:
                found[item.factor] |= self._lanes.single(place)
        return tuple(found.items())

    @cached_property
    def longest(self) -> int:
        """The longest answer that was learned, in tokens; 0 where none was."""
        return max(item.output or 0 for item in self.known.values())

    def refined(self, classes: Partition) -> Partition:
        """Return classes in which targets are alike in their correction too."""
        known = self._refined.get(id(classes))
        if known is None:
            keys = ((c, self.known.get(place)) for place, c in enumerate(classes.class_of))
            known = self._refined[id(classes)] = Partition(keys, self._lanes, priced=True)
        return known


class Learned:
    """What answers have taught of all targets: factors by place, lengths by task and place."""

    def __init__(
        self,
        factors: Mapping[int, float],
        lengths: Mapping[str, Mapping[int, int]],
        lanes: Lanes,
    ) -> None:
        self._factors = factors
        self._lengths = lengths
        self._lanes = lanes
        self._made: Kept[tuple[str | None, bool], Corrections] = Kept(_KINDS)
        self._before: dict[tuple[str | None, bool], Corrections] = {}

    def same(self, other: Learned) -> bool:
        """Whether both say the same of every request."""
        return self._factors == other._factors and self._lengths == other._lengths

    def take(self, before: Learned) -> None:
        """Keep the corrections that were made before and still hold; remember the others."""
        self._before = dict([*before._before.items()][-_KINDS:])
        for (task, counted), made in before._made.items():
            factors = counted or self._factors == before._factors
            if factors and self._of_task(task) == before._of_task(task):
                self._made.keep((task, counted), made)
            else:
                self._before[task, counted] = made

    def of(self, context: Context) -> Corrections | None:
        """Return the corrections that hold for a request, None where no target has any."""
        task = context.facts.task if self._lengths else None
        task, counted = task if task in self._lengths else None, context.counted
        if task is None and (counted or not self._factors):
            return None
        return self._made.row((task, counted), lambda: self._make(task, counted))

    def _of_task(self, task: str | None) -> Mapping[int, int]:
        return {} if task is None else self._lengths.get(task, {})

    def _make(self, task: str | None, counted: bool) -> Corrections:
        factors, lengths = {} if counted else self._factors, self._of_task(task)
        places = sorted({*factors, *lengths})
        known = {p: Correction(factors.get(p, 1.0), lengths.get(p)) for p in places}
        return Corrections(known, self._lanes, self._before.pop((task, counted), None))


def learned(
    facts: Sequence[LiveFacts],
    targets: Sequence[Target],
    lanes: Lanes,
    before: Learned | None = None,
) -> Learned | None:
    """Return what is learned of all targets, the same object as `before` where nothing changed."""
    factors = {n: item.token_factor for n, item in enumerate(facts) if item.token_factor != 1.0}
    lengths: dict[str, dict[int, int]] = defaultdict(dict)
    for place, item in enumerate(facts):
        for task, output in item.outputs.items() if item.outputs else ():
            if output.tokens != expected_output(targets[place], None):
                lengths[task][place] = output.tokens
    if not factors and not lengths:
        return None
    found = Learned(factors, dict(lengths), lanes)
    if before is not None:
        if found.same(before):
            return before
        found.take(before)
    return found
