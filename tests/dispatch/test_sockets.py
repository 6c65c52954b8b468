"""Hedges, leaving and limits on real sockets: what the servers see of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmroute import Router
from llmroute.sim import Fault, Pace, RateLimit, Sim

PROVIDER = """\
provider: {name}
locality: local
endpoint: {{transport: http, protocol: openai-chat, base_url: "{url}/v1"}}
limits: {{concurrency: 2}}
models:
  - model: m
    upstream: qwen/qwen3-coder-30b
    context_window: 32000
    capabilities: {{streaming: true}}
    cost: {{input: {price}, output: 10}}
"""
POLICY = """\
policy: balanced
rules:
  - {name: cheap, weight: 1, prefer: price}
fallback: {hedge: {after: 100ms, share: 1}}
"""


def _limited() -> Sim:
    return Sim("lm_studio", pace=Pace(first_token=0.1), limit=RateLimit(concurrency=2))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Sim, Sim, Router]]:
    (tmp_path / "policies").mkdir()
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    with Sim("lm_studio", pace=Pace(first_token=30.0)) as slow, _limited() as quick:
        for name, server, price in (("slow", slow, 1), ("quick", quick, 2)):
            text = PROVIDER.format(name=name, url=server.url, price=price)
            (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)
        with Router.load(tmp_path, environment={}) as router:
            yield slow, quick, router


def soon(holds: Callable[[], bool]) -> bool:
    """Whether something holds within a second."""
    until = time.monotonic() + 1.0
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


@pytest.mark.parametrize("streams", [False, True])
def test_the_loser_of_a_hedge_is_closed_upstream(servers, streams):
    slow, quick, router = servers
    if streams:
        with router.stream("Say hello") as stream:
            text = "".join(chunk.text for chunk in stream)
            answer = stream.response
    else:
        answer = router.complete("Say hello")
        text = answer.text
    assert "Say hello" in text
    assert [(a.target, a.role, a.outcome) for a in answer.attempts] == [
        ("slow/m", "first", "cancelled"),
        ("quick/m", "hedge", "ok"),
    ]
    assert soon(lambda: slow.inferences[0].client_left)
    assert len(quick.inferences) == 1


def test_a_caller_who_leaves_closes_both_calls(servers):
    slow, quick, router = servers
    quick.script(Fault.hang("first_token"), times=None)

    async def work():
        asked = asyncio.ensure_future(router.acomplete("Say hello"))
        while not (slow.inferences and quick.inferences):
            await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await router.aclose()

    asyncio.run(work())
    assert soon(lambda: slow.inferences[0].client_left and quick.inferences[0].client_left)


def test_one_router_on_several_loops_holds_the_places_of_all(servers):
    """8 calls from 4 threads at a server that refuses a third one: each lasts 0.1 s."""
    slow, quick, router = servers
    slow.kill()
    failed: list[BaseException] = []
    outcomes: set[tuple[str, str]] = set()

    def call() -> None:
        async def work():
            for answer in await asyncio.gather(*(router.acomplete("hi") for _ in range(2))):
                outcomes.update((a.target, a.outcome) for a in answer.attempts)

        try:
            asyncio.run(work())
        except BaseException as exc:  # noqa: BLE001 - told to the test's own thread
            failed.append(exc)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert failed == []
    assert outcomes - {("slow/m", "unavailable")} == {("quick/m", "ok")}
    assert len(quick.inferences) == 8
