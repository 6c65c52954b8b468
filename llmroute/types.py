"""The canonical request and answer: the OpenAI chat shape, plus what routing needs to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from llmroute.checks import (
    check_form,
    check_list,
    check_message,
    check_number,
    check_text,
    check_tools,
    unknown_field,
)
from llmroute.errors import UsageError

__all__ = [
    "Attempt",
    "Chunk",
    "FinishReason",
    "Message",
    "OnAttempt",
    "OnWait",
    "Request",
    "Response",
    "Route",
    "ToolCall",
    "ToolCallDelta",
    "Usage",
    "Wait",
]

#: One message in the OpenAI chat shape: `role`, `content` (text or parts), `tool_calls`, …
Message = Mapping[str, Any]

#: Why an answer ended. `refusal`s end with `content_filter`.
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]

_EMPTY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Route:
    """How one request narrows the choice; acts as requirements, shown as the caller's.

    `only`, `ignore` and `order` take target ids or provider names; `order` puts those first, in
    that order. `max_cost` is in USD and is held against the most that the answer may cost.
    `require` names capabilities.
    """

    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    max_cost: float | None = None
    locality: Literal["local", "cloud"] | None = None
    require: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in sorted(_ROUTE_LISTS):
            check_list(f"route.{name}", getattr(self, name))
        check_number("route.max_cost", self.max_cost)
        if self.max_cost is not None and self.max_cost < 0:
            raise UsageError(f"route.max_cost is {self.max_cost}; it cannot be negative")
        if self.locality not in (None, "local", "cloud"):
            raise UsageError(f"route.locality is {self.locality!r}; it is local or cloud")


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller wants, in the OpenAI chat shape.

    `max_tokens` caps the answer in tokens, `temperature` is 0..2. `tags`, `metadata` and `task`
    are for policies and never leave the machine. `input_tokens` states the prompt's size where
    the caller has counted it; otherwise it is estimated.
    """

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: Mapping[str, Any] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    stream: bool = False
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None
    route: Route = field(default_factory=Route)
    input_tokens: int | None = None

    def __post_init__(self) -> None:
        if not self.messages:
            raise UsageError("a request needs at least one message")
        for index, message in enumerate(self.messages):
            check_message(index, message)
        for name in ("stop", "tags"):
            check_list(name, getattr(self, name))
        for name in ("max_tokens", "seed", "input_tokens"):
            check_number(name, getattr(self, name), whole=True)
        for name in ("temperature", "top_p"):
            check_number(name, getattr(self, name))
        for name in ("task", "user", "reasoning_effort"):
            check_text(name, getattr(self, name))
        if not isinstance(self.metadata, Mapping):
            raise UsageError(f"metadata is {self.metadata!r}; it must be a map of labels")
        check_tools(self.tools, self.tool_choice)
        check_form(self.response_format)
        if self.input_tokens is not None and self.input_tokens < 0:
            raise UsageError(f"input_tokens is {self.input_tokens}; it cannot be negative")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"max_tokens is {self.max_tokens}; it must be at least 1")

    @classmethod
    def of(cls, prompt: str | Sequence[Message] | Request, **fields: Any) -> Request:
        """Build a request from a prompt, a list of messages or another request.

        `fields` are the request's own fields; lists are accepted for tuples, a mapping for
        `route`, a string for `stop`.

        Raises:
            UsageError: a field is unknown or a message is malformed.

        """
        fields = {name: _freeze(name, value) for name, value in fields.items()}
        unknown = set(fields) - _FIELDS
        if unknown:
            raise unknown_field("request", unknown, _FIELDS)
        if isinstance(prompt, Request):
            return replace(prompt, **fields) if fields else prompt
        if isinstance(prompt, str):
            return cls(messages=({"role": "user", "content": prompt},), **fields)
        if not isinstance(prompt, list | tuple):
            raise UsageError(f"the prompt is {prompt!r}; it must be a text or a list of messages")
        return cls(messages=tuple(prompt), **fields)

    @property
    def json_schema(self) -> Mapping[str, Any] | None:
        """The JSON Schema that the answer must follow, or None."""
        form = self.response_format
        if not form or form.get("type") != "json_schema":
            return None
        wrapper: Mapping[str, Any] = form.get("json_schema") or _EMPTY
        schema: Mapping[str, Any] | None = wrapper.get("schema")
        return schema


