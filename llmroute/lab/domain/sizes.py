"""Sizes of prompt and answer at which something changes: windows, caps, tiers, costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date

from llmroute.catalog.model import Target
from llmroute.lab.domain.uses import Use
from llmroute.policy.scoring.estimate import estimate
from llmroute.types import Request

__all__ = ["answer_sizes", "prompt_sizes", "sampled_sizes"]

#: Nobody sends more tokens than this; sizes beyond it are not looked for.
_MOST = 20_000_000
_COSTS = ("cost", "cost_max", "tokens_out")
Uses = Mapping[str, Sequence[Use]]


def answer_sizes(
    targets: Sequence[Target], uses: Uses, today: date, tokens: Iterable[int], *, needs: bool
) -> set[int]:
    """Return values of `max_tokens` around which an estimate or a need changes.

    `tokens` are sizes of the prompt beside which an answer must fit a window.
    """
    found: set[int] = set()
    if needs:
        caps = {target.max_output for target in targets if target.max_output}
        rests = {t.context_window - n for t in targets if t.context_window for n in tokens}
        found |= {size for cap in (*caps, *rests) for size in (cap, cap + 1) if size > 0}
    for target in targets:
        for name, literal in _limits(uses):
            found |= _around(_by_answer(target, name, today), literal, 1)
    return found


def prompt_sizes(
    targets: Sequence[Target], uses: Uses, asked: Iterable[int | None], today: date, *, needs: bool
) -> set[int]:
    """Return sizes of the prompt around which a need or an estimate changes, in tokens."""
    found: set[int] = set()
    answers = tuple(asked)
    if needs:
        found |= {size for target in targets for size in _window_sizes(target, answers)}
    for target in targets:
        for name, literal in _limits(uses):
            for size in answers:
                found |= _around(_by_prompt(target, name, today, size), literal, 0)
    return found


def sampled_sizes(targets: Sequence[Target]) -> set[int]:
    """Return sizes at which prices are tried: some in each power of ten, and the tiers."""
    tiers = {rates.above for t in targets if t.price for rates in t.price.tiers if rates.above}
    return {100, 2_000, 50_000, *tiers, *(above + 1 for above in tiers)}


def _window_sizes(target: Target, asked: Sequence[int | None]) -> Iterator[int]:
    most_input = target.wire.max_input
    if most_input is not None:
        yield from (most_input, most_input + 1)
    if target.context_window is None:
        return
    for size in asked:
        most = target.context_window - (size or 1)
        if most >= 0:
            yield from (most, most + 1)


def _limits(uses: Uses) -> Iterator[tuple[str, float]]:
    """Yield what of an estimate is compared with which number."""
    for name in _COSTS:
        for use in uses.get(name, ()):
            if isinstance(use.literal, int | float) and not isinstance(use.literal, bool):
                yield name, use.literal


def _by_answer(target: Target, name: str, today: date) -> Callable[[int], float]:
    return lambda asked: _measure(target, 1, asked, name, today)


def _by_prompt(target: Target, name: str, today: date, asked: int | None) -> Callable[[int], float]:
    return lambda tokens: _measure(target, tokens, asked, name, today)


def _measure(target: Target, tokens: int, asked: int | None, name: str, today: date) -> float:
    """Return one part of an estimate; what is unknown never reaches a limit."""
    request = Request(({"role": "user", "content": ""},), max_tokens=asked)
    value = estimate(request, tokens, target, today).view[name]
    return -1.0 if value is None else float(value)


def _around(measure: Callable[[int], float], limit: float, least: int) -> set[int]:
    """Return the sizes just below a limit, at it if met exactly, and above; none if not met."""
    if measure(_MOST) < limit:
        return set()
    first = _first(lambda n: measure(n) >= limit, least)
    above = _first(lambda n: measure(n) > limit, least) if measure(_MOST) > limit else first
    return {max(first - 1, least), first, above}


def _first(holds: Callable[[int], bool], least: int) -> int:
    """Return the smallest size from which on something holds, by bisection."""
    low, high = least, _MOST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
