from llmroute import Router
from llmroute.config.shipped import data_root
from llmroute.sim import Fault, SimFarm

with SimFarm() as farm, Router.load(data_root(), environment=farm.environment()) as router:
    farm.anthropic.script(Fault.status(529))
    answer = router.complete("Hello", policy="balanced", route={"order": ["anthropic", "openai"]})
    for attempt in answer.attempts:
        print(attempt.target, attempt.outcome, attempt.message)
