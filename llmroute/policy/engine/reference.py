"""The reference evaluator: what a decision must be, written to be read, not to be fast.

Nothing is staged, folded, cached or bounded: jmespath's own interpreter evaluates every expression
for every target on the whole scope, and scores are exact fractions until they are rounded. The
engine is tested against it. It shares with the engine the data of the roots (`request_view`,
`Facts`, `Target.view`, `LiveFacts.view`), `estimate()` and `seconds()`; requirements, conditions,
values, scores and the order are its own.

    score  = sum of points over the rules whose condition holds
    points = weight × value, thousandths × millionths / 1000 rounded half-even to micro-points
    value  = min(max(measure, 0), 1) × 10⁶ rounded half-even to millionths; where the measure is
             unknown, the worst for the weight's sign: 1 for a negative weight, else 0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from string import ascii_letters, digits
from typing import Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Target
from llmroute.config.durations import seconds
from llmroute.policy.facts.facts import Facts
from llmroute.policy.scoring.context import Surroundings, request_view
from llmroute.policy.scoring.estimate import Estimate, estimate
from llmroute.policy.scoring.live import LiveFacts
from llmroute.policy.scoring.standing import Allowance
from llmroute.policy.source import PolicySource, Rule
from llmroute.types import Request

__all__ = ["Outcome", "Scored", "reference"]

_FAILURES = (JMESPathError, ArithmeticError, AttributeError, TypeError, ValueError)
#: Syntax nodes whose first child alone is evaluated on the scope; the others get its result.
_CHAINS = ("subexpression", "index_expression", "flatten", "pipe")
#: Kind of a part → the capability that carries it, where that does not depend on its content.
_CARRIER = {"input_audio": "audio"} | dict.fromkeys(("text", "refusal", "image_url", "file"), "")
_NAMEABLE = frozenset(ascii_letters + digits + "_-")
_PROJECTIONS = ("projection", "value_projection", "filter_projection")


class Scored(NamedTuple):
    """One eligible target: its score and each rule's part in it, in micro-points; its estimate."""

    target: Target
    score: int
    points: Mapping[str, int]
    estimate: Estimate


class Outcome(NamedTuple):
    """The eligible targets, best first, and for every other the requirements that it fails."""

    ranking: tuple[Scored, ...]
    rejected: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Case:
    """One target as one request sees it; `failed` names the `let`s that cannot be evaluated."""

    target: Target
    request: Request
    facts: Facts
    estimate: Estimate
    live: LiveFacts
    served: str | None
    scope: Mapping[str, Any]
    failed: frozenset[str]


def reference(
    source: PolicySource,
    targets: Sequence[Target],
    request: Request,
    around: Surroundings,
    problems: Mapping[str, Problem] | None = None,
) -> Outcome:
    """Rank targets for a request, without any draw among near ties.

    Best first is: the caller's `order`, then the score, then `tie_break`, then the id.
    `problems` maps provider names and target ids to why they cannot be used now.
    """
    out = problems or {}
    cases = _cases(source, targets, request, around)
    budgets = around.allowances
    rejected = {
        case.target.id: (*_unmet(case, source, out), *_unmet_budgets(case, source.name, budgets))
        for case in cases
    }
    scored = [(case, _scored(case, source)) for case in cases if not rejected[case.target.id]]
    scored.sort(key=lambda pair: _place(pair[0], pair[1].score, source.select.tie_break))
    rejected |= dict.fromkeys(_silent(targets, request, out), ("usable",))
    unmet = {name: names for name, names in rejected.items() if names}
    return Outcome(tuple(item for _, item in scored), unmet)


def _cases(
    source: PolicySource, targets: Sequence[Target], request: Request, around: Surroundings
) -> list[_Case]:
    facts, now = Facts(request), around.now
    roots: dict[str, Any] = {"request": request_view(request), "facts": facts.view()}
    roots |= {"budget": dict(around.budgets)}
    roots |= {"now": {"hour": now.hour, "weekday": now.isoweekday()}}
    lets: dict[str, Any] = {}
    for name, text in source.let.items():
        try:
            lets[name] = jmespath.compile(text).search(roots)
        except _FAILURES:
            continue
    failed = frozenset(source.let) - frozenset(lets)
    served, cached, cases = around.live.affinity(request), around.live.cached(request), []
    for target in targets:
        live, tokens = around.live.of(target), facts.tokens_for(target.tokenizer)
        if request.input_tokens is None and live.token_factor != 1:
            tokens = max(1, round(Fraction(live.token_factor) * tokens))
        output = live.outputs.get(facts.task)
        usual, kept = output and output.tokens, cached.get(target.id, 0)
        needs = estimate(request, tokens, target, now.date(), usual, kept)
        own = {"target": target.view, "estimate": needs.view, "live": live.view}
        scope = {**roots, **lets, **own}
        cases.append(_Case(target, request, facts, needs, live, served, scope, failed))
    return cases


