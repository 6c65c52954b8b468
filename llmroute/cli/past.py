"""A past request in words: its attempts, and the explanation that was stored of its decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from llmroute.catalog.cost import format_usd
from llmroute.cli.ledgers import money, shown_time
from llmroute.ledger.holds import Hold
from llmroute.ledger.records import LOST, PENDING, UNENDED, AttemptRecord, RequestRecord
from llmroute.policy.explaining.wording import clean, format_points, format_weight

__all__ = ["told"]

_BAR = 20
#: Ranked targets that are itemised.
_ITEMISED = 3


#: What is said of a request whose end was not written.
_UNENDED = {
    PENDING: "its end is not known: it goes on, or its process was killed",
    LOST: "its end is not known: its process was killed",
}


def told(
    request: RequestRecord,
    attempts: Sequence[AttemptRecord],
    holds: Mapping[int, Hold],
    zone: tzinfo,
) -> Iterator[str]:
    """Yield the lines."""
    yield f"request {request.id} · {shown_time(request.at, zone, seconds=True)} · {request.outcome}"
    yield f"policy {clean(request.policy)} · configuration {request.fingerprint[:12] or 'unknown'}"
    yield from _labels(request)
    yield ""
    yield from _attempts(attempts, holds, zone)
    if (unended := _UNENDED.get(request.outcome)) is not None:
        yield ""
        yield unended
    elif request.decision is None:
        yield ""
        yield "why it went there was not kept; ledger: {decisions: true} keeps it"
    else:
        yield from _decision(request.decision)
    if request.prompt is not None:
        yield ""
        yield f"prompt: {clean(request.prompt)}"


def _labels(request: RequestRecord) -> Iterator[str]:
    labels = {
        "tags": ", ".join(request.tags),
        "task": request.task,
        "caller": request.caller,
    }
    shown = [f"{name} {clean(value)}" for name, value in labels.items() if value]
    if shown:
        yield " · ".join(shown)


def _attempts(
    attempts: Sequence[AttemptRecord], holds: Mapping[int, Hold], zone: tzinfo
) -> Iterator[str]:
    if not attempts:
        yield "no call was made"
    for item in attempts:
        hold = holds.get(item.number)
        if hold is not None and item.outcome in UNENDED:
            yield f"{item.number}. {clean(item.target)}  {item.outcome} · {_held(item, hold, zone)}"
            continue
        about = "about " if item.estimated else ""
        parts = [
            f"{about}{item.tokens_in:,} tokens in, {item.tokens_out:,} out",
            money(item.cost) if item.cost is not None else "cost unknown",
            f"{item.duration:.2f} s",
        ]
        if item.first_token is not None:
            parts.append(f"first token after {item.first_token:.2f} s")
        yield f"{item.number}. {clean(item.target)}  {clean(item.outcome)} · {' · '.join(parts)}"
        status = f" (status {item.status})" if item.status is not None else ""
        if item.message or status:
            yield f"   {clean(item.message or '')}{status}"


def _held(item: AttemptRecord, hold: Hold, zone: tzinfo) -> str:
    """Say what was reserved for a call that nobody ended, and what became of that."""
    reserved = f"{money(hold.amount)} reserved"
    if item.outcome == PENDING:
        return f"{reserved} until {shown_time(hold.expires, zone, seconds=True)}"
    return f"{reserved}, {money(item.cost)} counted as spent, as estimated"


def _decision(data: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield ", ".join(f"{name} {_value(value)}" for name, value in data["facts"].items())
    reason = f" ({clean(data['reason'])})" if data.get("reason") else ""
    yield f"→ {clean(data['winner'])}{reason}" if data["winner"] else "no target was eligible"
    for place, item in enumerate(data["ranking"], start=1):
        yield from _ranked(place, item)
    yield from _more(data["left_out"]["ranking"])
    if data.get("behind"):
        yield ""
        yield "after the others, whatever their points:"
        yield from (f"  {clean(name)}: {clean(why)}" for name, why in data["behind"].items())
    yield from _rejections(data)
    if data["notes"]:
        yield ""
        yield "could not be evaluated:"
        yield from (f"  {count} × {clean(text)}" for text, count in data["notes"].items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else clean(str(value))


def _ranked(place: int, item: Mapping[str, Any]) -> Iterator[str]:
    cost = item["estimate"]["cost"]
    price = format_usd(None if cost is None else Decimal(str(cost)))
    head = f"{place}. {clean(item['target'])}  {format_points(item['score'])} points · {price}"
    if place > _ITEMISED:
        yield head
        return
    yield ""
    yield head
    parts = item["contributions"]
    most = max((abs(part["points"]) for part in parts), default=0)
    width = max((len(clean(part["rule"])) for part in parts), default=0)
    for part in parts:
        filled = round(_BAR * abs(part["points"]) / most) if most else 0
        bar = (("█" if part["points"] >= 0 else "░") * filled).ljust(_BAR)
        weight = format_weight(round(part["weight"] * 1000))
        note = f"  ({clean(part['note'])})" if part["note"] else ""
        points = format_points(part["points"])
        yield (
            f"   {clean(part['rule']).ljust(width)} {points:>10}  {bar}  "
            f"{weight} × {part['value']:g}{note}"
        )


def _more(count: int) -> Iterator[str]:
    if count:
        yield f"   and {count:,} more"


def _rejections(data: Mapping[str, Any]) -> Iterator[str]:
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for item in data["rejections"]:
        key = (item["reason"], item["origin"], item["requirement"], item.get("help", ""))
        grouped.setdefault(key, []).append(clean(item["target"]))
    if grouped:
        yield ""
        yield "rejected:"
    for (reason, origin, requirement, advice), targets in grouped.items():
        names = ", ".join(targets[:2]) + (f" and {len(targets) - 2} more" if targets[2:] else "")
        end = f" → {clean(advice)}" if advice else ""
        yield f"  {names}: {clean(reason)} [{origin}: {clean(requirement)}]{end}"
    yield from _more(data["left_out"]["rejections"])
