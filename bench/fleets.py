"""Fleets, policies, requests and traffic as a router may meet them, the same for the same seed.

`FLEETS` are: `random`, where everything that a provider file can say is drawn; `rejected`, where a
policy requirement rejects 95 % of the targets and these would have the best scores; `gated`, the
same with a requirement that has to look at the request and the target together; `replicas`, equal
targets whose measured latency differs. The first target of a random fleet can do everything, so
that each request has somewhere to go.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

from llmroute.catalog.model import Endpoint, Provider, Target
from llmroute.catalog.targets import build_target
from llmroute.dispatch.live import LiveState
from llmroute.policy import Surroundings
from llmroute.policy.facts.tokens import FAMILIES
from llmroute.types import Request

__all__ = ["FLEETS", "Traffic", "fleet", "policy", "prompt", "requests"]

Locality = Literal["local", "cloud"]

_TASKS = ("chat", "code", "extraction", "reasoning", "summaries")
_SPECIALTIES = ("agents", "chat", "code", "finance", "german", "legal", "math", "medicine")
_REGIONS = ("apac", "eu", "us")
_TEAMS = ("team-a", "team-b", "team-c")
_ABLE = ("tools", "streaming", "vision", "json_schema", "reasoning", "forced_tool_choice")
_SOURCE = {"source": "drawn at random", "date": "2026-11-01"}
#: Models behind one provider.
_MODELS = 10
#: The share of targets that the requirement of `rejected` and `gated` lets through.
_APPROVED = 0.05

_ENGLISH = (
    "The quick report that you asked for is attached, with the figures of the last quarter. "
    "We could not find out why the second pump failed, but the first one works as it should. "
    "Please compare both offers and tell me which of them is cheaper over five years. "
    "What would have to change for the plan to work in a smaller town? "
    "She wrote that the train was late again and that nobody had said a word about it. "
    "Summarise the discussion below and list the open questions, the most urgent ones first. "
)
_GERMAN = (
    "Der Bericht, um den Sie gebeten haben, liegt bei; die Zahlen sind für das letzte Quartal. "
    "Wir wissen nicht, warum die zweite Pumpe ausgefallen ist, aber die erste läuft wie sie soll. "
)
_CODE = (
    "def total(rows: list[dict[str, int]]) -> int:\n"
    "    result = 0\n"
    "    for row in rows:\n"
    "        result += row['amount'] * row.get('count', 1)\n"
    "    return result\n\n"
)

_REQUIRE = (
    {
        "name": "private stays local",
        "when": "request.metadata.privacy == 'private'",
        "target": "target.locality == 'local'",
    },
    {
        "name": "hosted where the customer is",
        "when": "request.metadata.region",
        "target": "contains(target.specializations, 'eu') || target.locality == 'local'",
    },
)
_APPROVAL = {
    "rejected": {
        "name": "approved models only",
        "when": "request.metadata.team",
        "target": "contains(target.specializations, 'approved')",
    },
    "gated": {
        "name": "approved for the team",
        "target": "contains(target.specializations, request.metadata.team)",
    },
}
_LET = {
    "coding": "contains(request.tags, 'code') || facts.code || request.task == 'code'",
    "hard": "contains(request.tags, 'hard') || facts.tokens > `8000`",
    "hurried": "contains(request.tags, 'urgent') || request.metadata.tier == 'gold'",
}
#: Name, weight, `prefer` and `when`; the first four are the mixed ones.
_RULES: tuple[tuple[str, float, Any, str | None], ...] = (
    ("cheap", 40, "price", None),
    ("fast", 20, {"latency": {"half": "2s"}}, None),
    (
        "knows the field",
        15,
        "contains(target.specializations, request.metadata.field)",
        "request.metadata.field",
    ),
    ("no dear thoughts", -9, "target.capabilities.reasoning", "estimate.cost_max > `0.02`"),
    ("good", 30, "not_null(target.quality.default, `0`)", None),
    ("good at code", 40, "not_null(target.quality.code, target.quality.default, `0`)", "coding"),
    ("specialists for code", 25, "contains(target.specializations, 'code')", "coding"),
    ("strong where it matters", 30, "not_null(target.quality.default, `0`)", "hard"),
    ("thinks where it matters", 20, "target.capabilities.reasoning", "hard"),
    ("room for the hurried", 10, "not_null(target.limits.concurrency, `99`) > `16`", "hurried"),
    ("batches at home", 10, "target.locality == 'local'", "contains(request.tags, 'batch')"),
    ("long prompts", 8, "target.context_window >= `200000`", "facts.tokens > `6000`"),
    ("pictures", 10, "target.capabilities.vision", "facts.images"),
    ("tools", 12, "target.capabilities.forced_tool_choice", "facts.tools"),
    ("speaks German", 9, "contains(target.specializations, 'german')", "facts.language == 'de'"),
    ("nights are cheap", 5, "target.locality == 'cloud'", "now.hour < `6`"),
    ("the best for gold", 10, "not_null(target.quality.default, `0`)", "hurried"),
    ("no previews", -8, "ends_with(target.model, '-preview')", None),
    (
        "small ones for drafts",
        10,
        "not_null(target.parameters, `1e12`) < `2e10`",
        "contains(request.tags, 'draft')",
    ),
    ("the direct way", -6, "ends_with(target.provider, '_proxy')", None),
)


def policy(fleet_name: str = "random", rules: int = 20) -> dict[str, Any]:
    """Return a policy's data: 20 rules of which 4 are mixed; those above repeat the pattern."""
    made = [_rule(*rule) for rule in _RULES]
    made += [_extra_rule(number) for number in range(len(made), rules)]
    approval = _APPROVAL.get(fleet_name)
    require = [*_REQUIRE, approval] if approval else list(_REQUIRE)
    return {"policy": "bench", "let": _LET, "require": require, "rules": made}


