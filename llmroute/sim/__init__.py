"""Simulated providers: servers on loopback sockets, and a program, that speak the real protocols.

They serve tests, the demo and users' dry runs; they answer by rule, cost nothing, need no key
and no network. `Sim` is one server, `SimFarm` all of them with the environment that points a
workspace at them, `Fault` what may go wrong, `run` a farm until it is stopped. The parts are
loaded when first used, so that the `claude` stand-in starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmroute.sim.answer import Answer, ToolUse
    from llmroute.sim.exchange import Recorded
    from llmroute.sim.farm import SimFarm, run, simulate
    from llmroute.sim.models import Model
    from llmroute.sim.script import Fault, Pace, RateLimit
    from llmroute.sim.sim import Loop, Sim
    from llmroute.sim.stand_in import ClaudeStandIn

__all__ = [
    "Answer",
    "ClaudeStandIn",
    "Fault",
    "Loop",
    "Model",
    "Pace",
    "RateLimit",
    "Recorded",
    "Sim",
    "SimFarm",
    "ToolUse",
    "run",
    "simulate",
]

_HOMES = {
    "Answer": "answer",
    "ClaudeStandIn": "stand_in",
    "Fault": "script",
    "Loop": "sim",
    "Model": "models",
    "Pace": "script",
    "RateLimit": "script",
    "Recorded": "exchange",
    "Sim": "sim",
    "SimFarm": "farm",
    "ToolUse": "answer",
    "run": "farm",
    "simulate": "farm",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
