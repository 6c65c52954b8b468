"""One request on its way: its plan, its attempts and its deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from llmroute.adapter.adapter import Adapter
from llmroute.catalog.cost import nano_to_usd
from llmroute.catalog.model import Target
from llmroute.dispatch.attempts import Attempts
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.pace import Pace
from llmroute.dispatch.plan import Plan, Step
from llmroute.dispatch.timers import Timers, timed
from llmroute.errors import ErrorKind, NoEligibleTarget, RouteFailed, TargetError
from llmroute.policy.engine.decision import Decision
from llmroute.policy.facts.facts import estimate_tokens
from llmroute.types import Chunk, Request, Response, Usage

__all__ = ["MAX_ANSWER", "MAX_WAIT", "Run"]

#: Characters that an answer may have in all.
MAX_ANSWER = 16 * 1024 * 1024
#: Seconds that nobody waits longer for one target: elsewhere is faster.
MAX_WAIT = 120.0


class Run:
    """One request on its way down a decision's ranking.

    `deadline` is a time of the pace's clock.
    """

    def __init__(
        self,
        request: Request,
        decision: Decision,
        deadline: float,
        *,
        adapter: Adapter,
        live: LiveState,
        pace: Pace,
        attempts: Attempts,
    ) -> None:
        self.request = request
        self.decision = decision
        self._adapter = adapter
        self.attempts = attempts
        self._deadline = deadline
        self._live = live
        self._pace = pace
        self._plan = Plan(decision)
        self._last: TargetError | None = None
        self._warnings: list[str] = []
        self._not_before: dict[str, float] = {}
        self._too_long: list[str] = []

    async def chunks(self, step: Step) -> AsyncGenerator[Chunk, None]:
        """Stream one target's answer under its timers, measuring it."""
        target = step.target
        timers = self._timers(step)
        self.attempts.begin(target, timers.started)
        self._warnings = []
        size = 0
        source = self._adapter.stream(target, self.request, self._warnings)
        async with aclosing(timed(source, timers)) as chunks:
            async for chunk in chunks:
                self.attempts.saw(chunk)
                size += _size(chunk)
                if size > MAX_ANSWER:
                    message = f"the answer is larger than {MAX_ANSWER:,} characters"
                    raise TargetError(ErrorKind.MALFORMED, message, code="too_long")
                yield chunk

    async def whole(self, step: Step) -> Response:
        """Ask one target for a whole answer in one piece.

        While another target is left, it never takes more than half of the time that remains.
        """
        timers = self._timers(step)
        self.attempts.begin(step.target, timers.started)
        self._warnings = []
        try:
            async with asyncio.timeout(timers.whole):
                return await self._adapter.complete(step.target, self.request)
        except TimeoutError as exc:
            raise timers.whole_error() from exc

    def _timers(self, step: Step) -> Timers:
        timeouts = step.target.provider.endpoint.timeouts
        return Timers(timeouts, self._remaining(), step.more, self._pace.clock)

    async def steps(self) -> AsyncGenerator[Step, None]:
        """Yield the calls to make, waiting before a repeat, until the deadline.

        Raises:
            NoEligibleTarget: the decision ranks nobody.

        """
        if not self.decision.ranking:
            raise NoEligibleTarget(_no_target(self.decision), self.decision)
        while (step := self._plan.next()) and self._remaining() > 0:
            if step.repeat and not await self._waited(step.target):
                continue
            yield step

    async def _waited(self, target: Target) -> bool:
        """Wait as long as the target asked for, else with full jitter.

        False, without waiting, where that is longer than what is left or than anybody waits.
        """
        not_before = self._not_before.get(target.id)
        wait = self._pace.backoff(len(self.attempts.records))
        if not_before is not None:
            wait = max(not_before - self._pace.clock(), 0.0)
        if wait >= min(self._remaining(), MAX_WAIT):
            self._too_long.append(f"  {target.id} would have to be waited for {wait:.0f} s")
            return False
        await self._pace.sleep(wait)
        return True

    def _remaining(self) -> float:
        return self._deadline - self._pace.clock()

    def failed(self, step: Step, error: TargetError) -> None:
        """Record a failed call and change the plan accordingly."""
        error.target = step.target.id
        self._last = error
        if error.retry_after is not None:
            self._not_before[step.target.id] = self._pace.clock() + error.retry_after
        self.attempts.failed(error)
        self._plan.failed(step.target, error)

    def succeeded(self, step: Step, response: Response) -> Response:
        """Record the answer, and return it with its cost, attempts and decision."""
        target = step.target
        usage, partly = self._usage(response), _partly(response.usage)
        response = replace(response, usage=usage)
        cost = nano_to_usd(self._charge(target, usage, partly))
        self._learn(target, response)
        self.attempts.succeeded(response, cost)
        self._live.served(self.request, target)
        return replace(
            response,
            target=target.id,
            cost=cost,
            warnings=tuple(dict.fromkeys((*self._warnings, *response.warnings))),
            attempts=tuple(self.attempts.records),
            decision=self.decision,
        )

    def _learn(self, target: Target, response: Response) -> None:
        """Let later estimates for this target learn from its own counts of prompt and answer.

        Images, and answers made of several calls, would say nothing of its tokenizer; what was
        refused or withheld nothing of the length of answers.
        """
        usage, facts = response.usage, self.decision.facts
        if not usage.estimated and response.finish_reason in ("stop", "tool_calls", "length"):
            whole = response.finish_reason != "length"
            self._live.answered(target, facts["task"], usage.output, whole=whole)
        guessed = self.request.input_tokens is None and not facts["images"]
        if guessed and not usage.estimated and not usage.parts:
            self._live.counted(target, self.decision.tokens(target), usage.input)

    def _charge(self, target: Target, usage: Usage, partly: bool) -> int | None:
        """Return nano-dollars; None where the price was unknown when the decision was made.

        Also None, with a warning, where the answer does not say enough for a price.
        """
        price = target.price
        if price is None or self.decision.estimate(target).cost is None:
            return None
        if partly and not price.free:
            self._warnings.append("the cost is unknown: the provider reported its usage in part")
            return None
        for what in price.unpriced(usage):
            self._warnings.append(f"the cost is unknown: {target.id} has no price for {what}")
        return price.charge(usage)

    def _usage(self, response: Response) -> Usage:
        """Return the usage as reported, else an estimate from the texts, marked as such."""
        usage = response.usage
        if not usage.estimated or usage.input or usage.output:
            return usage
        calls = "".join(call.name + call.arguments for call in response.tool_calls)
        said = (response.text or "") + (response.reasoning or "") + calls
        prompt: int = self.decision.facts["tokens"]
        return replace(usage, input=prompt, output=round(estimate_tokens(said)))

    def abandoned(self) -> None:
        """Record that a call ended without an answer or an error of its own."""
        self.attempts.abandoned()

    def exhausted(self) -> RouteFailed:
        """Return the error of a request that nobody answered: every attempt, and what to do."""
        tried = self.attempts.records
        lines = [f"  {a.target}: {a.message}" + (f" → {a.help}" if a.help else "") for a in tried]
        if self._plan.over_price:
            left_out = ", ".join(self._plan.over_price)
            lines.append(f"  left out by fallback.max_price_ratio: {left_out}")
        lines += self._too_long
        if self._remaining() <= 0:
            lines.append("  the deadline passed")
        head = f"no answer after {len(tried)} attempt{'s' if len(tried) != 1 else ''}"
        return RouteFailed("\n".join([f"{head}:", *lines]), tried, self._last)


def _partly(usage: Usage) -> bool:
    """Whether a provider reported some token counts and left out others."""
    return usage.estimated and bool(usage.input or usage.output)


def _size(chunk: Chunk) -> int:
    called = chunk.tool_call
    arguments = len(called.arguments) if called else 0
    return len(chunk.text) + len(chunk.reasoning) + len(chunk.refusal) + arguments


def _no_target(decision: Decision) -> str:
    """Say why nobody is eligible, grouped, with what to do."""
    if not decision.rejections:
        return "there is no target: add a provider file, or start a local server"
    grouped: dict[str, list[str]] = {}
    for item in decision.rejections:
        advice = f" → {item.help}" if item.help else ""
        grouped.setdefault(f"{item.reason}{advice}", []).append(item.target)
    lines = (f"  {_few(targets)}: {reason}" for reason, targets in grouped.items())
    return "\n".join(["no target can serve this request:", *lines])


def _few(targets: list[str]) -> str:
    shown = ", ".join(targets[:2])
    return shown if len(targets) <= 2 else f"{shown} and {len(targets) - 2} more"
