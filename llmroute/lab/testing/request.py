"""What a test says of its request and of the world around it, as the engine takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from llmroute.catalog.model import Target
from llmroute.config.durations import seconds
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.live import LiveFacts, Priors
from llmroute.types import Message, Request

__all__ = ["Mocked", "day_of", "request_fields", "surroundings"]

#: The prompt of a test that says nothing of it.
_PROMPT = "hello"
#: One pixel.
_IMAGE = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
_TOOL = {"type": "function", "function": {"name": "tool", "parameters": {"type": "object"}}}
_SCHEMA = {"name": "answer", "strict": True, "schema": {"type": "object"}}
_PLAIN = ("tags", "metadata", "task", "max_tokens", "input_tokens", "stream", "route")
#: The day where no price is dated; a Monday.
_DAY = date(2026, 1, 5)
_NOON = 12


class Mocked(Priors):
    """Live values as a test states them, priors for the rest.

    `values` maps targets and providers to what is taken as measured; a target's beat its
    provider's. `home` is the target that last served the conversation.
    """

    def __init__(self, values: Mapping[str, Mapping[str, Any]], home: str | None = None) -> None:
        self._values = {name: _measured(said) for name, said in values.items()}
        self._home = home

    def of(self, target: Target) -> LiveFacts:
        """Return what the test says of a target, over its priors."""
        said = {
            **self._values.get(target.provider.name, {}),
            **self._values.get(target.id, {}),
        }
        facts = super().of(target)
        return facts._replace(**said, measured=True) if said else facts

    def affinity(self, request: Request) -> str | None:  # noqa: ARG002 - the view's signature
        """Return the target that the test names."""
        return self._home


def _measured(said: Mapping[str, Any]) -> dict[str, Any]:
    if "first_token" not in said:
        return dict(said)
    return {**said, "first_token": seconds(said["first_token"])}


def request_fields(data: Mapping[str, Any]) -> tuple[Sequence[Message], dict[str, Any]]:
    """Return the messages and the other fields of a test's request."""
    fields = {name: data[name] for name in _PLAIN if name in data}
    tools = data.get("tools")
    if tools:
        fields["tools"] = [_TOOL] if tools is True else tools
    if data.get("json_schema"):
        fields["response_format"] = {"type": "json_schema", "json_schema": _SCHEMA}
    return _messages(data), fields


def _messages(data: Mapping[str, Any]) -> list[Message]:
    prompt = data.get("prompt", _PROMPT)
    messages: list[Message] = list(data.get("messages", [{"role": "user", "content": prompt}]))
    if data.get("images"):
        messages[-1] = _with_image(messages[-1])
    if "system" in data:
        messages.insert(0, {"role": "system", "content": data["system"]})
    return messages


def _with_image(message: Message) -> Message:
    content = message.get("content") or []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list):  # neither text nor parts: there is no place for it
        return message
    return {**message, "content": [*parts, {"type": "image_url", "image_url": {"url": _IMAGE}}]}


def day_of(targets: Iterable[Target]) -> date:
    """Return the day of tests that name none: a Monday.

    It is the first one on or after the latest day that a price names as that on which it was
    read or begins: tests see prices as the files have them, and never the clock.
    """
    prices = [target.price for target in targets if target.price]
    days = [date.fromisoformat(price.dated) for price in prices if price.dated]
    days += [price.valid_from for price in prices if price.valid_from]
    return _on(max(days, default=_DAY), 1)


def _on(day: date, weekday: int) -> date:
    """Return the first day of that ISO weekday on or after another."""
    return day + timedelta(days=(weekday - day.isoweekday()) % 7)


def surroundings(data: Mapping[str, Any], day: date) -> Surroundings:
    """Return time, live state and budgets as a test states them; `day` where it names none."""
    now = data.get("now", {})
    if "date" in now:
        day = date.fromisoformat(now["date"])
    elif "weekday" in now:
        day = _on(day, now["weekday"])
    moment = datetime.combine(day, time(now.get("hour", _NOON)), UTC)
    live = Mocked(data.get("live", {}), data.get("affinity"))
    return Surroundings(moment, live, data.get("budgets", {}))
