"""Findings, attempts, answers and providers as the plain data that `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from llmroute.catalog.build import Catalog
from llmroute.catalog.cost import Price
from llmroute.catalog.model import Capabilities, Provider, Target
from llmroute.config.diagnostics import Diagnostic
from llmroute.types import Attempt, Response, ToolCall

__all__ = [
    "answer_record",
    "attempt_record",
    "capability_names",
    "finding_record",
    "provider_record",
    "target_record",
    "tool_call_record",
]


def finding_record(item: Diagnostic) -> dict[str, Any]:
    """Return one finding as `lint --format json` has it; `fix` is an object or null."""
    from llmroute.lint.formats.records import to_record

    return to_record(item)


def attempt_record(item: Attempt) -> dict[str, Any]:
    """Return one attempt; times in seconds, `cost` in USD as text."""
    return {**asdict(item), "cost": _usd(item.cost)}


def answer_record(response: Response) -> dict[str, Any]:
    """Return a whole answer; `cost` is USD as decimal text, null where the price is unknown."""
    decision = response.decision
    return {
        "text": response.text,
        "target": response.target,
        "model": response.model,
        "id": response.id,
        "finish_reason": response.finish_reason,
        "tool_calls": [tool_call_record(call) for call in response.tool_calls],
        "refusal": response.refusal,
        "reasoning": response.reasoning,
        "usage": asdict(response.usage),
        "cost": _usd(response.cost),
        "attempts": [attempt_record(item) for item in response.attempts],
        "warnings": list(response.warnings),
        "decision": {
            "policy": decision.policy,
            "winner": decision.winner.id if decision.winner else None,
            "fingerprint": decision.fingerprint,
        },
    }


def tool_call_record(call: ToolCall) -> dict[str, Any]:
    """Return one tool call; its arguments parsed where they are JSON, else as they arrived."""
    import json

    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = call.arguments
    return {"id": call.id, "name": call.name, "arguments": arguments}


def provider_record(provider: Provider, catalog: Catalog) -> dict[str, Any]:
    """Return a provider with its status and its models."""
    problem = catalog.problems.get(provider.name)
    targets = [target for target in catalog.targets if target.provider.name == provider.name]
    return {
        "provider": provider.name,
        "description": provider.description,
        "usable": problem is None,
        "reason": problem.reason if problem else None,
        "help": problem.help if problem else None,
        "locality": provider.locality,
        "endpoint": provider.endpoint.base_url,
        "file": provider.file,
        "models": [target_record(target, catalog) for target in targets],
    }


def target_record(target: Target, catalog: Catalog) -> dict[str, Any]:
    """Return a target's facts; `price` in USD per million tokens, null where unknown."""
    problem = catalog.problem(target)
    return {
        "target": target.id,
        "usable": problem is None,
        "reason": problem.reason if problem else None,
        "help": problem.help if problem else None,
        "locality": target.locality,
        "context_window": target.context_window,
        "max_output": target.max_output,
        "capabilities": list(capability_names(target.capabilities)),
        "price": _price(target.price),
        "quality": target.quality.default,
        "quality_is_prior": target.quality.prior,
        "discovered": target.discovered,
    }


def capability_names(able: Capabilities) -> tuple[str, ...]:
    """Return the capabilities that are on."""
    return tuple(name for name in Capabilities.names() if getattr(able, name))


def _price(price: Price | None) -> Mapping[str, float] | None:
    return None if price is None else {k: price.view[k] for k in ("input", "output")}


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
