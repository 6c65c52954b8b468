"""What may stand beside a prompt in a call, by name and type, for editors and type checkers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal, TypedDict

from llmroute.policy.policy import Policy
from llmroute.types import OnAttempt, OnWait, Route

__all__ = ["CallOptions", "DecideFields", "RequestFields", "RouteFields"]

#: What is taken for a list of names; one text is a list of one.
Names = str | Sequence[str] | AbstractSet[str]


class RouteFields(TypedDict, total=False):
    """How one request narrows the choice, as a mapping; see `Route`."""

    only: Names
    ignore: Names
    order: Names
    max_cost: float | None
    locality: Literal["local", "cloud"] | None
    require: Names


class RequestFields(TypedDict, total=False):
    """The fields of a `Request` besides its messages."""

    tools: Sequence[Mapping[str, Any]]
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: Names
    seed: int | None
    reasoning_effort: str | None
    user: str | None
    stream: bool
    tags: Names
    metadata: Mapping[str, Any]
    task: str | None
    route: Route | RouteFields
    input_tokens: int | None


class DecideFields(RequestFields, total=False):
    """The fields of a request, and the only `target` or provider that may serve it."""

    target: str | None


class CallOptions(DecideFields, total=False):
    """The fields of a request, and how it is called.

    `policy` decides, else the default one. `timeout` in seconds spans all attempts. `on_attempt` is
    called after each call, `on_wait` before each wait for a rate limit or a repeat.
    """

    policy: str | Policy | None
    timeout: float | None
    on_attempt: OnAttempt | None
    on_wait: OnWait | None
