"""A policy's data after `extends`: rules merged by name, requirements only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any, Literal

from llmroute.config.durations import seconds

__all__ = ["Fallback", "Hedge", "PolicySource", "Require", "Rule", "Select", "policy_source"]

#: Who states a requirement; shown in explanations.
Origin = Literal["policy", "workspace"]


@dataclass(frozen=True, slots=True)
class Require:
    """A hard condition: where `when` holds (always, if None), `target` must hold."""

    name: str
    target: str
    when: str | None = None
    origin: Origin = "policy"


@dataclass(frozen=True, slots=True)
class Rule:
    """A weighted preference; `weight` is in thousandths of a point."""

    name: str
    weight: int
    prefer: str | Mapping[str, Any]
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """How the winner is picked: `spread` in micro-points, `explore` a share of requests."""

    spread: int = 0
    tie_break: tuple[str, ...] = ("cost", "target")
    explore: float = 0.0


@dataclass(frozen=True, slots=True)
class Hedge:
    """A second call beside one that is silent for `after` seconds, for a `share` of requests."""

    after: float
    share: float = 0.05


@dataclass(frozen=True, slots=True)
class Fallback:
    """How far a request may go on after a failure.

    `attempts` counts all calls. `max_price_ratio` bounds a fallback's estimate by the first
    target's, None: unbounded. `on_limit`: `spill` to the next target, or `wait` for the limit.
    `on_refusal`: `return` it, or ask the `next` target. `retry_budget` bounds repeats at a failing
    provider, `check_schema` holds answers to the request's JSON Schema, `continuation` lets
    another target finish a broken stream.
    """

    attempts: int = 3
    max_price_ratio: float | None = None
    on_limit: Literal["spill", "wait"] = "spill"
    on_refusal: Literal["return", "next"] = "return"
    retry_budget: bool = True
    check_schema: bool = True
    continuation: bool = False
    hedge: Hedge | None = None

    @property
    def view(self) -> dict[str, Any]:
        """Return plain data: what always counts, and what is not as usual."""
        always = ("attempts", "max_price_ratio", "on_limit")
        usual = Fallback()
        names = [f.name for f in fields(self)]
        shown = (n for n in names if n in always or getattr(self, n) != getattr(usual, n))
        values = {name: getattr(self, name) for name in shown}
        return values | ({"hedge": asdict(self.hedge)} if self.hedge else {})


@dataclass(frozen=True, slots=True)
class PolicySource:
    """Everything that a policy says, checked but not yet compiled."""

    name: str
    description: str = ""
    let: Mapping[str, str] = field(default_factory=dict)
    require: tuple[Require, ...] = ()
    rules: tuple[Rule, ...] = ()
    select: Select = Select()
    fallback: Fallback = Fallback()


def policy_source(
    name: str, policies: Mapping[str, Mapping[str, Any]], workspace_require: Sequence[Any] = ()
) -> PolicySource:
    """Resolve one policy of a set of checked policy documents.

    `workspace_require` are the requirements of `llmroute.yaml`, joined to every policy.
    """
    data = _resolved(name, policies)
    required = [_require(item, "workspace") for item in workspace_require]
    required += [_require(item, "policy") for item in data.get("require", ())]
    return PolicySource(
        name=name,
        description=data.get("description", ""),
        let=data.get("let", {}),
        require=tuple(required),
        rules=tuple(_rule(item) for item in data.get("rules", ())),
        select=_select(data.get("select", {})),
        fallback=_fallback(data.get("fallback", {})),
    )


def _resolved(name: str, policies: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    data = policies[name]
    if "extends" not in data:
        return data
    base = _resolved(data["extends"], policies)
    merged = {**base, **data}
    for key in ("let", "select", "fallback"):
        merged[key] = {**base.get(key, {}), **data.get(key, {})}
    merged["require"] = [*base.get("require", ()), *data.get("require", ())]
    merged["rules"] = _by_name(base.get("rules", ()), data.get("rules", ()))
    return merged


def _by_name(base: Sequence[Mapping[str, Any]], own: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Own rules replace those of the same name, in their place; new ones follow."""
    rules = {rule["name"]: rule for rule in base}
    return list((rules | {rule["name"]: rule for rule in own}).values())


def _require(data: Mapping[str, Any], origin: Origin) -> Require:
    return Require(data["name"], data["target"], data.get("when"), origin)


def _rule(data: Mapping[str, Any]) -> Rule:
    return Rule(data["name"], _milli(data["weight"]), data["prefer"], data.get("when"))


def _milli(weight: float) -> int:
    return int(Decimal(str(weight)) * 1000)


def _fallback(data: Mapping[str, Any]) -> Fallback:
    hedge = data.get("hedge")
    if hedge is None:
        return Fallback(**data)
    return Fallback(**{**data, "hedge": Hedge(**{**hedge, "after": seconds(hedge["after"])})})


def _select(data: Mapping[str, Any]) -> Select:
    spread = int(Decimal(str(data.get("spread", 0))) * 1_000_000)
    order = tuple(data.get("tie_break", Select().tie_break))
    return Select(spread, order, data.get("explore", 0.0))
