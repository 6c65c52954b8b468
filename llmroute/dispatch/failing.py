"""What is said where nobody could serve a request, or nobody did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from inspect import iscoroutine

from llmroute.errors import RouteFailed, TargetError
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt

__all__ = ["before_the_first_call", "called_back", "no_target", "route_failed"]

#: Characters that are told of what a callback raised.
_TOLD = 200


def no_target(decision: Decision) -> str:
    """Say why nobody is eligible, grouped, with what to do."""
    if not decision.rejections:
        return "there is no target: add a provider file, or start a local server"
    grouped: dict[str, list[str]] = {}
    for item in decision.rejections:
        advice = f" → {item.help}" if item.help else ""
        grouped.setdefault(f"{item.reason}{advice}", []).append(item.target)
    lines = (f"  {_few(targets)}: {reason}" for reason, targets in grouped.items())
    return "\n".join(["no target can serve this request:", *lines])


def route_failed(
    tried: Sequence[Attempt],
    passed_over: Mapping[str, str],
    over_price: Sequence[str],
    late: bool,
    last: TargetError | None,
    warnings: Sequence[str] = (),
) -> RouteFailed:
    """Return the error of a request that nobody answered: every attempt, and what to do.

    `passed_over` are targets that were not called after all, with the reason; `over_price` those
    that the policy left out for their price; `late`: the deadline passed; `warnings`: what else
    went wrong.
    """
    lines = [f"  {a.target}: {a.message}" + (f" → {a.help}" if a.help else "") for a in tried]
    asked = {a.target for a in tried}
    for target, why in passed_over.items():
        again = " again" if target in asked else ""
        lines.append(f"  {target} was not called{again}: {why}")
    if over_price:
        lines.append(f"  left out by fallback.max_price_ratio: {', '.join(over_price)}")
    if late:
        lines.append("  the deadline passed")
    head = f"no answer after {len(tried)} attempt{'s' if len(tried) != 1 else ''}"
    return RouteFailed("\n".join([f"{head}:", *lines]), tried, last, warnings)


@asynccontextmanager
async def before_the_first_call(within: float) -> AsyncIterator[None]:
    """Bound, in seconds, what is done before anybody is asked.

    Raises:
        RouteFailed: it took longer.

    """
    try:
        async with asyncio.timeout(within):
            yield
    except TimeoutError as exc:
        late = "the deadline passed before anybody was asked"
        raise RouteFailed(f"no answer after 0 attempts:\n  {late}") from exc


def called_back(on_attempt: Callable[[Attempt], object], attempt: Attempt) -> str | None:
    """Tell a caller's callback of an attempt; return what to warn of where it raised.

    The traceback goes to the loop's exception handler, where asyncio tells of every callback that
    raised: the log, by default.
    """
    try:
        _call(on_attempt, attempt)
    except MemoryError:
        raise
    except Exception as exc:  # noqa: BLE001 - the caller's own code may raise anything
        told = f"on_attempt raised {type(exc).__name__} after the call to {attempt.target}"
        asyncio.get_running_loop().call_exception_handler({"message": told, "exception": exc})
        return f"{told}: {exc}"[:_TOLD]
    return None


def _call(on_attempt: Callable[[Attempt], object], attempt: Attempt) -> None:
    made = on_attempt(attempt)
    if iscoroutine(made):
        made.close()
        raise TypeError("it is a coroutine function, which nobody awaits; give a plain one")


def _few(targets: list[str]) -> str:
    shown = ", ".join(targets[:2])
    return shown if len(targets) <= 2 else f"{shown} and {len(targets) - 2} more"
