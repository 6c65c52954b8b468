"""LiteLLM's router as the other side of a measurement: the same group of deployments each time."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from random import Random
from typing import Any

__all__ = ["Theirs", "routers"]

_STRATEGIES = ("simple-shuffle", "latency-based-routing", "cost-based-routing")
#: Decisions in one round, by the number of deployments; a tenth of it with checks.
_DECISIONS = {5: 240, 100: 120, 1_000: 24}
_GROUP = "chat"
_MESSAGES = [{"role": "user", "content": "What is the capital of Austria?"}]


class Theirs:
    """LiteLLM's router with one strategy and a group of deployments.

    `checks` makes it look whether the prompt fits each deployment's window. `label` is the name
    in keys.
    """

    def __init__(self, strategy: str, size: int, *, checks: bool = False) -> None:
        import litellm

        litellm.callbacks = []
        self.size = size
        self.label = strategy.replace("-", "_") + "_checked" * checks
        self.rounds: list[list[int]] = []
        self._count = max(_DECISIONS[size] // (10 if checks else 1), 3)
        self._router = litellm.Router(
            model_list=_deployments(size),
            routing_strategy=strategy,
            enable_pre_call_checks=checks,
        )
        self._callbacks = litellm.callbacks
        if strategy == "latency-based-routing":
            self._router.cache.set_cache(f"{_GROUP}_map", _latencies(size), ttl=3_600)

    @property
    def short(self) -> str:
        """The strategy's name in the keys of ratios: simple_shuffle, latency, cost."""
        return self.label.removesuffix("_based_routing")

    async def run(self) -> list[int]:
        """Pick a deployment some times, and return the nanoseconds of each decision."""
        import litellm

        litellm.callbacks = self._callbacks
        pick, clock = self._router.async_get_available_deployment, time.perf_counter_ns
        times = []
        for _ in range(self._count):
            start = clock()
            await pick(model=_GROUP, request_kwargs={}, messages=_MESSAGES)
            times.append(clock() - start)
            await asyncio.sleep(0)
        return times


def _deployments(size: int) -> list[dict[str, Any]]:
    draw = Random(size)  # noqa: S311
    return [
        {
            "model_name": _GROUP,
            "litellm_params": {
                "model": f"openai/m{number:04}",
                "api_key": "none",
                "api_base": f"http://127.0.0.1:9/{number}",
                "input_cost_per_token": draw.uniform(0.05, 15) * 1e-6,
                "output_cost_per_token": draw.uniform(0.1, 60) * 1e-6,
            },
            "model_info": {"id": f"m{number:04}", "max_input_tokens": 128_000},
        }
        for number in range(size)
    ]


def _latencies(size: int) -> dict[str, dict[str, list[float]]]:
    draw = Random(size)  # noqa: S311
    times = (([draw.lognormvariate(-0.3, 0.7) for _ in range(10)]) for _ in range(size))
    return {f"m{number:04}": {"latency": values} for number, values in enumerate(times)}


def routers(sizes: Sequence[int]) -> list[Theirs]:
    """Build a router of each strategy for each number of deployments, without the network."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    log = logging.getLogger("LiteLLM")
    log.setLevel(logging.ERROR)  # it warns of each price that is not in its own list
    made = [Theirs(strategy, size) for size in sizes for strategy in _STRATEGIES]
    made += [Theirs(_STRATEGIES[0], size, checks=True) for size in sizes]
    log.setLevel(logging.WARNING)
    return made
