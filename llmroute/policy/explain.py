"""A decision in words, for a terminal or a log: who won, by what, and why the others did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from llmroute.catalog.cost import format_usd, nano_to_usd
from llmroute.policy.compiled import Contribution
from llmroute.policy.decision import Decision, Ranked
from llmroute.policy.requirements import Rejection

__all__ = ["explain", "format_points"]

#: Ranked targets that are itemised, and that are named at all.
_ITEMISED, _LISTED = 2, 10
_BAR = 20


def format_points(micro: int) -> str:
    """Write micro-points as points, without trailing zeros: 24493800 → 24.4938."""
    text = f"{Decimal(micro) / 1_000_000:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def explain(decision: Decision) -> str:
    """Return the whole explanation as text; every contribution, adding up to the score."""
    return "\n".join(_lines(decision))


def _lines(decision: Decision) -> Iterator[str]:
    facts = ", ".join(f"{name} {_plain(value)}" for name, value in decision.facts.items())
    yield f"policy {decision.policy} · {facts}"
    yield from _headline(decision)
    for place, item in enumerate(decision.ranking[:_ITEMISED], start=1):
        yield ""
        yield from _itemised(place, item)
    yield from _others(decision.ranking)
    yield from _rejected(decision.rejections)
    if decision.notes:
        yield ""
        yield "could not be evaluated:"
        yield from (f"  {count} × {text}" for text, count in sorted(decision.notes.items()))


def _headline(decision: Decision) -> Iterator[str]:
    if not decision.ranking:
        yield "no target is eligible"
        return
    first = decision.ranking[0]
    text = f"→ {first.target.id} with {format_points(first.score)} points"
    if len(decision.ranking) > 1:
        second = decision.ranking[1]
        margin = format_points(first.score - second.score)
        text += f", {margin} ahead of {second.target.id}"
    yield text + (f" ({decision.reason})" if decision.reason else "")


def _itemised(place: int, item: Ranked) -> Iterator[str]:
    cost, estimate = format_usd(nano_to_usd(item.estimate.cost)), item.estimate
    yield (
        f"{place}. {item.target.id}  {format_points(item.score)} points · {cost} for about "
        f"{estimate.tokens_in:,} tokens in, {estimate.tokens_out:,} out"
    )
    most = max((abs(c.points) for c in item.contributions), default=0)
    name_width = max((len(c.rule) for c in item.contributions), default=0)
    for contribution in item.contributions:
        yield _row(contribution, most, name_width)


def _row(item: Contribution, most: int, name_width: int) -> str:
    filled = round(_BAR * abs(item.points) / most) if most else 0
    bar = ("█" * filled).ljust(_BAR)
    sum_text = f"{format_points(item.points):>10}"
    product = f"{item.weight / 1000:g} × {item.value / 1_000_000:g}"
    note = f"  ({item.note})" if item.note else ""
    return f"   {item.rule.ljust(name_width)} {sum_text}  {bar}  {product}{note}"


def _others(ranking: Sequence[Ranked]) -> Iterator[str]:
    if len(ranking) > _ITEMISED:
        yield ""
        yield "then:"
    for place, item in enumerate(ranking[_ITEMISED:_LISTED], start=_ITEMISED + 1):
        cost = format_usd(nano_to_usd(item.estimate.cost))
        yield f"{place}. {item.target.id}  {format_points(item.score)} points · {cost}"
    if len(ranking) > _LISTED:
        yield f"   and {len(ranking) - _LISTED} more"


def _rejected(rejections: Sequence[Rejection]) -> Iterator[str]:
    if not rejections:
        return
    yield ""
    yield "rejected:"
    grouped: dict[tuple[str, str, str, str | None], list[str]] = {}
    for item in rejections:
        key = (item.requirement, item.origin, item.reason, item.help)
        grouped.setdefault(key, []).append(item.target)
    for (requirement, origin, reason, help_text), targets in grouped.items():
        advice = f" → {help_text}" if help_text else ""
        yield f"  {_listed(targets)}: {reason} [{origin}: {requirement}]{advice}"


def _listed(targets: Sequence[str]) -> str:
    if len(targets) <= 3:
        return ", ".join(targets)
    return f"{', '.join(targets[:2])} and {len(targets) - 2} more"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
