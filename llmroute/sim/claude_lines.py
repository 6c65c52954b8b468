"""The lines that Claude Code 2.1.330 prints with `--output-format stream-json`.

Keys and values are those of recorded runs; figures follow the rule of `llmroute.sim.tokens`.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmroute.sim.answer import Answer
from llmroute.sim.claude_facts import INVENTED, PRICES, ApiError

__all__ = ["Lines"]


@dataclass(slots=True)
class Lines:
    """Builds the lines of one session.

    `streamed` is for `stream-json`, `partial` for its pieces; `clock` is wall time in seconds.
    """

    model: str
    session: str
    folder: str
    streamed: bool = False
    partial: bool = False
    clock: Callable[[], float] = time.time
    _serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def init(self, tools: list[str]) -> dict[str, Any]:
        """Build the first line: what the session has."""
        return {
            "type": "system",
            "subtype": "init",
            "cwd": self.folder,
            "session_id": self.session,
            "tools": tools,
            "mcp_servers": [],
            "model": self.model,
            "permissionMode": "default",
            "slash_commands": [],
            "terminal_slash_commands": [],
            "apiKeySource": "ANTHROPIC_API_KEY",
            "claude_code_version": "2.1.330",
            "output_style": "default",
            "agents": [],
            "skills": [],
            "plugins": [],
            "capabilities": ["interrupt_receipt_v1"],
            "analytics_disabled": True,
            "product_feedback_disabled": True,
            "served_by_anthropic": False,
            "uuid": self._uuid(),
            "memory_paths": {},
            "original_cwd": self.folder,
            "additional_directories": [],
            "messaging_socket_path": "",
            "fast_mode_state": "off",
            "fast_mode_disabled_reason": "sdk_opt_in_required",
            "per_turn_effort_active": True,
            "ultrathink_available": False,
            "ultrathink_typed_raises": False,
            "view_mode": "default",
        }

    def status(self) -> dict[str, Any]:
        """Build the line that says that the request goes out."""
        named = {"type": "system", "subtype": "status", "status": "requesting"}
        return {**named, "session_id": self.session, "uuid": self._uuid()}

    def started(self, answer: Answer) -> dict[str, Any]:
        """Build the stream event that opens a message."""
        opened = {**self._message([], answer), "stop_reason": None, "stop_sequence": None}
        line = self._event({"type": "message_start", "message": opened})
        return {**line, "ttft_ms": 15, "thinking_display": "updates"}

    def pieces(self, answer: Answer) -> Iterator[dict[str, Any]]:
        """Build the stream events of the content, up to the last delta."""
        block = {"type": "text", "text": ""}
        yield self._event({"type": "content_block_start", "index": 0, "content_block": block})
        for piece in answer.parts:
            delta = {"type": "text_delta", "text": piece}
            yield self._event({"type": "content_block_delta", "index": 0, "delta": delta})

    def structured_pieces(self, value: Any) -> Iterator[dict[str, Any]]:
        """Build the stream events of a structured answer: a call of a tool."""
        block = {**_structured({}), "type": "tool_use"}
        yield self._event({"type": "content_block_start", "index": 0, "content_block": block})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(value)}
        yield self._event({"type": "content_block_delta", "index": 0, "delta": delta})

    def assistant(self, content: list[dict[str, Any]], answer: Answer) -> dict[str, Any]:
        """Build the line of a whole message; its output tokens are provisional, as really."""
        message = {**self._message(content, answer), "stop_reason": None}
        return self._said("assistant", {**message, "context_management": None})

    def structured(self, value: Any, answer: Answer) -> Iterator[dict[str, Any]]:
        """Build the call of the structured-output tool and its result."""
        yield self.assistant([_structured(value)], answer)
        result = {
            "tool_use_id": "toolu_sim_0",
            "type": "tool_result",
            "content": "Structured output provided successfully",
        }
        line = self._said("user", {"role": "user", "content": [result]})
        line.pop("request_id")
        decision = {"decision": "accept", "source": "config", "reason_type": "mode"}
        meta = [{"id": "toolu_sim_0", "permission_decision": decision}]
        yield {**line, "tool_use_result": result["content"], "tool_result_meta": meta}

    def abandoned(self) -> Iterator[dict[str, Any]]:
        """Build the stream events that close a message which an error has broken."""
        *closing, last = self.ended(None, Answer(output_tokens=1))
        yield from closing
        yield {**last, "abandoned_blocks": {"api_message_id": "msg_sim_1", "from_block_index": 0}}

    def ended(self, stop_reason: str | None, answer: Answer) -> Iterator[dict[str, Any]]:
        """Build the stream events that close a message."""
        yield self._event({"type": "content_block_stop", "index": 0})
        delta = {"stop_reason": stop_reason, "stop_sequence": None}
        usage = {"output_tokens": answer.generated}
        yield self._event({"type": "message_delta", "delta": delta, "usage": usage})
        yield self._event({"type": "message_stop"})

    def failed(self, error: ApiError) -> dict[str, Any]:
        """Build the synthetic message that reports a failure."""
        content = [{"type": "text", "text": error.text.format(model=self.model)}]
        message = {
            **self._message(content, Answer()),
            "id": self._uuid(),
            "model": "<synthetic>",
            "diagnostics": None,
            "container": None,
            "stop_details": None,
            "stop_reason": "stop_sequence",
            "stop_sequence": "",
            "usage": _empty_usage(),
            "context_management": None,
        }
        line = self._said("assistant", message)
        kind = {"api_error_type": error.type} if error.type else {}
        known = {"error": "unknown", "is_api_error_message": True}
        return {**line, **known, "api_error_status": error.status, **kind}

    def result(self, answer: Answer, *, stop_reason: str, turns: int = 1) -> dict[str, Any]:
        """Build the last line of a success."""
        used = {self.model: _model_usage(self.model, answer)}
        line = self._result(_usage(answer), used, used[self.model]["costUSD"])
        since = {"model_usage_since_last_result": used} if self.streamed else {}
        return {
            **line,
            "stop_reason": stop_reason,
            "terminal_reason": "completed",
            "is_error": False,
            "num_turns": turns,
            "subtype": "success",
            "api_error_status": None,
            "result": answer.text,
            "ttft_ms": 126,
            "ttft_stream_ms": 100,
            "time_to_request_ms": 76,
            "first_content_frame_ms": 100,
            **since,
        }

    def failure(self, error: ApiError) -> dict[str, Any]:
        """Build the last line of a failed call; `subtype` says success all the same."""
        named = {"api_error_type": error.type} if error.type else {}
        reason = {"api_error": error.api_error} if error.api_error else {}
        since: dict[str, Any] = {"model_usage_since_last_result": {}} if self.streamed else {}
        return {
            **self._result(_usage(Answer()), {}, 0),
            "stop_reason": error.stop_reason,
            "terminal_reason": error.terminal_reason,
            "is_error": True,
            "num_turns": 1,
            "subtype": "success",
            "api_error_status": error.status,
            **named,
            **reason,
            "result": error.text.format(model=self.model),
            **since,
        }

    def max_turns(self, answer: Answer, turns: int) -> dict[str, Any]:
        """Build the last line of a call that ran out of turns; it has no result."""
        used = {self.model: _model_usage(self.model, answer)}
        return {
            **self._result(_usage(answer), used, used[self.model]["costUSD"]),
            "stop_reason": "tool_use",
            "terminal_reason": "max_turns",
            "is_error": True,
            "num_turns": turns + 1,
            "subtype": "error_max_turns",
            "errors": [f"Reached maximum number of turns ({turns})"],
        }

    def _result(self, usage: Any, used: Any, cost: float) -> dict[str, Any]:
        agents = {"spawned": 0, "completed": 0, "failed": 0, "max_depth": 0}
        return {
            "type": "result",
            "duration_api_ms": 88,
            "duration_ms": 178,
            "session_id": self.session,
            "total_cost_usd": cost,
            "usage": usage,
            "modelUsage": used,
            "permission_denials": [],
            "fast_mode_state": "off",
            "fast_mode_disabled_reason": "sdk_opt_in_required",
            "subagent_stats": agents,
            "safety_stops": 0,
            "uuid": self._uuid(),
            "queued_turn_count": 0,
            "result_index": 0,
            **({"begun_message_ids": ["msg_sim_1"]} if self.partial else {}),
        }

    def _message(self, content: list[dict[str, Any]], answer: Answer) -> dict[str, Any]:
        return {
            "id": "msg_sim_1",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": _plain(answer),
                "cache_creation_input_tokens": answer.cache_written,
                "cache_read_input_tokens": answer.cached,
                "output_tokens": 1,
                "service_tier": "standard",
            },
        }

    def _event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "type": "stream_event",
            "event": event,
            "session_id": self.session,
            "parent_tool_use_id": None,
            "uuid": self._uuid(),
            "api_message_id": "msg_sim_1",
        }

    def _said(self, role: str, message: Mapping[str, Any]) -> dict[str, Any]:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.clock()))
        return {
            "type": role,
            "message": message,
            "parent_tool_use_id": None,
            "session_id": self.session,
            "uuid": self._uuid(),
            "timestamp": moment,
            "request_id": "req_sim_1",
        }

    def _uuid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._serial):012x}"


def _structured(value: Any) -> dict[str, Any]:
    named = {"type": "tool_use", "id": "toolu_sim_0", "name": "StructuredOutput"}
    return {**named, "input": value}


def _plain(answer: Answer) -> int:
    return max(0, (answer.input_tokens or 0) - answer.cached - answer.cache_written)


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": _plain(answer),
        "cache_creation_input_tokens": answer.cache_written,
        "cache_read_input_tokens": answer.cached,
        "output_tokens": answer.generated,
        "output_tokens_details": {"thinking_tokens": answer.thought},
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard",
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "inference_geo": "",
        "iterations": [],
        "speed": "standard",
        "fallback_credit": None,
    }


def _empty_usage() -> dict[str, Any]:
    unknown = ("output_tokens_details", "service_tier", "inference_geo", "iterations", "speed")
    return {**_usage(Answer()), **dict.fromkeys(unknown)}


def _model_usage(model: str, answer: Answer) -> dict[str, Any]:
    price = PRICES.get(model, INVENTED)
    amounts = (_plain(answer), answer.cached, answer.cache_written, answer.generated)
    cost = sum(rate * amount for rate, amount in zip(price, amounts, strict=True)) / 1_000_000
    return {
        "inputTokens": amounts[0],
        "outputTokens": answer.generated,
        "cacheReadInputTokens": answer.cached,
        "cacheCreationInputTokens": answer.cache_written,
        "webSearchRequests": 0,
        "costUSD": round(cost, 10),
        "contextWindow": 1_000_000,
        "maxOutputTokens": 128_000 if model in PRICES else 32_000,
        "thinkingTokens": answer.thought,
        "cacheCreationEphemeral5mInputTokens": 0,
        "cacheCreationEphemeral1hInputTokens": 0,
        "canonicalModel": model,
        "provider": "firstParty",
        "costBasis": "list" if model in PRICES else "unknown",
    }