def _freeze(name: str, value: Any) -> Any:
    if name == "route" and isinstance(value, Mapping):
        return _route(value)
    return _listed(value) if name in _LISTS else value


def _listed(value: Any) -> Any:
    """Take one text for a list of one; anything else that is no list is left to the checks."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else value


def _route(value: Mapping[str, Any]) -> Route:
    known = set(Route.__dataclass_fields__)
    unknown = set(value) - known
    if unknown:
        raise unknown_field("route", unknown, known)
    return Route(**{k: _listed(v) if k in _ROUTE_LISTS else v for k, v in value.items()})


_LISTS = frozenset({"messages", "stop", "tags", "tools"})
_ROUTE_LISTS = frozenset({"ignore", "only", "order", "require"})


_FIELDS = set(Request.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One finished call that the model asks for; `arguments` is JSON text as it arrived."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: `id` and `name` come once, `arguments` in fragments."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer.

    `input` counts the whole prompt, `cached` and `cache_written` (of which `cache_written_1h`
    at the one-hour rate) being parts of it; `output` counts everything generated, `reasoning`
    being a part of it. `estimated` is true where the provider did not report the figures.
    `tier`, `speed` and `region` are the provider's words for how it served the answer, which may
    change the price. `parts` are the calls that a provider made for one answer, billed each by
    itself; the counts are then their sums. `model` names the model of a part that was not the
    one asked.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_written: int = 0
    cache_written_1h: int = 0
    reasoning: int = 0
    tier: str | None = None
    estimated: bool = False
    speed: str | None = None
    region: str | None = None
    model: str | None = None
    parts: tuple[Usage, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a streamed answer; most fields are empty in most chunks.

    `usage` is cumulative: a later one replaces an earlier one. `finish_reason` is set once, in
    or after the last content. `thinking_block` is one of `Response.thinking_blocks`.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_call: ToolCallDelta | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    model: str | None = None
    id: str | None = None
    target: str | None = None
    thinking_block: Mapping[str, Any] | None = None

    @property
    def has_content(self) -> bool:
        """Whether the chunk carries something that commits the answer to its target."""
        return bool(self.text or self.refusal or self.tool_call)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one target. Times are in seconds; `started` counts from the request's start.

    `outcome` is `ok` or the kind of the error. `cost` is in USD, null where unknown or nothing was
    spent. `role` says why the call was made: `first`, `fallback`, `repeat`, `probe` (it decides
    whether a circuit closes), `last_resort`, `hedge` or `continuation`. `waited` is how long it
    waited for its turn before `started`. `model` is the one that the provider says it served.
    """

    target: str
    outcome: str
    started: float
    duration: float
    first_token: float | None = None
    message: str | None = None
    status: int | None = None
    help: str | None = None
    cost: Decimal | None = None
    role: str = "first"
    waited: float = 0.0
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that begins: `target` is to be asked in `seconds`, not at once, for the `reason`."""

    target: str
    seconds: float
    reason: str


#: Called after each call, and before each wait for a rate limit or a repeat.
OnAttempt = Callable[[Attempt], object]
OnWait = Callable[[Wait], object]


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer.

    `text` is None where the model only called tools or refused. `model` is the model that the
    provider says it served, `target` the one that was asked. `cost` is that of the call that
    answered, in USD, exact, and None where the price is unknown; what other calls of the request
    cost stands in `attempts`. `warnings` name what was dropped or changed on the way.
    `thinking_blocks` is reasoning that only the same target can read, sealed for it: it belongs
    into the conversation (`message`), and every other target is spared it.
    """

    text: str | None
    finish_reason: FinishReason
    usage: Usage
    model: str
    target: str = ""
    id: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    refusal: str | None = None
    cost: Decimal | None = None
    warnings: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    decision: Any = None
    thinking_blocks: tuple[Mapping[str, Any], ...] = ()

    @property
    def message(self) -> Message:
        """The answer as a message, to be put into the conversation before the next question."""
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in self.tool_calls
        ]
        said: dict[str, Any] = {"role": "assistant", "content": self.text or self.refusal}
        said |= {"tool_calls": calls} if calls else {}
        return said | ({"thinking_blocks": self.thinking_blocks} if self.thinking_blocks else {})
