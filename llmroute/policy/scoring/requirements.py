"""Hard conditions: what the request needs, what the caller's `route` says, what policies demand.

Every requirement names itself and, where a target fails it, says which values failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from llmroute.catalog.cost import NANO, nano_to_usd
from llmroute.catalog.model import Target
from llmroute.policy.expressions.expression import (
    EvaluationError,
    Expression,
    field_paths,
    look_up,
    truthy,
)
from llmroute.policy.facts.needs import NO_LENGTH, UNMET
from llmroute.policy.scoring.context import Candidate, Context
from llmroute.policy.scoring.estimate import Estimate
from llmroute.policy.scoring.stages import Stage, joined, reads_any, stage_of
from llmroute.policy.scoring.standing import Allowance
from llmroute.policy.source import Require

__all__ = [
    "CompiledRequire",
    "Note",
    "Rejection",
    "budget_rejections",
    "caller_rejections",
    "forces_tool",
    "ignore",
    "need_rejections",
    "too_dear",
]


#: Takes what could not be evaluated, to count and show it.
Note = Callable[[str], None]


def ignore(_text: str) -> None:
    """Note nothing."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one target may not serve one request.

    `origin` is `policy`, `workspace`, `caller`, `request` (what it needs), `budget` or
    `availability`.
    """

    target: str
    requirement: str
    origin: str
    reason: str
    help: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {
            "target": self.target,
            "requirement": self.requirement,
            "origin": self.origin,
            "reason": self.reason,
            **({"help": self.help} if self.help else {}),
        }


class CompiledRequire:
    """One requirement of a policy or of the workspace; it fails closed.

    `gated`: its `when` reads only the request. `stage` is that of the rest.
    """

    def __init__(self, source: Require, lets: frozenset[str] = frozenset()) -> None:
        self.source = source
        self.when = None if source.when is None else Expression(source.when)
        self.target = Expression(source.target)
        when_stage = stage_of(self.when.roots if self.when else frozenset(), lets)
        self.gated = self.when is not None and when_stage == "request"
        self.target_stage: Stage = stage_of(self.target.roots, lets)
        self.when_stage: Stage = when_stage
        alone = self.when is None or self.gated
        self.stage: Stage = self.target_stage if alone else joined(when_stage, self.target_stage)
        self.roots = self.target.roots | (self.when.roots if self.when else frozenset())
        self.local_when = None if self.gated else self.when

    def fold(self, targets: Sequence[Target]) -> Iterator[bool]:
        """Yield whether each target passes a requirement at stage `load`."""
        return (self._passes({"target": target.view}, ignore) for target in targets)

    @property
    def expressions(self) -> Iterator[Expression]:
        """The expressions that the requirement reads."""
        yield self.target
        if self.when is not None:
            yield self.when

    def demanded(self, context: Context) -> bool:
        """Whether a gated requirement's `when` holds; True for the others."""
        if not self.gated or self.when is None or reads_any(self.when.roots, context.failed):
            return True
        return self._holds(self.when, context.request_scope, True, context.note)

    def passes(self, candidate: Candidate, context: Context, note: Note = ignore) -> bool:
        """Whether a target passes; a gated `when` is taken to hold."""
        if context.failed and reads_any(self.roots, context.failed):
            return self._passes_failed(candidate, context, note)
        return self._passes(candidate.scope, note)

    def _passes(self, scope: Mapping[str, Any], note: Note) -> bool:
        when = self.local_when
        if when is not None and not self._holds(when, scope, True, note):
            return True
        return self._holds(self.target, scope, False, note)

    def _passes_failed(self, candidate: Candidate, context: Context, note: Note) -> bool:
        """Judge a requirement that reads a name which could not be evaluated."""
        when, scope = self.local_when, candidate.scope
        readable = when is not None and not reads_any(when.roots, context.failed)
        if when is not None and readable and not self._holds(when, scope, True, note):
            return True
        if reads_any(self.target.roots, context.failed):
            return False
        return self._holds(self.target, scope, False, note)

    def rejection(self, candidate: Candidate, context: Context, note: Note) -> Rejection | None:
        """Return why a target is rejected, or None; a gated `when` is taken to hold."""
        if self.passes(candidate, context, note):
            return None
        source = self.source
        return Rejection(candidate.target.id, source.name, source.origin, self._why(candidate))

    def _holds(
        self, expression: Expression, scope: Mapping[str, Any], failing: bool, note: Note
    ) -> bool:
        try:
            return truthy(expression.evaluate(scope))
        except EvaluationError as exc:
            note(f"requirement {self.source.name!r}, {expression.text}: {exc}")
            return failing

    def _why(self, candidate: Candidate) -> str:
        values = ", ".join(
            f"{'.'.join(path)} is {_shown(look_up(candidate.scope, path))}"
            for path in sorted(set(field_paths(self.target.tree)))
        )
        return f"{self.source.target} does not hold: {values}"


def need_rejections(candidate: Candidate, context: Context) -> Iterator[Rejection]:
    """Yield what the request needs and the target cannot do."""
    for name, reason in _unmet_needs(candidate, context):
        yield Rejection(candidate.target.id, name, "request", reason)


