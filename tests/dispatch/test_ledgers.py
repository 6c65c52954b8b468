"""The router's ledger as first decisions see it: they wait for it, and the event loop does not."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from threading import Event
from threading import enumerate as threads

import pytest

from llmroute import Router
from llmroute.ledger.budgets import Budget
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.memory import MemoryStore
from llmroute.ledger.sqlite import SqliteStore
from llmroute.sim import Sim
from tests.test_router import POLICY, PROVIDER


@pytest.fixture
def root(tmp_path: Path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    with Sim("lm_studio") as sim:
        text = PROVIDER.format(name="first", url=sim.url, price=1)
        (tmp_path / "providers.d" / "first.yaml").write_text(text)
        yield tmp_path


async def streamed(router: Router) -> None:
    async with router.astream("hi") as stream:
        async for _ in stream:
            pass


@pytest.mark.parametrize("call", [lambda router: router.acomplete("hi"), streamed])
def test_a_first_call_waits_for_the_ledger_and_the_event_loop_goes_on(root, call):
    """The store opens once the loop has had a turn: 2 s later where the loop waited for it."""
    turn = Event()

    def open_store() -> MemoryStore:
        turn.wait(10.0)
        return MemoryStore()

    async def work() -> None:
        ledger = Ledger(open_store, (Budget("watch", "day", 10**9),))
        async with Router.load(root, environment={}, ledger=ledger) as router:
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.05, turn.set)
            await call(router)
            assert 0.05 <= time.monotonic() - began < 1.5

    asyncio.run(work())


def test_a_ledger_that_does_not_answer_delays_the_first_decision_alone(root):
    over = Event()

    def open_store() -> MemoryStore:
        over.wait(10.0)
        return MemoryStore()

    ledger = Ledger(open_store, (Budget("watch", "day", 10**9),))
    with Router.load(root, environment={}, ledger=ledger) as router:
        router.decide("hi")
        began = time.monotonic()
        router.decide("hi")
        assert time.monotonic() - began < 1.0
        over.set()


def writers() -> int:
    return sum(thread.name == "llmroute-ledger" for thread in threads())


def test_a_ledger_of_before_a_reload_goes_when_its_last_call_has_ended(root):
    settings = root / "llmroute.yaml"
    before = writers()

    def reload(router: Router, keep: int) -> None:
        settings.write_text(f"ledger: {{path: spent.db, keep: {keep}d}}\n")
        router.reload()

    with Router.load(root, environment={}) as router:
        reload(router, 1)
        with router.stream("Tell me a long story") as stream:
            next(stream)
            for keep in range(2, 6):
                reload(router, keep)
                router.complete("hi")
            assert sum(1 for _ in stream) > 0
        del stream
        until = time.monotonic() + 5.0
        while writers() - before > 1 and time.monotonic() < until:
            time.sleep(0.01)
        assert writers() - before == 1
    assert writers() == before
    store = SqliteStore(root / "spent.db")
    assert [item.outcome for item in store.requests(10)] == ["ok"] * 5
    store.close()
