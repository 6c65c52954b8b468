import json
from datetime import UTC, datetime

from llmroute import Router
from llmroute.config.shipped import data_root
from llmroute.dispatch.pace import Pace
from llmroute.sim import Fault, SimFarm

# time stands still, so that this shows the same whenever it runs
STILL = {"now": lambda: datetime(2026, 11, 29, 12, 0, tzinfo=UTC), "pace": Pace(clock=lambda: 0.0)}

with SimFarm() as farm, Router.load(data_root(), environment=farm.environment(), **STILL) as router:
    farm.anthropic.script(Fault.status(429, retry_after=30))
    answer = router.complete("Hello", policy="balanced", route={"order": ["anthropic", "openai"]})
    tried = {attempt.target for attempt in answer.attempts}
    for health in router.health():
        if health.target in tried:
            print(json.dumps(health.to_dict(), indent=2))
