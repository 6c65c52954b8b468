"""One request on its way: its plan, its calls and its deadline."""

from __future__ import annotations

from dataclasses import replace

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Auth, Target, authorised
from llmroute.dispatch.account import Account, Refused
from llmroute.dispatch.failing import called_back, no_target, route_failed
from llmroute.dispatch.gates import QUEUE
from llmroute.dispatch.health.health import Admission
from llmroute.dispatch.plan import Plan, Role, Step
from llmroute.dispatch.services import Services
from llmroute.dispatch.trial import Leave, Trial
from llmroute.errors import ErrorKind, NoEligibleTarget, RouteFailed, TargetError
from llmroute.ledger.holds import Reservation
from llmroute.policy.engine.decision import Decision
from llmroute.policy.scoring.standing import Outage
from llmroute.types import Attempt, OnAttempt, OnWait, Request, Response, Wait

__all__ = ["MAX_WAIT", "Run"]

#: Seconds that nobody waits longer for one target: elsewhere is faster.
MAX_WAIT = 120.0
#: A wait that is no longer, in seconds, is none: clocks and buckets round.
_AT_ONCE = 0.001
#: A repeat is put off for longer waits than this, in seconds: what a circuit stays open at first.
_LONG = 5.0


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
        on_wait: OnWait | None = None,
    ) -> None:
        self.request = request
        self.decision = decision
        self.services = services
        self.records: list[Attempt] = []
        self.warnings: list[str] = []
        self.passed_over: dict[str, str] = {}
        self.current: Trial | None = None
        self._origin = services.pace.clock()
        self._deadline = deadline
        self._on_attempt = on_attempt
        self._on_wait = on_wait
        self._plan = Plan(decision)
        self._account = Account(services.ledger(), decision, services.pace.wall)
        self._last: TargetError | None = None
        self._failed_at: dict[str, float] = {}
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
            try:
                trial = await self._begin(step, request)
            except BaseException:
                self._plan.put_back(step)
                raise
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
        if isinstance(admission, Outage):
            self.passed_over[step.target.id] = admission.reason
            self._plan.shut(step)
            return None
        if isinstance(admission, Problem):
            self._pass_over(step, admission.reason)
            return None
        leave = await self._leave(step, admission, self._count(step.target), began)
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

    async def _leave(
        self, step: Step, admission: Admission, tokens: int, began: float
    ) -> Leave | None:
        """Wait for a place, and hold the money; None where either is not to be had.

        The call counts against declared limits from before, so that nobody slips through.
        """
        services, target = self.services, step.target
        try:
            await services.gates.enter(target, self._patience(step))
            held = await self._reserved(target)
        except Refused as exc:
            self._pass_over(step, str(exc))
        except TargetError as exc:
            self.passed_over[target.id] = exc.message
            self._plan.queued(step, exc)
        except BaseException:
            services.health.unmade(target, admission, tokens)
            raise
        else:
            waited = services.pace.clock() - began
            return Leave(admission, held, waited, self.remaining, tokens)
        services.health.unmade(target, admission, tokens)
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

        False, without waiting, where the call is not worth it, or where its provider's retry
        budget is drained. Others may wait for the same limit, so that it is looked at again.
        """
        pace, earliest, paid = self.services.pace, self._earliest(step), False
        while True:
            ready, why = self.services.health.ready(step.target)
            wait = max(earliest, ready) - pace.clock()
            if wait > _AT_ONCE and self._others_first(step, wait, limited=ready > earliest):
                self.passed_over[step.target.id] = why
                self._plan.queued(step, _waiting(why))
                return False
            against = self._against(step, wait, why if ready > earliest else "")
            if against is None and not paid:
                paid, against = True, self._unpaid(step)
            if against is not None:
                self._pass_over(step, against)
                return False
            if wait <= _AT_ONCE:
                return True
            self._waits(step, wait, why if ready >= earliest else "")
            await pace.sleep(wait)

    def _waits(self, step: Step, wait: float, why: str) -> None:
        """Tell of a wait; without a limit that it is for, it is for a repeat."""
        if self._on_wait:
            after = f"its last call failed: {step.error.kind}" if step.error else ""
            told = Wait(step.target.id, wait, why or after)
            self._told(called_back(self._on_wait, told, "on_wait", "before the wait for"))

    def _earliest(self, step: Step) -> float:
        """Return when a repeat is due: a while after the failure, as the provider asked for it."""
        failed = self._failed_at.get(step.target.id)
        if step.error is None or failed is None:
            return self._origin
        asked = step.error.retry_after
        return failed + (self.services.pace.backoff(step.repeats) if asked is None else asked)

    def _others_first(self, step: Step, wait: float, *, limited: bool) -> bool:
        """Whether a target that has to be waited for comes after those that have not.

        A hedge never waits; others do where the policy says so, or where the decision knew. For a
        repeat, others are those out of service, who are better asked than waited for long.
        """
        if step.role == "hedge":
            return True
        known = self.decision.fallback.on_limit == "wait" or step.target.id in self.decision.behind
        if known or not step.more:
            return False
        return limited if step.error is None else wait > _LONG

    def _against(self, step: Step, wait: float, why: str) -> str | None:
        """Say why a call is not worth its wait, or would have too little time then."""
        if wait >= min(self.remaining, MAX_WAIT):
            return f"it would have to be waited for {wait:.0f} s{': ' * bool(why)}{why}"
        facts = self.services.live.of(step.target)
        left = self.remaining - max(wait, 0.0)
        if not facts.measured or left >= facts.first_token:
            return None
        usual = f"it usually takes {facts.first_token:.3g} s to its first token"
        return f"{usual}, and {max(left, 0.0):.3g} s are left"

    def _unpaid(self, step: Step) -> str | None:
        """Pay for a repeat; say why not where too many calls fail there."""
        provider, budget = step.target.provider.name, self.services.retries
        if step.error is None or not self.decision.fallback.retry_budget:
            return None
        if budget.spend(provider, step.error, free=step.free):
            return None
        return f"too many calls to {provider} failed to repeat this one"

    def _patience(self, step: Step) -> float:
        """Return how long a call waits for its place, in seconds."""
        if step.role == "hedge":
            return 0.0
        return min(QUEUE, self.remaining) if step.more else self.remaining

    def _ended(self, record: Attempt) -> None:
        """Tell the caller of a call's end; what its callback raises costs nobody an answer."""
        self.records.append(record)
        if self._on_attempt:
            self._told(called_back(self._on_attempt, record, "on_attempt", "after the call to"))

    def _told(self, raised: str | None) -> None:
        self.warnings += [raised] if raised else []

    def failed(self, trial: Trial, error: TargetError) -> None:
        """Record a failed call and change the plan accordingly."""
        self._last, self.current = error, None
        self._failed_at[trial.target.id] = self.services.pace.clock()
        fresh = self._rotated(trial, error)
        trial.failed(error, blamed=fresh is None)
        if fresh is None or not self._plan.again(trial.step, authorised(trial.target, fresh)):
            self._plan.failed(trial.step, error)

    def _rotated(self, trial: Trial, error: TargetError) -> Auth | None:
        """Return the credential that has replaced a refused one meanwhile; asked once."""
        provider = trial.target.provider
        auth = provider.endpoint.auth
        if error.kind is not ErrorKind.AUTH or auth is None or provider.name in self._reread:
            return None
        self._reread.add(provider.name)
        fresh = auth.reread()
        if fresh is not None:
            self.services.on_rotated(provider.name, fresh)
        return fresh

    def abandoned(self, by: BaseException) -> None:
        """Record that the request ended without an answer or an error of its own.

        Of an exception that no target raised the kind alone is kept: its text may quote a prompt.
        """
        current, self.current = self.current, None
        if current is not None:
            current.abandoned(self._broken_off(by))
        self._close("cancelled", None)

    def _broken_off(self, by: BaseException) -> str:
        if self.services.underway.closed:
            return "the router was closed"
        raised = f"this program broke it off with {type(by).__name__}"
        return raised if isinstance(by, Exception) else "the caller went away"

    def succeeded(self, trial: Trial, response: Response) -> Response:
        """Record the answer, and return it with its cost, attempts and decision."""
        self.current = None
        made = trial.succeeded(response)
        self._close("ok", trial.target.id)
        warnings = (*made.warnings, *self.warnings)
        attempts = tuple(self.records)
        return replace(made, attempts=attempts, decision=self.decision, warnings=warnings)

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
        error = route_failed(
            self.records, self.passed_over, over_price, late, self._last, self.warnings
        )
        error.__cause__ = self._last
        return error


def _waiting(why: str) -> TargetError:
    """Return what stands for a call that was put off, since it would have had to wait."""
    return TargetError(ErrorKind.RATE_LIMIT, why, code="waiting")
