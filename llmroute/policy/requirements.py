"""Hard conditions: what the request needs, what the caller's `route` says, what policies demand.

Every requirement names itself and, where a target fails it, says which values failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from llmroute.catalog.cost import NANO
from llmroute.catalog.model import Target
from llmroute.policy.context import Candidate, Context
from llmroute.policy.expression import EvaluationError, Expression, field_paths, truthy
from llmroute.policy.source import Require

__all__ = ["CompiledRequire", "Rejection", "caller_rejections", "need_rejections"]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one target may not serve one request.

    `origin` is `policy`, `workspace`, `caller`, `request` (what it needs) or `availability`.
    """

    target: str
    requirement: str
    origin: str
    reason: str
    help: str | None = None


class CompiledRequire:
    """One requirement of a policy or of the workspace; it fails closed."""

    def __init__(self, source: Require) -> None:
        self.source = source
        self._when = None if source.when is None else Expression(source.when)
        self._target = Expression(source.target)

    @property
    def expressions(self) -> Iterator[Expression]:
        """The expressions that the requirement reads."""
        yield self._target
        if self._when is not None:
            yield self._when

    def check(self, candidate: Candidate, context: Context) -> Rejection | None:
        """Return why the target is rejected, or None."""
        if self._when is not None and not self._holds(self._when, candidate, context, True):
            return None
        if self._holds(self._target, candidate, context, False):
            return None
        source = self.source
        return Rejection(candidate.target.id, source.name, source.origin, self._why(candidate))

    def _holds(
        self, expression: Expression, candidate: Candidate, context: Context, failing: bool
    ) -> bool:
        if expression.roots & context.failed:
            return failing
        try:
            return truthy(expression.evaluate(candidate.scope))
        except EvaluationError as exc:
            context.note(f"requirement {self.source.name!r}, {expression.text}: {exc}")
            return failing

    def _why(self, candidate: Candidate) -> str:
        values = ", ".join(
            f"{'.'.join(path)} is {_shown(_look_up(candidate.scope, path))}"
            for path in sorted(set(field_paths(self._target.tree)))
        )
        return f"{self.source.target} does not hold: {values}"


def need_rejections(candidate: Candidate, context: Context) -> Iterator[Rejection]:
    """Yield what the request needs and the target cannot do."""
    for name, reason in _unmet_needs(candidate.target, context):
        yield Rejection(candidate.target.id, name, "request", reason)


def _unmet_needs(target: Target, context: Context) -> Iterator[tuple[str, str]]:
    request, facts, able = context.request, context.facts, target.capabilities
    if facts.tools and not able.tools:
        yield "tools", "the request offers tools; the target has none"
    if facts.images and not able.vision:
        yield "vision", "the request carries images; the target cannot see"
    if facts.json_schema and not able.json_schema:
        yield "json_schema", "the request wants a JSON Schema; the target cannot follow one"
    if request.stream and not able.streaming:
        yield "streaming", "the request streams; the target cannot"
    if facts.tools and _forced(request.tool_choice) and not able.forced_tool_choice:
        yield "forced_tool_choice", "tool_choice forces a tool; the target ignores or refuses it"
    yield from _unmet_sizes(target, facts.tokens, request.max_tokens)


def _unmet_sizes(target: Target, tokens: int, asked: int | None) -> Iterator[tuple[str, str]]:
    window, cap = target.context_window, target.max_output
    needed = tokens + (asked or 1)
    if window is not None and needed > window:
        extra = f" + {asked:,} allowed output" if asked else ""
        yield "context_window", f"about {tokens:,} tokens{extra} do not fit {window:,}"
    if asked is not None and cap is not None and asked > cap:
        yield "max_output", f"max_tokens {asked:,} is above the model's {cap:,}"


def _forced(tool_choice: Any) -> bool:
    return tool_choice is not None and tool_choice not in ("auto", "none")


def caller_rejections(candidate: Candidate, context: Context) -> Iterator[Rejection]:
    """Yield what the request's own `route` rules out."""
    for name, reason in _unmet_route(candidate, context):
        yield Rejection(candidate.target.id, f"route.{name}", "caller", reason)


def _unmet_route(candidate: Candidate, context: Context) -> Iterator[tuple[str, str]]:
    route, target = context.request.route, candidate.target
    names = (target.id, target.provider.name)
    if route.only and not any(name in route.only for name in names):
        yield "only", f"the caller asked for {', '.join(route.only)} only"
    if any(name in route.ignore for name in names):
        yield "ignore", "the caller ruled it out"
    if route.locality and target.locality != route.locality:
        yield "locality", f"the caller asked for {route.locality}; this is {target.locality}"
    for capability in route.require:
        if not getattr(target.capabilities, capability, False):
            yield "require", f"the caller asked for {capability}"
    if route.max_cost is not None:
        yield from _over_cost(candidate, route.max_cost)


def _over_cost(candidate: Candidate, limit: float) -> Iterator[tuple[str, str]]:
    most = candidate.estimate.cost_max
    if most is None:
        reason = "what it may cost at most is unknown: it has no price, or no cap on its output"
        yield "max_cost", reason
    elif most > Decimal(str(limit)) * NANO:
        yield "max_cost", f"it may cost ${most / NANO:.6g}, above the caller's ${limit:g}"


def _look_up(scope: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        scope = scope.get(name) if hasattr(scope, "get") else None
    return scope


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
