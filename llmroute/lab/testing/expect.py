"""What a test expects of a decision, and what is said where it came otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from llmroute.catalog.cost import NANO, format_usd, nano_to_usd
from llmroute.catalog.model import Target
from llmroute.config.diagnostics import Diagnostic
from llmroute.lab.testing.files import Case
from llmroute.policy.engine.decision import Decision
from llmroute.policy.explaining.wording import format_points
from llmroute.policy.scoring.preferences import MICRO
from llmroute.types import Usage

__all__ = ["EXPECTATIONS", "failures"]

#: Where in the expectation (steps behind its name) and what is wrong.
_Wrong = tuple[tuple[str | int, ...], str]
_NOBODY = "no target is eligible"


def failures(case: Case, decision: Decision) -> Iterator[Diagnostic]:
    """Yield each expectation that a decision does not meet, at its place in the file."""
    for kind, expected in case.data["expect"].items():
        for steps, message in EXPECTATIONS[kind](expected, decision):
            rule = f"test-{kind.replace('_', '-')}"
            yield case.diagnostic(rule, message, "expect", kind, *steps)


def _target(expected: str, decision: Decision) -> Iterator[_Wrong]:
    winner = decision.winner
    if winner is None or winner.id != expected:
        got = f"got `{winner.id}`" if winner else _NOBODY
        yield (), f"expected `{expected}` first, {got}; {_standing(expected, decision)}"


def _provider(expected: str, decision: Decision) -> Iterator[_Wrong]:
    winner = decision.winner
    if winner is None or winner.provider.name != expected:
        yield (), f"expected a target of `{expected}` first, {_got(decision)}"


def _locality(expected: str, decision: Decision) -> Iterator[_Wrong]:
    winner = decision.winner
    if winner is None or winner.locality != expected:
        where = f", which is {winner.locality}" if winner else ""
        yield (), f"expected a {expected} target first, {_got(decision)}{where}"


def _never(expected: list[str], decision: Decision) -> Iterator[_Wrong]:
    for number, name in enumerate(expected):
        for place, target in enumerate(decision.targets, start=1):
            if name in (target.id, target.provider.name):
                who = f"`{target.id}`" if target.id == name else f"`{target.id}` of `{name}`"
                yield (number,), f"expected `{name}` in no place, got {who} in place {place}"
                break


def _order(expected: list[str], decision: Decision) -> Iterator[_Wrong]:
    places = _places(decision)
    for number, name in enumerate(expected):
        if name not in places:
            yield (number,), f"expected `{name}` in the ranking, {_standing(name, decision)}"
    for number, (first, then) in enumerate(pairwise(expected), start=1):
        if first in places and then in places and places[first] >= places[then]:
            where = f"they are in places {places[first]} and {places[then]}"
            yield (number,), f"expected `{then}` behind `{first}`, {where}"


def _rejected(expected: Mapping[str, str], decision: Decision) -> Iterator[_Wrong]:
    reasons: dict[str, list[str]] = {}
    for item in decision.rejections:
        reasons.setdefault(item.target, []).append(item.requirement)
    for name, requirement in expected.items():
        for target in _named(name, decision, reasons):
            if requirement not in reasons.get(target, ()):
                wanted = f"expected `{target}` to be rejected by `{requirement}`"
                yield (name,), f"{wanted}; {_standing(target, decision)}"


def _named(name: str, decision: Decision, reasons: Mapping[str, list[str]]) -> list[str]:
    """Return the targets that a name stands for, of those that the decision knows."""
    known = [*_places(decision), *reasons]
    return [target for target in known if name in (target, target.partition("/")[0])] or [name]


def _error(expected: bool, decision: Decision) -> Iterator[_Wrong]:
    if expected and decision.winner:
        yield (), f"expected that no target is eligible, {_got(decision)}"
    if not expected and not decision.winner:
        yield (), f"expected that a target is eligible, {_NOBODY}"


def _cost_below(expected: float, decision: Decision) -> Iterator[_Wrong]:
    limit = f"expected a cost below ${expected:g}"
    if not decision.ranking:
        yield (), f"{limit}, {_NOBODY}"
        return
    first = decision.ranking[0]
    cost = first.estimate.cost
    if cost is None:
        yield (), f"{limit}, the price of `{first.target.id}` is unknown"
    elif cost >= Decimal(str(expected)) * NANO:
        yield (), f"{limit}, `{first.target.id}` costs {format_usd(nano_to_usd(cost))}"


def _cost(expected: Mapping[str, Any], decision: Decision) -> Iterator[_Wrong]:
    yield from _costs(expected, decision, lambda target: decision.estimate(target).cost)


def _charge(expected: Mapping[str, Any], decision: Decision) -> Iterator[_Wrong]:
    usage = Usage(**expected["usage"])

    def cost_of(target: Target) -> int | None:
        return target.price.charge(usage) if target.price else None

    for steps, message in _costs(expected["cost"], decision, cost_of):
        yield ("cost", *steps), message


def _costs(
    expected: Mapping[str, Any], decision: Decision, cost_of: Callable[[Target], int | None]
) -> Iterator[_Wrong]:
    """Compare the cost of each target, eligible or not, in nano-dollars."""
    for name, wanted in expected.items():
        cost = cost_of(decision.target(name))
        if not _meets(cost, wanted):
            yield (name,), f"expected {_wanted_cost(name, wanted)}, got {_exactly(cost)}"


def _meets(cost: int | None, wanted: Any) -> bool:
    if cost is None or wanted is None:
        return cost is wanted
    least, most = wanted if isinstance(wanted, list) else (wanted, wanted)
    return Decimal(str(least)) * NANO <= cost <= Decimal(str(most)) * NANO


def _wanted_cost(name: str, wanted: Any) -> str:
    if wanted is None:
        return f"that the price of `{name}` is unknown"
    if isinstance(wanted, list):
        return f"`{name}` to cost from ${_plain(wanted[0])} to ${_plain(wanted[1])}"
    return f"`{name}` to cost ${_plain(wanted)}"


def _exactly(cost: int | None) -> str:
    return "an unknown price" if cost is None else f"${_plain(Decimal(cost) / NANO)}"


def _plain(usd: float | Decimal) -> str:
    return f"{Decimal(str(usd)).normalize():f}"


def _margin(expected: float, decision: Decision) -> Iterator[_Wrong]:
    limit = f"expected a margin of at least {expected:g} points"
    if not decision.ranking:
        yield (), f"{limit}, {_NOBODY}"
        return
    first, *others = decision.ranking[:2]
    if others and (gap := first.score - others[0].score) < Decimal(str(expected)) * MICRO:
        two = f"`{first.target.id}` leads `{others[0].target.id}` by {format_points(gap)}"
        yield (), f"{limit}, {two}"


def _got(decision: Decision) -> str:
    return f"got `{decision.winner.id}`" if decision.winner else _NOBODY


def _standing(name: str, decision: Decision) -> str:
    """Say where a target stands, or why nowhere."""
    place = _places(decision).get(name)
    if place is not None:
        return f"`{name}` is in place {place}"
    reasons = dict.fromkeys(item.requirement for item in decision.rejected(name))
    by = " and ".join(f"`{reason}`" for reason in reasons)
    return f"`{name}` is rejected by {by}" if by else f"`{name}` is not there"


def _places(decision: Decision) -> dict[str, int]:
    return {target.id: place for place, target in enumerate(decision.targets, start=1)}


#: What each key of `expect` demands.
EXPECTATIONS: Mapping[str, Callable[[Any, Decision], Iterator[_Wrong]]] = {
    "charge": _charge,
    "cost": _cost,
    "cost_below": _cost_below,
    "error": _error,
    "locality": _locality,
    "margin_at_least": _margin,
    "never": _never,
    "order": _order,
    "provider": _provider,
    "rejected": _rejected,
    "target": _target,
}
