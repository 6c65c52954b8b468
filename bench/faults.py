"""Half-broken providers: how many requests llmroute and LiteLLM's Router answer.

    python bench/faults.py [--requests 20000] [--peer 600] [--seed 1]

Five servers (`bench/faulty.py`) fail 30 % of the time in a random mix of 500, 429, 529, reset,
silence before the first byte, a web page, truncated and empty answers. Requests come 32 at a time;
the first-token timer is 1 s and the deadline 20 s. Three policies:

- `all`: 12 attempts, retry budget off: none may fail;
- `many`: 8 attempts and the default budget: at most 0.3⁵·n + 3σ may fail;
- `usual`: the default of 3 attempts: at most 0.3³·n + 3σ.

No empty answer may pass as success. The same without faults (`calm`) shows what is added to the
99th percentile. LiteLLM's Router then has fewer requests (`--peer`), with as many attempts as
`many`, at its defaults and with its cooldowns off. The last line is one JSON object; the exit code
is 1 where a bound does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmroute import Router
from llmroute.errors import LlmrouteError

__all__ = ["servers", "soak"]

_SHARE, _AT_ONCE, _DEADLINE = 0.3, 32, 20.0
_PROVIDER = """\
provider: p{number}
locality: local
endpoint:
  transport: http
  protocol: openai-chat
  base_url: http://127.0.0.1:{port}/v1
  timeouts: {{connect: 2s, first_token: 1s, idle: 5s, total: 20s}}
models:
  - {{model: m, capabilities: {{streaming: true}}, cost: {{input: 1, output: 1}}}}
