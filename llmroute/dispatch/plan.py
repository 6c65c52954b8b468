"""Which target is asked next, given what happened so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from typing import Literal

from llmroute.adapter.transports.base import NEVER_SENT
from llmroute.catalog.model import Target
from llmroute.errors import FINAL_KINDS, ErrorKind, TargetError
from llmroute.policy.engine.decision import Decision, Ranked

__all__ = ["Plan", "Role", "Step"]

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

#: Codes of calls that were not made: no place was free, or a limit would have to be waited for.
_NOT_MADE = ("bulkhead", "waiting")

#: Why a call is made: `first` of a request; `fallback` to another target; `repeat` at the same one;
#: `last_resort`, at a target that is out of service, since everybody else failed; `hedge`, beside
#: one that is slow to begin; `continuation` of an answer that broke off.
Role = Literal["first", "fallback", "repeat", "last_resort", "hedge", "continuation"]


@dataclass(frozen=True, slots=True)
class Step:
    """The next call: its target, why it is made, and whether another target is left.

    `repeats` counts the calls made to this target before, of which `error` is the last failure.
    """

    target: Target
    role: Role
    more: bool
    repeats: int = 0
    error: TargetError | None = None

    @property
    def free(self) -> bool:
        """Whether the last call never left the machine, so that its repeat costs nothing."""
        return self.error is not None and self.error.code in (*NEVER_SENT, *_NOT_MADE)


class Plan:
    """The way down one decision's ranking, which is worked out as far as it is needed.

    Every fresh target is asked before one is repeated, and those that are out of service last of
    all. A failure of a host or credential leaves out the provider's other targets; a context
    overflow leaves out windows that are no larger.
    """

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self._first = decision.usual_first
        self._limit = _price_limit(decision, self._first)
        self._coming: Iterator[Target]
        self._coming = (item.target for item in decision.ranking if self._fits(item))
        self._resort = [_resort(item.target) for item, _ in decision.benched if self._fits(item)]
        self._peeked: Target | None = None
        self._providers_out: set[str] = set()
        self._window = 0
        self._passing: dict[str, Step] = {}
        self._queued: dict[str, Step] = {}
        self._failures: dict[str, int] = {}
        self._made = 0
        self._final = False
        self._waiting: Step | None = None

    @property
    def over_price(self) -> tuple[str, ...]:
        """The targets that `fallback.max_price_ratio` leaves out."""
        every = () if self._limit is None else self.decision.ranking
        return tuple(item.target.id for item in every if not self._fits(item))

    def next(self) -> Step | None:
        """Return the next call to make, None where there is none."""
        if self._final or self._made >= self.decision.fallback.attempts:
            return None
        step = self._next()
        self._made += step is not None
        return step

    def other(self, role: Role, *, able: str | None = None) -> Step | None:
        """Return a call to a target that was not asked yet, beside or after the present one.

        `able` names a capability that it must have.
        """
        if self._final or self._made >= self.decision.fallback.attempts:
            return None
        while (fresh := self._fresh()) is not None:
            self._peeked = None
            if able is None or getattr(fresh.capabilities, able):
                step = Step(fresh, role, self._more())
                self._made += 1
                return step
        return None

    def again(self, step: Step, target: Target) -> bool:
        """Ask a target next that takes the place of the last one; False: no attempt is left."""
        if self._made >= self.decision.fallback.attempts:
            return False
        self._waiting = Step(target, "repeat", step.more, step.repeats)
        return True

    def taken_back(self, step: Step) -> None:
        """Take note that a call was not made after all; its target is left out from now on."""
        self._made -= 1
        self._passing.pop(step.target.id, None)
        self._queued.pop(step.target.id, None)

    def put_back(self, step: Step) -> None:
        """Take note that a call was called off before it was made: its target is next again."""
        self._made -= 1
        later = () if self._peeked is None else (self._peeked,)
        self._coming = chain(later, self._coming)
        self._peeked = step.target

    def shut(self, step: Step) -> None:
        """Take note that a circuit opened before its call was made: it is one of the last now."""
        self._made -= 1
        self._resort.append(replace(step, role="last_resort"))

    def queued(self, step: Step, error: TargetError) -> None:
        """Take note that a call would have had to wait: it does so after all others."""
        self._made -= 1
        repeat = Step(step.target, "repeat", more=False, repeats=step.repeats, error=error)
        self._queued[step.target.id] = repeat

    def failed(self, step: Step, error: TargetError) -> None:
        """Take note of a failure before the first content."""
        kind, target = error.kind, step.target
        spills = kind is ErrorKind.POLICY and self.decision.fallback.on_refusal == "next"
        if kind in FINAL_KINDS and not spills:
            self._final = True
        count = self._failures[target.id] = self._failures.get(target.id, 0) + 1
        again = Step(target, "repeat", more=False, repeats=count, error=error)
        if kind is ErrorKind.RATE_LIMIT and self.decision.fallback.on_limit == "wait":
            self._waiting = again
            return
        if kind in _PASSING_KINDS if error.repeatable is None else error.repeatable:
            self._passing[target.id] = again
        if kind in _PROVIDER_KINDS:
            self._providers_out.add(target.provider.name)
        if kind is ErrorKind.CONTEXT and target.longest_prompt:
            self._window = max(self._window, target.longest_prompt)

    def _next(self) -> Step | None:
        if self._waiting is not None:
            step, self._waiting = self._waiting, None
            return Step(step.target, "repeat", self._more(), step.repeats, step.error)
        fresh = self._fresh()
        if fresh is not None:
            self._peeked = None
            return Step(fresh, "fallback" if self._made else "first", more=self._more())
        return self._repeat(self._passing) or self._last_resort() or self._repeat(self._queued)

    def _repeat(self, among: dict[str, Step]) -> Step | None:
        """Take the oldest call that may be made again; those out of service may still be left."""
        step = next((s for s in among.values() if not self._too_small(s.target)), None)
        if step is None:
            return None
        del among[step.target.id]
        return replace(step, more=among is self._passing and self._more())

    def _last_resort(self) -> Step | None:
        while self._resort:
            step = self._resort.pop(0)
            if not self._left_out(step.target):
                return replace(step, more=self._more())
        return None

    def _more(self) -> bool:
        """Whether a target that was not asked, and an attempt for it, are left after this call."""
        if self.decision.fallback.attempts - self._made <= 1:
            return False
        out = (self._left_out(step.target) for step in self._resort)
        return self._fresh() is not None or not all(out)

    def _fresh(self) -> Target | None:
        """Return the next target that was not asked yet, without going on to it."""
        while self._peeked is None or self._left_out(self._peeked):
            self._peeked = next(self._coming, None)
            if self._peeked is None:
                return None
        return self._peeked

    def _left_out(self, target: Target) -> bool:
        return self._too_small(target) or target.provider.name in self._providers_out

    def _too_small(self, target: Target) -> bool:
        return self._window > 0 and (target.longest_prompt or 0) <= self._window

    def _fits(self, item: Ranked) -> bool:
        if self._limit is None or (self._first and item.target is self._first.target):
            return True
        cost = item.estimate.uncached
        return cost is not None and cost <= self._limit


def _price_limit(decision: Decision, first: Ranked | None) -> Decimal | None:
    """Return the most that a fallback may cost in nano-dollars, None where nothing bounds it.

    Where the first target's own price is unknown, the cheapest known estimate sets it. What a
    prompt cache may save does not count: all the others would look too dear beside it.
    """
    ratio = decision.fallback.max_price_ratio
    if ratio is None or first is None:
        return None
    cost = first.estimate.uncached
    if cost is None:
        known = [item.estimate.uncached for item in decision.ranking]
        cost = min((cost for cost in known if cost is not None), default=None)
    return None if cost is None else Decimal(str(ratio)) * cost


def _resort(target: Target) -> Step:
    return Step(target, "last_resort", more=False)
