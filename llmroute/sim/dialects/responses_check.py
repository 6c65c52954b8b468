"""What OpenAI's Responses endpoint refuses in a request, with the messages that its API gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from llmroute.sim.dialects.base import RefusedError
from llmroute.sim.dialects.responses import ENCRYPTED, cipher, functions_of, items_of, tools_of
from llmroute.sim.models import Model

__all__ = ["Checks", "function_fault", "tools_fault"]

_LONGEST_ID = 64
_LEAST_OUTPUT = 16
_MOST_TOOLS = 128
#: Every parameter of the endpoint; anything else is a 400. All but `client_metadata` are published;
#: OpenAI's own Codex CLI sends that one with every request.
_FIELDS = frozenset(
    {
        "access_programs",
        "background",
        "background_options",
        "client_metadata",
        "context_management",
        "conversation",
        "image",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
#: Items that are taken as they are: what hosted tools did, and what steers a conversation.
_UNREAD = frozenset(
    {
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "compaction_trigger",
        "computer_call",
        "computer_call_output",
        "configuration_update",
        "file_search_call",
        "image_generation_call",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "program",
        "program_output",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
_TOOLS = frozenset(
    {
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use_preview",
        "custom",
        "file_search",
        "function",
        "image_generation",
        "local_shell",
        "mcp",
        "namespace",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    }
)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ASKED = frozenset({"input_text", "input_image", "input_file"})
_ANSWERED = frozenset({"output_text", "refusal"})
_NOT_AT_ROOT = ("anyOf", "oneOf", "allOf", "enum", "not")


def function_fault(function: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a function's name or parameters, in the API's words."""
    if not _NAME.fullmatch(function["name"]):
        return (
            "Invalid name of a function: string does not match pattern '^[a-zA-Z0-9_-]+$' of at "
            "most 64 characters."
        )
    schema = function.get("parameters") or {}
    invalid = f"Invalid schema for function '{function['name']}': "
    if any(key in schema for key in _NOT_AT_ROOT):
        return (
            f"{invalid}schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/"
            "'not' at the top level."
        )
    if not function.get("strict"):
        return None
    if schema.get("additionalProperties") is not False:
        return (
            f"{invalid}In context=(), 'additionalProperties' is required to be supplied and to "
            "be false."
        )
    if set(schema.get("properties") or ()) - set(schema.get("required") or ()):
        return (
            f"{invalid}In context=(), 'required' is required to be supplied and to be an array "
            "including every key in properties."
        )
    return None


def tools_fault(body: Mapping[str, Any]) -> str | None:
    """Return that a request offers too many tools, in the API's words."""
    count = len(body.get("tools") or ())
    if count <= _MOST_TOOLS:
        return None
    return (
        f"Invalid 'tools': array too long. Expected an array with maximum length {_MOST_TOOLS}, "
        f"but got an array with length {count} instead."
    )


