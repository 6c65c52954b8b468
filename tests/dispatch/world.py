"""Requests on their way in virtual time: scripted calls, and a count of all that is borrowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from llmroute.catalog.cost import Price, Rates
from llmroute.catalog.model import Target
from llmroute.dispatch.dispatcher import Dispatcher
from llmroute.dispatch.gates import Gates
from llmroute.dispatch.health.health import Admission, Health
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.pace import Pace
from llmroute.dispatch.services import Services
from llmroute.dispatch.stream import AnswerStream
from llmroute.errors import ErrorKind, TargetError
from llmroute.ledger.holds import Refusal, Reservation
from llmroute.ledger.records import AttemptRecord, RequestRecord
from llmroute.policy import Policy, Surroundings, policy_source
from llmroute.policy.engine.decision import Decision
from llmroute.types import Attempt, Chunk, Request, Response, Usage
from tests.build import provider, target

__all__ = ["DONE", "Books", "CountingHealth", "World", "error", "fails", "says", "stalls"]

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
DONE = (
    (0.0, Chunk(usage=Usage(input=10, output=2))),
    (0.0, Chunk(finish_reason="stop")),
)
#: What a call does: seconds to wait, then what it gives or raises.
Script = Sequence[tuple[float, Chunk | BaseException]]


def error(kind: ErrorKind = ErrorKind.TRANSIENT, **fields: Any) -> TargetError:
    return TargetError(kind, "scripted", **fields)


def fails(kind: ErrorKind = ErrorKind.TRANSIENT, after: float = 0.01, **fields: Any) -> Script:
    return ((after, error(kind, **fields)),)


def says(*texts: str, after: float = 0.01, gap: float = 0.01) -> Script:
    """A role, then texts, then the end."""
    said = tuple((gap if i else after, Chunk(text=text)) for i, text in enumerate(texts))
    return ((0.0, Chunk(model="m")), *said, *DONE)


def stalls(*texts: str, gap: float = 0.01) -> Script:
    """Texts, and then nothing for ever."""
    return (*says(*texts, gap=gap)[:-2], (1e9, Chunk(text="never")))


class Adapter:
    """Plays scripts: of each target its own, one after the other, the last one again and again."""

    def __init__(self, scripts: Mapping[str, Sequence[Script]]) -> None:
        self.scripts = {name: list(found) for name, found in scripts.items()}
        self.calls: list[tuple[str, float]] = []
        self.requests: list[Request] = []
        self.open = 0

    async def stream(
        self, target: Target, request: Request, warnings: list[str], *, on_headers: Any
    ) -> AsyncGenerator[Chunk, None]:
        self.calls.append((target.id, asyncio.get_running_loop().time()))
        self.requests.append(request)
        left = self.scripts[target.id]
        script = left.pop(0) if len(left) > 1 else left[0]
        self.open += 1
        try:
            for wait, item in script:
                await asyncio.sleep(wait)
                if isinstance(item, TargetError):
                    made = TargetError(item.kind, item.message, code=item.code)
                    made.retry_after, made.status = item.retry_after, item.status
                    made.repeatable = item.repeatable
                    raise made
                if isinstance(item, BaseException):
                    raise item
                on_headers({})
                yield item
        finally:
            self.open -= 1
            await asyncio.sleep(0)  # closing a connection takes a moment


@dataclass
class Books:
    """A ledger that counts what is held; `refuse` are the targets that no budget allows."""

    refuse: frozenset[str] = frozenset()
    enabled = True
    decisions = False
    prompts = False

    def __post_init__(self) -> None:
        self.held: list[Reservation] = []
        self.settled: list[AttemptRecord] = []
        self.closed: list[tuple[str, str | None]] = []
        self.opened = 0

    def new_id(self) -> str:
        self.opened += 1
        return f"r{self.opened}"

    async def reserve(
        self, attempt: AttemptRecord, amount: int | None, estimate: int | None, *, within: float
    ) -> Reservation | Refusal:
        await asyncio.sleep(0)
        if attempt.target in self.refuse:
            return Refusal("team", "limit", 0, 2e9)
        held = Reservation(attempt, amount or 0)
        self.held.append(held)
        return held

    def settle(self, held: Reservation, outcome: AttemptRecord) -> None:
        self.held.remove(held)
        self.settled.append(outcome)

    def release(self, held: Reservation, outcome: AttemptRecord) -> None:
        self.settle(held, outcome)

    def record(self, request: RequestRecord) -> None:
        self.closed.append((request.outcome, request.target))


class CountingHealth(Health):
    """Counts that every admission is ended once."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.admitted: list[Admission] = []

    def admit(self, target: Target, *, insist: bool = False) -> Any:
        found = super().admit(target, insist=insist)
        if isinstance(found, Admission):
            self.admitted.append(found)
        return found

    def succeeded(self, target: Target, admission: Admission, unused_tokens: int = 0) -> None:
        self._ended(admission)
        super().succeeded(target, admission, unused_tokens)

    def failed(self, target: Target, error: TargetError, admission: Admission) -> bool | None:
        self._ended(admission)
        return super().failed(target, error, admission)

    def passed(self, target: Target, admission: Admission) -> None:
        self._ended(admission)
        super().passed(target, admission)

    def _ended(self, admission: Admission) -> None:
        number = next(i for i, item in enumerate(self.admitted) if item is admission)
        del self.admitted[number]


