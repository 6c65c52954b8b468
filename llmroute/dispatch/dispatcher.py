"""Carrying out a decision: attempts down the ranking until one answers.

Until the first content has been delivered a failure is invisible: the next target is asked.
From then on there is no other: a failure ends the stream with `StreamInterrupted`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from math import isfinite

from llmroute.adapter.answer import collect
from llmroute.dispatch.answers import answer_check
from llmroute.dispatch.racing import heard
from llmroute.dispatch.run import Run
from llmroute.dispatch.services import Services
from llmroute.errors import TargetError, UsageError
from llmroute.policy.engine.decision import Decision
from llmroute.types import OnAttempt, OnWait, Request, Response

__all__ = ["DEFAULT_DEADLINE", "Dispatcher"]

#: Seconds that a request may take in all where the caller sets no limit.
DEFAULT_DEADLINE = 600.0


class Dispatcher:
    """Calls targets with what every request shares."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def complete(
        self,
        request: Request,
        decision: Decision,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - spans all attempts
        on_attempt: OnAttempt | None = None,
        on_wait: OnWait | None = None,
    ) -> Response:
        """Return the first whole, valid answer.

        Raises:
            NoEligibleTarget: the decision ranks nobody.
            RouteFailed: every attempt failed.
            UsageError: the request's JSON Schema is not one.

        """
        check = answer_check(request, decision.fallback)
        run = self.run(request, decision, timeout, on_attempt, on_wait)
        try:
            while (trial := await run.next()) is not None:
                try:
                    async with aclosing(heard(run, trial)) as heard_chunks:
                        chunks = [chunk async for chunk in heard_chunks]
                    trial = run.current or trial
                    with trial.faults():
                        response = collect(chunks, trial.target)
                        check(response)
                except TargetError as error:
                    run.failed(run.current or trial, error)
                    continue
                return run.succeeded(trial, response)
        except BaseException as exc:
            run.abandoned(exc)
            raise
        raise run.exhausted()

    def left(self, timeout: float | None) -> Callable[[], float]:
        """Return what tells how much of a request's time is left, counting from now.

        Raises:
            UsageError: the timeout is no number of seconds.

        """
        clock = self.services.pace.clock
        due = clock() + _seconds(timeout)
        return lambda: due - clock()

    def run(
        self,
        request: Request,
        decision: Decision,
        timeout: float | None,
        on_attempt: OnAttempt | None,
        on_wait: OnWait | None = None,
    ) -> Run:
        """Return a request at the beginning of its way, its deadline counting from now.

        Raises:
            UsageError: the timeout is no number.

        """
        clock = self.services.pace.clock
        deadline = clock() + _seconds(timeout)
        return Run(request, decision, deadline, self.services, on_attempt, on_wait)


def _seconds(timeout: float | None) -> float:
    if timeout is None:
        return DEFAULT_DEADLINE
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not number or not isfinite(timeout):
        raise UsageError(f"timeout is {timeout!r}; write a number of seconds, such as 30")
    return float(timeout)
