"""Which target is asked next, given what happened so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from llmroute.catalog.model import Target
from llmroute.errors import FINAL_KINDS, ErrorKind, TargetError
from llmroute.policy.engine.decision import Decision, Ranked

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


class Plan:
    """The way down one decision's ranking, which is worked out as far as it is needed.

    Every fresh target is asked before one is repeated. A failure of a host or credential leaves
    out the provider's other targets; a context overflow leaves out windows that are no larger.
    """

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self._limit = _price_limit(decision)
        self._coming = self._affordable()
        self._peeked: Target | None = None
        self._providers_out: set[str] = set()
        self._window = 0
        self._passing: dict[str, Target] = {}
        self._made = 0
        self._final = False
        self._waiting: Target | None = None

    @property
    def over_price(self) -> tuple[str, ...]:
        """The targets that `fallback.max_price_ratio` leaves out."""
        others = self.decision.ranking[1:] if self._limit is not None else ()
        return tuple(item.target.id for item in others if not self._fits(item))

    def next(self) -> Step | None:
        """Return the next call to make, None where there is none."""
        attempts = self.decision.fallback.attempts
        if self._final or self._made >= attempts:
            return None
        self._made += 1
        if self._waiting is not None:
            target, self._waiting = self._waiting, None
            return Step(target, repeat=True, more=self._fresh() is not None)
        fresh = self._fresh()
        if fresh is not None:
            self._peeked = None
            more = self._made < attempts and self._fresh() is not None
            return Step(fresh, repeat=False, more=more)
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
            self._providers_out.add(target.provider.name)
        if kind is ErrorKind.CONTEXT and target.context_window:
            self._window = max(self._window, target.context_window)

    def _fresh(self) -> Target | None:
        """Return the next target that was not asked yet, without going on to it."""
        while self._peeked is None or self._left_out(self._peeked):
            self._peeked = next(self._coming, None)
            if self._peeked is None:
                return None
        return self._peeked

    def _left_out(self, target: Target) -> bool:
        too_small = self._window > 0 and (target.context_window or 0) <= self._window
        return too_small or target.provider.name in self._providers_out

    def _affordable(self) -> Iterator[Target]:
        first = True
        for item in self.decision.ranking:
            if first or self._fits(item):
                yield item.target
            first = False

    def _fits(self, item: Ranked) -> bool:
        if self._limit is None:
            return True
        cost = item.estimate.cost
        return cost is not None and cost <= self._limit


def _price_limit(decision: Decision) -> Decimal | None:
    """Return the most that a fallback may cost in nano-dollars, None where nothing bounds it.

    Where the first target's own price is unknown, the cheapest known estimate sets it.
    """
    ratio, ranking = decision.fallback.max_price_ratio, decision.ranking
    if ratio is None or not ranking:
        return None
    first = ranking[0].estimate.cost
    if first is None:
        known = [item.estimate.cost for item in ranking]
        first = min((cost for cost in known if cost is not None), default=None)
    return None if first is None else Decimal(str(ratio)) * first
