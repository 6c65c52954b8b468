"""The built-in preferences: absolute functions of one target and one request, 0..1.

Adding a provider never changes another's value. A value is clamped to 0..1 and rounded half-even
to millionths, once; everything after it is integer arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmroute.catalog.cost import NANO
from llmroute.config.durations import seconds
from llmroute.policy.context import Candidate, Context
from llmroute.policy.expression import EvaluationError, Expression

__all__ = [
    "BUILT_IN",
    "MICRO",
    "PARAMETRIC",
    "Preference",
    "Value",
    "expression_value",
    "preference",
    "to_micro",
]

#: One, in the millionths that values are kept in.
MICRO = 1_000_000

#: Blended price in USD per million tokens that is worth 1, and the one that is worth 0.
PRICE_BEST, PRICE_WORST = 0.05, 50.0
_LOG_WORST = math.log(PRICE_WORST)
_LOG_SPAN = math.log(PRICE_WORST / PRICE_BEST)


@dataclass(frozen=True, slots=True)
class Value:
    """A preference's value in millionths, None where it is unknown, and what to say of it."""

    micro: int | None
    note: str = ""


Measure = Callable[[Candidate, Context], Value]

#: Built-in preferences written as a bare name.
BUILT_IN = frozenset({"affinity", "headroom", "price", "quality", "reliability"})
#: Built-in preferences written as a map with `half`.
PARAMETRIC = frozenset({"cost", "latency", "throughput"})


@dataclass(frozen=True, slots=True)
class Preference:
    """A compiled `prefer`: its text, the roots it reads, and how it measures.

    `expression` is None for the built-in ones.
    """

    text: str
    roots: frozenset[str]
    measure: Measure
    expression: Expression | None = None


def to_micro(value: float) -> int:
    """Clamp to 0..1 and round half-even to millionths."""
    return round(min(max(value, 0.0), 1.0) * MICRO)


def preference(data: str | Mapping[str, Any]) -> Preference:
    """Compile a rule's `prefer`: a built-in name, a map with `half`, or an expression.

    Raises:
        ExpressionError: the text is no JMESPath expression.

    """
    if isinstance(data, Mapping):
        ((name, options),) = data.items()
        half, shown = options["half"], f"{name} (half at {options['half']})"
        return Preference(shown, _ROOTS[name], _PARAMETRIC[name](half))
    if data in BUILT_IN:
        return Preference(data, _ROOTS[data], _BUILT_IN[data])
    expression = Expression(data)

    def measure(candidate: Candidate, context: Context) -> Value:
        return expression_value(expression, candidate.scope, context.note)

    return Preference(data, expression.roots, measure, expression)


def expression_value(
    expression: Expression, scope: Mapping[str, Any], note: Callable[[str], None]
) -> Value:
    """Return an expression's value: a boolean or a number; anything else is 0, and noted."""
    try:
        value = expression.evaluate(scope)
    except EvaluationError as exc:
        note(f"{expression.text}: {exc}")
        return Value(0, f"cannot be evaluated: {exc}")
    if isinstance(value, bool):
        return Value(MICRO if value else 0, "yes" if value else "no")
    if isinstance(value, int | float) and not math.isnan(value):
        shown = str(value) if isinstance(value, int) else f"{value:g}"
        return Value(to_micro(value), shown[:30])
    shown = "null" if value is None else f"{type(value).__name__}, not a number"
    note(f"{expression.text}: gave {shown}")
    return Value(0, f"gave {shown}")


def _price(candidate: Candidate, context: Context) -> Value:  # noqa: ARG001 - one signature
    blended = candidate.estimate.blended
    if blended is None:
        return Value(None, "price unknown")
    if blended <= 0:
        return Value(MICRO, "free")
    return Value(to_micro((_LOG_WORST - math.log(blended)) / _LOG_SPAN), f"${blended:.4g}/M")


def _quality(candidate: Candidate, context: Context) -> Value:
    quality, task = candidate.target.quality, context.facts.task
    value = quality.of(task)
    if value is None:
        return Value(None, "quality unknown")
    shown = f"{value:g}" + (f" for {task}" if task in quality.tasks else "")
    return Value(to_micro(value), f"{shown}, prior by size" if quality.prior else shown)


def _reliability(candidate: Candidate, context: Context) -> Value:  # noqa: ARG001
    return Value(to_micro(candidate.live.success), _measured(candidate))


def _headroom(candidate: Candidate, context: Context) -> Value:  # noqa: ARG001
    return Value(to_micro(candidate.live.headroom))


def _affinity(candidate: Candidate, context: Context) -> Value:
    same = context.affinity == candidate.target.id
    return Value(MICRO if same else 0, "served this conversation" if same else "")


def _cost(half: float) -> Measure:
    nano_half = half * NANO

    def measure(candidate: Candidate, context: Context) -> Value:  # noqa: ARG001
        cost = candidate.estimate.cost
        if cost is None:
            return Value(None, "price unknown")
        return Value(to_micro(nano_half / (nano_half + cost)), f"${cost / NANO:.6g}")

    return measure


def _latency(half: float | str) -> Measure:
    limit = seconds(half)

    def measure(candidate: Candidate, context: Context) -> Value:  # noqa: ARG001
        first = candidate.live.first_token
        shown = f"{first:.3g} s{_prior_mark(candidate)}"
        return Value(to_micro(limit / (limit + first)), shown)

    return measure


def _throughput(half: float) -> Measure:
    def measure(candidate: Candidate, context: Context) -> Value:  # noqa: ARG001
        speed = candidate.live.tokens_per_second
        shown = f"{speed:.3g} tok/s{_prior_mark(candidate)}"
        return Value(to_micro(speed / (speed + half)), shown)

    return measure


def _measured(candidate: Candidate) -> str:
    return f"{candidate.live.success:.1%}{_prior_mark(candidate)}"


def _prior_mark(candidate: Candidate) -> str:
    return "" if candidate.live.measured else ", prior"


_BUILT_IN: Mapping[str, Measure] = {
    "affinity": _affinity,
    "headroom": _headroom,
    "price": _price,
    "quality": _quality,
    "reliability": _reliability,
}
_PARAMETRIC: Mapping[str, Callable[[Any], Measure]] = {
    "cost": _cost,
    "latency": _latency,
    "throughput": _throughput,
}
_ROOTS: Mapping[str, frozenset[str]] = {
    "affinity": frozenset({"request", "live"}),
    "cost": frozenset({"estimate"}),
    "headroom": frozenset({"live"}),
    "latency": frozenset({"live"}),
    "price": frozenset({"estimate"}),
    "quality": frozenset({"request", "facts", "target"}),
    "reliability": frozenset({"live"}),
    "throughput": frozenset({"live"}),
}
