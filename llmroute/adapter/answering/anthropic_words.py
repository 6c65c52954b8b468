"""What answers to Anthropic's clients are made of, streamed or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.adapter.answering.failures import ANTHROPIC_TYPES, trouble
from llmroute.types import FinishReason, Usage

__all__ = ["failed", "stop_details", "stop_reason", "usage_of"]

_STOP: Mapping[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def stop_reason(finish: FinishReason | None) -> str:
    """Return the reason as Anthropic names it."""
    return _STOP[finish or "stop"]


def stop_details(finish: FinishReason | None, refusal: str | None) -> dict[str, Any]:
    """Return the field that explains a refusal, if it is one."""
    if finish != "content_filter":
        return {}
    return {"stop_details": {"type": "refusal", "category": None, "explanation": refusal}}


def usage_of(usage: Usage) -> dict[str, Any]:
    """Return token counts; `input_tokens` counts neither cached nor cache-written ones."""
    short = usage.cache_written - usage.cache_written_1h
    return {
        "input_tokens": max(usage.input - usage.cached - usage.cache_written, 0),
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": usage.cache_written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": max(short, 0),
            "ephemeral_1h_input_tokens": usage.cache_written_1h,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


def failed(error: Exception) -> dict[str, Any]:
    """Return the body of an error; what the provider said stands beside it."""
    told = trouble(error)
    kind = ANTHROPIC_TYPES.get(told.status, "api_error")
    if told.code == "insufficient_quota":
        kind = "billing_error"
    inner = {"type": kind, "message": told.message}
    body: dict[str, Any] = {"type": "error", "error": inner}
    return body if told.native is None else {**body, "native": told.native}
