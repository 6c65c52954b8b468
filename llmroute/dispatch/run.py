"""One request on its way: its plan, its attempts and its deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from llmroute.adapter.adapter import Adapter
from llmroute.catalog.cost import nano_to_usd
from llmroute.dispatch.attempts import Attempts
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.pace import Pace
from llmroute.dispatch.plan import Plan, Step
from llmroute.dispatch.timers import Timers, timed
from llmroute.errors import NoEligibleTarget, RouteFailed, TargetError
from llmroute.policy.decision import Decision
from llmroute.types import Chunk, Request, Response

__all__ = ["Run"]


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

    async def chunks(self, step: Step) -> AsyncGenerator[Chunk, None]:
        """Stream one target's answer under its timers, measuring it."""
        target = step.target
        timers = self._timers(step)
        self.attempts.begin(target, timers.started)
        self._warnings = []
        try:
            source = self._adapter.stream(target, self.request, self._warnings)
            async with aclosing(timed(source, timers)) as chunks:
                async for chunk in chunks:
                    self.attempts.saw(chunk)
                    yield chunk
        except (asyncio.CancelledError, GeneratorExit):
            self.attempts.abandoned()
            raise

    async def whole(self, step: Step) -> Response:
        """Ask one target for a whole answer in one piece, under its total timer."""
        timers = self._timers(step)
        self.attempts.begin(step.target, timers.started)
        self._warnings = []
        try:
            async with asyncio.timeout(timers.total):
                return await self._adapter.complete(step.target, self.request)
        except TimeoutError as exc:
            raise timers.error() from exc
        except asyncio.CancelledError:
            self.attempts.abandoned()
            raise

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
            if step.repeat:
                await self._wait()
            yield step

    async def _wait(self) -> None:
        """Wait as the provider asked, else with full jitter, at most until the deadline."""
        asked = self._last.retry_after if self._last else None
        wait = self._pace.backoff(len(self.attempts.records)) if asked is None else asked
        await self._pace.sleep(min(wait, max(self._remaining(), 0.0)))

    def _remaining(self) -> float:
        return self._deadline - self._pace.clock()

    def failed(self, step: Step, error: TargetError) -> None:
        """Record a failed call and change the plan accordingly."""
        error.target = step.target.id
        self._last = error
        self.attempts.failed(error)
        self._plan.failed(step.target, error)

    def succeeded(self, step: Step, response: Response) -> Response:
        """Record the answer, and return it with its cost, attempts and decision."""
        target, price = step.target, step.target.price
        cost = nano_to_usd(price.charge(response.usage)) if price else None
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

    def exhausted(self) -> RouteFailed:
        """Return the error of a request that nobody answered: every attempt, and what to do."""
        tried = self.attempts.records
        lines = [f"  {a.target}: {a.message}" + (f" → {a.help}" if a.help else "") for a in tried]
        if self._plan.over_price:
            left_out = ", ".join(self._plan.over_price)
            lines.append(f"  left out by fallback.max_price_ratio: {left_out}")
        if self._remaining() <= 0:
            lines.append("  the deadline passed")
        head = f"no answer after {len(tried)} attempt{'s' if len(tried) != 1 else ''}"
        return RouteFailed("\n".join([f"{head}:", *lines]), tried, self._last)


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
