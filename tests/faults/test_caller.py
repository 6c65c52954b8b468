"""Rows 59–63: the caller goes away, or does not read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from llmroute.types import Attempt
from tests.faults.bench import PROMPT, Bench, Record, answered_by_first, interrupted
from tests.faults.chat import DONE, HELLO, ROLE, chunk
from tests.faults.server import OPEN_ENDED, FaultServer, Wire, sse

PATIENT = "{first_token: 20s, idle: 20s, total: 30s}"
MIB = 1024 * 1024
#: What was said before the caller left: 40 characters of 4 to a token.
SAID = "Once upon a time there was a wide house."


def _silent(wire: Wire) -> None:
    wire.send(OPEN_ENDED + sse(ROLE))
    wire.stall()


def _begins(wire: Wire) -> None:
    wire.send(OPEN_ENDED + sse(ROLE, chunk(SAID)))
    wire.stall()


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 3
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _leaves(bench: Bench, server: FaultServer, stream: bool) -> tuple[float, list[Attempt]]:
    """Ask, leave 0.1 s after the server has the request; seconds until the server was alone."""
    noted: list[Attempt] = []

    async def work() -> float:
        ask: Any = _streamed(bench, noted) if stream else _completed(bench, noted)
        task = asyncio.create_task(ask)
        await asyncio.to_thread(_until, lambda: server.requests)
        await asyncio.sleep(0.1)
        left = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.all_gone)
        return server.left[-1] - left

    return asyncio.run(work()), noted


async def _completed(bench: Bench, noted: list[Attempt]) -> None:
    await bench.router.acomplete(PROMPT, on_attempt=noted.append)


async def _streamed(bench: Bench, noted: list[Attempt]) -> None:
    async with bench.router.astream(PROMPT, on_attempt=noted.append) as stream:
        async for _ in stream:
            pass


def _told(waited: float, record: Attempt) -> str:
    assert waited < 1.0
    spent = "nothing spent" if record.cost is None else "what was used is estimated and charged"
    return f"{record.outcome}: {record.message}; closed upstream within 1 s, {spent}"


@pytest.mark.parametrize("headers", [False, True], ids=["no-head", "head"])
def test_row_59_gone_before_the_first_token(bench: Bench, record: Record, headers: bool) -> None:
    with FaultServer(_silent if headers else Wire.stall) as server:
        bench.first(server.url, timeouts=PATIENT)
        before = bench._success(bench.router.catalog.target("first/m"))
        waited, (attempt,) = _leaves(bench, server, stream=True)
    assert (attempt.outcome, attempt.message) == ("cancelled", "the caller went away")
    assert bench._success(bench.router.catalog.target("first/m")) == before
    where = "after the headers" if headers else "before the headers"
    record(59, f"caller gone {where}", "closed upstream within 1 s", _told(waited, attempt))


@pytest.mark.parametrize(("row", "stream"), [(60, True), (61, False)], ids=["60", "61"])
def test_row_60_and_61_gone_midway(bench: Bench, record: Record, row: int, stream: bool) -> None:
    with FaultServer(_begins) as server:
        bench.first(server.url, timeouts=PATIENT)
        waited, (attempt,) = _leaves(bench, server, stream)
    assert (attempt.outcome, attempt.target) == ("cancelled", "first/m")
    assert attempt.first_token is not None
    # $1 per million of the prompt's tokens, $10 of those said: at least 8 and 8, at most 16 and 16
    assert attempt.cost is not None
    assert Decimal(88) / 1_000_000 < attempt.cost < Decimal(176) / 1_000_000
    how = "stream" if stream else "whole answer"
    fault, expected = f"caller gone midway, {how}", "closed, partial usage settled"
    record(row, fault, expected, _told(waited, attempt))


def test_row_60_leaving_plain_code(bench: Bench) -> None:
    with FaultServer(_begins) as server:
        bench.first(server.url, timeouts=PATIENT)
        with bench.router.stream(PROMPT) as stream:
            while not next(stream).text:
                pass
        assert server.all_gone()
        assert [a.outcome for a in stream.attempts] == ["cancelled"]


def test_row_62_slow_reader(bench: Bench, record: Record) -> None:
    """A server that speaks at full speed waits for a caller who does not read."""

    def floods(wire: Wire) -> None:
        wire.send(OPEN_ENDED)
        wire.drip(sse(*[chunk("x" * 500)] * 200), 0.0)

    with FaultServer(floods) as server:
        bench.first(server.url, timeouts=PATIENT)
        with bench.router.stream(PROMPT) as stream:
            next(stream)
            sizes = [server.sent]
            while len(sizes) < 3 or sizes[-1] != sizes[-3]:
                time.sleep(0.05)
                sizes.append(server.sent)
                assert len(sizes) < 40
            held = server.sent
        assert server.all_gone()
    assert held < 12 * MIB  # the sockets' buffers of both sides, and nothing that grows
    observed = "the server is held up by TCP once the buffers are full"
    record(62, "caller reads slowly", "bounded buffer", observed, "stream")


@pytest.mark.parametrize("complete", [True, False], ids=["whole", "part"])
def test_row_63_half_closed(bench: Bench, record: Record, complete: bool) -> None:
    def half(wire: Wire) -> None:
        events = sse(*HELLO, DONE) if complete else sse(*HELLO[:2])
        wire.send(OPEN_ENDED + events)
        wire.end_writing()
        wire.stall()

    with FaultServer(half) as server:
        bench.first(server.url, timeouts=PATIENT)
        seen = bench.ask("stream")
        assert server.all_gone()
    if complete:
        answered_by_first(seen, "Hi there")
    else:
        interrupted(seen, "malformed", "without its terminator")
    part = "the whole answer" if complete else "a part of the answer"
    fault = f"the provider half-closes after {part}"
    record(63, fault, "defined: the end of the answer", seen, "stream")
