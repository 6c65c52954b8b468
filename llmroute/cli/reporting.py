"""What happened to a request, in lines for stderr."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import Event, Thread
from typing import Literal

from llmroute.catalog.cost import format_usd
from llmroute.cli.output import note
from llmroute.dispatch.dispatcher import DEFAULT_DEADLINE
from llmroute.dispatch.plan import Plan
from llmroute.errors import FINAL_KINDS, ErrorKind
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Response, Wait

__all__ = ["Reporter", "patience", "summary"]

#: Failures of a host or credential, after which the provider's other targets are left out.
_PROVIDER_KINDS = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.AUTH, ErrorKind.QUOTA})
#: Seconds that a person waits for without wondering why.
_SHORT = 0.5
#: Seconds between two looks at whether the same target has still said nothing.
_LONG = 2.0


class Reporter:
    """Tells of each failed attempt as it ends; `committed` is set once content was printed.

    `timeout` is for all attempts together, in seconds. Waits are told of as they begin: `all` of
    them, those that are `long` enough to wonder about, or `none`.
    """

    def __init__(
        self,
        decision: Decision,
        timeout: float | None = None,
        waits: Literal["all", "long", "none"] = "none",
    ) -> None:
        self.committed = False
        self._told_from = {"all": 0.0, "long": _SHORT, "none": math.inf}[waits]
        self._timeout = DEFAULT_DEADLINE if timeout is None else timeout
        self._left = decision.fallback.attempts
        self._waits = decision.fallback.on_limit == "wait"
        over = Plan(decision).over_price
        self._windows = {t.id: t.context_window for t in decision.targets}
        self._untried = [name for name in self._windows if name not in over]

    def told(self, attempt: Attempt) -> None:
        """Tell of an attempt if it failed, and what happens next."""
        self._left -= 1
        self._untried = [name for name in self._untried if name != attempt.target]
        if attempt.outcome in ("ok", ErrorKind.CANCELLED):
            return
        if attempt.outcome in _PROVIDER_KINDS:
            provider = attempt.target.partition("/")[0]
            self._untried = [n for n in self._untried if n.partition("/")[0] != provider]
        window = self._windows.get(attempt.target)
        if attempt.outcome == ErrorKind.CONTEXT and window:
            self._untried = [n for n in self._untried if (self._windows[n] or window) > window]
        status = f" (status {attempt.status})" if attempt.status is not None else ""
        advice = f"; {attempt.help}" if attempt.help else ""
        going_on = " → trying the next" if self._goes_on(attempt) else ""
        note(f"{attempt.target}: {attempt.outcome}: {attempt.message}{status}{advice}{going_on}")

    def waits(self, wait: Wait) -> None:
        """Tell of a wait that begins: for which target, how long, and why."""
        if wait.seconds >= self._told_from:
            note(f"{wait.target}: waiting {_time(wait.seconds)}: {wait.reason}")

    def _goes_on(self, attempt: Attempt) -> bool:
        over = self.committed or attempt.outcome in FINAL_KINDS
        over = over or (self._waits and attempt.outcome == ErrorKind.RATE_LIMIT)
        over = over or attempt.started + attempt.duration >= self._timeout
        return not over and self._left > 0 and bool(self._untried)


@contextmanager
def patience(asking: Callable[[], str | None], seconds: float = _LONG) -> Iterator[Event]:
    """Tell once of each target that has been `asking` for `seconds`, until the event is set."""
    heard = Event()
    watcher = Thread(target=_watch, args=(asking, seconds, heard), daemon=True)
    watcher.start()
    try:
        yield heard
    finally:
        heard.set()
        watcher.join()


def _watch(asking: Callable[[], str | None], seconds: float, heard: Event) -> None:
    before = told = None
    while not heard.wait(seconds):
        target = asking()
        if target and target == before and target != told:
            note(f"{target}: waiting for its first content")
            told = target
        before = target


def _time(seconds: float) -> str:
    """Return a wait in words, rounded up so that it has ended by then."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)} ms"
    return f"{math.ceil(seconds * 10) / 10:g} s"


def summary(response: Response) -> str:
    """Return one line: target, tokens, cost, time, attempts; and one for each warning."""
    usage, attempts = response.usage, response.attempts
    took = attempts[-1].started + attempts[-1].duration if attempts else 0.0
    about = "about " if usage.estimated else ""
    others = sum((a.cost for a in attempts if a.cost and a.outcome != "ok"), Decimal(0))
    besides = f" + {format_usd(others)} for what did not answer" if others else ""
    parts = [
        response.target,
        f"{about}{usage.input:,} tokens in, {usage.output:,} out",
        f"{format_usd(response.cost)}{besides}",
        f"{took:.2f} s",
        f"{len(attempts)} attempt{'s' if len(attempts) != 1 else ''}",
    ]
    return "\n".join([" · ".join(parts), *(f"note: {text}" for text in response.warnings)])
