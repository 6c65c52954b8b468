"""The built-in preferences: absolute functions of one target and one request, 0..1.

Adding a provider never changes another's value. A value is clamped to 0..1 and rounded half-even
to millionths, once; everything after it is integer arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llmroute.catalog.cost import NANO, nano_to_usd
from llmroute.catalog.model import Quality
from llmroute.config.durations import seconds
from llmroute.policy.expressions.expression import EvaluationError, Expression
from llmroute.policy.scoring.context import Candidate, Context
from llmroute.policy.scoring.estimate import Estimate
from llmroute.policy.scoring.live import LiveFacts

__all__ = [
    "BUILT_IN",
    "MICRO",
    "PARAMETRIC",
    "PRICE_BEST",
    "PRICE_WORST",
    "Preference",
    "Value",
    "expression_micro",
    "expression_value",
    "preference",
    "price_micro",
    "to_micro",
]

#: One, in the millionths that values are kept in.
MICRO = 1_000_000

#: Blended price in USD per million tokens that is worth 1, and the one that is worth 0.
PRICE_BEST, PRICE_WORST = 0.05, 50.0
_LOG_WORST = math.log(PRICE_WORST)
_LOG_SPAN = math.log(PRICE_WORST / PRICE_BEST)

#: What a preference is a function of: the estimate, the live facts, the target's quality for the
#: request's task, whether the target served this conversation; or an expression's roots.
Subject = Literal["estimate", "live", "quality", "affinity", "expression"]


@dataclass(frozen=True, slots=True)
class Value:
    """A preference's value in millionths, None where it is unknown, and what to say of it."""

    micro: int | None
    note: str = ""


def _no_micro(_subject: object) -> int | None:
    return None


def _no_note(_subject: object) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Preference:
    """A compiled `prefer`: its text, the roots it reads, and how it values its subject.

    `micro` maps the subject to millionths (None: unknown) and `note` to words; an expression
    has neither. `name` is that of a built-in preference, `half` its parameter in USD, seconds
    or tokens a second.
    """

    text: str
    roots: frozenset[str]
    subject: Subject
    micro: Callable[[Any], int | None] = _no_micro
    note: Callable[[Any], str] = _no_note
    expression: Expression | None = None
    name: str | None = None
    half: float | None = None

    def measure(self, candidate: Candidate, context: Context, note: Callable[[str], None]) -> Value:
        """Return the value for one target and what to say of it; `note` takes what went wrong."""
        if self.expression is not None:
            return expression_value(self.expression, candidate.scope, note)
        subject = self.subject_of(candidate, context)
        return Value(self.micro(subject), self.note(subject))

    def subject_of(self, candidate: Candidate, context: Context) -> Any:
        """Return what a built-in preference is a function of, None for an expression."""
        if self.subject == "expression":
            return None
        if self.subject == "estimate":
            return candidate.estimate
        if self.subject == "live":
            return candidate.live
        if self.subject == "quality":
            return candidate.target.quality, context.facts.task
        return context.affinity == candidate.target.id


#: Built-in preferences written as a bare name.
BUILT_IN = frozenset({"affinity", "headroom", "price", "quality", "reliability"})
#: Built-in preferences written as a map with `half`.
PARAMETRIC = frozenset({"cost", "latency", "throughput"})


def to_micro(value: float) -> int:
    """Clamp to 0..1 and round half-even to millionths."""
    if value >= 1.0:
        return MICRO
    return round(value * MICRO) if value > 0.0 else 0


def preference(data: str | Mapping[str, Any]) -> Preference:
    """Compile a rule's `prefer`: a built-in name, a map with `half`, or an expression.

    Raises:
        ExpressionError: the text is no JMESPath expression.

    """
    if isinstance(data, Mapping):
        ((name, options),) = data.items()
        return _PARAMETRIC[name](options["half"])
    built_in = _BUILT_IN.get(data)
    if built_in is not None:
        return built_in
    expression = Expression(data)
    return Preference(data, expression.roots, "expression", expression=expression)


def expression_micro(value: Any) -> int:
    """Return an expression's value in millionths: a boolean or a number; anything else is 0."""
    if value is True:
        return MICRO
    if isinstance(value, int | float) and not math.isnan(value):
        return to_micro(value)
    return 0


