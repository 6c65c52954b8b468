"""A router that is closed while it serves: everybody is told, all is settled, nothing stays."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyreqwest.client import ClientBuilder

from llmroute import Router, UsageError
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.memory import MemoryStore
from llmroute.ledger.settings import budgets_of
from llmroute.sim import Fault, Pace, Sim
from tests.test_router import POLICY, PROVIDER

BUDGET = {"name": "all", "period": "month", "amount": 5, "hard": True}
CLOSED = "the router was closed meanwhile"


@pytest.fixture(scope="module", autouse=True)
def _runtime():
    """Let the HTTP client open what it keeps for the whole process before files are counted."""

    async def get(url):
        async with ClientBuilder().build() as client, client.get(url).build_streamed():
            pass

    with Sim("lm_studio") as sim:
        asyncio.run(get(f"{sim.url}/v1/models"))


@pytest.fixture
def sim():
    with Sim("lm_studio") as made:
        made.pace(Pace(first_token=0.01, tokens_per_second=20))
        yield made


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def router(tmp_path, sim, store):
    for name in ("policies", "providers.d"):
        (tmp_path / name).mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    text = PROVIDER.replace("500ms", "20s").replace("total: 5s", "total: 60s")
    file = text.format(name="first", url=sim.url, price=1)
    (tmp_path / "providers.d" / "first.yaml").write_text(file)
    ledger = Ledger(lambda: store, budgets_of([BUDGET]))
    threads, files = set(threading.enumerate()), open_files()
    made = Router.load(tmp_path, environment={}, ledger=ledger)
    yield made
    made.close()
    assert sim.wait_idle()
    deadline = time.monotonic() + 3.0
    while left_over(threads, files) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left_over(threads, files) == []


def left_over(threads, files) -> list[str]:
    """Name the threads and count the open files that were not there before."""
    more = open_files() - files
    started = [t.name for t in threading.enumerate() if t not in threads]
    return [*started, *([f"{more} open files"] if more > 0 else [])]


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def settled(store: MemoryStore) -> list[tuple[str, str | None]]:
    """What is written of the attempts; nothing is held for any of them."""
    assert store._open == {}
    assert sum(counter.reserved for counter in store._counters.values()) == 0
    return [(row.outcome, row.message) for row in store._attempts.values()]


LEFT = [("cancelled", "the router was closed")]


def story(router, **options):
    return router.astream("Tell me a long story", max_tokens=500, **options)


async def begun(router):
    """A stream of which everything that has come was read."""
    stream = story(router)
    while not (await anext(stream)).text:
        pass
    return stream


async def closes(router, *, plain: bool):
    if plain:
        await asyncio.to_thread(router.close)
    else:
        await router.aclose()


@pytest.mark.parametrize("plain", [False, True])
def test_a_stream_that_is_being_read_ends_with_a_word(router, sim, store, plain):
    async def work():
        before = asyncio.all_tasks()
        stream = await begun(router)

        async def read():
            async for _ in stream:
                pass

        reader = asyncio.ensure_future(read())
        await asyncio.sleep(0.02)
        await closes(router, plain=plain)
        with pytest.raises(UsageError, match=CLOSED):
            await reader
        assert not reader.cancelled()
        assert settled(store) == LEFT
        assert store._attempts[next(iter(store._attempts))].tokens_out > 0
        with pytest.raises(UsageError, match=CLOSED):
            await anext(stream)
        assert asyncio.all_tasks() == before

    asyncio.run(work())
    assert sim.wait_idle()


@pytest.mark.parametrize("plain", [False, True])
def test_a_stream_between_two_reads_is_closed_and_its_reader_told_at_the_next(
    router, sim, store, plain
):
    async def work():
        before = asyncio.all_tasks()
        async with story(router) as stream:
            await anext(stream)
            await closes(router, plain=plain)
            assert settled(store) == LEFT
            assert asyncio.all_tasks() == before
            with pytest.raises(UsageError, match=CLOSED):
                await anext(stream)

    asyncio.run(work())
    assert sim.wait_idle()


def test_a_stream_that_closes_its_own_router_is_told_too(router, sim, store):
    async def work():
        with pytest.raises(UsageError, match=CLOSED):
            async for _ in story(router):
                await router.aclose()
        assert settled(store) == LEFT

    asyncio.run(work())
    assert sim.wait_idle()


def test_a_stream_that_has_ended_stays_whole(router, sim):
    sim.pace(Pace(first_token=0.0, tokens_per_second=1e6))

    async def work():
        stream = router.astream("Hello", max_tokens=50)
        async for _ in stream:
            pass
        await router.aclose()
        assert await anext(stream, None) is None
        assert stream.response.text

    asyncio.run(work())


def test_a_stream_that_was_dropped_just_before_is_settled_too(router, sim, store):
    async def work():
        async for chunk in story(router):
            if chunk.text:
                break
        await router.aclose()
        assert [outcome for outcome, _ in settled(store)] == ["cancelled"]

    asyncio.run(work())
    assert sim.wait_idle()


@pytest.mark.parametrize("plain", [False, True])
def test_a_call_that_waits_for_its_answer_ends_with_a_word(router, sim, store, plain):
    sim.script(Fault.hang(), times=None)

    async def work():
        asking = asyncio.ensure_future(router.acomplete("Hello", max_tokens=50))
        await arrived(sim)
        await closes(router, plain=plain)
        with pytest.raises(UsageError, match=CLOSED):
            await asking
        assert settled(store) == LEFT

    asyncio.run(work())
    assert sim.wait_idle()


async def arrived(sim, count=1):
    async with asyncio.timeout(5):
        while len(sim.requests) < count:
            await asyncio.sleep(0.005)


def test_plain_callers_in_other_threads_are_told(router, sim, store):
    sim.script(Fault.hang(), times=None)

    def read():
        with router.stream("Hello", max_tokens=50) as stream:
            next(stream)

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(router.complete, "Hello", max_tokens=50), pool.submit(read)]
        deadline = time.monotonic() + 5
        while len(sim.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        router.close()
        for one in asking:
            with pytest.raises(UsageError, match=CLOSED):
                one.result(5)
    assert settled(store) == LEFT * 2
    assert sim.wait_idle()


def test_a_plain_close_on_the_thread_of_the_loop_ends_them_when_the_loop_goes_on(
    router, sim, store
):
    async def work():
        stream = await begun(router)
        sim.script(Fault.hang(), times=None)
        asking = asyncio.ensure_future(anext(story(router)))
        await arrived(sim, 2)
        started = time.monotonic()
        router.close()
        assert time.monotonic() - started < 1.0
        with pytest.raises(UsageError, match=CLOSED):
            await asking
        with pytest.raises(UsageError, match=CLOSED):
            await anext(stream)
        async with asyncio.timeout(5):
            while store._open or len(store._attempts) < 2:
                await asyncio.sleep(0.005)
        assert settled(store) == LEFT * 2

    asyncio.run(work())
    assert sim.wait_idle()


def test_streams_of_other_loops_are_ended_on_their_own(router, sim, store):
    seen = []

    async def read():
        async for _ in story(router):
            started.set()

    def other():
        try:
            asyncio.run(read())
        except UsageError as exc:
            seen.append(str(exc))

    started = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    assert started.wait(5)
    asyncio.run(router.aclose())
    thread.join(5)
    assert [CLOSED in text for text in seen] == [True]
    assert settled(store) == LEFT


def test_a_second_reader_is_refused_and_hides_nobody(router, sim, store):
    async def work():
        stream = await begun(router)
        reader = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already running"):
            await anext(stream)
        await router.aclose()
        with pytest.raises(UsageError, match=CLOSED):
            await reader
        assert settled(store) == LEFT

    asyncio.run(work())
    assert sim.wait_idle()


def test_who_is_cancelled_anyway_stays_cancelled(router, sim, store):
    async def work():
        stream = await begun(router)
        reader = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reader.cancel()
        await router.aclose()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert len(settled(store)) == 1

    asyncio.run(work())
    assert sim.wait_idle()


def test_a_closed_router_takes_no_more_requests(router):
    unread = router.astream("Hello")
    router.close()

    async def work():
        with pytest.raises(UsageError, match="closed"):
            await router.acomplete("Hello")
        with pytest.raises(UsageError, match="closed"):
            await anext(unread)

    asyncio.run(work())
    for ask in (router.complete, router.stream):
        with pytest.raises(UsageError, match="the router is closed; load another one"):
            ask("Hello")
    assert router.decide("Hello", max_tokens=50).winner is not None


def test_many_closes_at_once_are_as_good_as_one(router, store):
    async def work():
        stream = await begun(router)
        await asyncio.gather(*(router.aclose() for _ in range(5)), asyncio.to_thread(router.close))
        assert settled(store) == LEFT
        assert stream.attempts[0].outcome == "cancelled"

    asyncio.run(work())
