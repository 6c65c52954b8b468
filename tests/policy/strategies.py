"""Random policies, fleets, requests, live state: everything that a decision depends on.

All of it is drawn from a `Random`, so that a seed gives a plain sweep and hypothesis (which can
stand behind a `Random`) gives cases that it shrinks. Few distinct values are drawn on purpose:
ties, equal replicas and limits that are met exactly must be common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Target
from llmroute.policy.facts.facts import Facts
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.live import LiveFacts, Priors
from llmroute.policy.source import PolicySource, Require, Rule, Select
from llmroute.types import Request, Route
from tests.build import provider, target
from tests.policy.rare import CAPABILITIES, IMAGE, RARE, TOOL, needing, rarely_able
from tests.policy.taught import caches, measured

__all__ = ["Case", "Live", "Turn", "case", "cases", "disturb", "live", "model", "turn"]

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TASKS = ("code", "chat", "math")
IDS = [f"p{provider}/m{model}" for provider in range(4) for model in range(3)]


class Live(Priors):
    """A live view whose measurements a test sets.

    `version` and `changed` tell of measurements only; loads and affinity change without them.
    """

    def __init__(self, facts: Mapping[str, LiveFacts] | None = None, version: int = 0) -> None:
        self.facts = dict(facts or {})
        self.loads: dict[str, float] = {}
        self.served: str | None = None
        self.caches: dict[str, int] = {}
        self.version = version
        self._log: list[tuple[int, str]] = []
        self._known_since = version

    def measure(self, target_id: str, facts: LiveFacts) -> None:
        """Set what was measured of a target."""
        self.version += 1
        self.facts[target_id] = facts
        self._log.append((self.version, target_id))

    def forget_changes(self) -> None:
        """Make `changed` answer None for every version before this one."""
        self._log.clear()
        self._known_since = self.version

    def changed(self, since: int) -> set[str] | None:
        if since < self._known_since:
            return None
        return {target_id for version, target_id in self._log if version > since}

    def of(self, target: Target) -> LiveFacts:
        return self.facts.get(target.id) or super().of(target)

    def load(self, target: Target) -> float:
        return self.loads.get(target.id, 0.0)

    def affinity(self, request: Request) -> str | None:
        return self.served

    def cached(self, request: Request) -> Mapping[str, int]:
        return self.caches


Turn = tuple[Request, Surroundings, Mapping[str, Problem]]


@dataclass(frozen=True)
class Case:
    """One policy over one fleet, and requests in turn, each with what surrounds it."""

    source: PolicySource
    targets: tuple[Target, ...]
    turns: tuple[Turn, ...]


# Expressions, by what they read. Some fail on some data: a function meets null, a number meets
# text.

OF_TARGET = (
    "target.locality == 'local'",
    "contains(target.specializations, 'code')",
    "target.cost.input < `1`",
    "target.cost.input",
    "target.quality.code > `0.6`",
    "target.quality.default",
    "target.context_window",
    "target.context_window >= `8000`",
    "target.provider == 'p1'",
    "target.id",
    "starts_with(target.id, 'p0')",
    "length(target.specializations)",
    "target.capabilities.vision",
    "target.limits.rpm || target.parameters",
    "abs(target.id)",
    "abs(target.max_output)",
    "sum(target.quality.*)",
    "target.specializations[?@ == 'code'] | length(@)",
)
OF_REQUEST = (
    "contains(request.tags, 'code')",
    "request.tags[0] == 'code'",
    "request.metadata.privacy == 'private'",
    "request.metadata.level",
    "request.metadata.level > `2`",
    "request.task == 'code'",
    "request.task",
    "request.stream",
    "request.max_tokens > `100`",
    "facts.code",
    "facts.tokens > `1000`",
    "facts.images || facts.json_schema",
    "facts.task == 'math' && facts.characters < `50`",
    "facts.characters",
    "values(facts) | length(@) > `3`",
    "budget.team > `0.8`",
    "budget.team",
    "now.hour < `8`",
    "now.weekday == `7`",
    "abs(request.task)",
    "starts_with(request.task, 'c')",
    "request.metadata.level < request.task",
    "length(request.metadata.privacy)",
    "sum(request.tags)",
)
OF_LETS = ("coding", "private", "late", "!private", "coding && private", "late || `true`")
OF_ESTIMATE = (
    "estimate.cost",
    "estimate.cost < `0.001`",
    "estimate.cost_max",
    "estimate.cost_max <= `0.01`",
    "estimate.tokens_out > `400`",
    "estimate.tokens_in",
    "abs(estimate.cost)",
    "estimate.tokens_in > `1000` && facts.code",
    "request.metadata.level > `2` || estimate.cost > `0.002`",
)
OF_LIVE = (
    "live.success",
    "live.first_token < `1`",
    "live.loaded",
    "live.in_flight == `0`",
    "live.tokens_per_second > `50`",
    "!(live.loaded)",
    "live.headroom > `0.5`",
    "length(live.loaded)",
)
MIXED = (
    "target.locality == 'local' || request.stream",
    "contains(target.specializations, request.task)",
    "contains(request.tags, target.model)",
    "target.provider == request.metadata.privacy",
    "target.context_window > estimate.tokens_in",
    "live.first_token < request.metadata.level",
    "live.success > `0.9` && target.locality == 'cloud'",
    "coding && target.locality == 'local'",
    "private || live.loaded",
    "late && estimate.cost < `0.002`",
    "[target.quality.code, live.success] | max(@)",
    "budget.team > live.headroom",
    "merge(target.quality, estimate).cost",
    "now.hour > `12` && live.in_flight < `3`",
)
CONSTANT = ("`1`", "`0.3`", "`0.5000005`", "`true`", "`-2`", "`7`", "'text'", "`null`", "`[]`")
STAGES = (OF_TARGET, OF_REQUEST, OF_LETS, OF_ESTIMATE, OF_LIVE, MIXED, CONSTANT)
LETS = ("coding", "private", "late")
PREFERENCES: tuple[str | Mapping[str, Any], ...] = (
    *("price", "quality", "reliability", "headroom", "affinity"),
    *({"cost": {"half": half}} for half in (0.001, 0.01, 1)),
    *({"latency": {"half": half}} for half in ("500ms", 2, "1m")),
    *({"throughput": {"half": half}} for half in (50, 0.5)),
)
#: Thousandths. 1 and 500 make points that must be rounded.
WEIGHTS = (0, 1, 3, 500, 1_000, 10_000, 25_500, 33_333, 1_000_000)

PROMPTS = ("hi", "def f():\n    return 1", "Wie geht es dir und was ist das?", "x " * 2000)
#: A window that the longest prompt fills to the last token, as the generic tokenizer counts it.
JUST_ENOUGH = Facts(Request.of(PROMPTS[-1])).tokens_for("generic") + 1


def expression(rng: Random, depth: int = 1) -> str:
    """Draw an expression of any stage, or two joined."""
    text = rng.choice(rng.choice(STAGES))
    if depth and rng.random() < 0.15:
        return f"({text}) {rng.choice(('&&', '||', '=='))} ({expression(rng, depth - 1)})"
    return text


def rule(rng: Random, name: str) -> Rule:
    prefer = rng.choice(PREFERENCES) if rng.random() < 0.6 else expression(rng)
    when = expression(rng) if rng.random() < 0.5 else None
    return Rule(name, rng.choice(WEIGHTS) * rng.choice((1, 1, 1, -1)), prefer, when)


def requirement(rng: Random, name: str) -> Require:
    """Draw a requirement; most have a condition, or nothing would stay eligible."""
    when = expression(rng) if rng.random() < 0.7 else None
    origin = rng.choice(("policy", "workspace"))
    return Require(name, f"({expression(rng, 0)}) || {expression(rng, 0)}", when, origin)


def policy(rng: Random) -> PolicySource:
    keys = rng.sample(("cost", "latency", "quality", "target"), rng.randint(1, 4))
    return PolicySource(
        name="p",
        let={name: rng.choice(OF_REQUEST) for name in LETS},
        require=tuple(requirement(rng, f"q{i}") for i in range(rng.choice((0, 0, 0, 1, 2)))),
        rules=tuple(rule(rng, f"r{i}") for i in range(rng.randint(0, 8))),
        select=Select(tie_break=tuple(keys)),
    )


def cost(rng: Random) -> dict[str, Any] | None:
    if rng.random() < 0.2:
        return None
    into = rng.choice((0, 0.05, 0.5, 3, 60))
    data: dict[str, Any] = {"input": into, "output": rng.choice((into, 0, 15))}
    if data["output"]:
        data["cache_read"] = into / 10
    if rng.random() < 0.2:
        data["per_request"] = 0.001
    if rng.random() < 0.2:
        data["tiers"] = [{"above": rng.choice((900, 1000)), "input": into * 2 + 1, "output": 30}]
    if rng.random() < 0.2:
        data["valid_from"] = rng.choice(("2026-11-22", "2026-11-23"))
    if rng.random() < 0.2:
        data["valid_until"] = rng.choice(("2026-11-21", "2026-11-22"))
    return data


def quality(rng: Random) -> dict[str, Any] | None:
    figures = {name: rng.choice((0, 0.5, 0.9)) for name in rng.sample(TASKS, rng.randint(0, 2))}
    if rng.random() < 0.6:
        figures["default"] = rng.choice((0.25, 0.5, 0.75))
    return figures or None


def model(rng: Random) -> dict[str, Any]:
    """Draw the data of one model as a provider file holds it; every feature is often absent."""
    able = {name: rng.random() < 0.85 for name in CAPABILITIES} | dict.fromkeys(RARE, True)
    data: dict[str, Any] = {
        "capabilities": able,
        "cost": cost(rng),
        "quality": quality(rng),
        "context_window": rng.choice((None, 1101, JUST_ENOUGH, 8192, 100_000)),
        "max_output": rng.choice((None, None, 100, 4096)),
        "typical_output": rng.choice((None, None, 50, 2000)),
        "specializations": rng.choice(((), ("code",), ("chat", "code"))),
        "limits": rng.choice(({}, {"rpm": 60}, {"concurrency": 4})),
        "loaded": rng.choice((None, True, False)),
        "wire": rng.choice(({}, {}, {}, {"reject": ["max_tokens"]})),
        "expected": rng.choice(({}, {}, {"first_token": "250ms", "tokens_per_second": 120})),
        "parameters": rng.choice((None, "8B")),
    }
    return data


def varied(rng: Random, data: dict[str, Any]) -> dict[str, Any]:
    """Return a replica of a model, now and then with one thing changed."""
    if rng.random() < 0.7:
        return data
    name = rng.choice(sorted(data))
    return {**data, name: model(rng)[name]}


#: The longest prompts that some targets take, whatever their window. Nothing is drawn, so that
#: tests which count outcomes over seeds keep theirs.
LONGEST = {"p1/m0": 1000, "p2/m1": 20, "p3/m0": 6999}


def fleet(rng: Random, size: int | None = None) -> tuple[Target, ...]:
    """Draw targets, 1 to 12 unless told: replicas of a few models, each with its own id."""
    kinds = [(model(rng), rng.choice(("local", "cloud"))) for _ in range(rng.randint(1, 3))]
    ids = [f"p{i % 4}/m{i // 4}" for i in range(size)] if size else IDS
    made = []
    for target_id in rng.sample(ids, size or rng.randint(1, len(IDS))):
        data, locality = rng.choice(kinds)
        owner = provider(target_id.split("/")[0], locality)
        drawn = target(target_id, provider=owner, **varied(rng, data))
        family = rng.choice(("generic", "generic", "claude", "o200k"))
        wire = replace(drawn.wire, max_input=LONGEST.get(target_id))
        made.append(replace(drawn, tokenizer=family, wire=wire))
    return tuple(made)


SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


def names(rng: Random) -> tuple[str, ...]:
    """Draw target ids and provider names, some of which do not exist."""
    return tuple(rng.sample((*IDS, "p0", "p1", "p2", "p3", "p9"), rng.randint(1, 6)))


def route(rng: Random) -> Route:
    fields: dict[str, Any] = {}
    choices: dict[str, Callable[[], Any]] = {
        "only": lambda: ("p0", "p1", *names(rng)),
        "ignore": lambda: names(rng)[:2],
        "order": lambda: names(rng),
        "max_cost": lambda: rng.choice((0, 0.001, 0.05, 1)),
        "locality": lambda: rng.choice(("local", "cloud")),
        "require": lambda: tuple(rng.sample(CAPABILITIES, rng.randint(1, 2))),
    }
    for name, draw in choices.items():
        if rng.random() < 0.08:
            fields[name] = draw()
    return Route(**fields)


def request(rng: Random) -> Request:
    text = rng.choice(PROMPTS)
    pictured = [{"type": "text", "text": text}, IMAGE]
    metadata = {"privacy": rng.choice(("private", "public", "p1", 3))}
    metadata |= {"level": rng.choice((0, 1, 2.5, 7, "high"))} if rng.random() < 0.5 else {}
    tooled = rng.random() < 0.15
    choice = rng.choice((None, "auto", "none", "required", {"type": "function"}))
    return Request.of(
        [{"role": "user", "content": pictured if rng.random() < 0.1 else text}],
        tags=rng.sample(("code", "m1", "eu"), rng.randint(0, 2)),
        metadata=metadata if rng.random() < 0.7 else {},
        task=rng.choice((None, None, *TASKS, "poetry")),
        max_tokens=rng.choice((None, None, 1, 101, 2000)),
        input_tokens=rng.choice((None, 0, 1000, 1001, 7000)),
        tools=[TOOL] if tooled else [],
        tool_choice=choice if tooled else None,
        response_format=SCHEMA if rng.random() < 0.1 else None,
        stream=rng.random() < 0.2,
        route=route(rng),
    )


def live(rng: Random, targets: Sequence[Target]) -> Live:
    """Draw a live view; its version says nothing of what it holds."""
    known = [t.id for t in targets if rng.random() < rng.choice((0.0, 0.5, 1.0))]
    same = measured(rng)
    view = Live(
        {i: same if rng.random() < 0.5 else measured(rng) for i in known}, rng.randint(0, 2)
    )
    view.loads = {t.id: rng.choice((0.0, 1.0, rng.random() * 9)) for t in targets}
    view.served = rng.choice((None, *(t.id for t in targets)))
    view.caches = caches(view.loads)
    return view


def disturb(rng: Random, view: Live, targets: Sequence[Target]) -> None:
    """Change a live view between two requests, or leave it."""
    for _ in range(rng.choice((0, 1, 1, 3))):
        view.measure(rng.choice(targets).id, measured(rng))
    if rng.random() < 0.2:
        view.forget_changes()
    view.loads[rng.choice(targets).id] = rng.random() * 9
    view.served = rng.choice((None, rng.choice(targets).id))
    view.caches = caches(view.loads)


def surroundings(rng: Random, view: Live) -> Surroundings:
    now = NOON + timedelta(hours=rng.choice((-24, -8, 0, 0, 0, 11, 12)))
    budgets = {"team": rng.choice((0.0, 0.5, 0.81, 1.2))} if rng.random() < 0.7 else {}
    return Surroundings(now, view, budgets)


def problems(rng: Random) -> dict[str, Problem]:
    if rng.random() < 0.7:
        return {}
    return {name: Problem("gone", "bring it back") for name in names(rng)[:2]}


def turn(rng: Random, view: Live) -> Turn:
    """Draw a request and what surrounds it, the live view being given."""
    return request(rng), surroundings(rng, view), problems(rng)


def case(rng: Random, turns: int = 1, size: int | None = None) -> Case:
    """Draw a policy, a fleet and requests, each with a live view of its own."""
    targets = tuple(rarely_able(rng, target) for target in fleet(rng, size))
    plain = [turn(rng, live(rng, targets)) for _ in range(turns)]
    drawn = tuple((needing(rng, asked), *around) for asked, *around in plain)
    return Case(policy(rng), targets, drawn)


def cases(turns: int = 1) -> st.SearchStrategy[Case]:
    """Hypothesis's cases: shrinks towards fewer and plainer parts."""
    return st.randoms(use_true_random=False).map(lambda rng: case(rng, turns))
