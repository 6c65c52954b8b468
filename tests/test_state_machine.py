"""A router, its clients and failing providers, in any order of events, in virtual time.

Requests begin and are left, providers turn good and bad, time passes, files are changed well and
badly, processes are killed and start again over the same ledger. Whatever the order:

- spent and reserved together never pass a hard budget;
- an answer comes from one target alone, and no more calls are made than the policy allows;
- no call upstream outlives its caller;
- every reservation is settled, those of a killed process when they expire;
- no secret shows anywhere;
- a router that is closed leaves nothing under way.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llmroute import ConfigError, LlmrouteError, Router
from llmroute.adapter.adapter import Adapter
from llmroute.dispatch.pace import Pace
from llmroute.ledger.budgets import budgets_of
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.memory import MemoryStore
from llmroute.ledger.writer import Limits, Writer
from llmroute.ledger.writer import Pace as WriterPace
from tests.loops import VirtualLoop
from tests.wires import BEHAVIOURS, CANARY, NAMES, Carrier, Wires

#: USD: some fifty answers of the cheapest provider, six of the dearest.
LIMIT = 0.002
PROVIDER = """\
provider: {name}
locality: cloud
endpoint:
  transport: http
  protocol: openai-chat
  base_url: https://{name}.example
  auth: {{bearer: "env:KEY"}}
  timeouts: {{connect: 1s, first_token: 2s, idle: 2s, total: 20s}}
limits: {{concurrency: {places}}}
models:
  - model: m
    max_output: 1000
    context_window: 10000
    capabilities: {{streaming: true, tools: true}}
    cost: {{input: {price}, output: {price}}}
"""
POLICY = """\
policy: balanced
rules:
  - {{name: cheap, weight: 10, prefer: price}}
  - {{name: steady, weight: 10, prefer: reliability}}
fallback: {{attempts: {attempts}}}
"""
SETTINGS = f"budgets: [{{name: all, period: month, amount: {LIMIT}, hard: true}}]\n"


class InlineWriter(Writer):
    """Writes at once, on the caller's thread; a killed one writes nothing any more."""

    killed = False

    def post(self, operation: Any, *, needed: bool = True) -> bool:
        if self.killed:
            return False
        self._counts.asked(operation)
        self._queue.append(operation)
        self._turn()
        return True

    def close(self, timeout: float) -> bool:
        return True


class Asked:
    """One request of a client, and what it has seen."""

    def __init__(self, stream: bool, attempts: int) -> None:
        self.stream, self.attempts = stream, attempts
        self.targets: set[str] = set()
        self.calls = 0
        self.result: Any = None
        self.task: asyncio.Task[None]


