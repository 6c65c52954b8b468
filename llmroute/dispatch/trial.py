"""One call to one target, from its leave to its last record."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, field, replace

from llmroute.adapter.answer import unfolded
from llmroute.adapter.transports.base import NEVER_SENT
from llmroute.catalog.cost import nano_to_usd
from llmroute.catalog.model import Target
from llmroute.dispatch.account import Account
from llmroute.dispatch.health.health import Admission
from llmroute.dispatch.plan import Role, Step
from llmroute.dispatch.services import Services
from llmroute.dispatch.timers import Timers, timed
from llmroute.dispatch.unexpected import faults_of
from llmroute.dispatch.usage import believable, charge, partial_usage, usage_of
from llmroute.errors import ErrorKind, TargetError
from llmroute.ledger.holds import Reservation
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Chunk, Request, Response, Usage

__all__ = ["FASTEST", "MAX_ANSWER", "Leave", "Trial"]

#: Tokens per second that no model generates: the fastest services do some thousands.
FASTEST = 10_000

#: Characters that an answer may have in all.
MAX_ANSWER = 16 * 1024 * 1024


@dataclass(slots=True)
class Leave:
    """What a call was granted: health's admission, money that is held, and how long it waited.

    `remaining` is what is left of the request's time, in seconds; `tokens` what was counted
    against the target's declared limit.
    """

    admission: Admission
    held: Reservation | None
    waited: float
    remaining: float
    tokens: int


@dataclass(slots=True, repr=False)
class Trial:
    """A call under way; exactly one of `failed`, `abandoned` and `succeeded` ends it.

    `origin` is when the request began, a time of the pace's clock.
    """

    step: Step
    leave: Leave
    request: Request
    decision: Decision
    services: Services
    account: Account
    origin: float
    ended: Callable[[Attempt], None]
    warnings: list[str] = field(default_factory=list)
    first: float | None = None
    _timers: Timers = field(init=False)
    _reported: Usage | None = field(default=None, init=False)
    _said: list[str] = field(default_factory=list, init=False)
    _answered: bool = field(default=False, init=False)
    _model: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        live, target = self.services.live, self.step.target
        self._timers = Timers(
            target,
            self.request,
            self.leave.remaining,
            self.step.more,
            self.services.pace.clock,
            live.of(target).first_token,
        )
        live.started(target)

    @property
    def target(self) -> Target:
        """Who is called."""
        return self.step.target

    @property
    def role(self) -> Role:
        """Why the call is made."""
        return self.step.role

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Stream the answer under the call's timers, measuring it.

        An answer in one piece comes as chunks too.
        """
        source, size = self._source(), 0
        with self.faults():
            async with aclosing(timed(source, self._timers)) as chunks:
                async for chunk in chunks:
                    size += self._saw(chunk)
                    if size > MAX_ANSWER:
                        message = f"the answer is larger than {MAX_ANSWER:,} characters"
                        raise TargetError(ErrorKind.MALFORMED, message, code="too_long")
                    yield chunk

    def faults(self) -> AbstractContextManager[None]:
        """Turn unexpected exceptions while the answer is read into this call's failure."""
        return faults_of(self.target, self.request)

    def _source(self) -> AsyncGenerator[Chunk, None]:
        adapter, target = self.services.adapter, self.target
        if target.capabilities.streaming:
            return adapter.stream(target, self.request, self.warnings, on_headers=self._headers)
        return self._whole()

    async def _whole(self) -> AsyncGenerator[Chunk, None]:
        adapter = self.services.adapter
        response = await adapter.complete(self.target, self.request, on_headers=self._headers)
        self.warnings += response.warnings
        for chunk in unfolded(response):
            yield chunk

    def _headers(self, headers: Mapping[str, str]) -> None:
        self._answered = True
        self.services.health.announced(self.target, headers)

    def _saw(self, chunk: Chunk) -> int:
        """Measure a chunk; the first content or reasoning stops the first-token clock."""
        if self.first is None and (chunk.has_content or chunk.reasoning):
            self.first = self._now - self._timers.started
        if chunk.usage is not None and believable(chunk.usage):
            self._reported = chunk.usage
        self._model = chunk.model or self._model
        called = chunk.tool_call.arguments if chunk.tool_call else ""
        said = chunk.text + chunk.reasoning + chunk.refusal + called
        if said:
            self._said.append(said)
        return len(said)

    @property
    def _now(self) -> float:
        return self.services.pace.clock()

    def failed(self, error: TargetError, *, blamed: bool = True) -> None:
        """Note that the call failed; `blamed`: by a fault of its target."""
        error.target = self.target.id
        health, healthy = self.services.health, None
        if blamed:
            healthy = health.failed(self.target, error, self.leave.admission)
        else:
            health.passed(self.target, self.leave.admission)
        if error.code in NEVER_SENT:
            health.unsent(self.target, self.leave.tokens)
        self._measured(healthy=healthy)
        self._settled(error.kind.value, error.message, error.status, error.help)

    def abandoned(self, why: str) -> None:
        """Note that the call was broken off, by no fault of its target."""
        self.services.health.passed(self.target, self.leave.admission)
        self._measured(healthy=None)
        self._settled(ErrorKind.CANCELLED.value, why)

    def succeeded(self, response: Response) -> Response:
        """Note a whole answer, and return it with its usage, cost and warnings."""
        reported, target = response.usage, self.target
        usage = usage_of(response, self.decision, self.warnings)
        partly = reported.estimated and bool(reported.input or reported.output)
        nano = charge(target, usage, self.decision, partly=partly, warnings=self.warnings)
        self._measured(healthy=True, speed=self._speed(usage))
        self._learn(response, usage)
        unused = self.leave.tokens - usage.input - usage.output
        self.services.health.succeeded(target, self.leave.admission, unused)
        self.services.retries.earn(target.provider.name)
        self.services.live.served(self.request, target, usage.cached + usage.cache_written)
        self._end("ok", usage=usage, nano=nano)
        warnings = tuple(dict.fromkeys((*self.warnings, *response.warnings)))
        cost = nano_to_usd(nano)
        return replace(response, target=target.id, usage=usage, cost=cost, warnings=warnings)

    def _speed(self, usage: Usage) -> float | None:
        """Tokens per second after the first one; None where it cannot be told.

        As of an answer in one piece, or one that something on the way held back until its end.
        """
        if self.first is None or usage.output < 2 or not self.target.capabilities.streaming:
            return None
        generating = self._now - self._timers.started - self.first
        possible = (usage.output - 1) <= FASTEST * generating
        return (usage.output - 1) / generating if possible else None

    def _learn(self, response: Response, usage: Usage) -> None:
        """Let later estimates for this target learn from its own counts of prompt and answer.

        Images, and answers made of several calls, would say nothing of its tokenizer; what was
        refused or withheld nothing of the length of answers.
        """
        target, facts, live = self.target, self.decision.facts, self.services.live
        if not usage.estimated and response.finish_reason in ("stop", "tool_calls", "length"):
            whole = response.finish_reason != "length"
            live.answered(target, facts["task"], usage.output, whole=whole)
        guessed = self.request.input_tokens is None and not facts["images"]
        if guessed and not usage.estimated and not usage.parts:
            live.counted(target, self.decision.tokens(target), usage.input)

    def _measured(self, *, healthy: bool | None, speed: float | None = None) -> None:
        self.services.live.ended(
            self.target, healthy=healthy, first_token=self.first, tokens_per_second=speed
        )

    def _settled(
        self, outcome: str, message: str, status: int | None = None, help_text: str | None = None
    ) -> None:
        """End a call without a whole answer: what it is known or likely to have used is spent.

        After a fault of this program nobody knows, so that the whole answer counts.
        """
        usage, nano, lost = None, None, outcome == ErrorKind.INTERNAL
        begun = self._answered and (self._said or outcome in ("timeout", "cancelled"))
        if lost or begun or (self._reported is not None and not self._reported.estimated):
            said, least = "".join(self._said), 0
            if lost:
                least = self.decision.estimate(self.target).tokens_out
            usage = partial_usage(self._reported, said, self.decision, self.target, least=least)
            nano = charge(self.target, usage, self.decision, partly=False, warnings=[])
        self._end(outcome, message, status, help_text, usage=usage, nano=nano)

    def _end(
        self,
        outcome: str,
        message: str | None = None,
        status: int | None = None,
        help_text: str | None = None,
        *,
        usage: Usage | None,
        nano: int | None,
    ) -> None:
        self.services.gates.leave(self.target)
        record = Attempt(
            target=self.target.id,
            outcome=outcome,
            started=self._timers.started - self.origin,
            duration=self._now - self._timers.started,
            first_token=self.first,
            message=message,
            status=status,
            help=help_text,
            cost=nano_to_usd(nano),
            role="probe" if self.leave.admission.probe else self.role,
            waited=self.leave.waited,
            model=self._model,
        )
        self.account.settle(self.leave.held, record, usage, nano)
        self.ended(record)
