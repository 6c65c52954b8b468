"""Three hundred equal replicas under load, in virtual time: calls begin, last and end as events.

240 requests a second, each in flight for 1 to 3 seconds, keep 480 calls at the replicas at a time:
1.6 at each. The policy `near` draws two of those within 1.6 points of the best (what one call in
flight costs in `headroom`: 12 × 1/8 = 1.5) and takes the less loaded.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable

import pytest

from llmroute.dispatch.live import LiveState
from tests.scenarios.test_replicas import ALL, farm
from tests.scenarios.workbench import Clock, chance, decide

RATE, FIRST_TOKEN = 240.0, (0.3, 0.7)


class Load:
    """Sends requests where the policy decides, and lets their calls end in time."""

    def __init__(self, router, seed: int = 5) -> None:
        self.router, self.clock, self.draw = router, Clock(), chance(seed)
        self.live = LiveState(self.clock)
        self.calls: Counter[str] = Counter()
        self._ends: list[tuple[float, int, str, float]] = []
        self._number = 0
        #: Seconds to the first token where they are not as usual, by id, for one call.
        self.slow: dict[str, float] = {}

    def send(self, requests: int) -> None:
        for _ in range(requests):
            self.clock.now += self.draw.expovariate(RATE)
            self._end_due()
            decision = decide(self.router, policy="near", live=self.live, random=self.draw)
            self._call(decision.winner)

    def send_until(self, done: Callable[[], bool], most: float) -> float:
        """Send until something has happened; return after how many seconds."""
        began = self.clock.now
        while not done():
            assert self.clock.now - began < most
            self.send(1)
        return self.clock.now - began

    def _call(self, target) -> None:
        self.calls[target.id] += 1
        self.live.started(target)
        first = self.slow.pop(target.id, None) or self.draw.uniform(*FIRST_TOKEN)
        lasts = first + self.draw.uniform(0.7, 2.3)
        self._number += 1
        heapq.heappush(self._ends, (self.clock.now + lasts, self._number, target.id, first))

    def _end_due(self) -> None:
        while self._ends and self._ends[0][0] <= self.clock.now:
            _, _, name, first = heapq.heappop(self._ends)
            target = self.router.catalog.target(name)
            self.live.ended(target, healthy=True, first_token=first)


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    return farm(tmp_path_factory.mktemp("replicas"), ALL)


def test_the_busiest_has_at_most_half_more_than_the_mean_and_nobody_idles(router):
    load = Load(router)
    load.send(9_000)
    counts = [load.calls[target.id] for target in router.targets]
    assert sum(counts) / 300 == 30
    assert max(counts) <= 1.5 * 30
    assert min(counts) > 0


def test_a_target_after_one_model_load_is_tried_again_within_minutes(router):
    load = Load(router)
    load.slow = {"gpu-007/m": 25.0}
    load.send(3_000)
    assert load.calls["gpu-007/m"] >= 1
    load.send_until(lambda: "gpu-007/m" not in load.slow and not _loading(load), most=60)
    before = load.calls["gpu-007/m"]
    again = load.send_until(lambda: load.calls["gpu-007/m"] > before, most=600)
    assert again < 300


def _loading(load: Load) -> bool:
    return any(name == "gpu-007/m" and first > 20 for _, _, name, first in load._ends)


def test_a_newcomer_is_tried_within_minutes(tmp_path):
    load = Load(farm(tmp_path, ALL[:-1]))
    load.send(3_000)
    with_newcomer = farm(tmp_path / "grown", ALL)
    load.router = with_newcomer
    assert load.send_until(lambda: load.calls["gpu-299/m"] > 0, most=300) < 60