"""
_POLICIES = {
    "all": "{attempts: 12, retry_budget: false}",
    "many": "{attempts: 8}",
    "usual": "{attempts: 3}",
}
#: Policy → attempts at different targets that have to fail before a request may.
_INDEPENDENT = {"many": 5, "usual": 3}


@contextmanager
def servers(share: float, seed: int, times: int = 1) -> Iterator[tuple[list[int], Counter[str]]]:
    """Run the servers; what they counted is there once they have ended."""
    command = [sys.executable, str(Path(__file__).with_name("faulty.py"))]
    command += ["--share", str(share), "--seed", str(seed), "--times", str(times)]
    counts: Counter[str] = Counter()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        told, say = process.stdout, process.stdin
        try:
            yield [int(port) for port in told.readline().split()], counts
        finally:
            say.close()
            counts.update(json.loads(told.readline()))


def _workspace(folder: Path, ports: list[int]) -> None:
    for name in ("providers.d", "policies"):
        (folder / name).mkdir()
    for number, port in enumerate(ports):
        text = _PROVIDER.format(number=number, port=port)
        (folder / "providers.d" / f"p{number}.yaml").write_text(text)
    for name, fallback in _POLICIES.items():
        rules = "rules: [{name: live, weight: 10, prefer: reliability}]"
        select = "select: {spread: 10}"
        text = f"policy: {name}\n{rules}\n{select}\nfallback: {fallback}\n"
        (folder / "policies" / f"{name}.yaml").write_text(text)
    (folder / "llmroute.yaml").write_text("ledger: {path: ledger.db}\n")


async def soak(ask: Callable[[], Awaitable[str | None]], requests: int) -> dict[str, Any]:
    """Ask so many times, 32 at once; `ask` returns the text, and raises where there is none."""
    left, errors, texts = iter(range(requests)), Counter[str](), Counter[str]()
    times: list[float] = []

    async def work() -> None:
        for _ in left:
            began = time.perf_counter()
            try:
                texts[(await ask()) or ""] += 1
            except Exception as exc:  # noqa: BLE001 - whatever a peer raises is a failure
                errors[type(exc).__name__] += 1
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    times.sort()
    return {
        "requests": requests,
        "errors": sum(errors.values()),
        "kinds": dict(errors),
        "empty": texts[""],
        "wrong": sum(texts.values()) - texts[""] - texts["All is well."],
        "p50_ms": round(times[len(times) // 2] * 1000, 1),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 1),
        "longest_s": round(times[-1], 2),
        "seconds": round(time.perf_counter() - began, 1),
    }


async def _llmroute(folder: Path, policy: str, requests: int) -> dict[str, Any]:
    calls: Counter[str] = Counter()
    async with Router.load(folder, environment={}) as router:

        async def ask() -> str | None:
            try:
                answer = await router.acomplete("How are you?", policy=policy, timeout=_DEADLINE)
            except LlmrouteError as exc:
                calls.update(a.outcome for a in getattr(exc, "attempts", ()))
                raise
            calls.update(attempt.outcome for attempt in answer.attempts)
            return answer.text

        found = await soak(ask, requests)
        alarms = [alarm.message for alarm in router.ledger.alarms]
    made = sum(calls.values())
    return {**found, "attempts": made, "wasted": made - calls["ok"], "alarms": alarms}


async def _litellm(ports: list[int], requests: int, *, cooldowns: bool) -> dict[str, Any]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    deployments = [
        {
            "model_name": "m",
            "litellm_params": {
                "model": "openai/m",
                "api_base": f"http://127.0.0.1:{port}/v1",
                "api_key": "none",
                "timeout": 1.0,
                "max_retries": 0,
            },
        }
        for port in ports
    ]
    router = litellm.Router(
        model_list=deployments, num_retries=7, retry_after=0, disable_cooldowns=not cooldowns
    )
    messages = [{"role": "user", "content": "How are you?"}]

    async def ask() -> str | None:
        answer = await asyncio.wait_for(router.acompletion(model="m", messages=messages), _DEADLINE)
        return answer.choices[0].message.content

    return await soak(ask, requests)


def _bound(policy: str, requests: int) -> float:
    """Return how many may fail: the mean and three standard deviations of independent draws."""
    depth = _INDEPENDENT.get(policy)
    if depth is None:
        return 0.0
    share = _SHARE**depth
    return requests * share + 3 * math.sqrt(requests * share * (1 - share))


def _ours(share: float, seed: int, policy: str, requests: int) -> dict[str, Any]:
    with TemporaryDirectory() as name, servers(share, seed) as (ports, counts):
        _workspace(Path(name), ports)
        found = asyncio.run(_llmroute(Path(name), policy, requests))
    return {**found, "served": sum(counts.values()), "bound": round(_bound(policy, requests), 1)}


def _theirs(seed: int, requests: int, *, cooldowns: bool) -> dict[str, Any]:
    with servers(_SHARE, seed) as (ports, _):
        return asyncio.run(_litellm(ports, requests, cooldowns=cooldowns))


def main() -> int:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--peer", type=int, default=600, help="0: leave LiteLLM out")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = {"calm": _ours(0.0, given.seed, "usual", min(given.requests, 4000))}
    for policy in _POLICIES:
        found[policy] = _ours(_SHARE, given.seed, policy, given.requests)
    for name, result in found.items():
        print(name, json.dumps(result), flush=True)
    summary: dict[str, Any] = {
        "llmroute_errors": {name: found[name]["errors"] for name in _POLICIES},
        "llmroute_bounds": {name: found[name]["bound"] for name in _POLICIES},
        "llmroute_empty": sum(result["empty"] + result["wrong"] for result in found.values()),
        "added_p99_ms": {n: round(found[n]["p99_ms"] - found["calm"]["p99_ms"]) for n in _POLICIES},
        "wasted_attempts": {n: found[n]["wasted"] for n in _POLICIES},
        "seconds": {name: result["seconds"] for name, result in found.items()},
    }
    if given.peer:
        peers = {
            "litellm": _theirs(given.seed, given.peer, cooldowns=True),
            "litellm_no_cooldowns": _theirs(given.seed, given.peer, cooldowns=False),
        }
        for name, result in peers.items():
            print(name, json.dumps(result), flush=True)
            summary |= {f"{name}_errors": result["errors"], f"{name}_empty": result["empty"]}
        summary["litellm_requests"] = given.peer
    held = all(found[n]["errors"] <= max(found[n]["bound"], 0) for n in _POLICIES)
    held = held and summary["llmroute_empty"] == 0
    summary |= {"requests": given.requests, "held": held, "python": sys.version.split()[0]}
    print(json.dumps({**summary, "cores": os.cpu_count()}))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