def _unmet_needs(candidate: Candidate, context: Context) -> Iterator[tuple[str, str]]:
    request, facts, target = context.request, context.facts, candidate.target
    able = target.capabilities
    if facts.tools and not able.tools:
        yield "tools", "the request offers tools; the target has none"
    if facts.images and not able.vision:
        yield "vision", "the request carries images; the target cannot see"
    if facts.json_schema and not able.json_schema:
        yield "json_schema", "the request wants a JSON Schema; the target cannot follow one"
    if request.stream and not able.streaming:
        yield "streaming", "the request streams; the target cannot"
    if facts.tools and forces_tool(request.tool_choice) and not able.forced_tool_choice:
        yield "forced_tool_choice", "tool_choice forces a tool; the target ignores or refuses it"
    for name in facts.needs:
        if not getattr(able, name, False):
            yield name, _REASONS[name]
    yield from _unmet_names(target, facts.tool_name_length)
    yield from _unmet_count(target, len(request.tools))
    tokens = max(facts.tokens_for(target.tokenizer), candidate.estimate.tokens_in)
    yield from _unmet_sizes(target, tokens, request.max_tokens)


def _unmet_names(target: Target, length: int) -> Iterator[tuple[str, str]]:
    most = target.wire.tool_names
    if most is not None and length == NO_LENGTH:
        yield "tool_names", "the target takes only letters, digits, _ and - in names of tools"
    elif most is not None and length > most:
        yield "tool_names", f"a tool's name has {length} characters; the target takes {most}"


def _unmet_count(target: Target, tools: int) -> Iterator[tuple[str, str]]:
    most = target.wire.max_tools
    if most is not None and tools > most:
        yield "max_tools", f"the request offers {tools} tools; the target takes {most}"


def _unmet_sizes(target: Target, tokens: int, asked: int | None) -> Iterator[tuple[str, str]]:
    window, cap, most = target.context_window, target.max_output, target.wire.max_input
    needed = tokens + (asked or 1)
    if most is not None and tokens > most:
        yield "context_window", f"about {tokens:,} tokens are more than a prompt may have: {most:,}"
    elif window is not None and needed > window:
        extra = f" + {asked:,} allowed output" if asked else ""
        yield "context_window", f"about {tokens:,} tokens{extra} do not fit {window:,}"
    if asked is not None and cap is not None and asked > cap:
        yield "max_output", f"max_tokens {asked:,} is above the model's {cap:,}"


#: Why a target that lacks a capability is ruled out.
_REASONS: Mapping[str, str] = {
    "tools": "the conversation holds calls of tools; the target has none",
    "json_object": "the request wants JSON without a schema; the target cannot be held to it",
    "prefill": "the assistant speaks last, to be continued; the target refuses or ignores that",
    "image_urls": "the request names an image's address; the target takes images as data only",
    "pdf": "the request carries a PDF; the target cannot read it",
    "files": "the request carries a file that is no PDF, or one kept at a provider; "
    "the target cannot read it",
    "audio": "the request carries audio; the target cannot hear",
    **UNMET,
}


def forces_tool(tool_choice: Any) -> bool:
    """Whether a request's `tool_choice` demands a call."""
    return tool_choice is not None and tool_choice not in ("auto", "none")


#: What the caller can do, where that is not plain.
_ROUTE_HELP = {"max_cost": "allow more, or ask with a smaller max_tokens"}


def caller_rejections(candidate: Candidate, context: Context) -> Iterator[Rejection]:
    """Yield what the request's own `route` rules out."""
    for name, reason in _unmet_route(candidate, context):
        yield Rejection(
            candidate.target.id, f"route.{name}", "caller", reason, _ROUTE_HELP.get(name)
        )


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
        if getattr(target.capabilities, capability, False) is not True:
            yield "require", f"the caller asked for {capability}"
    if route.max_cost is not None:
        yield from _over_cost(candidate, route.max_cost)


def budget_rejections(candidate: Candidate, allowances: Sequence[Allowance]) -> Iterator[Rejection]:
    """Yield the hard budgets that a call might exceed."""
    target = candidate.target
    for item in allowances:
        reason = item.refusal(candidate.estimate) if item.covers(target) else None
        if reason:
            name, advice = f"budget {item.budget}", item.help(candidate.estimate)
            yield Rejection(target.id, name, "budget", reason, advice)


def too_dear(estimate: Estimate, limit: float) -> bool:
    """Whether an estimate may exceed a caller's limit in USD, or is unknown."""
    return estimate.cost_max is None or estimate.cost_max > Decimal(str(limit)) * NANO


def _over_cost(candidate: Candidate, limit: float) -> Iterator[tuple[str, str]]:
    most = candidate.estimate.cost_max
    if most is None:
        reason = "what it may cost at most is unknown: it has no price, or no cap on its output"
        yield "max_cost", reason
    elif too_dear(candidate.estimate, limit):
        allowed = Decimal(str(limit))
        yield "max_cost", f"it may cost ${nano_to_usd(most):f}, above the caller's ${allowed:f}"


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