def expression_value(
    expression: Expression, scope: Mapping[str, Any], note: Callable[[str], None]
) -> Value:
    """Return an expression's value, and what to say of it; what is no value is noted."""
    try:
        value = expression.evaluate(scope)
    except EvaluationError as exc:
        note(f"{expression.text}: {exc}")
        return Value(0, f"cannot be evaluated: {exc}")
    if isinstance(value, bool):
        return Value(expression_micro(value), "yes" if value else "no")
    if isinstance(value, int | float) and not math.isnan(value):
        shown = str(value) if isinstance(value, int) else f"{value:g}"
        return Value(expression_micro(value), shown[:30])
    shown = "null" if value is None else f"{type(value).__name__}, not a number"
    note(f"{expression.text}: gave {shown}")
    return Value(0, f"gave {shown}")


def price_micro(blended: float | None) -> int | None:
    """Return the value of a blended price in USD per million tokens; free is 1."""
    if blended is None:
        return None
    if blended <= 0:
        return MICRO
    return to_micro((_LOG_WORST - math.log(blended)) / _LOG_SPAN)


def _price_micro(estimate: Estimate) -> int | None:
    return price_micro(estimate.blended)


def _price_note(estimate: Estimate) -> str:
    blended = estimate.blended
    if blended is None:
        return "price unknown"
    return "free" if blended <= 0 else f"${blended:.4g}/M"


def _quality_micro(subject: tuple[Quality, str]) -> int | None:
    value = subject[0].of(subject[1])
    return None if value is None else to_micro(value)


def _quality_note(subject: tuple[Quality, str]) -> str:
    quality, task = subject
    value = quality.of(task)
    if value is None:
        return "quality unknown"
    shown = f"{value:g}" + (f" for {task}" if task in quality.tasks else "")
    return f"{shown}, prior by size" if quality.prior else shown


def _prior_mark(live: LiveFacts) -> str:
    return "" if live.measured else ", prior"


def _cost(half: float) -> Preference:
    nano_half = half * NANO

    def micro(estimate: Estimate) -> int | None:
        return None if estimate.cost is None else to_micro(nano_half / (nano_half + estimate.cost))

    def note(estimate: Estimate) -> str:
        usd = nano_to_usd(estimate.cost)
        return "price unknown" if usd is None else f"${usd:f}"

    return _parametric("cost", half, half, "estimate", micro, note)


def _latency(half: float | str) -> Preference:
    limit = seconds(half)

    def micro(live: LiveFacts) -> int:
        return to_micro(limit / (limit + live.first_token))

    def note(live: LiveFacts) -> str:
        return f"{live.first_token:.3g} s{_prior_mark(live)}"

    return _parametric("latency", half, limit, "live", micro, note)


def _throughput(half: float) -> Preference:
    def micro(live: LiveFacts) -> int:
        return to_micro(live.tokens_per_second / (live.tokens_per_second + half))

    def note(live: LiveFacts) -> str:
        return f"{live.tokens_per_second:.3g} tok/s{_prior_mark(live)}"

    return _parametric("throughput", half, half, "live", micro, note)


def _parametric(
    name: str,
    shown: float | str,
    half: float,
    subject: Subject,
    micro: Callable[[Any], int | None],
    note: Callable[[Any], str],
) -> Preference:
    text, roots = f"{name} (half at {shown})", frozenset({subject})
    return Preference(text, roots, subject, micro, note, name=name, half=half)


def _named(
    name: str,
    roots: frozenset[str],
    subject: Subject,
    micro: Callable[[Any], int | None],
    note: Callable[[Any], str],
) -> Preference:
    return Preference(name, roots, subject, micro, note, name=name)


_BUILT_IN: Mapping[str, Preference] = {
    "affinity": _named(
        "affinity",
        frozenset({"request", "live", "target"}),
        "affinity",
        lambda same: MICRO if same else 0,
        lambda same: "served this conversation" if same else "",
    ),
    "headroom": _named(
        "headroom",
        frozenset({"live"}),
        "live",
        lambda live: to_micro(live.headroom),
        lambda _: "",
    ),
    "price": _named(
        "price",
        frozenset({"estimate"}),
        "estimate",
        _price_micro,
        _price_note,
    ),
    "quality": _named(
        "quality",
        frozenset({"request", "facts", "target"}),
        "quality",
        _quality_micro,
        _quality_note,
    ),
    "reliability": _named(
        "reliability",
        frozenset({"live"}),
        "live",
        lambda live: to_micro(live.success),
        lambda live: f"{live.success:.1%}{_prior_mark(live)}",
    ),
}
_PARAMETRIC: Mapping[str, Callable[[Any], Preference]] = {
    "cost": _cost,
    "latency": _latency,
    "throughput": _throughput,
}