class Machine(RuleBasedStateMachine):
    """The events; every one runs on one loop in virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.wires, self.store, self.clients = Wires(), MemoryStore(), []
        self.attempts, self.logged = 3, []
        #: What killed processes held.
        self.orphans: set[Any] = set()
        self.folder = tempfile.TemporaryDirectory()
        self._handler = logging.Handler()
        self._handler.emit = lambda record: self.logged.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger().addHandler(self._handler)
        root = Path(self.folder.name)
        for part in ("providers.d", "policies"):
            (root / part).mkdir()
        (root / "llmroute.yaml").write_text(SETTINGS)
        self._write_policy()
        for number, name in enumerate(NAMES):
            self._write_provider(name, number + 1, 2)
        self.router = self._started()

    def _write_policy(self) -> None:
        text = POLICY.format(attempts=self.attempts)
        (Path(self.folder.name) / "policies" / "balanced.yaml").write_text(text)

    def _write_provider(self, name: str, price: int, places: int) -> None:
        text = PROVIDER.format(name=name, price=price, places=places)
        (Path(self.folder.name) / "providers.d" / f"{name}.yaml").write_text(text)

    def _wall(self) -> float:
        return 1.79e9 + self.loop.time()

    def _started(self) -> Router:
        """Start a process over the same files and the same ledger."""
        chance, clock = Random(3), self.loop.time
        ledger = Ledger(
            lambda: self.store,
            budgets_of([{"name": "all", "period": "month", "amount": LIMIT, "hard": True}]),
            now=self._wall,
            clock=clock,
        )
        pace = WriterPace(self._wall, clock, lambda _seconds: None, chance)
        ledger._writer = InlineWriter(
            lambda: self.store, ledger._counts, ledger._alarms, pace, Limits(1000)
        )
        self.writer = ledger._writer
        return Router.load(
            self.folder.name,
            environment={"KEY": CANARY},
            adapter=Adapter({"http": Carrier(self.wires)}),
            pace=Pace(clock=clock, wall=self._wall, random=chance),
            random=chance,
            ledger=ledger,
        )

    def _run(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    async def _ask(self, asked: Asked, within: float) -> None:
        options = {"max_tokens": 40, "timeout": within, "on_attempt": self._count(asked)}
        try:
            if asked.stream:
                async with self.router.astream("How are you?", **options) as stream:
                    async for chunk in stream:
                        asked.targets.add(chunk.target or "")
                    asked.result = stream.response
            else:
                asked.result = await self.router.acomplete("How are you?", **options)
                asked.targets.add(asked.result.target)
        except LlmrouteError as exc:
            asked.result = exc

    @staticmethod
    def _count(asked: Asked) -> Any:
        def count(_attempt: Any) -> None:
            asked.calls += 1

        return count

    # The events

    @rule(
        streams=st.lists(st.booleans(), min_size=1, max_size=4),
        within=st.sampled_from([1.0, 5.0, 30.0]),
        pause=st.sampled_from([0.0, 0.02, 0.3]),
    )
    def request(self, streams: list[bool], within: float, pause: float) -> None:
        for stream in streams:
            asked = Asked(stream, self.attempts)
            asked.task = self.loop.create_task(self._ask(asked, within))
            self.clients.append(asked)
        self._run(pause)

    @rule(behaviours=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(BEHAVIOURS)))
    def turn(self, behaviours: dict[str, str]) -> None:
        self.wires.behaviour |= behaviours

    @rule(seconds=st.sampled_from([0.05, 0.5, 3.0, 20.0, 400.0]))
    def time(self, seconds: float) -> None:
        self._run(seconds)

    @precondition(lambda self: any(not c.task.done() for c in self.clients))
    @rule(number=st.integers(0, 99))
    def leave(self, number: int) -> None:
        running = [c for c in self.clients if not c.task.done()]
        running[number % len(running)].task.cancel()
        self._run(0.001)

    @rule(attempts=st.integers(1, 5), name=st.sampled_from(NAMES), price=st.integers(1, 9))
    def reload(self, attempts: int, name: str, price: int) -> None:
        self.attempts = attempts
        self._write_policy()
        self._write_provider(name, price, 1 + price % 3)
        self.router.reload()

    @rule()
    def reload_broken(self) -> None:
        path = Path(self.folder.name) / "policies" / "balanced.yaml"
        good = path.read_text()
        path.write_text(good + "rules: [\n")
        try:
            with pytest.raises(ConfigError, match=r"balanced\.yaml"):
                self.router.reload()
        finally:
            path.write_text(good)

    @rule()
    def crash(self) -> None:
        """Kill the process: nothing more of it is written, and its calls are gone."""
        self.writer.killed = True
        for asked in self.clients:
            asked.task.cancel()
        self._run(0.001)
        self.clients.clear()
        self.orphans |= set(self.store._open)
        self.router = self._started()

    @rule()
    def close(self) -> None:
        """Close the router as a program does that ends, and start another one."""

        async def close() -> None:
            self.router.close()

        self.loop.run_until_complete(close())
        self._run(0.001)
        assert all(asked.task.done() for asked in self.clients)
        assert set(self.store._open) <= self.orphans
        assert self.wires.open == []
        self.clients.clear()
        self.router = self._started()

    # What must hold

    @invariant()
    def budgets_hold(self) -> None:
        for counter in self.store._counters.values():
            assert counter.reserved >= 0
            assert counter.spent + counter.reserved <= LIMIT * 1e9

    @invariant()
    def money_is_held_for_running_calls_alone(self) -> None:
        running = [asked for asked in self.clients if not asked.task.done()]
        assert len(set(self.store._open) - self.orphans) <= len(running)

    @invariant()
    def one_target_answers_and_calls_are_few(self) -> None:
        for asked in self.clients:
            assert len(asked.targets) <= 1
            assert asked.calls <= max(asked.attempts, 1)

    @invariant()
    def no_call_outlives_its_caller(self) -> None:
        running = [asked for asked in self.clients if not asked.task.done()]
        assert len(self.wires.open) <= len(running)

    @invariant()
    def no_secret_shows(self) -> None:
        seen: list[Any] = [*self.logged, *map(asdict, self.store._attempts.values())]
        seen += [(r, r.decision) for r in self.store._requests.values()]
        for asked in self.clients:
            result = asked.result
            seen += [repr(result), str(result), getattr(result, "attempts", "")]
            last = getattr(result, "last", None)
            seen += [vars(e) for e in (result, last) if _raised(e)]
            seen.append(getattr(last, "__cause__", None))
        seen.append(self.router.decide("hi", max_tokens=10).to_dict())
        assert CANARY not in repr(seen)

    def teardown(self) -> None:
        try:
            self.wires.behaviour = dict.fromkeys(NAMES, "ok")
            self._run(100.0)
            assert all(asked.task.done() for asked in self.clients)
            for asked in self.clients:
                with suppress(asyncio.CancelledError):
                    asked.task.result()
            assert self.wires.open == []
            self.budgets_hold()
            assert set(self.store._open) <= self.orphans
            self.store.sweep(self._wall() + 1000.0)
            assert self.store._open == {}
            assert sum(c.reserved for c in self.store._counters.values()) == 0
            gates = self.loop.run_until_complete(self._places())
            assert all(gate._free == size for (_, size), gate in gates.items())
        finally:
            logging.getLogger().removeHandler(self._handler)
            self.loop.close()
            self.folder.cleanup()

    async def _places(self) -> Any:
        return self.router._engine.dispatcher.services.gates._gates


def _raised(value: Any) -> bool:
    return isinstance(value, BaseException)


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
