"""Bulkheads: turns in order, in time, over several loops and threads, and never lost."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.catalog.model import Limits
from llmroute.dispatch.gates import Gates, _Gate
from llmroute.errors import ErrorKind, TargetError
from tests.build import provider, target
from tests.loops import VirtualLoop, run

A1, A2 = (target(f"a/{number}", provider=provider("a")) for number in (1, 2))
B1 = target("b/1", provider=provider("b"))


def limited(name, size, **limits):
    owner = provider(name.split("/")[0], limits=Limits(concurrency=size, **limits))
    return target(name, provider=owner)


async def full(gates, made):
    try:
        await gates.enter(made, 0.0)
    except TargetError as exc:
        return (exc.kind, exc.code) == (ErrorKind.OVERLOADED, "bulkhead")
    gates.leave(made)
    return False


def test_a_provider_has_so_many_places_and_shares_none_with_others():
    async def work():
        gates = Gates(2)
        await gates.enter(A1, 1.0)
        await gates.enter(A2, 1.0)
        assert [await full(gates, made) for made in (A1, A2, B1)] == [True, True, False]
        gates.leave(A1)
        assert not await full(gates, A2)

    run(work())


def test_a_declared_limit_is_a_gate_of_its_own():
    async def work():
        gates, made = Gates(1), limited("a/9", 2)
        await gates.enter(made, 1.0)
        await gates.enter(made, 1.0)
        assert await full(gates, made)
        assert not await full(gates, A1)

    run(work())


def test_a_pool_is_shared():
    async def work():
        gates = Gates()
        first, second = limited("a/1", 1, pool="x"), limited("a/2", 1, pool="x")
        await gates.enter(first, 1.0)
        assert await full(gates, second)

    run(work())


def test_turns_come_in_order():
    async def work():
        gates, order = Gates(1), []

        async def call(number):
            await gates.enter(A1, 60.0)
            order.append(number)
            await asyncio.sleep(1.0)
            gates.leave(A1)

        await asyncio.gather(*(call(number) for number in range(10)))
        assert order == list(range(10))
        assert asyncio.get_running_loop().time() == pytest.approx(1010.0)

    run(work())


def test_who_waits_too_long_is_told_what_to_do():
    async def work():
        gates = Gates(1)
        await gates.enter(A1, 1.0)
        with pytest.raises(TargetError) as caught:
            await gates.enter(A2, 1.5)
        assert asyncio.get_running_loop().time() == 1001.5
        assert str(caught.value) == (
            "overloaded: 1 calls are under way at a; no place became free within 1.5 s; "
            "raise limits.concurrency if the provider allows more"
        )
        gates.leave(A1)
        assert not await full(gates, A1)

    run(work())


def test_a_place_that_comes_with_the_timeout_is_not_lost():
    async def work():
        gates, loop = Gates(1), asyncio.get_running_loop()
        await gates.enter(A1, 1.0)
        loop.call_later(1.0, gates.leave, A1)
        await asyncio.gather(*(gates.enter(A1, 1.0) for _ in range(3)), return_exceptions=True)
        gate = gates._of(A1)
        assert not gate._queue
        if not gate._free:
            gates.leave(A1)
        assert gate._free == 1

    run(work())


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_whoever_is_cancelled_at_whatever_moment_no_place_is_lost(seed, size):
    rng = Random(seed)

    async def work():
        gate, inside, most = _Gate(size), 0, 0

        async def call(patience, stay):
            nonlocal inside, most
            if not await gate.enter(patience):
                return
            inside += 1
            most = max(most, inside)
            try:
                await asyncio.sleep(stay)
            finally:
                inside -= 1
                gate.leave()

        tasks = []
        for _ in range(12):
            patience, stay = rng.choice((0, 1, 2, 99)), rng.choice((0, 1, 2))
            tasks.append(asyncio.ensure_future(call(patience, stay)))
            if rng.random() < 0.5:
                await asyncio.sleep(rng.choice((0, 0, 1)))
            if rng.random() < 0.5:
                rng.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= size
        assert (gate._free, len(gate._queue)) == (size, 0)

    run(work())


def test_several_loops_in_threads_share_the_places():
    """An entry that missed a place which became free just then would wait out its minute."""
    size, threads, calls = 2, 4, 300
    gate, inside, most = _Gate(size), [0], [0]

    async def call():
        assert await gate.enter(60.0)
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        await asyncio.sleep(0)
        inside[0] -= 1
        gate.leave()

    async def work():
        await asyncio.wait_for(asyncio.gather(*(call() for _ in range(calls))), 30.0)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(asyncio.run, work()) for _ in range(threads)]:
            done.result()
    assert most[0] <= size
    assert (gate._free, len(gate._queue)) == (size, 0)


class _Leaving:
    """A lock that lets somebody leave each time that it is let go of."""

    def __init__(self, gate):
        self.gate, self.lock, self.busy = gate, gate._lock, False

    def __enter__(self):
        self.lock.acquire()

    def __exit__(self, *exc_info):
        self.lock.release()
        if not self.busy:
            self.busy = True
            self.gate.leave()


def test_a_place_that_becomes_free_while_somebody_queues_is_taken():
    """As another thread does that leaves between two looks at the gate."""

    async def work():
        gate = _Gate(1)
        assert await gate.enter(0.0)
        gate._lock = _Leaving(gate)
        assert await gate.enter(5.0)
        assert asyncio.get_running_loop().time() == 1000.0

    run(work())


def test_a_loop_that_was_closed_passes_its_turns_on():
    gate = _Gate(1)
    gone = VirtualLoop()
    for _ in range(2000):
        gate._queue.append((gone, gone.create_future()))
    gone.close()

    async def work():
        gate._free = 0
        waiting = asyncio.ensure_future(gate.enter(5.0))
        await asyncio.sleep(0)
        gate.leave()
        assert await waiting
        gate.leave()
        assert gate._free == 1

    run(work())