class Checks:
    """Checks one request; `refuse` makes the error to raise."""

    def __init__(
        self, refuse: Callable[..., RefusedError], body: Mapping[str, Any], model: Model
    ) -> None:
        self._refuse = refuse
        self._body = body
        self._model = model
        self._called: set[str] = set()
        self._answered: set[str] = set()

    def all(self) -> None:
        """Check everything.

        Raises:
            RefusedError: with the provider's own answer.

        """
        for name in sorted(self._body.keys() - _FIELDS):
            raise self._bad(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        self._include()
        self._sizes()
        for index, item in enumerate(items_of(self._body)):
            self._item(f"input[{index}]", item)
        for missing in sorted(self._called - self._answered):
            raise self._bad(f"No tool output found for function call {missing}.", "input")
        self._tools()
        self._format()

    def _bad(self, message: str, param: str, code: str | None = None) -> RefusedError:
        return self._refuse("bad_request", message=message, param=param, code=code)

    def _missing(self, param: str) -> RefusedError:
        message = f"Missing required parameter: '{param}'."
        return self._bad(message, param, "missing_required_parameter")

    def _sizes(self) -> None:
        least, asked = _LEAST_OUTPUT, self._body.get("max_output_tokens")
        if asked is not None and asked < least:
            message = (
                "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= "
                f"{least}, but got {asked} instead."
            )
            raise self._bad(message, "max_output_tokens", "integer_below_min_value")
        if (fault := tools_fault(self._body)) is not None:
            raise self._bad(fault, "tools", "array_above_max_length")

    def _include(self) -> None:
        if ENCRYPTED in (self._body.get("include") or ()) and not self._model.reasoning:
            raise self._bad("Encrypted content is not supported with this model.", "include")

    def _item(self, where: str, item: Mapping[str, Any]) -> None:
        kind = item.get("type", "message")
        checks = {
            "message": self._message,
            "function_call": self._call,
            "function_call_output": self._output,
            "custom_tool_call": self._call,
            "custom_tool_call_output": self._output,
            "reasoning": self._reasoning,
            "item_reference": self._reasoning,
            "additional_tools": self._additional,
        }
        if kind in checks:
            checks[kind](where, item)
        elif kind not in _UNREAD:
            raise self._bad(f"Invalid value: '{kind}'.", f"{where}.type", "invalid_value")

    def _message(self, where: str, item: Mapping[str, Any]) -> None:
        if item.get("role") not in ("user", "assistant", "system", "developer"):
            message = f"Invalid value: '{item.get('role')}'."
            raise self._bad(message, f"{where}.role", "invalid_value")
        if "content" not in item:
            raise self._missing(f"{where}.content")
        allowed = _ANSWERED if item["role"] == "assistant" else _ASKED
        self._parts(f"{where}.content", item["content"], allowed)

    def _parts(self, where: str, content: Any, allowed: frozenset[str]) -> None:
        for index, part in enumerate(content if isinstance(content, list) else ()):
            if part.get("type") not in allowed:
                known = ", ".join(f"'{name}'" for name in sorted(allowed))
                message = f"Invalid value: '{part.get('type')}'. Supported values are: {known}."
                raise self._bad(message, f"{where}[{index}].type", "invalid_value")

    def _id(self, where: str, item: Mapping[str, Any]) -> str:
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or not call_id:
            raise self._missing(f"{where}.call_id")
        if len(call_id) > _LONGEST_ID:
            message = (
                f"Invalid '{where}.call_id': string too long. Expected a string with maximum "
                f"length {_LONGEST_ID}, but got a string with length {len(call_id)} instead."
            )
            raise self._bad(message, f"{where}.call_id", "string_above_max_length")
        return call_id

    def _call(self, where: str, item: Mapping[str, Any]) -> None:
        self._called.add(self._id(where, item))
        for name in ("name", "input" if item["type"] == "custom_tool_call" else "arguments"):
            if not isinstance(item.get(name), str):
                raise self._missing(f"{where}.{name}")

    def _additional(self, where: str, item: Mapping[str, Any]) -> None:
        if item.get("role") != "developer":
            message = f"Invalid value: '{item.get('role')}'. Supported values are: 'developer'."
            raise self._bad(message, f"{where}.role", "invalid_value")
        if not isinstance(item.get("tools"), list):
            raise self._missing(f"{where}.tools")

    def _output(self, where: str, item: Mapping[str, Any]) -> None:
        call_id = self._id(where, item)
        if call_id not in self._called:
            message = f"No tool call found for function call output with call_id {call_id}."
            raise self._bad(message, "input")
        if "output" not in item:
            raise self._missing(f"{where}.output")
        self._parts(f"{where}.output", item["output"], _ASKED)
        self._answered.add(call_id)

    def _reasoning(self, where: str, item: Mapping[str, Any]) -> None:
        content = item.get("encrypted_content")
        if content is None:
            message = (
                f"Item with id '{item.get('id')}' not found. Items are not persisted when "
                "`store` is set to false. Try again with `store` set to true, or remove this "
                "item from your input."
            )
            raise self._refuse("bad_request", status=404, message=message, param="input")
        if content != cipher(self._model.id):
            message = f"The encrypted content {content[:8]}... could not be verified."
            raise self._bad(message, where, "invalid_encrypted_content")

    def _tools(self) -> None:
        for where, tool in tools_of(self._body):
            kind = tool.get("type")
            if kind not in _TOOLS:
                raise self._bad(f"Invalid value: '{kind}'.", f"{where}.type", "invalid_value")
            if kind in ("custom", "namespace") and not tool.get("name"):
                raise self._missing(f"{where}.name")
        for where, _, function in functions_of(self._body):
            if not function.get("name"):
                raise self._missing(f"{where}.name")
            if (fault := function_fault(function)) is not None:
                raise self._bad(fault, f"{where}.parameters", "invalid_function_parameters")

    def _format(self) -> None:
        form = (self._body.get("text") or {}).get("format") or {}
        for name in ("name", "schema") if form.get("type") == "json_schema" else ():
            if not form.get(name):
                raise self._missing(f"text.format.{name}")
