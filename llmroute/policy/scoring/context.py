"""One request as a policy sees it: views of its roots, each made once and only when read."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from llmroute.catalog.model import Target
from llmroute.policy.facts.facts import FACTS, Facts
from llmroute.policy.scoring.estimate import Correction, Estimate, corrected, estimate
from llmroute.policy.scoring.live import LiveFacts, LiveView
from llmroute.policy.scoring.standing import IN_SERVICE, Allowance, Standing, allowed_to
from llmroute.types import Request

__all__ = ["REQUEST_FIELDS", "Candidate", "Context", "Reads", "Surroundings", "request_view"]


@dataclass(frozen=True)
class Surroundings:
    """What a decision depends on besides the request: time, live state, budgets, outages.

    `now` is in the workspace's time zone; `budgets` maps a budget's name to its spent share,
    `allowances` are what hard ones leave.
    """

    now: datetime
    live: LiveView
    budgets: Mapping[str, float] = field(default_factory=dict)
    standing: Standing = IN_SERVICE
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True)
class Reads:
    """What a policy's expressions read: fields of `request`, facts, and roots of a target.

    Nothing else needs to be made for them. A field of `request` comes with what reads it.
    """

    request: tuple[tuple[str, Callable[[Request], Any]], ...]
    facts: tuple[str, ...]
    target: frozenset[str]

    @classmethod
    def of(cls, request: Container[str], facts: Container[str], target: frozenset[str]) -> Reads:
        """Build it from names."""
        fields = ((name, read) for name, read in REQUEST_FIELDS.items() if name in request)
        return cls(tuple(fields), tuple(name for name in FACTS if name in facts), target)


class Context:
    """One request on its way through a policy.

    `request_scope` holds the roots that do not depend on a target, and the names under `let`;
    `failed` those names whose conditions could not be evaluated. Without `reads` every field is
    there.
    """

    def __init__(
        self,
        request: Request,
        around: Surroundings,
        reads: Reads | None = None,
        facts: Facts | None = None,
    ) -> None:
        self.request = request
        self.around = around
        self.facts = facts or Facts(request)
        self.reads = reads or _EVERYTHING
        self.notes: dict[str, int] = {}
        self.failed: set[str] = set()
        now = around.now
        self._today = now.date()
        self._cached: Mapping[str, int] | None = None
        self.request_scope: dict[str, Any] = {
            "request": {name: read(request) for name, read in self.reads.request},
            "facts": {name: getattr(self.facts, name) for name in self.reads.facts},
            "budget": dict(around.budgets),
            "now": {"hour": now.hour, "weekday": now.isoweekday()},
        }

    @cached_property
    def affinity(self) -> str | None:
        """The target that last served this conversation."""
        return self.around.live.affinity(self.request)

    @property
    def cached(self) -> Mapping[str, int]:
        """The tokens of this conversation that targets should have cached, by target id."""
        if self._cached is None:
            self._cached = self.around.live.cached(self.request)
        return self._cached

    @property
    def counted(self) -> bool:
        """Whether the caller counted the prompt, so that nothing corrects it."""
        return self.request.input_tokens is not None

    def allowances(self, policy: str) -> tuple[Allowance, ...]:
        """Return the hard budgets that the request counts against under a policy."""
        known = self.around.allowances
        return allowed_to(known, self.request, policy) if known else ()

    def estimate(self, target: Target, correction: Correction | None = None) -> Estimate:
        """Return what the request will need at a target.

        `correction` is what earlier answers change about it, where that is known already.
        """
        factor, output, cached = correction or self._correction(target)
        tokens = self.facts.tokens_for(target.tokenizer)
        if factor != 1.0:
            tokens = corrected(tokens, factor)
        return estimate(self.request, tokens, target, self._today, output, cached)

    def _correction(self, target: Target) -> Correction:
        live = self.around.live.of(target)
        known = live.outputs.get(self.facts.task) if live.outputs else None
        factor = 1.0 if self.counted else live.token_factor
        return Correction(factor, known.tokens if known else None, self.cached.get(target.id, 0))

    def note(self, text: str) -> None:
        """Count something that went wrong while deciding; explanations show it."""
        self.notes[text] = self.notes.get(text, 0) + 1


class Candidate:
    """One target as seen by one request; what is not given is made on first use."""

    __slots__ = ("_context", "_estimate", "_estimating", "_live", "_scope", "target")

    def __init__(
        self,
        target: Target,
        context: Context,
        live: LiveFacts | None = None,
        estimating: Callable[[], Estimate] | None = None,
    ) -> None:
        self.target = target
        self._context = context
        self._live = live
        self._estimating = estimating
        self._estimate: Estimate | None = None
        self._scope: dict[str, Any] | None = None

    @property
    def estimate(self) -> Estimate:
        """What the request will need here."""
        if self._estimate is None:
            make = self._estimating
            self._estimate = make() if make else self._context.estimate(self.target)
        return self._estimate

    @property
    def live(self) -> LiveFacts:
        """What was measured here."""
        if self._live is None:
            self._live = self._context.around.live.of(self.target)
        return self._live

    @property
    def scope(self) -> Mapping[str, Any]:
        """The roots that the policy reads, those of this target included."""
        if self._scope is None:
            reads = self._context.reads.target
            self._scope = {**self._context.request_scope, "target": self.target.view}
            if "estimate" in reads:
                self._scope["estimate"] = self.estimate.view
            if "live" in reads:
                self._scope["live"] = self.live.view
        return self._scope


def _listed(name: str) -> Callable[[Request], Any]:
    return lambda request: list(getattr(request, name))


def _plain(name: str) -> Callable[[Request], Any]:
    return lambda request: getattr(request, name)


#: The fields of the `request` root: lists and maps are never null.
REQUEST_FIELDS: Mapping[str, Callable[[Request], Any]] = {
    **{name: _listed(name) for name in ("messages", "tools", "stop", "tags")},
    **{
        name: _plain(name)
        for name in (
            *("tool_choice", "parallel_tool_calls", "max_tokens", "temperature", "top_p", "seed"),
            *("reasoning_effort", "user", "stream", "task"),
        )
    },
    "response_format": lambda request: request.response_format or {},
    "metadata": lambda request: dict(request.metadata),
}
_EVERYTHING = Reads.of(REQUEST_FIELDS, FACTS, frozenset({"estimate", "live"}))


def request_view(request: Request) -> dict[str, Any]:
    """Return the whole `request` root as plain data."""
    return {name: read(request) for name, read in REQUEST_FIELDS.items()}
