"""Policies: expressions, facts, scores, decisions and their explanations."""

from llmroute.policy.check import check_expressions, check_policy, check_workspace
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.engine.decision import Decision, Ranked
from llmroute.policy.expressions.expression import Expression, ExpressionError
from llmroute.policy.inputs import check_inputs
from llmroute.policy.policy import Policy, load_policy
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.estimate import Estimate, estimate
from llmroute.policy.scoring.live import LiveFacts, LiveView, Priors
from llmroute.policy.scoring.requirements import Rejection
from llmroute.policy.scoring.rules import Contribution
from llmroute.policy.source import Fallback, PolicySource, Select, policy_source

__all__ = [
    "CompiledPolicy",
    "Contribution",
    "Decision",
    "Estimate",
    "Expression",
    "ExpressionError",
    "Fallback",
    "LiveFacts",
    "LiveView",
    "Policy",
    "PolicySource",
    "Priors",
    "Ranked",
    "Rejection",
    "Select",
    "Surroundings",
    "check_expressions",
    "check_inputs",
    "check_policy",
    "check_workspace",
    "decide",
    "estimate",
    "load_policy",
    "policy_source",
]
