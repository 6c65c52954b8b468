"""What Anthropic refuses in a request, with the messages that its API gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from llmroute.sim.models import Model

__all__ = ["Checks"]

_WITHOUT_SAMPLING = "2026-10-21"
_VERSIONS = ("2023-06-01", _WITHOUT_SAMPLING)
_SAMPLING = ("temperature", "top_k", "top_p")
_LEAST_BUDGET = 1024
_LEAST_TOP_P = 0.95
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_COUNTED = frozenset(
    {
        "cache_control",
        "context_management",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
_FIELDS = _COUNTED | {
    "container",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
}


class Checks:
    """The checks of one request, in the order in which they are made.

    `refuse` builds the error to raise from a condition and a message.
    """

    def __init__(
        self, refuse: Callable[..., Exception], body: Mapping[str, Any], version: str
    ) -> None:
        self._make = refuse
        self._body = body
        self._version = version

    def _refuse(self, message: str) -> Exception:
        return self._make("bad_request", message=message)

    def fields(self, *, counting: bool) -> None:
        """Check the version and the names of the fields; `counting` is for count_tokens."""
        if self._version not in _VERSIONS:
            raise self._refuse(f'anthropic-version: "{self._version}" is not a valid version')
        allowed = _COUNTED if counting else _FIELDS
        if self._version != _WITHOUT_SAMPLING:
            allowed |= frozenset(_SAMPLING)
        for name in self._body:
            if name not in allowed:
                raise self._refuse(f"{name}: Extra inputs are not permitted")
        for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
            if self._body.get(name) is None:
                raise self._refuse(f"{name}: Field required")
        if not self._body["messages"]:
            raise self._refuse("messages: at least one message is required")

    def model_rules(self, model: Model) -> None:
        """Check what this model accepts."""
        for name in _SAMPLING:
            if name in model.refuses and self._body.get(name) is not None:
                raise self._refuse(f"`{name}` is deprecated for this model.")
        wanted = self._body.get("max_tokens") or 0
        if wanted > model.max_output:
            raise self._refuse(
                f"max_tokens: {wanted} > {model.max_output}, which is the maximum allowed number "
                f"of output tokens for {model.id}"
            )
        self._sampling()
        self._thinking(model)
        self._tools(model)
        self._system_turns(model)
        if not model.prefill and self._body["messages"][-1].get("role") == "assistant":
            raise self._refuse(
                "This model does not support assistant message prefill. The conversation must "
                "end with a user message."
            )

    def _sampling(self) -> None:
        if not 0 <= (self._body.get("temperature") or 0) <= 1:
            raise self._refuse("temperature: Input should be less than or equal to 1")
        if all(self._body.get(name) is not None for name in ("temperature", "top_p")):
            raise self._refuse(
                "`temperature` and `top_p` cannot both be specified for this model. Please use "
                "only one."
            )
        if any(not one.strip() for one in self._body.get("stop_sequences") or ()):
            raise self._refuse("stop_sequences: each stop sequence must contain non-whitespace")

    def _system_turns(self, model: Model) -> None:
        roles = [one.get("role") for one in self._body["messages"]]
        for index, role in enumerate(roles):
            if role != "system":
                continue
            if not model.system_turns:
                raise self._refuse(f"messages.{index}: role 'system' is not supported")
            if index == 0 or roles[index - 1] != "user":
                raise self._refuse(f"messages.{index}: role 'system' must follow a 'user' message")
            if roles[index + 1 : index + 2] not in ([], ["assistant"]):
                raise self._refuse(
                    f"messages.{index}: role 'system' must precede an 'assistant' message or end "
                    "the array"
                )

    def _budget(self) -> None:
        budget = self._body["thinking"].get("budget_tokens") or 0
        if budget < _LEAST_BUDGET:
            raise self._refuse("thinking.enabled.budget_tokens: Input should be at least 1024")
        if budget >= self._body.get("max_tokens", 0):
            raise self._refuse("`max_tokens` must be greater than `thinking.budget_tokens`.")

    def _beside_thoughts(self) -> None:
        if (self._body.get("tool_choice") or {}).get("type") in ("any", "tool"):
            raise self._refuse("Thinking may not be enabled when tool_choice forces tool use.")
        if self._body.get("temperature", 1) != 1:
            raise self._refuse(
                "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
            )
        if self._body.get("top_p", 1) < _LEAST_TOP_P:
            raise self._refuse("`top_p` must be at least 0.95 or unset when thinking is enabled.")

    def _thinking(self, model: Model) -> None:
        kind = (self._body.get("thinking") or {}).get("type")
        if kind is not None and model.efforts + model.thinking and kind not in model.thinking:
            raise self._refuse(f'"thinking.type.{kind}" is not supported for this model.')
        if kind == "enabled":
            self._budget()
        if kind in ("enabled", "adaptive") and "enabled" in model.thinking:
            self._beside_thoughts()
        effort = (self._body.get("output_config") or {}).get("effort")
        if effort is not None and effort not in model.efforts:
            raise self._refuse(f'output_config.effort: "{effort}" is not supported by this model.')

    def _tools(self, model: Model) -> None:
        for index, tool in enumerate(self._body.get("tools") or ()):
            if "name" not in tool:
                raise self._refuse(f"tools.{index}.name: Field required")
            if not _NAME.fullmatch(tool["name"]):
                pattern = "^[a-zA-Z0-9_-]{1,128}$"
                raise self._refuse(
                    f"tools.{index}.custom.name: String should match pattern '{pattern}'"
                )
            schema = tool.get("input_schema")
            if schema is None and "type" not in tool:
                raise self._refuse(f"tools.{index}.custom.input_schema: Field required")
            if schema is not None and schema.get("type") != "object":
                raise self._refuse(
                    f"tools.{index}.custom.input_schema.type: Input should be 'object'"
                )
        kind = (self._body.get("tool_choice") or {}).get("type")
        if kind is not None and not self._body.get("tools"):
            raise self._refuse("tool_choice: may only be specified while providing tools")
        if kind in ("any", "tool") and not model.forced_tool:
            raise self._refuse(f'tool_choice.type "{kind}" is not supported for this model.')

    def messages(self) -> None:
        """Check roles, empty texts, and that tool results answer the calls before them."""
        called: set[str] = set()
        for index, one in enumerate(self._body["messages"]):
            if one.get("role") not in ("user", "assistant", "system"):
                raise self._refuse(
                    f"messages.{index}.role: Input should be 'user', 'assistant' or 'system'"
                )
            blocks = self._blocks(index, one.get("content"))
            self._results(index, blocks, called)
            called = {block.get("id", "") for block in blocks if block.get("type") == "tool_use"}
        if called:
            raise self._unanswered(index, called)

    def _blocks(self, index: int, content: Any) -> Sequence[Mapping[str, Any]]:
        if isinstance(content, str):
            if not content.strip():
                raise self._refuse(f"messages.{index}: user messages must have non-empty content")
            return ()
        if not isinstance(content, list):
            raise self._refuse(f"messages.{index}.content: Field required")
        for block in content:
            if block.get("type") == "text" and not block.get("text", "").strip():
                raise self._refuse("messages: text content blocks must be non-empty")
        return content

    def _results(self, index: int, blocks: Sequence[Mapping[str, Any]], called: set[str]) -> None:
        kinds = [block.get("type") for block in blocks]
        given = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
        unknown = [one for one in given if one not in called]
        if unknown:
            raise self._refuse(
                f"messages.{index}.content.{kinds.index('tool_result')}: unexpected `tool_use_id` "
                f"found in `tool_result` blocks: {unknown[0]}. Each `tool_result` block must have "
                "a corresponding `tool_use` block in the previous message."
            )
        missing = sorted(called - set(given))
        if missing or (given and "tool_result" in kinds[len(given) :]):
            raise self._unanswered(index, missing or given)

    def _unanswered(self, index: int, calls: Iterable[str]) -> Exception:
        return self._refuse(
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks "
            f"immediately after: {', '.join(sorted(calls))}. Each `tool_use` block must have a "
            "corresponding `tool_result` block in the next message."
        )
