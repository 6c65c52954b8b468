"""What a call costs beside the network: llmroute, LiteLLM's Router and OpenAI's own SDK.

    python bench/calls.py [--calls 2000] [--rounds 5]

A server in a process of its own (`bench/faulty.py`, no faults) answers at once with four words,
whole or streamed. Each side asks it in one process and one event loop: one call at a time
(`p50_us`, until the whole answer is there), and 32 at a time (`calls_per_s`, and `cpu_us`, this
process's own time for a call). `first_us` is the median until the first word of a stream is there.
`chunk_cpu_us` is this process's time for each chunk of streams of 1,000 words, one at a time. Sides
take turns, round after round; figures are medians over the rounds.

- `llmroute`: `Router.acomplete` and `Router.astream` with two equal targets, five rules, the ledger
  on; a whole answer is streamed underneath, as always. `llmroute_no_ledger` is the same without.
- `litellm`: `litellm.Router.acompletion` with the same two deployments, at its defaults.
- `openai`: `AsyncOpenAI.chat.completions.create` at one of them: no routing at all.

The last line is one JSON object; `ratio_…` are LiteLLM's figures by ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.faults import servers
from llmroute import Router

_AT_ONCE = 32
_MESSAGES = [{"role": "user", "content": "How are you?"}]
_ANSWER = "All is well."
#: A long stream says it so many times, in four words each.
_TIMES, _WORDS = 250, 4
_PROVIDER = """\
provider: p{port}
locality: local
endpoint: {{transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:{port}/v1"}}
models:
  - model: m
    context_window: 8192
    capabilities: {{streaming: true}}
    cost: {{input: 1, output: 2}}
"""
_POLICY = """\
policy: balanced
let: {coding: "contains(request.tags, 'code') || facts.code"}
rules:
  - {name: cheap, weight: 40, prefer: price}
  - {name: fast, weight: 20, prefer: {latency: {half: 2s}}}
  - {name: up, weight: 20, prefer: reliability}
  - {name: free, weight: 10, prefer: headroom}
  - {name: local code, when: coding, weight: 20, prefer: "target.locality == 'local'"}
"""

#: Asks once; returns the text, and the seconds until its first word where it was streamed.
Ask = Callable[[], Awaitable[tuple[str, float]]]


def _workspace(folder: Path, ports: list[int], *, ledger: bool) -> Path:
    (folder / "providers.d").mkdir(parents=True)
    (folder / "policies").mkdir()
    for port in ports:
        (folder / "providers.d" / f"p{port}.yaml").write_text(_PROVIDER.format(port=port))
    (folder / "policies" / "balanced.yaml").write_text(_POLICY)
    kept = "{path: ledger.db}" if ledger else "false"
    (folder / "llmroute.yaml").write_text(f"ledger: {kept}\n")
    return folder


def _ours(router: Router) -> tuple[Ask, Ask]:
    async def whole() -> tuple[str, float]:
        return (await router.acomplete(_MESSAGES)).text, 0.0

    async def streamed() -> tuple[str, float]:
        began, first, text = time.perf_counter(), 0.0, ""
        async with router.astream(_MESSAGES) as answer:
            async for chunk in answer:
                if chunk.text:
                    first = first or time.perf_counter() - began
                    text += chunk.text
        return text, first

    return whole, streamed


def _theirs(create: Callable[..., Awaitable[Any]]) -> tuple[Ask, Ask]:
    """Ask through an interface like that of OpenAI's SDK."""

    async def whole() -> tuple[str, float]:
        answer = await create(model="m", messages=_MESSAGES)
        return answer.choices[0].message.content, 0.0

    async def streamed() -> tuple[str, float]:
        began, first, text = time.perf_counter(), 0.0, ""
        async for chunk in await create(model="m", messages=_MESSAGES, stream=True):
            said = chunk.choices[0].delta.content if chunk.choices else None
            if said:
                first = first or time.perf_counter() - began
                text += said
        return text, first

    return whole, streamed


def _litellm(ports: list[int]) -> tuple[Ask, Ask]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    base = {"model": "openai/m", "api_key": "none"}
    deployments = [
        {
            "model_name": "m",
            "litellm_params": {**base, "api_base": f"http://127.0.0.1:{port}/v1"},
        }
        for port in ports
    ]
    return _theirs(litellm.Router(model_list=deployments).acompletion)


def _openai(ports: list[int]) -> tuple[Ask, Ask]:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{ports[0]}/v1", api_key="none")
    return _theirs(client.chat.completions.create)


async def _alone(ask: Ask, calls: int, answer: str = _ANSWER) -> tuple[float, float]:
    """Return the medians of the seconds for a whole answer and for its first word."""
    times, firsts = [], []
    for _ in range(calls):
        began = time.perf_counter()
        text, first = await ask()
        times.append(time.perf_counter() - began)
        firsts.append(first)
        if text != answer:
            raise SystemExit(f"a wrong answer: {text!r}")
    return statistics.median(times), statistics.median(firsts)


async def _together(ask: Ask, calls: int) -> tuple[float, float]:
    """Return calls a second, and the seconds of this process's processor time for each."""
    left: Iterator[int] = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await ask()

    began, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return calls / (time.perf_counter() - began), (time.process_time() - busy) / calls


async def _round(side: tuple[Ask, Ask], calls: int) -> dict[str, float]:
    whole, streamed = side
    found: dict[str, float] = {}
    for name, ask in (("", whole), ("stream_", streamed)):
        took, first = await _alone(ask, calls // 5)
        rate, cpu = await _together(ask, calls)
        found |= {
            f"{name}p50_us": took * 1e6,
            f"{name}calls_per_s": rate,
            f"{name}cpu_us": cpu * 1e6,
        }
        if name:
            found["first_us"] = first * 1e6
    return found


async def _chunk(ask: Ask, calls: int) -> dict[str, float]:
    busy = time.process_time()
    await _alone(ask, calls, _ANSWER * _TIMES)
    return {"chunk_cpu_us": (time.process_time() - busy) * 1e6 / calls / (_TIMES * _WORDS)}


async def _measure(ports: list[int], long: list[int], folder: Path, given: Any) -> dict[str, Any]:
    """Measure every side at servers of short answers and at those of long ones."""
    names = ("short", "plain", "long")
    settings = zip(names, (ports, ports, long), (True, False, True), strict=True)
    loaded = {n: _workspace(folder / n, where, ledger=kept) for n, where, kept in settings}
    async with AsyncExitStack() as stack:
        routers = {
            name: await stack.enter_async_context(Router.load(path, environment={}))
            for name, path in loaded.items()
        }
        short = {
            "llmroute": _ours(routers["short"]),
            "llmroute_no_ledger": _ours(routers["plain"]),
            "litellm": _litellm(ports),
            "openai": _openai(ports),
        }
        streams = {
            "llmroute": _ours(routers["long"]),
            "litellm": _litellm(long),
            "openai": _openai(long),
        }
        made: dict[str, list[dict[str, float]]] = {name: [] for name in short}
        for number in range(given.rounds + 1):
            for name, side in short.items():
                found = await _round(side, given.calls)
                if name in streams:
                    found |= await _chunk(streams[name][1], max(given.calls // 200, 1))
                if number:  # the first one warms up
                    made[name].append(found)
    return {
        f"{name}_{key}": round(statistics.median(item[key] for item in items), 1)
        for name, items in made.items()
        for key in items[0]
    }


def _ratios(report: dict[str, Any]) -> dict[str, float]:
    """Return how many times as long as ours LiteLLM takes."""
    found = {}
    for key in ("p50_us", "cpu_us", "stream_p50_us", "stream_cpu_us", "first_us", "chunk_cpu_us"):
        found[f"ratio_{key}"] = round(report[f"litellm_{key}"] / report[f"llmroute_{key}"], 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2_000, help="calls of a round, 32 at a time")
    parser.add_argument("--rounds", type=int, default=5, help="rounds after the first")
    given = parser.parse_args()
    with (
        TemporaryDirectory() as name,
        servers(0.0, 1) as (short, _),
        servers(0.0, 1, _TIMES) as (long, _),
    ):
        report = asyncio.run(_measure(short[:2], long[:2], Path(name), given))
    for key, value in report.items():
        print(f"{key:36}{value:12,.1f}")
    around = {"calls": given.calls, "rounds": given.rounds, "cores": os.cpu_count()}
    print(json.dumps({**report, **_ratios(report), **around, "python": sys.version.split()[0]}))


if __name__ == "__main__":
    main()