# Expressions


def _evaluate(text: str, case: _Case) -> Any:
    """Return an expression's value; raises one of _FAILURES where it has none."""
    expression = jmespath.compile(text)
    read = _names(expression.parsed)
    if case.failed and (read & case.failed or "@" in read):
        raise ValueError("it reads a name under let that cannot be evaluated")
    return expression.search(case.scope)


def _names(node: Mapping[str, Any]) -> set[str]:
    """Return the names that a syntax tree reads at top level; `@` reads them all."""
    kind, children = node["type"], node["children"]
    if kind in ("field", "current", "identity"):
        return {node["value"] if kind == "field" else "@"}
    if kind in ("literal", "expref", "index", "slice"):
        return set()
    on_scope = children[:1] if kind in _CHAINS + _PROJECTIONS else children
    return set().union(*(_names(child) for child in on_scope))


def _holds(text: str | None, case: _Case, *, failing: bool) -> bool:
    """Whether a condition is true in JMESPath's sense; `failing` where it has no value."""
    try:
        value = True if text is None else _evaluate(text, case)
    except _FAILURES:
        return failing
    return not (value is None or value is False or value == "" or value == [] or value == {})


# Requirements


def _unmet(case: _Case, source: PolicySource, problems: Mapping[str, Problem]) -> Iterator[str]:
    """Yield the name of every requirement that the target fails; conditions fail closed."""
    if case.target.id in problems or case.target.provider.name in problems:
        yield "usable"
    yield from _unmet_route(case)
    yield from _unmet_needs(case)
    for item in source.require:
        if _holds(item.when, case, failing=True) and not _holds(item.target, case, failing=False):
            yield item.name


def _unmet_budgets(case: _Case, policy: str, budgets: Sequence[Allowance]) -> Iterator[str]:
    """Yield the hard budgets that the call might exceed; an unknown price might."""
    asked, target, most = case.request, case.target, case.estimate.cost_max
    for item in budgets:
        scope = (
            (item.tag, asked.tags),
            (item.caller, (asked.user,)),
            (item.policy, (policy,)),
            (item.provider, (target.provider.name,)),
            (item.target, (target.id,)),
        )
        counts = all(wanted is None or wanted in found for wanted, found in scope)
        if counts and (most is None or most > max(item.left, 0)):
            yield f"budget {item.budget}"


def _unmet_route(case: _Case) -> Iterator[str]:
    route, target, most = case.request.route, case.target, case.estimate.cost_max
    names = {target.id, target.provider.name}
    if route.only and not names & set(route.only):
        yield "route.only"
    if names & set(route.ignore):
        yield "route.ignore"
    if route.locality not in (None, target.locality):
        yield "route.locality"
    for capability in route.require:
        if not getattr(target.capabilities, capability):
            yield "route.require"
    if route.max_cost is not None:
        limit = Fraction(str(route.max_cost)) * 10**9
        if most is None or most > limit:
            yield "route.max_cost"


def _unmet_needs(case: _Case) -> Iterator[str]:
    request, facts, target, able = case.request, case.facts, case.target, case.target.capabilities
    forced = facts.tools and request.tool_choice not in (None, "auto", "none")
    needs = {
        "tools": (facts.tools, able.tools),
        "vision": (facts.images, able.vision),
        "json_schema": (facts.json_schema, able.json_schema),
        "streaming": (request.stream, able.streaming),
        "forced_tool_choice": (forced, able.forced_tool_choice),
    }
    needs |= {name: (True, getattr(able, name, False)) for name in _others(request)}
    yield from (name for name, (needed, given) in needs.items() if needed and not given)
    if not all(_nameable(tool, target.wire.tool_names) for tool in request.tools):
        yield "tool_names"
    if target.wire.max_tools is not None and len(request.tools) > target.wire.max_tools:
        yield "max_tools"
    asked, window, cap = request.max_tokens, target.context_window, target.max_output
    tokens = max(case.estimate.tokens_in, facts.tokens_for(target.tokenizer))
    full = window is not None and tokens + (asked or 1) > window
    if full or (target.wire.max_input is not None and tokens > target.wire.max_input):
        yield "context_window"
    if asked is not None and cap is not None and asked > cap:
        yield "max_output"


