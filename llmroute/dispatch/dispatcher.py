"""Carrying out a decision: attempts down the ranking until one answers.

Until the first content has been delivered a failure is invisible: the next target is asked.
From then on there is no other: a failure ends the stream with `StreamInterrupted`.
"""

from __future__ import annotations

from contextlib import aclosing

from llmroute.adapter.adapter import Adapter
from llmroute.adapter.answer import collect
from llmroute.dispatch.answers import answer_check
from llmroute.dispatch.attempts import Attempts, OnAttempt
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.pace import Pace
from llmroute.dispatch.plan import Step
from llmroute.dispatch.run import Run
from llmroute.errors import TargetError
from llmroute.policy.engine.decision import Decision
from llmroute.types import Request, Response

__all__ = ["DEFAULT_DEADLINE", "Dispatcher"]

#: Seconds that a request may take in all where the caller sets no limit.
DEFAULT_DEADLINE = 600.0


class Dispatcher:
    """Calls targets through the adapter, in time as its pace has it."""

    def __init__(
        self,
        adapter: Adapter,
        live: LiveState,
        pace: Pace | None = None,
    ) -> None:
        self._adapter = adapter
        self._live = live
        self._pace = pace or Pace()

    async def complete(
        self,
        request: Request,
        decision: Decision,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - spans all attempts
        on_attempt: OnAttempt | None = None,
    ) -> Response:
        """Return the first whole, valid answer.

        Raises:
            NoEligibleTarget: the decision ranks nobody.
            RouteFailed: every attempt failed.
            UsageError: the request's JSON Schema is not one.

        """
        check = answer_check(request)
        run = self.run(request, decision, timeout, on_attempt)
        async for step in run.steps():
            try:
                response = await self._whole(run, step)
                check(response)
            except TargetError as error:
                run.failed(step, error)
                continue
            except BaseException:
                run.abandoned()
                raise
            return run.succeeded(step, response)
        raise run.exhausted()

    def run(
        self,
        request: Request,
        decision: Decision,
        timeout: float | None,
        on_attempt: OnAttempt | None,
    ) -> Run:
        """Return a request at the beginning of its way, its deadline counting from now."""
        deadline = self._pace.clock() + (DEFAULT_DEADLINE if timeout is None else timeout)
        return Run(
            request,
            decision,
            deadline,
            adapter=self._adapter,
            live=self._live,
            pace=self._pace,
            attempts=Attempts(self._live, self._pace.clock, on_attempt),
        )

    async def _whole(self, run: Run, step: Step) -> Response:
        """Ask one target for a whole answer, streamed underneath where it can stream.

        A stream lets the first-token and idle timers see a dead host long before the total one.
        """
        if step.target.capabilities.streaming:
            async with aclosing(run.chunks(step)) as chunks:
                return collect([chunk async for chunk in chunks], step.target)
        return await run.whole(step)
