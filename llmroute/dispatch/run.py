"""One request on its way: its plan, its calls and its deadline."""

from __future__ import annotations

from dataclasses import replace

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Target, authorised
from llmroute.dispatch.account import Account, Refused
from llmroute.dispatch.failing import no_target, route_failed
from llmroute.dispatch.gates import QUEUE
from llmroute.dispatch.health.health import Admission
from llmroute.dispatch.plan import Plan, Role, Step
from llmroute.dispatch.services import Services
from llmroute.dispatch.trial import Leave, OnAttempt, Trial
from llmroute.errors import ErrorKind, NoEligibleTarget, RouteFailed, TargetError
from llmroute.ledger.holds import Reservation
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Request, Response

__all__ = ["MAX_WAIT", "Run"]

#: Seconds that nobody waits longer for one target: elsewhere is faster.
MAX_WAIT = 120.0


class Run:
    """One request on its way down a decision's ranking.

    `deadline` is a time of the pace's clock. `current` is the call whose answer counts now.
    """

    def __init__(
        self,
        request: Request,
        decision: Decision,
        deadline: float,
        services: Services,
        on_attempt: OnAttempt | None = None,
    ) -> None:
        self.request = request
        self.decision = decision
        self.services = services
        self.records: list[Attempt] = []
        self.passed_over: dict[str, str] = {}
        self.current: Trial | None = None
        self._origin = services.pace.clock()
        self._deadline = deadline
        self._on_attempt = on_attempt
        self._plan = Plan(decision)
        self._account = Account(services.ledger, decision, services.pace.wall)
        self._last: TargetError | None = None
        self._reread: set[str] = set()
        self._closed = False

    async def next(self) -> Trial | None:
        """Begin the next call, waiting before a repeat; None where there is none in time.

        Raises:
            NoEligibleTarget: the decision ranks nobody.

        """
        if not self.decision.ranking and not self.decision.benched:
            self._close("no_eligible_target", None)
            raise NoEligibleTarget(no_target(self.decision), self.decision)
        while self.remaining > 0 and (step := self._plan.next()):
            trial = await self._begin(step)
            if trial is not None:
                self.current = trial
                return trial
        return None

    async def beside(
        self, role: Role, request: Request | None = None, *, able: str | None = None
    ) -> Trial | None:
        """Begin a call to a target that was not asked yet, with another request if there is one.

        `able` names a capability that it must have. None where there is none.
        """
        while self.remaining > 0 and (step := self._plan.other(role, able=able)):
            trial = await self._begin(step, request)
            if trial is not None:
                return trial
        return None

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - self.services.pace.clock()

    async def _begin(self, step: Step, request: Request | None = None) -> Trial | None:
        """Begin a call, with leave in every way that it needs one; None where it is not made."""
        began = self.services.pace.clock()
        if not await self._waited(step):
            return None
        insist = step.role == "last_resort" or step.target.id in self.decision.behind
        admission = self.services.health.admit(step.target, insist=insist)
        if isinstance(admission, Problem):
            self._pass_over(step, admission.reason)
            return None
        leave = await self._leave(step, admission, began)
        if leave is None:
            return None
        self.passed_over.pop(step.target.id, None)
        return Trial(
            step,
            leave,
            request or self.request,
            self.decision,
            self.services,
            self._account,
            self._origin,
            self._ended,
        )

    async def _leave(self, step: Step, admission: Admission, began: float) -> Leave | None:
        """Wait for a place, and hold the money; None where either is not to be had."""
        services, target = self.services, step.target
        try:
            await services.gates.enter(
                target, min(QUEUE, self.remaining) if step.more else self.remaining
            )
            held = await self._reserved(target)
        except Refused as exc:
            self._pass_over(step, str(exc))
        except TargetError as exc:
            self.passed_over[target.id] = exc.message
            self._plan.queued(step, exc)
        except BaseException:
            services.health.passed(target, admission)
            raise
        else:
            tokens = self._count(target)
            waited = services.pace.clock() - began
            return Leave(admission, held, waited, self.remaining, tokens)
        services.health.passed(target, admission)
        return None

    async def _reserved(self, target: Target) -> Reservation | None:
        """Hold the most that a call may cost; where that fails its place is free again."""
        try:
            return await self._account.reserve(target, self.remaining)
        except BaseException:
            self.services.gates.leave(target)
            raise

    def _count(self, target: Target) -> int:
        estimate = self.decision.estimate(target)
        tokens = estimate.tokens_in + estimate.tokens_out
        self.services.health.began(target, tokens)
        return tokens

    def _pass_over(self, step: Step, why: str) -> None:
        self.passed_over[step.target.id] = why
        self._plan.taken_back(step)

    async def _waited(self, step: Step) -> bool:
        """Wait for a target's turn, where a repeat or its rate limit wants that.

        False, without waiting, where that is longer than what is left or than anybody waits,
        or where its provider's retry budget is drained.
        """
        target, services = step.target, self.services
        now = services.pace.clock()
        ready, why = services.health.ready(target)
        wait = ready - now
        if step.error is not None:
            provider = target.provider.name
            budgeted = self.decision.fallback.retry_budget
            if budgeted and not services.retries.spend(provider, step.error, free=step.free):
                self._pass_over(step, f"too many calls to {provider} failed to repeat this one")
                return False
            asked = step.error.retry_after
            wait = max(wait, services.pace.backoff(step.repeats) if asked is None else asked)
        if wait >= min(self.remaining, MAX_WAIT):
            reason = f": {why}" if ready > now else ""
            self._pass_over(step, f"it would have to be waited for {wait:.0f} s{reason}")
            return False
        if not self._in_time(step, max(wait, 0.0)):
            return False
        if wait > 0:
            await services.pace.sleep(wait)
        return True

    def _in_time(self, step: Step, wait: float) -> bool:
        """Whether enough time would be left for what is measured to be usual of the target."""
        facts = self.services.live.of(step.target)
        left = self.remaining - wait
        if not facts.measured or left >= facts.first_token:
            return True
        usual = f"it usually takes {facts.first_token:.3g} s to its first token"
        self._pass_over(step, f"{usual}, and {max(left, 0.0):.3g} s are left")
        return False

    def _ended(self, record: Attempt) -> None:
        self.records.append(record)
        if self._on_attempt:
            self._on_attempt(record)

    def failed(self, trial: Trial, error: TargetError) -> None:
        """Record a failed call and change the plan accordingly."""
        self._last, self.current = error, None
        rotated = self._rotated(trial, error)
        trial.failed(error, blamed=not rotated)
        if not rotated:
            self._plan.failed(trial.step, error)

    def _rotated(self, trial: Trial, error: TargetError) -> bool:
        """Ask once more where a credential was refused that has been replaced meanwhile."""
        provider = trial.target.provider
        auth = provider.endpoint.auth
        if error.kind is not ErrorKind.AUTH or auth is None or provider.name in self._reread:
            return False
        self._reread.add(provider.name)
        fresh = auth.reread()
        if fresh is None:
            return False
        self.services.on_rotated(provider.name, fresh)
        return self._plan.again(trial.step, authorised(trial.target, fresh))

    def abandoned(self, why: str = "the caller went away") -> None:
        """Record that the request ended without an answer or an error of its own."""
        if self.current is not None:
            self.current.abandoned(why)
            self.current = None
        self._close("cancelled", None)

    def succeeded(self, trial: Trial, response: Response) -> Response:
        """Record the answer, and return it with its cost, attempts and decision."""
        made, self.current = trial.succeeded(response), None
        self._close("ok", trial.target.id)
        return replace(made, attempts=tuple(self.records), decision=self.decision)

    def broken(self, error: TargetError) -> None:
        """Record that the answer broke off after its first content."""
        self.current = None
        self._close(error.kind.value, error.target)

    def _close(self, outcome: str, target: str | None) -> None:
        if not self._closed:
            self._closed = True
            self._account.close(outcome, target)

    def exhausted(self) -> RouteFailed:
        """Return the error of a request that nobody answered: every attempt, and what to do."""
        self._close(self._last.kind.value if self._last else "route_failed", None)
        over_price, late = self._plan.over_price, self.remaining <= 0
        return route_failed(self.records, self.passed_over, over_price, late, self._last)
