"""A decision in words, for a terminal or a log: who won, by what, and why the others did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmroute.policy.engine.decision import Decision, Ranked
from llmroute.policy.explaining.explanation import Explanation, RejectionGroup, tokens_out, usd
from llmroute.policy.explaining.wording import clean, format_points, format_weight, plain
from llmroute.policy.scoring.rules import Contribution

__all__ = ["explain", "format_points"]

_BAR = 20


def explain(decision: Decision) -> str:
    """Return the whole explanation as text; every contribution, adding up to the score.

    It is plain text: no colour codes, and whatever a file or a server put into a name is on
    one line, its control characters escaped.
    """
    return "\n".join(_lines(Explanation(decision)))


def _lines(told: Explanation) -> Iterator[str]:
    yield f"policy {clean(told.decision.policy)} · {clean(told.facts())}"
    arrow = "→ " if told.itemised else ""
    yield arrow + plain(told.headline())
    decided = told.decided()
    if decided:
        yield f"  {plain(decided)}"
    for place, item in enumerate(told.itemised, start=1):
        yield ""
        yield from _itemised(place, item)
    yield from _others(told)
    yield from _behind(told)
    yield from _outlook(told)
    yield from _rejected(told.rejections)
    yield from _notes(told)


def _itemised(place: int, item: Ranked) -> Iterator[str]:
    estimate = item.estimate
    yield (
        f"{place}. {clean(item.target.id)}  {format_points(item.score)} points · {usd(item)} for "
        f"about {estimate.tokens_in:,} tokens in{_corrected(item)}, {tokens_out(item)}"
    )
    most = max((abs(c.points) for c in item.contributions), default=0)
    name_width = max((len(clean(c.rule)) for c in item.contributions), default=0)
    for contribution in item.contributions:
        yield _row(contribution, most, name_width)


def _corrected(item: Ranked) -> str:
    factor, cached = item.token_factor, item.estimate.cached
    said = [] if factor == 1.0 else [f"× {factor:g}: how this target counted before"]
    said += [f"{cached:,} from its cache"] if cached else []
    return f" ({'; '.join(said)})" if said else ""


def _row(item: Contribution, most: int, name_width: int) -> str:
    filled = round(_BAR * abs(item.points) / most) if most else 0
    bar = (("█" if item.points >= 0 else "░") * filled).ljust(_BAR)
    product = f"{format_weight(item.weight)} × {format_points(item.value)}"
    note = f"  ({clean(item.note)})" if item.note else ""
    name = clean(item.rule).ljust(name_width)
    return f"   {name} {format_points(item.points):>10}  {bar}  {product}{note}"


def _others(told: Explanation) -> Iterator[str]:
    if told.others:
        yield ""
        yield "then:"
    for place, item in enumerate(told.others, start=len(told.itemised) + 1):
        points = format_points(item.score)
        yield f"{place}. {clean(item.target.id)}  {points} points · {usd(item)}"
    if told.more:
        yield f"   and {told.more} more"


def _behind(told: Explanation) -> Iterator[str]:
    if told.behind:
        yield ""
        yield "after the others, whatever their points:"
    yield from (f"  {clean(target)}: {clean(why)}" for target, why in told.behind)


def _outlook(told: Explanation) -> Iterator[str]:
    outlook = told.outlook()
    if outlook is None:
        return
    yield ""
    yield plain(outlook) + (":" if told.changes else "")
    yield from (f"  {plain(change.told())}" for change in told.changes)


def _rejected(groups: Sequence[RejectionGroup]) -> Iterator[str]:
    if groups:
        yield ""
        yield "rejected:"
    for group in groups:
        where = f"[{group.origin}: {clean(group.requirement)}]"
        advice = f" → {clean(group.help)}" if group.help else ""
        yield f"  {_listed(group.targets)}: {clean(group.reason)} {where}{advice}"


def _listed(targets: Sequence[str]) -> str:
    names = [clean(target) for target in targets]
    if len(names) <= 3:
        return ", ".join(names)
    return f"{', '.join(names[:2])} and {len(names) - 2} more"


def _notes(told: Explanation) -> Iterator[str]:
    notes = told.decision.notes
    if notes:
        yield ""
        yield "could not be evaluated:"
        yield from (f"  {count} × {clean(text)}" for text, count in sorted(notes.items()))