class World:
    """Targets `a/1`, `b/1`, … in this order, each with its scripts; made inside a running loop.

    `cost` is what a call to each costs in nano-dollars.
    """

    def __init__(
        self,
        scripts: Mapping[str, Sequence[Script]],
        *,
        places: int = 4,
        refuse: frozenset[str] = frozenset(),
        data: Mapping[str, Mapping[str, Any]] | None = None,
        **fallback: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        owners = {name.split("/")[0]: provider(name.split("/")[0]) for name in scripts}
        own = {name: dict((data or {}).get(name, {})) for name in scripts}
        price = Price((Rates(1000, 1000, 0, 0, 0),))
        self.targets = [
            replace(
                target(n, provider=own[n].pop("provider", None) or owners[n[0]], **own[n]),
                price=price,
            )
            for n in scripts
        ]
        self.adapter = Adapter(scripts)
        self.books = Books(refuse)
        self.health = CountingHealth(loop.time, lambda: NOON, Random(1))
        self.pace = Pace(clock=loop.time, wall=lambda: 1e9 + loop.time(), random=Random(2))
        self.live = LiveState(loop.time, quota=self.health.headroom)
        self.services = Services(
            adapter=self.adapter,  # type: ignore[arg-type]
            live=self.live,
            health=self.health,
            pace=self.pace,
            ledger=lambda: self.books,  # type: ignore[arg-type,return-value]
            gates=Gates(places),
        )
        self.dispatcher = Dispatcher(self.services)
        source = policy_source("p", {"p": {"policy": "p", "fallback": fallback}})
        self.policy = Policy(source)
        self.records: list[Attempt] = []

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def decide(self, **fields: Any) -> Decision:
        around = Surroundings(NOON, self.live, standing=self.health.standing(self.targets))
        order = [item.id for item in self.targets]
        fields = {"route": {"order": order}, **fields}
        return self.policy.decide("hi", self.targets, around=around, **fields)

    async def complete(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the dispatcher's own
        **fields: Any,
    ) -> Response:
        decision = self.decide(**fields)
        with self.services.underway.request():
            return await self.dispatcher.complete(
                decision.request, decision, timeout=timeout, on_attempt=self.records.append
            )

    def stream(
        self,
        timeout: float | None = None,
        *,
        on_attempt: Any = None,
        on_wait: Any = None,
        **fields: Any,
    ) -> AnswerStream:
        told = on_attempt or self.records.append

        async def start() -> Any:
            decision = self.decide(**fields, stream=True)
            return self.dispatcher.run(decision.request, decision, timeout, told, on_wait)

        return AnswerStream(start, self.services.underway)

    def script(self, name: str, *scripts: Script) -> None:
        self.adapter.scripts[name] = list(scripts)

    @property
    def asked(self) -> list[str]:
        return [name for name, _ in self.adapter.calls]

    @property
    def outcomes(self) -> list[tuple[str, str, str]]:
        return [(item.target, item.role, item.outcome) for item in self.records]

    async def assert_settled(self) -> None:
        """Everything that was borrowed is back, and nobody works any more."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert [task for task in tasks if task.get_name() != "whole"] == []
        assert self.books.held == []
        assert self.health.admitted == []
        assert self.adapter.open == 0
        assert len(self.books.closed) == self.books.opened
        assert len(self.records) == len(self.books.settled) == len(self.adapter.calls)
        for gate in self.services.gates._gates.values():
            assert not gate._queue
        for (_, size), gate in self.services.gates._gates.items():
            assert gate._free == size
        assert [self.live.of(item).in_flight for item in self.targets] == [0] * len(self.targets)
