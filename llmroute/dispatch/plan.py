"""Which target is asked next, given what happened so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from llmroute.catalog.model import Target
from llmroute.errors import FINAL_KINDS, ErrorKind, TargetError
from llmroute.policy.decision import Decision, Ranked

__all__ = ["Plan", "Step"]

#: Kinds that concern the provider's host or credential: its other targets would meet them too.
_PROVIDER_KINDS = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.AUTH, ErrorKind.QUOTA})
#: Kinds that may pass, so that the same target may be asked again where no other is left.
_PASSING_KINDS = frozenset(
    {
        ErrorKind.UNAVAILABLE,
        ErrorKind.TIMEOUT,
        ErrorKind.TRANSIENT,
        ErrorKind.OVERLOADED,
        ErrorKind.RATE_LIMIT,
        ErrorKind.MALFORMED,
        ErrorKind.EMPTY,
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """The next call: its target, whether it repeats one, and whether another target is left."""

    target: Target
    repeat: bool
    more: bool


@dataclass(slots=True)
class Plan:
    """The way down one decision's ranking.

    Every fresh target is asked before one is repeated. A failure of a host or credential leaves
    out the provider's other targets; a context overflow leaves out windows that are no larger.
    `over_price` names the targets that `fallback.max_price_ratio` leaves out.
    """

    decision: Decision
    over_price: tuple[str, ...] = ()
    _fresh: list[Target] = field(default_factory=list)
    _passing: dict[str, Target] = field(default_factory=dict)
    _made: int = 0
    _final: bool = False
    _waiting: Target | None = None

    def __post_init__(self) -> None:
        allowed, over = _within_price(self.decision.ranking, self.decision.fallback.max_price_ratio)
        self._fresh = list(allowed)
        self.over_price = tuple(target.id for target in over)

    def next(self) -> Step | None:
        """Return the next call to make, None where there is none."""
        if self._final or self._made >= self.decision.fallback.attempts:
            return None
        self._made += 1
        if self._waiting is not None:
            target, self._waiting = self._waiting, None
            return Step(target, repeat=True, more=bool(self._fresh))
        if self._fresh:
            target = self._fresh.pop(0)
            left = self._made < self.decision.fallback.attempts
            return Step(target, repeat=False, more=bool(self._fresh) and left)
        if self._passing:
            target = self._passing.pop(next(iter(self._passing)))
            return Step(target, repeat=True, more=False)
        return None

    def failed(self, target: Target, error: TargetError) -> None:
        """Take note of a failure before the first content."""
        kind = error.kind
        if kind in FINAL_KINDS:
            self._final = True
        if kind is ErrorKind.RATE_LIMIT and self.decision.fallback.on_limit == "wait":
            self._waiting = target
            return
        if kind in _PASSING_KINDS:
            self._passing[target.id] = target
        if kind in _PROVIDER_KINDS:
            self._drop_provider(target)
        if kind is ErrorKind.CONTEXT and target.context_window:
            window = target.context_window
            self._fresh = [t for t in self._fresh if (t.context_window or window) > window]

    def _drop_provider(self, target: Target) -> None:
        name = target.provider.name
        self._fresh = [t for t in self._fresh if t.provider.name != name]


def _within_price(
    ranking: Sequence[Ranked], ratio: float | None
) -> tuple[list[Target], list[Target]]:
    """Split a ranking by the bound that the first target's estimate sets; unknown is over.

    Where the first target's own price is unknown, the cheapest known estimate sets it.
    """
    known = [r.estimate.cost for r in ranking if r.estimate.cost is not None]
    if ratio is None or not known:
        return [item.target for item in ranking], []
    first = ranking[0].estimate.cost
    limit = Decimal(str(ratio)) * (min(known) if first is None else first)
    allowed: list[Target] = []
    over: list[Target] = []
    for item in ranking:
        cost = item.estimate.cost
        fits = cost is not None and cost <= limit
        (allowed if fits or item is ranking[0] else over).append(item.target)
    return allowed, over
