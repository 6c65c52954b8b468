"""What a change does to decisions: which requests get another winner, and what that costs.

`compare` looks at the finite set of requests that both sides together can tell apart (see
`llmroute.lab.domain`); `compare_log` at those of a log. Both decide with the real engine, every
target being usable, nothing measured, and nothing left to chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice, takewhile
from typing import NamedTuple

from llmroute.errors import UsageError
from llmroute.lab.diffing.boxes import Box, Table
from llmroute.lab.diffing.cases import Side, joint_domain, same_meaning
from llmroute.lab.diffing.result import Change, Compared, Diff, Group, Names, Totals, Verdict
from llmroute.lab.domain.domain import Domain
from llmroute.lab.domain.situation import Situation
from llmroute.lab.domain.ties import Standing, varying_key
from llmroute.policy.engine.decision import Decision

__all__ = [
    "Change",
    "Compared",
    "Diff",
    "Group",
    "Logged",
    "Names",
    "Side",
    "Totals",
    "Verdict",
    "compare",
    "compare_log",
    "same_meaning",
]

#: So many classes of a group are worked out.
_CLASSES = 20
#: What stands for a winner where the request is not taken.
_REFUSED = "(refused)"
_Pair = tuple[str | None, str | None]


class Logged(NamedTuple):
    """A request of a log: how often it came, by which policy it is decided (None: the default)."""

    situation: Situation
    times: int = 1
    policy: str | None = None
    origin: str = ""


class _Seen(NamedTuple):
    """How both sides decided one case; in short, for many cases."""

    winners: _Pair
    fallbacks: _Pair = (None, None)
    repriced: bool = False


def compare(old: Side, new: Side, names: Names, *, now: datetime, limit: int = 5_000) -> Compared:
    """Compare two sides on the requests that they can tell apart, at most `limit` of them."""
    notes = tuple(_notes(old, new))
    if same_meaning(old, new):
        return Compared(names, notes=notes)
    domain = joint_domain(old, new, now, limit)
    cases = list(domain.cases(limit))
    seen = [_seen(old, new, case) for case in cases]
    why_not = _why_not(domain, limit) or tuple(_why_ties(old, new, cases))
    finder = _Finder(Table(domain.dimensions, cases), cases, old, new)
    return Compared(
        names,
        winners=tuple(finder.groups(_bits(item.winners for item in seen))),
        ranking=tuple(finder.groups(_bits(item.fallbacks for item in seen))),
        repriced=sum(item.repriced for item in seen),
        looked_at=len(cases),
        possible=domain.size,
        why_not=why_not,
        notes=notes,
    )


def _why_not(domain: Domain, limit: int) -> tuple[str, ...]:
    """Return why the cases that were looked at do not stand for all requests."""
    many = f"{domain.size:,} combinations are more than the {limit:,} looked at"
    more = (many,) if domain.size > limit else ()
    return tuple(dict.fromkeys((*more, *domain.why_not)))


def _why_ties(old: Side, new: Side, cases: Iterable[Situation]) -> Iterator[str]:
    """Say that winners depend on what orders equals on one side and not on the other, if so."""
    keys = [side.source.select.tie_break for side in (old, new)]
    for case in cases:
        best = [_best(decision) for decision in (_decided(old, case), _decided(new, case))]
        if best[0] == best[1] and keys[0] == keys[1]:
            continue
        varying = [key for key in map(varying_key, best, keys) if key]
        if varying:
            yield f"equals are ordered by {varying[0]}, which varies with what is not looked at"
            return


def _best(decision: Decision | None) -> Standing:
    """Return the targets that have the most points."""
    if decision is None or not decision.ranking:
        return ()
    most = decision.ranking[0].score
    found = takewhile(lambda ranked: ranked.score == most, decision.ranking)
    return (tuple(ranked.target for ranked in found),)


def _seen(old: Side, new: Side, case: Situation) -> _Seen:
    """Decide a case; who comes second, and the cost, matter only where the same one comes first."""
    one, other = _decided(old, case), _decided(new, case)
    winners = _first(one), _first(other)
    if winners[0] != winners[1] or one is None or other is None or one.winner is None:
        return _Seen(winners)
    costs = {decision.estimate(decision.ranking[0].target).cost for decision in (one, other)}
    return _Seen(winners, (_second(one), _second(other)), len(costs) > 1)


def _decided(side: Side, case: Situation) -> Decision | None:
    try:
        return side.decide(case)
    except UsageError:
        return None


def _first(decision: Decision | None) -> str | None:
    if decision is None:
        return _REFUSED
    return decision.winner.id if decision.winner else None


def _second(decision: Decision) -> str | None:
    return next((item.target.id for item in islice(decision.ranking, 1, 2)), None)


def _bits(pairs: Iterable[_Pair]) -> dict[_Pair, int]:
    """Return for each pair that differs the cases that have it, as bits."""
    found: dict[_Pair, int] = defaultdict(int)
    for number, (old, new) in enumerate(pairs):
        if old != new:
            found[old, new] |= 1 << number
    return found


class _Finder:
    """Describes sets of cases by classes with an example each."""

    def __init__(self, table: Table, cases: Sequence[Situation], old: Side, new: Side) -> None:
        self._table, self._cases = table, cases
        self._old, self._new = old, new

    def groups(self, found: dict[_Pair, int]) -> Iterator[Group]:
        """Yield the groups, the largest first."""
        for (old, new), mask in sorted(found.items(), key=lambda item: -item[1].bit_count()):
            boxes = list(islice(self._table.boxes(mask), _CLASSES))
            covered = 0
            for box in boxes:
                covered |= box.mask
            changes = tuple(map(self._change, boxes))
            more = (mask & ~covered).bit_count()
            yield Group(_named(old), _named(new), mask.bit_count(), changes, more)

    def _change(self, box: Box) -> Change:
        case = self._cases[box.first]
        sides = (verdict(self._old, case), verdict(self._new, case))
        return Change(case, *sides, box.mask.bit_count(), box.conditions)


def _named(winner: str | None) -> str | None:
    return None if winner == _REFUSED else winner


def verdict(side: Side, case: Situation) -> Verdict:
    """Return what a side does with a request, in full."""
    try:
        return Verdict.of(side.decide(case))
    except UsageError as exc:
        return Verdict(None, refused=str(exc))


def _notes(old: Side, new: Side) -> Iterator[str]:
    """Say what differs beyond who is ranked where."""
    one, other = old.source, new.source
    for name in ("attempts", "max_price_ratio", "on_limit"):
        before, after = getattr(one.fallback, name), getattr(other.fallback, name)
        if before != after:
            yield f"fallback.{name}: {before} → {after}"
    if one.select.spread != other.select.spread:
        points = (f"{s.select.spread / 1_000_000:g}" for s in (one, other))
        yield f"select.spread: {' → '.join(points)} (draws among near ties are left out)"
    if one.select.explore != other.select.explore:
        shares = (f"{s.select.explore:g}" for s in (one, other))
        yield f"select.explore: {' → '.join(shares)} (draws are left out)"


def compare_log(old: Side, new: Side, names: Names, requests: Sequence[Logged]) -> Compared:
    """Compare two sides on the requests of a log, each counted as often as it came."""
    winners: dict[_Pair, list[tuple[Logged, Verdict, Verdict]]] = defaultdict(list)
    ranking: dict[_Pair, list[tuple[Logged, Verdict, Verdict]]] = defaultdict(list)
    totals, repriced = Totals(), 0
    for item in requests:
        one, other = verdict(old, item.situation), verdict(new, item.situation)
        totals = _added(totals, one, other, item.times)
        if _key(one) != _key(other):
            winners[_key(one), _key(other)].append((item, one, other))
        elif one.second != other.second:
            ranking[one.second, other.second].append((item, one, other))
        repriced += item.times * (_key(one) == _key(other) and one.cost != other.cost)
    number = sum(item.times for item in requests)
    notes = (*_notes(old, new), *_refused(requests, old, new))
    moved, reranked = tuple(_logged(winners)), tuple(_logged(ranking))
    return Compared(names, moved, reranked, repriced, number, number, notes=notes, totals=totals)


def _refused(requests: Sequence[Logged], old: Side, new: Side) -> Iterator[str]:
    """Say how many requests neither side takes."""
    found = [item for item in requests if verdict(old, item.situation).refused]
    found = [item for item in found if verdict(new, item.situation).refused]
    if found:
        why = verdict(new, found[0].situation).refused
        number = sum(item.times for item in found)
        yield f"neither side takes {number:,} of them; {found[0].origin}: {why}"


def _key(side: Verdict) -> str | None:
    return _REFUSED if side.refused else side.winner


def _logged(found: dict[_Pair, list[tuple[Logged, Verdict, Verdict]]]) -> Iterator[Group]:
    """Yield groups of a log's requests, the largest first, each with its first request."""
    groups = []
    for (old, new), items in found.items():
        count = sum(item.times for item, _, _ in items)
        first, one, other = items[0]
        change = Change(first.situation, one, other, count, origin=first.origin or None)
        groups.append(Group(_named(old), _named(new), count, (change,)))
    yield from sorted(groups, key=lambda group: -group.cases)


def _added(totals: Totals, old: Verdict, new: Verdict, count: int) -> Totals:
    return Totals(
        totals.old + (old.cost or 0) * count,
        totals.new + (new.cost or 0) * count,
        totals.old_unknown + count * (old.winner is not None and old.cost is None),
        totals.new_unknown + count * (new.winner is not None and new.cost is None),
    )
