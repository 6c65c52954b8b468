"""A thousand streams that their callers leave: nothing of them stays behind."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from llmroute import Router
from llmroute.sim import Pace, Sim
from tests.test_router import POLICY, PROVIDER

STREAMS, AT_ONCE = 1_000, 20


@pytest.fixture
def workspace(tmp_path: Path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    with Sim("lm_studio") as sim:
        patient = PROVIDER.replace("500ms", "20s")  # a busy machine is no fault here
        text = patient.format(name="first", url=sim.url, price=1)
        (tmp_path / "providers.d" / "first.yaml").write_text(text)
        yield sim, tmp_path


async def leave_midway(router: Router, chunks: int) -> None:
    """Read some chunks and leave."""
    async with router.astream("Tell me a long story, please", timeout=20) as stream:
        for _ in range(chunks):
            await anext(stream)


async def cancelled_after(router: Router, seconds: float) -> None:
    """Be cancelled while the answer is awaited, or has just begun."""
    work = asyncio.ensure_future(leave_midway(router, 50))
    await asyncio.sleep(seconds)
    work.cancel()
    with suppress(asyncio.CancelledError, StopAsyncIteration):
        await work


async def abort(router: Router, draw: Random) -> None:
    if draw.random() < 0.5:
        await leave_midway(router, draw.randrange(1, 4))
    else:
        await cancelled_after(router, draw.random() * 0.03)


async def abort_many(router: Router, count: int) -> None:
    draw, left = Random(7), iter(range(count))

    async def work() -> None:
        for _ in left:
            await abort(router, draw)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def at_rest(router: Router, sim: Sim) -> tuple[int, int]:
    """Return how many tasks there are, and how much memory is held, once all has settled."""
    await asyncio.sleep(0.2)
    sim.requests.clear()  # what it recorded
    await router.ledger.flush()
    gc.collect()
    return len(asyncio.all_tasks()), tracemalloc.get_traced_memory()[0]


def test_a_thousand_aborted_streams_leave_nothing_behind(workspace):
    sim, folder = workspace
    sim.pace(Pace(first_token=0.01, tokens_per_second=200))

    async def work() -> None:
        async with Router.load(folder, environment={"XDG_STATE_HOME": str(folder)}) as router:
            await abort_many(router, 200)  # connections, clients and caches that are kept
            tasks, memory = await at_rest(router, sim)
            files = open_files()
            await abort_many(router, STREAMS)
            tasks_after, memory_after = await at_rest(router, sim)
            assert tasks_after == tasks
            assert open_files() <= files + 2 * AT_ONCE  # idle connections, at most
            # the simulator and the ledger remember a bounded number of requests each
            assert memory_after - memory < 2 * 1024 * 1024
            facts = router._live.of(router.targets[0])
            assert facts.in_flight == 0
            assert router.decide("hi").winner is not None

    tracemalloc.start()
    try:
        asyncio.run(work())
    finally:
        tracemalloc.stop()
    assert sim.wait_idle()
