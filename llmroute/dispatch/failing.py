"""What is said where nobody could serve a request, or nobody did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from inspect import iscoroutine
from typing import TypeVar

from llmroute.errors import RouteFailed, TargetError
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Wait

__all__ = ["before_the_first_call", "called_back", "no_target", "route_failed"]

_Told = TypeVar("_Told", Attempt, Wait)
#: Characters that are told of what a callback raised.
_TOLD = 200

#: Requirements of the caller that leave out targets by their names.
_BY_NAME = ("route.only", "route.ignore")


def no_target(decision: Decision) -> str:
    """Say why nobody is eligible, grouped, with what to do.

    Of those that the caller left out by name only that is said, and last.
    """
    if not decision.rejections:
        return "there is no target: add a provider file, or start a local server"
    grouped: dict[str, list[str]] = {}
    left_out = {item.target for item in decision.rejections if item.requirement in _BY_NAME}
    for item in sorted(decision.rejections, key=lambda item: item.target in left_out):
        if item.target in left_out and item.requirement not in _BY_NAME:
            continue
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
    told = [f"  {a.target}: {a.message}" + (f" → {a.help}" if a.help else "") for a in tried]
    asked = {a.target for a in tried}
    lines = []
    for target, why in passed_over.items():
        again = " again" if target in asked else ""
        lines.append(f"  {target} was not called{again}: {_unquoted(why, tried)}")
    if over_price:
        lines.append(f"  left out by fallback.max_price_ratio: {', '.join(over_price)}")
    if late:
        lines.append("  the deadline passed")
    head = f"no answer after {len(tried)} attempt{'s' if len(tried) != 1 else ''}"
    brief = "\n".join([f"{head}:", *lines]) if lines else head
    message = "\n".join([f"{head}:", *told, *lines])
    return RouteFailed(message, tried, last, warnings, brief=brief)


def _unquoted(why: str, tried: Sequence[Attempt]) -> str:
    """Leave out the failure that a reason ends with where an attempt tells it already."""
    quoted = (f": {item.outcome}, {item.message}" for item in tried)
    return next((why.removesuffix(text) for text in quoted if why.endswith(text)), why)


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


def called_back(
    callback: Callable[[_Told], object], told: _Told, name: str, when: str
) -> str | None:
    """Tell a caller's callback of something; return what to warn of where it raised.

    `name` is that of the option, `when` the words between it and the target. The traceback goes to
    the loop's exception handler, where asyncio tells of every callback that raised: the log, by
    default.
    """
    try:
        _call(callback, told)
    except MemoryError:
        raise
    except Exception as exc:  # noqa: BLE001 - the caller's own code may raise anything
        text = f"{name} raised {type(exc).__name__} {when} {told.target}"
        asyncio.get_running_loop().call_exception_handler({"message": text, "exception": exc})
        return f"{text}: {exc}"[:_TOLD]
    return None


def _call(callback: Callable[[_Told], object], told: _Told) -> None:
    made = callback(told)
    if iscoroutine(made):
        made.close()
        raise TypeError("it is a coroutine function, which nobody awaits; give a plain one")


def _few(targets: list[str]) -> str:
    shown = ", ".join(targets[:2])
    return shown if len(targets) <= 2 else f"{shown} and {len(targets) - 2} more"
