"""Concrete requests of a region, with measurements that favour one target."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice, product
from random import Random
from typing import Any

from llmroute.lab.domain.build import situation
from llmroute.lab.domain.prompts import TEXT_FACTS, prompts
from llmroute.lab.domain.situation import EVERY, Measured, Situation
from llmroute.lab.domain.uses import Path, Use
from llmroute.lab.domain.values import seen
from llmroute.lab.proving.reading import Region
from llmroute.lab.proving.sizes import Box
from llmroute.policy.facts.facts import Facts
from llmroute.types import Request

__all__ = ["Builder", "drawn_live", "profiles", "with_live"]

_BEST = {"first_token": 0.01, "tokens_per_second": 10_000.0, "success": 1.0, "headroom": 1.0}
_WORST = {"first_token": 600.0, "tokens_per_second": 0.0, "success": 0.0, "headroom": 0.0}
_FAST = {**_BEST, "in_flight": 0, "loaded": True}
_SLOW = {**_WORST, "in_flight": 100, "loaded": False}
_AT_ONCE = {"first_token": 0.0, "tokens_per_second": 1e12}
_NEVER = {"first_token": 1e12}
#: Draws of the fields that a region leaves open.
_DRAWS = 6


def profiles(target_id: str) -> Iterator[Measured | None]:
    """Yield measurements that favour a target as far as possible, after none at all."""
    yield None
    for mine, others in ((_FAST, _SLOW), (_SLOW, _FAST), (_FAST, _FAST), (_SLOW, _SLOW)):
        yield Measured({EVERY: others, target_id: mine})
    yield Measured({EVERY: {**_SLOW, **_NEVER}, target_id: {**_FAST, **_AT_ONCE}})


def drawn_live(target_ids: Sequence[str], random: Random) -> Measured:
    """Draw measurements of some targets; the others have their priors."""
    return Measured({name: _drawn(random) for name in target_ids})


def _drawn(random: Random) -> dict[str, Any]:
    return {
        "first_token": random.choice((0.01, 0.3, 1.0, 3.0, 600.0)),
        "tokens_per_second": random.choice((0.0, 20.0, 60.0, 200.0, 10_000.0)),
        "success": random.choice((0.0, 0.5, 0.95, 1.0)),
        "headroom": random.choice((0.0, 0.3, 0.7, 1.0)),
        "in_flight": random.choice((0, 3, 100)),
        "loaded": random.choice((True, False)),
    }


def with_live(case: Situation, profile: Measured) -> Situation:
    """Return a case with measurements instead of its own."""
    choices = (*case.choices, ("live", "as stated"))
    view = Measured(profile.values, case.served)
    return replace(case, live=profile.values, view=view, choices=choices)


class Builder:
    """Builds situations of regions; `uses` are what a policy does with each field."""

    def __init__(self, uses: Mapping[Path, Sequence[Use]], now: datetime) -> None:
        self._now = now
        self._textual = {p[1]: u for p, u in uses.items() if p[0] == "facts" and p[1] in TEXT_FACTS}
        self._textual.setdefault("code", [Use(("facts", "code"), "truth", None, "facts.task")])
        self._prompts = prompts(self._textual).values

    def situations(self, region: Region) -> Iterator[Situation]:
        """Yield some requests of a region, the plainest first."""
        random = Random(0)  # noqa: S311 - a fixed choice, the same every time
        for draw in range(_DRAWS):
            chosen = {
                path: values[0] if draw == 0 else random.choice(values)
                for path, values in region.values.items()
            }
            fields = self._fields(chosen)
            for sizes in islice(_sizes(region.box), None if draw == 0 else 4):
                values = {**fields, **sizes, "served": region.served}
                yield situation(values, _choices(values), self._now)

    def _fields(self, chosen: Mapping[Path, Any]) -> dict[str, Any]:
        """Return values of dimensions that bring about chosen fields, as far as possible."""
        fields: dict[str, Any] = {}
        wanted = {path[1]: v for path, v in chosen.items() if path[0] == "facts" and len(path) == 2}
        for path, value in chosen.items():
            if path[0] in ("request", "budget", "now"):
                fields[".".join(path)] = value
        for name in ("tools", "images", "json_schema", "characters", "messages", "turns"):
            if name in wanted:
                fields[f"facts.{name}"] = wanted[name]
        needs = {path[1] for path, value in chosen.items() if path[0] == "needs" and value}
        if "forced_tool_choice" in needs:
            fields["request.tool_choice"] = "required"
        fields["needs"] = tuple(sorted(needs - {"forced_tool_choice"}))
        task = wanted.get("task")
        if task and ("request", "task") not in chosen:
            fields["request.task"] = task
        elif task and not chosen.get(("request", "task")):
            wanted.setdefault("code", task == "code")
        prompt = self._prompt({n: v for n, v in wanted.items() if n in self._textual})
        return {**fields, **({"prompt": prompt} if prompt is not None else {})}

    def _prompt(self, wanted: Mapping[str, Any]) -> str | None:
        """Return the prompt that has the most of the facts that are wanted."""
        if not wanted:
            return None

        def met(text: str) -> int:
            facts = Facts(Request.of(text))
            return sum(
                seen(self._textual[n], getattr(facts, n)) == seen(self._textual[n], v)
                for n, v in wanted.items()
            )

        best: str = max(self._prompts, key=met)
        return best


def _choices(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    usual = {"request.stream": True}
    return tuple(
        (name, value)
        for name, value in values.items()
        if value not in (None, False, [], ()) and usual.get(name) != value
    )


def _sizes(box: Box) -> Iterator[dict[str, Any]]:
    middle = min(max(math.isqrt((box.low + 1) * (box.high + 1)), box.low), box.high)
    sizes = dict.fromkeys((middle, box.low, min(box.low + 1, box.high), box.high))
    caps = dict.fromkeys((box.least, box.most))
    for size, cap in product(sizes, caps):
        yield {"input_tokens": size, "request.max_tokens": cap}
