"""Requests put together from values of dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from llmroute.lab.domain.needs import with_needs
from llmroute.lab.domain.prompts import PLAIN
from llmroute.lab.domain.situation import EVERY, IMAGE, PRIOR, SCHEMA, TOOL, Measured, Situation
from llmroute.types import Request

__all__ = ["situation"]

_DIRECT = (
    *("tags", "stop", "task", "user", "reasoning_effort", "max_tokens", "seed"),
    *("temperature", "top_p", "stream", "parallel_tool_calls", "tool_choice"),
)
_LISTS = frozenset({"tags", "stop"})


def situation(
    values: Mapping[str, Any], choices: tuple[tuple[str, Any], ...], now: datetime
) -> Situation:
    """Return the case in which the dimensions have these values, and `now` its other parts."""
    measured = {n: v for n, v in values.items() if n.startswith("live.") and v != PRIOR}
    live = {name.removeprefix("live."): value for name, value in measured.items()}
    budgets = _under("budget.", values)
    served = values.get("served")
    view = _view(tuple(live.items()), served)
    overrides = {EVERY: live} if live else {}
    moment = _moment(values, now)
    return Situation(_request(values), moment, budgets, overrides, served, choices, view)


@lru_cache(maxsize=512)
def _view(live: tuple[tuple[str, Any], ...], served: str | None) -> Measured:
    """Return the same view for the same measurements: policies keep what they read of one."""
    return Measured({EVERY: dict(live)}, served)


def _under(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    found = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
    return {name: value for name, value in found.items() if value is not None}


def _moment(values: Mapping[str, Any], now: datetime) -> datetime:
    weekday = values.get("now.weekday", now.isoweekday())
    return now.replace(hour=values.get("now.hour", now.hour)) + timedelta(
        days=weekday - now.isoweekday()
    )


def _request(values: Mapping[str, Any]) -> Request:
    fields: dict[str, Any] = {"stream": True}
    for name in _DIRECT:
        value = values.get(f"request.{name}")
        if value is not None:
            fields[name] = tuple(value) if name in _LISTS else value
    if values.get("facts.tools"):
        fields["tools"] = (TOOL,)
    if values.get("facts.json_schema"):
        fields["response_format"] = SCHEMA
    metadata = _under("request.metadata.", values)
    tokens = values.get("input_tokens")
    messages, fields = with_needs(_messages(values), fields, values.get("needs", ()))
    return Request(messages, metadata=metadata, input_tokens=tokens, **fields)


def _messages(values: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    text = values.get("prompt", PLAIN)
    size = values.get("facts.characters")
    padding = 0 if size is None else size - len(text)
    if padding < 0:
        text, padding = text[:size], 0
    content: Any = text
    if values.get("facts.images"):
        content = [{"type": "text", "text": text}, IMAGE]
    system = [{"role": "system", "content": "." * padding}] if padding else []
    earlier = _earlier(values, bool(padding))
    role = "developer" if values.get("facts.turns") == 0 else "user"
    return (*system, *earlier, {"role": role, "content": content})


def _earlier(values: Mapping[str, Any], more: bool) -> list[dict[str, Any]]:
    """Return the messages before the last one, which is the user's."""
    turns = max(values.get("facts.turns") or 1, 1)
    messages = max(values.get("facts.messages") or 1, turns) - more
    users = [{"role": "user", "content": ""}] * (turns - 1)
    return [*users, *([{"role": "assistant", "content": ""}] * (messages - turns))]