def _others(request: Request) -> set[str]:
    """Return what else a request needs: a capability's name, or what nobody has."""
    said, last = request.messages, request.messages[-1]
    parts = [p for m in said if isinstance(m.get("content"), list) for p in m["content"]]
    needs = {_CARRIER.get(part["type"], "content_part") for part in parts} - {""}
    needs |= {"pdf" if _is_pdf(part) else "files" for part in parts if part["type"] == "file"}
    addresses = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
    needs |= {"image_urls" for address in addresses if address.startswith("http")}
    needs |= {"tools"} if any(m.get("tool_calls") or m["role"] == "tool" for m in said) else set()
    needs -= {"tools"} if request.tools else set()
    needs |= {"tool_type" for tool in request.tools if tool["type"] != "function"}
    needs |= {"prefill"} if last["role"] == "assistant" else set()
    return needs | ({"json_object"} & {(request.response_format or {}).get("type")})


def _is_pdf(part: Mapping[str, Any]) -> bool:
    return str(part["file"].get("file_data")).startswith("data:application/pdf;")


def _nameable(tool: Mapping[str, Any], most: int | None) -> bool:
    if most is None or tool["type"] != "function":
        return True
    name = tool["function"]["name"]
    return 0 < len(name) <= most and not set(name) - _NAMEABLE


def _silent(
    targets: Sequence[Target], request: Request, problems: Mapping[str, Problem]
) -> Iterator[str]:
    """Yield the providers that are out, have no target here, and are not ruled out by `only`."""
    known = {target.provider.name for target in targets}
    asked = {name.split("/")[0] for name in request.route.only}
    for name in problems:
        if "/" not in name and name not in known and (not asked or name in asked):
            yield name


# Scores


def _scored(case: _Case, source: PolicySource) -> Scored:
    held = [rule for rule in source.rules if _holds(rule.when, case, failing=False)]
    points = {rule.name: round(Fraction(rule.weight * _value(rule, case), 1000)) for rule in held}
    return Scored(case.target, sum(points.values()), points, case.estimate)


def _value(rule: Rule, case: _Case) -> int:
    measure = _measure(rule.prefer, case)
    if measure is None:
        return 1_000_000 if rule.weight < 0 else 0
    return round(min(max(measure, 0.0), 1.0) * 1_000_000)


def _measure(prefer: Any, case: _Case) -> float | None:
    """Return a preference's value before clamping, None where it is unknown."""
    match prefer:
        case "price":
            return _price(case.estimate)
        case {"cost": {"half": half}}:
            cost, worth = case.estimate.cost, half * 10**9
            return None if cost is None else float(worth / (worth + cost))
        case {"latency": {"half": half}}:
            return seconds(half) / (seconds(half) + case.live.first_token)
        case {"throughput": {"half": half}}:
            return float(case.live.tokens_per_second / (case.live.tokens_per_second + half))
        case "quality":
            return case.target.quality.tasks.get(case.facts.task, case.target.quality.default)
        case "reliability":
            return case.live.success
        case "headroom":
            return case.live.headroom
        case "affinity":
            return float(case.served == case.target.id)
    return _number(prefer, case)


def _price(needs: Estimate) -> float | None:
    """Return 1 at $0.05 per million tokens and 0 at $50, linear in the logarithm; free is 1."""
    if not needs.cost:
        return None if needs.cost is None else 1.0
    blended = needs.cost / 1000 / max(needs.tokens_in + needs.tokens_out, 1)
    return (math.log(50.0) - math.log(blended)) / math.log(50.0 / 0.05)


def _number(text: str, case: _Case) -> float:
    """Return an expression's boolean or number; anything else is 0."""
    try:
        value = _evaluate(text, case)
    except _FAILURES:
        return 0.0
    return value if isinstance(value, int | float) and not math.isnan(value) else 0.0


# Order


def _place(case: _Case, score: int, tie_break: Sequence[str]) -> tuple[Any, ...]:
    """Return what an eligible target is sorted by, lowest first."""
    target, order = case.target, case.request.route.order
    named = [i for i, name in enumerate(order) if name in (target.id, target.provider.name)]
    keys: Mapping[str, float | str] = {
        "cost": math.inf if case.estimate.cost is None else case.estimate.cost,
        "latency": case.live.first_token,
        "quality": -(target.quality.default or 0.0),
        "target": target.id,
    }
    return (min(named, default=len(order)), -score, *(keys[k] for k in tie_break), target.id)
