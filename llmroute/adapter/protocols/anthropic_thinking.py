"""Reasoning effort as Anthropic's `thinking` and `output_config.effort`, by a model's own types.

Models with `adaptive` thinking take an effort. Older ones take `enabled` with a budget of tokens
instead, which must leave room for the answer. Models that know `enabled` refuse a forced tool
beside thoughts of either kind, and nearly all sampling parameters. Sources: Anthropic's API
reference, typed SDK models and error messages; the budgets of low, medium and high are LiteLLM's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.adapter.protocols.fields import EFFORTS, effort_of, forced_tool, put, takes_effort
from llmroute.catalog.model import Target
from llmroute.types import Request

__all__ = ["think"]

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
#: Fewer tokens are refused.
_LEAST = 1024
_BUDGETS: Mapping[str, int] = {
    "minimal": _LEAST,
    "low": _LEAST,
    "medium": 2048,
    "high": 4096,
    "xhigh": 8192,
    "max": 16384,
}
_THOUGHTS = ("thinking", "redacted_thinking")
#: Types that stand for the effort `none`, the nearest first.
_OFF = ("disabled", "between_tools")
#: Least value of the sampling parameters that a model takes while it thinks.
_WHILE_THINKING: Mapping[str, float] = {"temperature": 1, "top_p": 0.95}
_FORCED = "where it is made to call a tool"


def think(body: dict[str, Any], request: Request, target: Target) -> list[str]:
    """Write a request's effort into a body that holds all but its tools; return the warnings."""
    types = target.wire.thinking or ()
    effort = request.reasoning_effort if takes_effort(target) else None
    off = next((kind for kind in _OFF if kind in types), None)
    if effort == "none" and off:
        body["thinking"] = {"type": off}
        less = f"reasoning_effort none became thinking {off}: {target.id} cannot do without"
        return [] if off == "disabled" else [less]
    if effort in EFFORTS and "enabled" in types and "adaptive" not in types:
        return _budget(body, effort, request, target)
    return _adaptive(body, request, target)


def _adaptive(body: dict[str, Any], request: Request, target: Target) -> list[str]:
    effort, warnings = effort_of(request, target, _EFFORTS)
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif effort is not None:
        put(body, "output_config.effort", effort)
        types = target.wire.thinking or ()
        if target.wire.default_effort == "none" and "adaptive" in types:
            if "enabled" in types and request.tools and forced_tool(request):
                return [*warnings, f"thinking was left off: {target.id} does not think {_FORCED}"]
            warnings += _asked_to_think(body, target, type="adaptive")
    return warnings


def _asked_to_think(body: dict[str, Any], target: Target, **thinking: Any) -> list[str]:
    """Let a model think that does so only when asked, without what it does not take meanwhile."""
    body["thinking"] = thinking
    low = [name for name, least in _WHILE_THINKING.items() if body.get(name, least) < least]
    for name in low:
        del body[name]
    why = f"{target.id} does not take less while it thinks"
    return [f"{name} below {_WHILE_THINKING[name]} was dropped: {why}" for name in low]


def _budget(body: dict[str, Any], effort: str, request: Request, target: Target) -> list[str]:
    if effort == "none":  # the model thinks only when asked
        return []
    if why := _obstacle(body, request):
        return [f"reasoning_effort was dropped: {target.id} does not think {why}"]
    tokens = min(_BUDGETS[effort], body["max_tokens"] - 1)
    return _asked_to_think(body, target, type="enabled", budget_tokens=tokens)


def _obstacle(body: Mapping[str, Any], request: Request) -> str:
    """Return what keeps a model from thinking by budget, or nothing."""
    turns = body["messages"]
    if body["max_tokens"] <= _LEAST:
        return f"within {body['max_tokens']} tokens"
    if request.tools and forced_tool(request):
        return _FORCED
    if turns[-1]["role"] == "assistant":
        return "in the middle of an answer"
    last = [turn for turn in turns[-2:-1] if turns[-1]["content"][0]["type"] == "tool_result"]
    if last and last[0]["content"][0]["type"] not in _THOUGHTS:
        return "after a call that it made without thinking"
    return ""
