"""Routing for LLM calls that you can read, check, explain and replay.

Importing this package loads no vendor's SDK and touches no network; each public name is loaded
when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmroute.catalog.model import Provider, Target
    from llmroute.dispatch.health.report import TargetHealth
    from llmroute.errors import (
        ConfigError,
        ErrorKind,
        LlmrouteError,
        NoEligibleTarget,
        RouteFailed,
        StreamInterrupted,
        TargetError,
        UsageError,
    )
    from llmroute.policy.engine.decision import Decision
    from llmroute.policy.policy import Policy, load_policy
    from llmroute.providers import (
        ClaudeCodeProvider,
        CompletionResponse,
        LiteLLMProvider,
        LLMProviderInterface,
        LMStudioProvider,
        MultiProviderRegistry,
        OllamaProvider,
        ProviderCapabilities,
        TaskRequirements,
    )
    from llmroute.router import Router
    from llmroute.types import (
        Attempt,
        Chunk,
        Request,
        Response,
        Route,
        ToolCall,
        ToolCallDelta,
        Usage,
        Wait,
    )

__version__ = "0.1.0"

_HOMES = {
    "llmroute.catalog.model": ("Provider", "Target"),
    "llmroute.dispatch.health.report": ("TargetHealth",),
    "llmroute.errors": (
        "ConfigError",
        "ErrorKind",
        "LlmrouteError",
        "NoEligibleTarget",
        "RouteFailed",
        "StreamInterrupted",
        "TargetError",
        "UsageError",
    ),
    "llmroute.policy.engine.decision": ("Decision",),
    "llmroute.policy.policy": ("Policy", "load_policy"),
    "llmroute.providers": (
        "ClaudeCodeProvider",
        "CompletionResponse",
        "LLMProviderInterface",
        "LMStudioProvider",
        "LiteLLMProvider",
        "MultiProviderRegistry",
        "OllamaProvider",
        "ProviderCapabilities",
        "TaskRequirements",
    ),
    "llmroute.router": ("Router",),
    "llmroute.types": (
        "Attempt",
        "Chunk",
        "Request",
        "Response",
        "Route",
        "ToolCall",
        "ToolCallDelta",
        "Usage",
        "Wait",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Attempt",
    "Chunk",
    "ClaudeCodeProvider",
    "CompletionResponse",
    "ConfigError",
    "Decision",
    "ErrorKind",
    "LLMProviderInterface",
    "LMStudioProvider",
    "LiteLLMProvider",
    "LlmrouteError",
    "MultiProviderRegistry",
    "NoEligibleTarget",
    "OllamaProvider",
    "Policy",
    "Provider",
    "ProviderCapabilities",
    "Request",
    "Response",
    "Route",
    "RouteFailed",
    "Router",
    "StreamInterrupted",
    "Target",
    "TargetError",
    "TargetHealth",
    "TaskRequirements",
    "ToolCall",
    "ToolCallDelta",
    "Usage",
    "UsageError",
    "Wait",
    "__version__",
    "load_policy",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
