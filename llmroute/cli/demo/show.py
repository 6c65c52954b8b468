"""Running the demo's table against simulated providers, and telling what happened."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmroute.catalog.cost import format_usd
from llmroute.cli.demo.table import STEPS, Case, Kill
from llmroute.cli.demo.why import why
from llmroute.cli.output import dump, is_terminal, say
from llmroute.cli.records import attempt_record
from llmroute.errors import LlmrouteError, RouteFailed
from llmroute.types import Attempt, Response

if TYPE_CHECKING:
    from llmroute.router import Router
    from llmroute.sim import SimFarm

__all__ = ["Outcome", "judge", "show"]

#: How fast the simulators answer: seconds to the first token, tokens a second.
_FIRST_TOKEN, _SPEED = 0.02, 400.0
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case: the answer or the error, the attempts, and the reason."""

    case: Case
    response: Response | None
    error: str | None
    attempts: tuple[Attempt, ...]
    reason: str = ""

    @property
    def mismatches(self) -> tuple[str, ...]:
        """What differs from the case's expectation."""
        return tuple(judge(self))

    @property
    def record(self) -> dict[str, Any]:
        """The plain data of the outcome."""
        response = self.response
        return {
            "name": self.case.name,
            "what": self.case.what,
            "policy": self.case.policy,
            "target": response.target if response else None,
            "why": self.reason,
            "cost": f"{response.cost:f}" if response and response.cost is not None else None,
            "text": response.text if response else None,
            "attempts": [attempt_record(item) for item in self.attempts],
            "error": self.error,
            "expected": self.case.target,
            "mismatches": list(self.mismatches),
        }


def judge(outcome: Outcome) -> Iterator[str]:
    """Yield each difference between an outcome and what its case expects."""
    case, response = outcome.case, outcome.response
    if response is None:
        yield f"expected {case.target}, but: {outcome.error}"
        return
    failed = tuple(item.target for item in outcome.attempts if item.outcome != "ok")
    for what, expected, got in (
        ("the target", case.target, response.target),
        ("the finish reason", case.finish, response.finish_reason),
        ("the targets that failed before", case.failed, failed),
    ):
        if got != expected:
            yield f"{what}: expected {expected!r}, got {got!r}"


def show(*, as_json: bool = False) -> int:
    """Run every step; return 0 where all went as expected, else 1."""
    outcomes: list[Outcome] = []
    for step in _happened():
        if isinstance(step, Outcome):
            outcomes.append(step)
        if not as_json:
            say(_told(step, len(outcomes)))
    wrong = sum(bool(item.mismatches) for item in outcomes)
    if as_json:
        dump([item.record for item in outcomes])
    else:
        say(f"\n{len(outcomes) - wrong} of {len(outcomes)} requests went where the table says.")
    return 1 if wrong else 0


def _happened() -> Iterator[Outcome | Kill | str]:
    """Start the simulators, and yield what happens, step by step."""
    from llmroute.config.shipped import data_root
    from llmroute.router import Router
    from llmroute.sim import Pace, SimFarm

    with SimFarm(pace=Pace(_FIRST_TOKEN, _SPEED)) as farm:
        router = Router.load(data_root(), environment=farm.environment())
        with router:
            router.refresh()
            yield _opening(router)
            for step in STEPS:
                yield _outcome(router, step) if isinstance(step, Case) else _killed(farm, step)


def _opening(router: Router) -> str:
    catalog = router.catalog
    names = ", ".join(name for name in catalog.providers if name not in catalog.problems)
    return (
        f"Five simulated providers are up; {len(catalog.targets)} targets of {names}.\n"
        "No key and no network is used."
    )


def _killed(farm: SimFarm, step: Kill) -> Kill:
    farm[step.kind].kill()
    return step


def _outcome(router: Router, case: Case) -> Outcome:
    try:
        response = _streamed(router, case) if case.stream else _whole(router, case)
    except LlmrouteError as exc:
        attempts = exc.attempts if isinstance(exc, RouteFailed) else ()
        return Outcome(case, None, str(exc), attempts)
    return Outcome(case, response, None, response.attempts, _reason(response))


def _reason(response: Response) -> str:
    decision = response.decision
    reason = why(decision)
    if response.target == decision.winner.id:
        return reason
    return f"{decision.winner.id} stood first ({reason}); it failed, and this is the next"


def _whole(router: Router, case: Case) -> Response:
    return router.complete(case.prompt, policy=case.policy, **case.fields)


def _streamed(router: Router, case: Case) -> Response:
    with router.stream(case.prompt, policy=case.policy, **case.fields) as stream:
        pieces = [chunk.text for chunk in stream]
    response = stream.response
    if response is None or "".join(pieces) != (response.text or ""):
        raise RouteFailed("the pieces of the stream do not make up the answer", stream.attempts)
    return response


def _told(step: Outcome | Kill | str, number: int) -> str:
    if isinstance(step, str):
        return _styled(step, "bold")
    if isinstance(step, Kill):
        return _styled(f"\n── {step.name} is killed " + "─" * 40, "bold red")
    return "\n".join(_lines(step, number))


def _lines(outcome: Outcome, number: int) -> Iterator[str]:
    case, response = outcome.case, outcome.response
    mark = _styled("✗", "bold red") if outcome.mismatches else _styled("✓", "bold green")
    yield f"\n{mark} {number}. {_styled(case.name, 'bold')}: {case.what} (policy {case.policy})"
    for item in outcome.attempts:
        if item.outcome != "ok":
            yield _styled(f"     {item.target} failed: {item.outcome}: {item.message}", "red")
    if response is not None:
        took = sum(item.duration for item in outcome.attempts)
        cost = format_usd(response.cost)
        yield f"   → {_styled(response.target, 'bold green')} · {cost} · {1000 * took:.0f} ms"
        yield _wrapped(f"why: {outcome.reason}")
    yield from (_styled(f"   MISMATCH: {text}", "bold red") for text in outcome.mismatches)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="     ", subsequent_indent="          ")


def _styled(text: str, style: str) -> str:
    """Return the text, in colour where stdout is a terminal."""
    if not is_terminal(sys.stdout):
        return text
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    with console.capture() as capture:
        console.print(Text(text, style=style), end="", soft_wrap=True)
    return capture.get()
