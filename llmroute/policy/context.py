"""One request as a policy sees it: views of its roots, each made once and only when read."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from llmroute.catalog.model import Target
from llmroute.policy.estimate import Estimate, estimate
from llmroute.policy.facts import FACTS, Facts
from llmroute.policy.live import LiveFacts, LiveView
from llmroute.types import Request

__all__ = ["Candidate", "Context", "Surroundings", "request_view"]


@dataclass(frozen=True)
class Surroundings:
    """What a decision depends on besides the request: time, live state, budgets.

    `now` is in the workspace's time zone; `budgets` maps a budget's name to its spent share.
    """

    now: datetime
    live: LiveView
    budgets: Mapping[str, float] = field(default_factory=dict)


class Context:
    """One request on its way through a policy.

    `request_scope` holds the roots that do not depend on a target, and the names under `let`;
    `failed` those names whose conditions could not be evaluated.
    """

    def __init__(
        self, request: Request, around: Surroundings, fact_names: Container[str] = FACTS
    ) -> None:
        self.request = request
        self.around = around
        self.facts = Facts(request)
        self.notes: dict[str, int] = {}
        self.failed: set[str] = set()
        self.request_scope: dict[str, Any] = {
            "request": request_view(request),
            "facts": self.facts.view(fact_names),
            "budget": dict(around.budgets),
            "now": {"hour": around.now.hour, "weekday": around.now.isoweekday()},
        }

    @cached_property
    def affinity(self) -> str | None:
        """The target that last served this conversation."""
        return self.around.live.affinity(self.request)

    def note(self, text: str) -> None:
        """Count something that went wrong while deciding; explanations show it."""
        self.notes[text] = self.notes.get(text, 0) + 1


class Candidate:
    """One target as seen by one request; estimate and live facts are made on first use."""

    def __init__(self, target: Target, context: Context) -> None:
        self.target = target
        self._context = context

    @cached_property
    def estimate(self) -> Estimate:
        """What the request will need here."""
        context = self._context
        return estimate(
            context.request, context.facts.tokens, self.target, context.around.now.date()
        )

    @cached_property
    def live(self) -> LiveFacts:
        """What was measured here."""
        return self._context.around.live.of(self.target)

    @cached_property
    def scope(self) -> Mapping[str, Any]:
        """Every root, as expressions with `estimate` or `live` read them."""
        return {
            **self._context.request_scope,
            "target": self.target.view,
            "estimate": self.estimate.view,
            "live": self.live.view,
        }


def request_view(request: Request) -> dict[str, Any]:
    """Return the `request` root: plain data, lists and maps never null."""
    return {
        "messages": list(request.messages),
        "tools": list(request.tools),
        "tool_choice": request.tool_choice,
        "parallel_tool_calls": request.parallel_tool_calls,
        "response_format": request.response_format or {},
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop),
        "seed": request.seed,
        "reasoning_effort": request.reasoning_effort,
        "user": request.user,
        "stream": request.stream,
        "tags": list(request.tags),
        "metadata": dict(request.metadata),
        "task": request.task,
    }