def _rule(name: str, weight: float, prefer: Any, when: str | None) -> dict[str, Any]:
    return {"name": name, "weight": weight, "prefer": prefer, **({"when": when} if when else {})}


def _extra_rule(number: int) -> dict[str, Any]:
    if number % 5 == 0:
        return _rule(f"worth it {number}", 2, {"cost": {"half": number / 1000}}, None)
    word = _SPECIALTIES[number % len(_SPECIALTIES)]
    prefer = f"contains(target.specializations, '{word}')"
    return _rule(f"topic {number}", 3, prefer, f"contains(request.tags, 'topic-{number}')")


def fleet(name: str, size: int, seed: int = 1) -> tuple[Target, ...]:
    """Build the targets of a fleet."""
    draw = Random(f"{name} {seed}")  # noqa: S311
    model = FLEETS[name]
    targets: list[Target] = []
    for number in range(size):
        place, data = model(draw, number, size)
        owner = _provider(number // _MODELS, place, proxies=name == "random")
        targets.append(build_target(owner, {"model": f"m{number:04}", **data}, discovered=False))
    return tuple(targets)


def _provider(number: int, locality: Locality, *, proxies: bool) -> Provider:
    name = f"{locality}{number:03}{'_proxy' if proxies and number % 7 == 6 else ''}"
    return Provider(name, locality, Endpoint("http", "openai-chat", "http://127.0.0.1:9"))


def _random_model(draw: Random, number: int, size: int) -> tuple[Locality, dict[str, Any]]:  # noqa: ARG001
    if number == 0:
        return "local", _able(draw, ["eu", "chat"], quality=0.5, price=0.0, first=0.8)
    place: Locality = "local" if draw.random() < 0.15 else "cloud"
    low, high = (0.25, 0.65) if place == "local" else (0.4, 0.95)
    able = {name: draw.random() < 0.7 for name in _ABLE} | {"streaming": True}
    tasks = draw.sample(_TASKS, draw.randint(0, 3))
    qualities = {name: round(draw.uniform(low, high), 3) for name in ("default", *tasks)}
    special = [*draw.sample(_SPECIALTIES, draw.randint(0, 4)), draw.choice(_REGIONS)]
    data: dict[str, Any] = {
        "context_window": draw.choice((8_192, 32_768, 131_072, 200_000, 1_000_000)),
        "max_output": draw.choice((2_048, 8_192, 32_768, 65_536)),
        "capabilities": able,
        "specializations": special,
        "quality": {**qualities, **_SOURCE},
        "expected": {
            "first_token": round(draw.lognormvariate(-0.3, 0.7), 3),
            "tokens_per_second": draw.randint(20, 200),
        },
        "tokenizer": draw.choice(sorted(FAMILIES)),
    }
    if draw.random() < 0.95:
        data["cost"] = _cost(draw, place)
    if draw.random() < 0.3:
        data["typical_output"] = draw.choice((200, 800, 3_000))
    if draw.random() < 0.5:
        data["limits"] = {"concurrency": draw.choice((4, 16, 64))}
    if draw.random() < 0.1:
        data["model"] = f"m{number:04}-preview"
    if place == "local":
        data["parameters"] = draw.choice(("3B", "8B", "14B", "32B", "70B"))
    return place, data


def _cost(draw: Random, place: Locality) -> dict[str, Any]:
    if place == "local":
        return {"input": 0, "output": 0}
    price = math.exp(draw.uniform(math.log(0.05), math.log(15)))
    cost = {"input": round(price, 4), "output": round(price * draw.uniform(2, 6), 4)}
    if draw.random() < 0.1:
        above = {"above": 100_000, "input": 2 * cost["input"], "output": 2 * cost["output"]}
        return {**cost, "tiers": [above]}
    return cost


def _able(
    draw: Random, special: list[str], *, quality: float, price: float, first: float
) -> dict[str, Any]:
    """Return a model that meets whatever a request needs."""
    return {
        "context_window": 1_000_000,
        "max_output": 65_536,
        "capabilities": dict.fromkeys(_ABLE, True),
        "specializations": special,
        "quality": {"default": quality, "code": quality, **_SOURCE},
        "cost": {"input": price, "output": 4 * price},
        "expected": {"first_token": first, "tokens_per_second": 60},
        "limits": {"concurrency": 64},
        "tokenizer": draw.choice(sorted(FAMILIES)),
    }


def _approved_model(draw: Random, number: int, size: int) -> tuple[Locality, dict[str, Any]]:
    """Return a model that beats all approved ones in everything, or one of these, the last."""
    if number >= size - max(1, round(size * _APPROVED)):
        special, quality = ["approved", *_TEAMS], draw.uniform(0.2, 0.5)
        price, first = draw.uniform(5, 15), draw.uniform(2, 4)
    else:
        special, quality = list(_SPECIALTIES), draw.uniform(0.85, 0.95)
        price, first = draw.uniform(0.05, 0.3), draw.uniform(0.2, 0.5)
    data = _able(draw, ["eu", *special], quality=quality, price=round(price, 4), first=first)
    return "local", data


def _replica(draw: Random, number: int, size: int) -> tuple[Locality, dict[str, Any]]:  # noqa: ARG001
    data = _able(draw, ["eu", "chat"], quality=0.6, price=0.5, first=0.8)
    return "local", {**data, "tokenizer": "generic"}


_Model = Callable[[Random, int, int], tuple[Locality, dict[str, Any]]]
#: What makes the n-th model of a fleet of a size.
FLEETS: Mapping[str, _Model] = {
    "random": _random_model,
    "rejected": _approved_model,
    "gated": _approved_model,
    "replicas": _replica,
}


def prompt(draw: Random, characters: int) -> str:
    """Return a text of that length: English, one in eight German, one in four with code."""
    prose = (_GERMAN if draw.random() < 0.125 else _ENGLISH).split(". ")
    parts, length, code = [], 0, draw.random() < 0.25
    while length < characters:
        parts.append(_CODE if code and draw.random() < 0.3 else draw.choice(prose) + ". ")
        length += len(parts[-1])
    return "".join(parts)[:characters]


def requests(count: int, seed: int) -> list[Request]:
    """Draw different requests: log-normal prompts of 50 to 20,000 tokens, median 800."""
    draw = Random(f"requests {seed}")  # noqa: S311
    return [_request(draw) for _ in range(count)]


def _request(draw: Random) -> Request:
    tokens = min(max(draw.lognormvariate(math.log(800), 1.2), 50), 20_000)
    content: Any = prompt(draw, round(4 * tokens))
    if draw.random() < 0.03:
        image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
        content = [{"type": "text", "text": content}, image]
    fields: dict[str, Any] = {"stream": draw.random() < 0.5}
    if draw.random() < 0.3:
        fields["max_tokens"] = draw.choice((100, 500, 1_000, 2_000))
    if draw.random() < 0.15:
        fields["tools"] = [{"type": "function", "function": {"name": "search"}}]
    if draw.random() < 0.05:
        schema = {"name": "answer", "schema": {"type": "object"}}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    labels = ("batch", "code", "draft", "hard", "review", "topic-21", "urgent")
    fields["tags"] = draw.sample(labels, draw.choice((0, 0, 1, 1, 2)))
    fields["task"] = draw.choice((None, None, *_TASKS))
    return Request.of([{"role": "user", "content": content}], **fields, metadata=_metadata(draw))


def _metadata(draw: Random) -> dict[str, Any]:
    metadata = {
        "privacy": draw.choices(("public", "internal", "private"), (60, 30, 10))[0],
        "team": draw.choice(_TEAMS),
        "tier": draw.choice(("gold", "silver", "silver")),
    }
    if draw.random() < 0.25:
        metadata["region"] = "eu"
    if draw.random() < 0.3:
        metadata["field"] = draw.choice(_SPECIALTIES)
    return metadata


class Traffic:
    """Time, live state, and what happens between two decisions.

    `rate` is in requests a second, at random intervals. Each winner gets the call: it starts at
    once and ends when its answer would, with the latency that this target has; each call that it
    has in flight makes the next one a twentieth slower.
    """

    def __init__(self, targets: tuple[Target, ...], rate: float, seed: int = 1) -> None:
        self._draw = Random(f"traffic {seed}")  # noqa: S311
        self._rate = rate
        self._time = 10_000.0
        self._started = datetime(2026, 11, 23, 9, tzinfo=UTC)
        self._flying: list[tuple[float, int, Target, float, float]] = []
        self._calls = 0
        self._busy: Counter[str] = Counter()
        self.live = LiveState(lambda: self._time)
        self._first = {target.id: self._usual_first(target) for target in targets}
        self._fill(targets)

    def around(self) -> Surroundings:
        """Return what a decision depends on now."""
        return Surroundings(self._started + timedelta(seconds=self._time), self.live)

    def follow(self, request: Request, winner: Target | None) -> None:
        """Start the winner's call, and go on to the next request; calls that are over end."""
        if winner is not None:
            self._start(winner, request.max_tokens or 300)
            self.live.served(request, winner)
        self.wait(self._draw.expovariate(self._rate))

    def wait(self, seconds: float) -> None:
        """Let time pass and end the calls that are over by then."""
        until = self._time + seconds
        while self._flying and self._flying[0][0] <= until:
            self._time, _, target, first, speed = heapq.heappop(self._flying)
            self._busy[target.id] -= 1
            healthy = self._draw.random() < 0.98
            self.live.ended(target, healthy=healthy, first_token=first, tokens_per_second=speed)
        self._time = until

    def _start(self, target: Target, tokens: int) -> None:
        slower = 1 + self._busy[target.id] / 20
        first = self._first[target.id] * slower * self._draw.lognormvariate(0, 0.3)
        speed = (target.expected.tokens_per_second or 60.0) * self._draw.uniform(0.7, 1.2)
        self.live.started(target)
        self._busy[target.id] += 1
        self._calls += 1
        over = self._time + first + min(tokens, 500) / speed
        heapq.heappush(self._flying, (over, self._calls, target, first, speed))

    def _usual_first(self, target: Target) -> float:
        return (target.expected.first_token or 1.0) * self._draw.lognormvariate(0, 0.6)

    def _fill(self, targets: tuple[Target, ...]) -> None:
        """Measure nine targets in ten, some eight times each over the last eight minutes."""
        measured = [target for target in targets if self._draw.random() < 0.9]
        for _ in range(8):
            for target in measured:
                self._start(target, 300)
            self.wait(60.0)
